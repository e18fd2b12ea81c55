use super::{NameHash, hash};

/// What `debugfs -R "dx_hash -h half_md4 -s 01020304-0506-0708-090a-0b0c0d0e0f10 NAME"` says.
fn check(name: &[u8], major: u32, minor: u32) {
    let seed = [0x0403_0201, 0x0807_0605, 0x0c0b_0a09, 0x100f_0e0d];
    assert_eq!(hash(name, &seed), NameHash { major, minor });
}

#[test]
fn names_of_all_lengths_hash_as_another_program_says() {
    check(b"a", 0x8d08_ec4c, 0x2fbc_cd78);
    check(b"hello", 0xe2dd_f968, 0xc8bc_0924);
    check(b"abcdefghijklmnopqrstuvwxyz012345", 0xda48_2084, 0xdf09_6196);
    check(b"abcdefghijklmnopqrstuvwxyz0123456", 0x9536_9694, 0x4d1d_e55e);
    check(&[b'n'; 255], 0x5aea_33c0, 0x0fbc_d617);
}
