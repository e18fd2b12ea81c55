use super::*;

fn pax_record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length.to_string().len() + rest != length {
        length += 1;
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

fn header(kind: EntryType, name: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(1);
    header.set_gid(2);
    header.set_mtime(3);
    header.set_cksum();
    header
}

fn member_bytes(kind: EntryType, name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(kind, name, content.len() as u64).as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn read_one(bytes: &[u8]) -> Result<(Member, Vec<u8>), ArchiveError> {
    let mut archive = Archive::new(bytes, 4096);
    let member = archive.next()?.unwrap();
    let mut content = Vec::new();
    archive.read_to_end(&mut content)?;
    Ok((member, content))
}

fn check_time(text: &str, seconds: i64, nanoseconds: u32) {
    assert_eq!(parse_time(text.as_bytes()), Some(Mtime { seconds, nanoseconds }), "{text}");
}

#[test]
fn times_have_fractions_and_may_lie_before_1970_and_after_2038() {
    check_time("0", 0, 0);
    check_time("1.5", 1, 500_000_000);
    check_time("4102444800.123456789", 4_102_444_800, 123_456_789);
    check_time("1.1234567899", 1, 123_456_789);
    check_time("-1.25", -2, 750_000_000);
    check_time("-3", -3, 0);
    for bad in ["", "x", "1.x", "1.-5"] {
        assert_eq!(parse_time(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn an_attribute_may_hold_newlines_and_does_not_hide_what_follows() {
    let mut records = pax_record("SCHILY.xattr.security.capability", b"\x01\n\n 9 x=y\n");
    records.extend(pax_record("path", b"long \xff name"));
    let mut bytes = member_bytes(EntryType::XHeader, "x", &records);
    bytes.extend(member_bytes(EntryType::Regular, "short", b"content"));
    let (member, content) = read_one(&bytes).unwrap();
    assert_eq!(member.name, b"long \xff name");
    assert_eq!(&*member.meta.xattrs[b"security.capability".as_slice()], b"\x01\n\n 9 x=y\n");
    assert_eq!(content, b"content");
}

#[test]
fn the_extended_size_counts() {
    let mut bytes = member_bytes(EntryType::XHeader, "x", &pax_record("size", b"7"));
    bytes.extend(header(EntryType::Regular, "file", 0).as_bytes());
    bytes.extend(b"content");
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    assert_eq!(read_one(&bytes).unwrap().1, b"content");
}

#[test]
fn an_endless_name_is_not_read_into_memory() {
    let bytes = header(EntryType::GNULongName, "x", 1 << 40).as_bytes().to_vec();
    assert!(matches!(read_one(&bytes), Err(ArchiveError::Problem(_, Problem::Exceeded(Exceeded::Extension(4096))))));
}

#[test]
fn a_damaged_or_cut_archive_is_an_error() {
    let whole = member_bytes(EntryType::Regular, "file", b"content");
    assert!(matches!(read_one(&whole[..515]), Err(ArchiveError::Problem(_, Problem::Archive(_)))));
    assert!(matches!(read_one(&whole[..100]), Err(ArchiveError::Problem(_, Problem::Archive(_)))));
    let mut flipped = whole;
    flipped[0] ^= 1;
    assert!(matches!(read_one(&flipped), Err(ArchiveError::Problem(_, Problem::Archive(_)))));
}

#[test]
fn pieces_of_a_sparse_file_must_fit() {
    assert!(check_pieces(&[(0, 5), (10, 5)], 20, 10).is_ok());
    assert!(check_pieces(&[(0, 5), (4, 5)], 20, 10).is_err());
    assert!(check_pieces(&[(18, 5)], 20, 5).is_err());
    assert!(check_pieces(&[(0, 5)], 20, 6).is_err());
    assert!(check_pieces(&[(u64::MAX, 5)], 20, 5).is_err());
}

#[test]
fn an_owner_that_does_not_fit_is_refused() {
    let mut bytes = member_bytes(EntryType::XHeader, "x", &pax_record("uid", b"4294967295"));
    bytes.extend(member_bytes(EntryType::Regular, "file", b""));
    let error = read_one(&bytes).unwrap_err();
    assert!(matches!(error, ArchiveError::Problem(_, Problem::Range { field: "owner", found: 4_294_967_295 })));
}

#[test]
fn blank_numbers_are_zero() {
    let mut header = Header::new_gnu();
    header.set_path("blank").unwrap();
    header.set_size(0);
    header.set_cksum();
    let (member, _) = read_one(header.as_bytes()).unwrap();
    assert_eq!((member.meta.uid, member.meta.gid, member.meta.mode), (0, 0, 0));
}

#[test]
fn comments_of_the_whole_archive_are_bounded_together() {
    let comment = pax_record("comment", &[b'x'; 400]);
    let mut bytes = Vec::new();
    for _ in 0..11 {
        bytes.extend(member_bytes(EntryType::XGlobalHeader, "pax_global_header", &comment));
    }
    bytes.extend(member_bytes(EntryType::Regular, "f", b""));
    assert!(matches!(read_one(&bytes), Err(ArchiveError::Problem(_, Problem::Exceeded(Exceeded::Extension(4096))))));
}

#[test]
fn the_map_of_a_sparse_file_ends_although_it_says_nothing() {
    let mut header = header(EntryType::GNUSparse, "s", 0);
    header.as_mut_bytes()[257..265].copy_from_slice(b"ustar  \0");
    header.as_gnu_mut().unwrap().set_is_extended(true);
    header.set_cksum();
    let mut block = GnuExtSparseHeader::new();
    block.set_is_extended(true);
    let mut bytes = header.as_bytes().to_vec();
    for _ in 0..=MAX_SPARSE_BLOCKS {
        bytes.extend_from_slice(block.as_bytes());
    }
    let Err(ArchiveError::Problem(_, Problem::Archive(what))) = read_one(&bytes) else { panic!("it is read") };
    assert!(what.contains("too long"), "{what}");
}
