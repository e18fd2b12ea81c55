//! Trees written to disks: `e2fsck` finds nothing, and the mounted disk is the tree.

pub(crate) mod disk;
mod kinds;
mod random;
mod refused;
mod used;

use bencher_oci::sink::ext4::{DiskSize, Ext4Error};

use crate::support::{Layer, read};
use disk::{Disk, can_mount, have_e2fsck, prove, sink, tree};

#[test]
fn an_empty_image_is_a_disk() {
    prove(vec![]);
}

#[test]
fn plain_files_and_folders_arrive() {
    let big: Vec<u8> = (0..9_000_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    prove(vec![
        Layer::new().dir("./", 0o750).dir("etc", 0o755).file("etc/passwd", "root").file("empty", "").file("big", &big),
        Layer::new().file("a/b/c/d", vec![7; 4096]).file("a/b/c/e", vec![8; 4097]).symlink("link", "etc/passwd"),
    ]);
}

/// A folder of many names, each of so many bytes.
fn crowd(count: usize, length: usize) -> Layer {
    (0..count).fold(Layer::new(), |layer, n| {
        let mut name = format!("crowd/{n}-").into_bytes();
        // Every byte but a slash and NUL, most of them no text.
        name.extend((name.len() - 6..length).map(|at| [0xff, b'a', 0x80, 0xc3, b' ', 1][(n + at) % 6]));
        layer.file(name, "")
    })
}

#[test]
fn one_block_of_names_is_full_before_there_is_an_index() {
    // 24 bytes for the folder itself; a name of 8 bytes takes 16. One more, and there is an index with one leaf.
    for (count, blocks) in [(254, 1), (255, 2)] {
        let tree = prove(vec![(0..count).fold(Layer::new(), |layer, n| layer.file(format!("d/{n:08}"), ""))]);
        if can_mount() {
            let disk = Disk::new(&tree, DiskSize::Fitted);
            let mount = disk.mount("ro");
            assert_eq!(std::fs::metadata(mount.point.join("d")).unwrap().len(), blocks * 4096, "{count} names");
        }
    }
}

#[test]
fn sixty_thousand_names_in_a_folder_are_found_by_an_index_of_two_levels() {
    prove(vec![crowd(60_000, 40)]);
}

#[test]
fn twenty_thousand_names_of_full_length_are_found() {
    prove(vec![crowd(20_000, 255)]);
}

#[test]
fn a_hundred_thousand_small_files_arrive() {
    let layer = (0..100_000).fold(Layer::new(), |layer, n| layer.file(format!("{}/{}/{n}", n % 97, n % 31), n.to_string()));
    prove(vec![layer]);
}

#[test]
fn a_folder_of_more_folders_than_links_are_counted_arrives() {
    for count in [64_998, 64_999] {
        prove(vec![(0..count).fold(Layer::new(), |layer, n| layer.dir(format!("many/{n}"), 0o755))]);
    }
}

#[test]
fn a_deep_tree_arrives() {
    let path = vec!["d"; 250].join("/");
    prove(vec![Layer::new().file(format!("{path}/f"), "deep")]);
}

#[test]
fn a_file_of_a_tebibyte_with_a_few_bytes_arrives() {
    let pieces: [(u64, &[u8]); 4] = [(0, b"first"), (5_000, b"second"), (1 << 39, &[9; 10_000]), ((1 << 40) - 4, b"last")];
    let tree = prove(vec![Layer::new().sparse("sparse", 1 << 40, &pieces).sparse("hole", 12_345_678, &[])]);
    if have_e2fsck() {
        let written = Disk::new(&tree, DiskSize::Fitted).written;
        assert!(written.bytes_stored < 200_000 && written.bytes < 200_000, "{written:?}");
    }
}

#[test]
fn files_of_thousands_of_extents_arrive() {
    // Around the numbers at which the tree of extents gets a block, a further block, and a further level.
    for count in [4, 5, 340, 341, 1360, 1361, 9_000] {
        let pieces: Vec<(u64, &[u8])> = (0..count).map(|n| (n * 8192 + 17, b"piece".as_slice())).collect();
        prove(vec![Layer::new().sparse("scattered", count * 8192, &pieces)]);
    }
}

#[test]
fn pieces_that_share_a_block_arrive() {
    let pieces: Vec<(u64, &[u8])> = (0..500).map(|n| (n * 1000, b"piece".as_slice())).collect();
    prove(vec![Layer::new().sparse("near", 1_000_000, &pieces)]);
}

#[test]
fn contents_of_several_groups_go_around_the_tables() {
    // More than two groups of 128 MiB, so that files are cut at a copy of the superblock.
    let block: Vec<u8> = (0..1_000_003_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let layer = (0..300).fold(Layer::new(), |layer, n| layer.file(format!("file-{n}"), &block));
    prove(vec![layer]);
}

#[test]
fn a_disk_of_128_gibibytes_costs_what_its_content_does() {
    if !can_mount() {
        return;
    }
    let tree = tree(vec![Layer::new().file("a", "1")]);
    let disk = Disk::new(&tree, DiskSize::Bytes(128 << 30));
    let on_host = std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(disk.path()).unwrap()) * 512;
    assert!(disk.written.bytes_stored < 2 << 20 && on_host < 4 << 20, "{:?}, {on_host} on the host", disk.written);
    assert_eq!(disk.written.bytes, 128 << 30);
    disk.check();
    disk.compare(&tree);
}

#[test]
fn disks_of_any_size_are_sound() {
    if !can_mount() {
        return;
    }
    let tree = tree(vec![Layer::new().file("a/b", "1")]);
    let group = 128 << 20;
    let sizes = [1 << 20, (1 << 20) + 1, group - 4096, group, group + 4096, group + 3 * 4096, group + (3 << 20)];
    // The seventeenth group has the tables of those behind it.
    for size in sizes.into_iter().chain([16 * group + 4096, 16 * group + (1 << 20), 16 * group + (4 << 20), 27 * group + 8192]) {
        let disk = Disk::new(&tree, DiskSize::Bytes(size));
        assert_eq!(disk.written.bytes, size);
        disk.check();
        disk.compare(&tree);
    }
}

#[test]
fn the_same_tree_gives_the_same_bytes_and_another_does_not() {
    let layers = || vec![crowd(500, 30), Layer::new().file("a", "1").hard_link("b", "a").symlink("c", "a")];
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, layers, size| {
        let path = dir.path().join(name);
        let written = sink(&tree(layers), &path, size).unwrap();
        (read(&path), written.uuid)
    };
    let first = write("first", layers(), DiskSize::Fitted);
    assert!(first == write("second", layers(), DiskSize::Fitted));
    let other =
        write("other", vec![crowd(500, 30), Layer::new().file("a", "2").hard_link("b", "a").symlink("c", "a")], DiskSize::Fitted);
    assert_ne!(first.1, other.1);
    assert_ne!(first.1, write("sized", layers(), DiskSize::Bytes(8 << 20)).1);
}

#[test]
fn an_image_may_have_its_own_place_for_lost_files() {
    prove(vec![Layer::new().dir("lost+found", 0o711).file("lost+found/mine", "1")]);
    prove(vec![Layer::new().file("lost+found", "no folder")]);
}

#[test]
fn a_disk_too_small_says_what_is_needed_and_that_is_enough() {
    let tree = tree(vec![(0..50).fold(Layer::new(), |layer, n| layer.file(format!("{n}"), vec![1; 100_000]))]);
    let dir = tempfile::tempdir().unwrap();
    let error = sink(&tree, &dir.path().join("small"), DiskSize::Bytes(2 << 20)).unwrap_err();
    let Ext4Error::DiskTooSmall { needed, given } = error else { panic!("{error}") };
    assert_eq!(given, 2 << 20);
    assert!((5_000_000..6_000_000).contains(&needed), "{needed}");
    assert!(!dir.path().join("small").exists());
    sink(&tree, &dir.path().join("enough"), DiskSize::Bytes(needed)).unwrap();
}
