//! What layers mean, rule by rule.

use bencher_oci::{
    Limits,
    merge::{Exceeded, MergeError, Mtime, Problem},
};

use crate::support::{Layer, chain, gzip, input, merge, merge_inputs, merge_with, render, zstd};

fn check(layers: Vec<Layer>, expected: &[&str]) {
    assert_eq!(render(&merge(layers).unwrap()), expected);
}

fn check_refused(layers: Vec<Layer>, expected: &str) {
    let error = chain(&merge(layers).unwrap_err());
    assert!(error.contains(expected), "{error}");
}

#[test]
fn an_image_without_layers_is_an_empty_root() {
    check(vec![], &["/ 755 dir"]);
}

#[test]
fn the_upper_layer_wins_and_the_rest_stays() {
    check(
        vec![Layer::new().dir("d/", 0o700).file("d/a", "1").file("d/b", "1"), Layer::new().file("d/a", "2")],
        &["/ 755 dir", "/d 700 dir", "/d/a 644 file \"2\"", "/d/b 644 file \"1\""],
    );
}

#[test]
fn the_root_has_attributes_of_its_own() {
    check(vec![Layer::new().dir("./", 0o711)], &["/ 711 dir"]);
    check_refused(vec![Layer::new().symlink("./", "x")], "the root of the image is not a folder");
}

#[test]
fn a_whiteout_hides_what_is_below_but_not_what_its_own_layer_adds() {
    check(vec![Layer::new().file("a", "1"), Layer::new().file("a", "2").file(".wh.a", "")], &["/ 755 dir", "/a 644 file \"2\""]);
    check(
        vec![Layer::new().file("d/a", "1").file("d/b", "1"), Layer::new().file("d/.wh.a", "").file(".wh.nothing", "")],
        &["/ 755 dir", "/d 755 dir", "/d/b 644 file \"1\""],
    );
    check(vec![Layer::new().file("d/e/f", "1"), Layer::new().file(".wh.d", "")], &["/ 755 dir"]);
}

#[test]
fn an_opaque_folder_keeps_only_what_its_own_layer_adds() {
    check(
        vec![
            Layer::new().dir("d", 0o700).file("d/a", "1").file("d/e/f", "1"),
            Layer::new().file("d/new", "2").file("d/.wh..wh..opq", ""),
        ],
        &["/ 755 dir", "/d 700 dir", "/d/new 644 file \"2\""],
    );
}

#[test]
fn reserved_names_are_not_files() {
    check(
        vec![Layer::new().file(".wh..wh.plnk/1.2", "x").file(".wh..wh.aufs", "x")],
        &["/ 755 dir", "/.wh..wh.plnk 755 dir", "/.wh..wh.plnk/1.2 644 file \"x\""],
    );
}

#[test]
fn a_folder_replaces_a_file_and_the_other_way_round() {
    check(vec![Layer::new().file("a", "1"), Layer::new().dir("a", 0o700)], &["/ 755 dir", "/a 700 dir"]);
    check(vec![Layer::new().file("a/b/c", "1"), Layer::new().file("a", "2")], &["/ 755 dir", "/a 644 file \"2\""]);
}

#[test]
fn hard_links_reach_lower_layers_and_survive_the_other_name() {
    check(
        vec![Layer::new().file("a", "1"), Layer::new().hard_link("b", "a")],
        &["/ 755 dir", "/a 644 file \"1\" #0", "/b 644 file \"1\" #0"],
    );
    check(
        vec![Layer::new().file("a", "1").hard_link("b", "/a"), Layer::new().file(".wh.a", "")],
        &["/ 755 dir", "/b 644 file \"1\""],
    );
    check(
        vec![Layer::new().file("a", "1").hard_link("b", "a"), Layer::new().file("a", "2")],
        &["/ 755 dir", "/a 644 file \"2\"", "/b 644 file \"1\""],
    );
    // The folder that holds the target is replaced by the link.
    check(vec![Layer::new().file("d/x", "1").hard_link("d", "d/x")], &["/ 755 dir", "/d 644 file \"1\""]);
    check(vec![Layer::new().file("a", "1").hard_link("a", "a")], &["/ 755 dir", "/a 644 file \"1\""]);
    check_refused(vec![Layer::new().hard_link("b", "a")], "layer 0 (sha256:");
    check_refused(vec![Layer::new().hard_link("b", "a")], "hard link to `a`, which is not there");
    check_refused(vec![Layer::new().dir("a", 0o755).hard_link("b", "a")], "hard link to `a`, which is a folder");
}

#[test]
fn a_hard_link_to_a_link_is_one_to_the_link_itself() {
    check(
        vec![Layer::new().symlink("l", "/etc/passwd").hard_link("m", "l")],
        &["/ 755 dir", "/l 777 -> /etc/passwd #0", "/m 777 -> /etc/passwd #0"],
    );
}

#[test]
fn links_on_the_way_are_followed_inside_the_image() {
    check(
        vec![Layer::new().dir("usr/lib", 0o755).symlink("lib", "usr/lib"), Layer::new().file("lib/x", "1")],
        &["/ 755 dir", "/lib 777 -> usr/lib", "/usr 755 dir", "/usr/lib 755 dir", "/usr/lib/x 644 file \"1\""],
    );
    check(
        vec![Layer::new().symlink("up", "../../.."), Layer::new().file("up/x", "1")],
        &["/ 755 dir", "/up 777 -> ../../..", "/x 644 file \"1\""],
    );
    check_refused(vec![Layer::new().symlink("a", "b").symlink("b", "a").file("a/x", "")], "more than 40 symbolic links");
    check_refused(vec![Layer::new().file("a", "").file("a/x", "")], "neither a folder nor a link to one");
}

#[test]
fn attributes_arrive() {
    let layer = Layer::new().pax(&[("mtime", b"4102444800.25"), ("SCHILY.xattr.user.a", b"x\ny"), ("uid", b"70000")]).raw(
        tar_header(0o6755),
        b"f",
        None,
        b"",
    );
    let tree = merge(vec![layer]).unwrap();
    let bencher_oci::merge::Kind::Folder(children) = &tree.inode(tree.root()).kind else { panic!() };
    let meta = &tree.inode(children[b"f".as_slice()]).meta;
    assert_eq!(meta.mtime, Mtime { seconds: 4_102_444_800, nanoseconds: 250_000_000 });
    assert_eq!((meta.mode, meta.uid), (0o6755, 70_000));
    assert_eq!(&*meta.xattrs[b"user.a".as_slice()], b"x\ny");
}

fn tar_header(mode: u32) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_size(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

#[test]
fn names_are_bytes() {
    let name = [b"caf\xe9-".as_slice(), &[b'x'; 200]].concat();
    let tree = merge(vec![Layer::new().file(&name, "1")]).unwrap();
    let bencher_oci::merge::Kind::Folder(children) = &tree.inode(tree.root()).kind else { panic!() };
    assert!(children.contains_key(name.as_slice()));
}

#[test]
fn every_compression_gives_the_same_tree_and_members_may_follow_each_other() {
    let tar = Layer::new().file("a", vec![7; 700_000]).tar();
    let (first, second) = tar.split_at(1000);
    let blobs = [tar.clone(), gzip(&tar), zstd(&tar), [gzip(first), gzip(second)].concat(), [zstd(first), zstd(second)].concat()];
    let all: Vec<_> = blobs.iter().map(|blob| render(&merge_inputs(&[input(blob, &tar)], &Limits::default()).unwrap())).collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_layer_that_is_not_what_its_digests_say_is_refused() {
    let tar = Layer::new().file("a", "1").tar();
    let other = Layer::new().file("a", "2").tar();
    for (blob, blob_of_other) in [(tar.clone(), other.clone()), (gzip(&tar), gzip(&other)), (zstd(&tar), zstd(&other))] {
        let mut wrong = input(&blob, &tar);
        wrong.layer.blob.digest = input(&blob_of_other, &other).layer.blob.digest;
        let error = merge_inputs(&[wrong.clone()], &Limits::default()).unwrap_err();
        assert_eq!(error.damaged_blob(), Some(&wrong.layer.blob.digest), "{}", chain(&error));
        let error = merge_inputs(&[input(&blob, &other)], &Limits::default()).unwrap_err();
        assert!(matches!(error, MergeError::Layer { problem: Problem::DiffId { .. }, .. }), "{}", chain(&error));
    }
}

#[test]
fn a_blob_that_was_damaged_on_disk_is_told_from_one_made_that_way() {
    let tar = Layer::new().file("a", vec![1; 10_000]).tar();
    let mut blob = gzip(&tar);
    blob[30] ^= 0xff;
    let made_that_way = merge_inputs(&[input(&blob, &tar)], &Limits::default()).unwrap_err();
    assert_eq!(made_that_way.damaged_blob(), None);
    let mut damaged = input(&blob, &tar);
    damaged.layer.blob.digest = input(&gzip(&tar), &tar).layer.blob.digest;
    assert!(merge_inputs(&[damaged], &Limits::default()).unwrap_err().damaged_blob().is_some());
}

#[test]
fn cutting_a_layer_short_is_noticed() {
    let tar = Layer::new().file("a", vec![1; 10_000]).tar();
    for blob in [tar.clone(), gzip(&tar), zstd(&tar)] {
        merge_inputs(&[input(&blob[..blob.len() / 2], &tar)], &Limits::default()).unwrap_err();
    }
}

fn check_limit(limits: Limits, layer: Layer, expected: &Exceeded, entry: Option<&str>) {
    let error = merge_with(vec![layer], &limits).unwrap_err();
    let found = match &error {
        MergeError::Entry { entry: found, problem: Problem::Exceeded(exceeded), .. } => (exceeded.clone(), Some(found.as_str())),
        MergeError::Layer { problem: Problem::Exceeded(exceeded), .. } => (exceeded.clone(), None),
        _ => panic!("{}", chain(&error)),
    };
    assert_eq!(found, (expected.clone(), entry));
}

#[test]
fn every_bound_names_the_entry_that_passed_it() {
    let default = Limits::default;
    check_limit(
        Limits { entries: 2, ..default() },
        Layer::new().file("a", "").file("b", "").file("c", ""),
        &Exceeded::Entries(2),
        Some("c"),
    );
    check_limit(Limits { entries: 2, ..default() }, Layer::new().file("a/b/c/d", ""), &Exceeded::Entries(2), Some("a/b/c/d"));
    // Headers count: three blocks for each file, and the padding of the first one's content.
    let bytes = 3 * 512 + 512 + 3 * 512 + 4;
    check_limit(
        Limits { image_bytes: bytes, ..default() },
        Layer::new().file("a", "12345").file("b", "12345"),
        &Exceeded::Bytes(bytes),
        Some("b"),
    );
    check_limit(
        Limits { metadata_bytes: 9, ..default() },
        Layer::new().file("1234567890", ""),
        &Exceeded::Metadata(9),
        Some("1234567890"),
    );
    check_limit(Limits { path_bytes: 4, ..default() }, Layer::new().file("a/b/c", ""), &Exceeded::Path(4), Some("a/b/c"));
    check_limit(Limits { depth: 2, ..default() }, Layer::new().file("a/b/c/d", ""), &Exceeded::Depth(2), Some("a/b/c/d"));
    check_limit(Limits { depth: 2, ..default() }, Layer::new().dir("a/b/c", 0o755), &Exceeded::Depth(2), Some("a/b/c"));
    let long = "x".repeat(256);
    check_limit(default(), Layer::new().file(&long, ""), &Exceeded::Name(255), Some(&long[..200]));
    check_limit(
        Limits { extension_bytes: 100, ..default() },
        Layer::new().file("x".repeat(101), ""),
        &Exceeded::Extension(100),
        None,
    );
}

#[test]
fn links_cannot_lead_deeper_than_the_bound() {
    let limits = Limits { depth: 3, ..Limits::default() };
    let layer = Layer::new().dir("a/b/c", 0o755).symlink("l", "a/b/c").file("l/d/e", "");
    check_limit(limits, layer, &Exceeded::Depth(3), Some("l/d/e"));
    let limits = Limits { path_bytes: 12, ..Limits::default() };
    let layer = Layer::new().dir("aaaaa/bbbbb", 0o755).symlink("l", "aaaaa/bbbbb").file("l/ccccc", "");
    check_limit(limits, layer, &Exceeded::Path(12), Some("l/ccccc"));
}

#[test]
fn a_decompression_bomb_is_stopped() {
    let limits = Limits { ratio_floor_bytes: 1 << 20, ratio: 100, ..Limits::default() };
    let tar = Layer::new().file("bomb", vec![0; 16 << 20]).tar();
    for blob in [gzip(&tar), zstd(&tar)] {
        let error = merge_inputs(&[input(&blob, &tar)], &limits).unwrap_err();
        assert!(
            matches!(error, MergeError::Entry { problem: Problem::Exceeded(Exceeded::Ratio { .. }), .. }),
            "{}",
            chain(&error)
        );
    }
}

#[test]
fn zeros_behind_the_end_of_an_archive_are_bounded_too() {
    let mut tar = Layer::new().file("a", "1").tar();
    tar.resize(1 << 20, 0);
    let limits = Limits { image_bytes: 1 << 19, ..Limits::default() };
    let error = merge_inputs(&[input(&gzip(&tar), &tar)], &limits).unwrap_err();
    assert!(matches!(error, MergeError::Layer { problem: Problem::Exceeded(Exceeded::Bytes(_)), .. }));
}

#[test]
fn a_decompression_bomb_of_headers_is_stopped() {
    let comment = vec![b'x'; 4096];
    let layer = (0..400).fold(Layer::new(), |layer, _| layer.pax(&[("comment", &comment)]).file("a", ""));
    let tar = layer.tar();
    let by_ratio = Limits { ratio_floor_bytes: 1 << 20, ratio: 20, ..Limits::default() };
    let by_size = Limits { image_bytes: 1 << 20, ..Limits::default() };
    for blob in [gzip(&tar), zstd(&tar)] {
        for limits in [&by_ratio, &by_size] {
            let error = merge_inputs(&[input(&blob, &tar)], limits).unwrap_err();
            let exceeded = matches!(
                error,
                MergeError::Layer { problem: Problem::Exceeded(Exceeded::Ratio { .. } | Exceeded::Bytes(_)), .. }
            );
            assert!(exceeded, "{}", chain(&error));
        }
    }
}

#[test]
fn a_canceled_merge_says_so() {
    let tar = Layer::new().file("a", "1").tar();
    let cancel = tokio_util::sync::CancellationToken::new();
    cancel.cancel();
    let merged = bencher_oci::merge::merge(&[input(&gzip(&tar), &tar)], &Limits::default(), &std::env::temp_dir(), &cancel);
    assert!(matches!(merged, Err(MergeError::Canceled)));
}
