//! Much of everything, within the bounds.

use super::{
    Case, Verdict,
    draft::{Draft, Packed},
};
use crate::support::{Layer, gzip};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "sixty layers over one file",
            || Draft::layers(sixty("a")),
            Verdict::Tree(vec!["/ 755 dir", "/a 644 file \"59\""]),
        ),
        Case::new("sixty layers that each hide the last", hiding, Verdict::Tree(vec!["/ 755 dir", "/f59 644 file \"59\""])),
        Case::new("five hundred empty layers", || Draft::layers((0..500).map(|_| Layer::new()).collect()), Verdict::Names(1)),
        Case::new(
            "a hundred thousand files in folders",
            || members(100_000, |n| format!("{}/{n}", n % 100)),
            Verdict::Names(100_101),
        ),
        Case::new("sixty thousand files in one folder", || members(60_000, |n| format!("{n}")), Verdict::Names(60_001)),
        Case::new("ten thousand links to one file", || linked(10_000), Verdict::Names(10_002)),
        Case::new("folders as deep as they may be", || deep(256), Verdict::Names(257)),
        Case::new("forty links on one way", || chain_of_links(40), Verdict::Names(43)),
        Case::draft("forty-one links on one way", chain_of_links(41), "more than 40 symbolic links"),
    ]
}

fn sixty(name: &str) -> Vec<Layer> {
    (0..60).map(|n| Layer::new().file(name, n.to_string())).collect()
}

fn hiding() -> Draft {
    let layer = |n: u32| {
        let layer = Layer::new().file(format!("f{n}"), n.to_string());
        if n == 0 { layer } else { layer.file(format!(".wh.f{}", n - 1), "") }
    };
    Draft::layers((0..60).map(layer).collect())
}

/// Empty files with short names: a header each, nothing else.
fn members(count: usize, name: impl Fn(usize) -> String) -> Draft {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    let mut tar = Vec::with_capacity((count + 2) * 512);
    for n in 0..count {
        header.set_path(name(n)).unwrap();
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
    }
    tar.resize(tar.len() + 1024, 0);
    Draft::packed(vec![Packed::new(gzip(&tar), &tar)])
}

fn linked(count: usize) -> Draft {
    let first = Layer::new().file("a", "1");
    Draft::layers(vec![(0..count).fold(first, |layer, n| layer.hard_link(format!("l{n}"), "a"))])
}

fn deep(depth: usize) -> Draft {
    Draft::layers(vec![Layer::new().dir(vec!["d"; depth].join("/"), 0o755)])
}

/// `l0` leads to `l1`, and so on, and the last to a folder in which a file is written.
fn chain_of_links(count: usize) -> Draft {
    let links = (0..count)
        .fold(Layer::new().dir(format!("l{count}"), 0o755), |layer, n| layer.symlink(format!("l{n}"), format!("l{}", n + 1)));
    Draft::layers(vec![links.file("l0/x", "1")])
}
