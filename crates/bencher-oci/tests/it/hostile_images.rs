//! A corpus of images made to harm, each with what must become of it. Every one goes the whole way: a layout on disk, its
//! documents, its layers merged, and the tree, where there is one, written to a disk beside a canary and compared through the
//! kernel.

mod archives;
mod bombs;
mod compression;
mod digests;
mod documents;
mod draft;
mod escapes;
mod many;
mod whiteouts;

use std::{fs, path::Path, sync::Arc};

use bencher_oci::{
    Layout, Limits, Platform,
    merge::{self, LayerInput, Tree},
    sink::ext4::DiskSize,
};
use tokio_util::sync::CancellationToken;

use self::draft::Draft;
use crate::{
    ext4::disk,
    support::{Layer, chain, render},
};

/// One image, and what must become of it.
struct Case {
    name: &'static str,
    draft: Box<dyn FnOnce() -> Draft>,
    limits: Limits,
    verdict: Verdict,
}

enum Verdict {
    /// It is accepted, and this is its tree.
    Tree(Vec<&'static str>),
    /// It is accepted; its tree has so many names.
    Names(u64),
    /// It is refused, for a reason that contains this.
    Refused(&'static str),
}

impl Case {
    fn new(name: &'static str, draft: impl FnOnce() -> Draft + 'static, verdict: Verdict) -> Self {
        Self { name, draft: Box::new(draft), limits: Limits::default(), verdict }
    }

    fn tree(name: &'static str, layers: Vec<Layer>, tree: &[&'static str]) -> Self {
        Self::new(name, || Draft::layers(layers), Verdict::Tree(tree.to_vec()))
    }

    fn refused(name: &'static str, layers: Vec<Layer>, reason: &'static str) -> Self {
        Self::new(name, || Draft::layers(layers), Verdict::Refused(reason))
    }

    fn draft(name: &'static str, draft: Draft, reason: &'static str) -> Self {
        Self::new(name, || draft, Verdict::Refused(reason))
    }

    fn within(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What is wrong with the outcome, if anything.
    fn check(self) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        let layout = dir.path().join("layout");
        (self.draft)().write(&layout);
        match (judge(&layout, &self.limits), self.verdict) {
            (Ok(tree), Verdict::Tree(expected)) => {
                let found = render(&tree);
                if found != expected {
                    return Err(format!("{}: the tree is {found:#?}", self.name));
                }
                write_beside_canary(dir.path(), &tree).map_err(|error| format!("{}: {error}", self.name))
            }
            (Ok(tree), Verdict::Names(expected)) if tree.summary().names == expected => Ok(()),
            (Ok(tree), Verdict::Names(_)) => Err(format!("{}: there are {} names", self.name, tree.summary().names)),
            (Err(error), Verdict::Refused(reason)) if error.contains(reason) => Ok(()),
            (Err(error), Verdict::Refused(_)) => Err(format!("{}: refused with {error}", self.name)),
            (Err(error), _) => Err(format!("{}: refused with {error}", self.name)),
            (Ok(tree), Verdict::Refused(_)) => Err(format!("{}: accepted as {:#?}", self.name, render(&tree))),
        }
    }
}

/// The whole way of an image up to its tree.
fn judge(layout: &Path, limits: &Limits) -> Result<Tree, String> {
    let layout = Layout::open(layout).map_err(|error| chain(&error))?;
    let image = layout.resolve(None, &Platform::new("linux", "amd64"), limits).map_err(|error| chain(&error))?;
    let inputs = image.layers.into_iter().map(|layer| {
        let file = Arc::new(layout.open_blob(&layer.blob.digest)?);
        Ok(LayerInput { layer, file })
    });
    let inputs: Vec<LayerInput> = inputs.collect::<Result<_, bencher_oci::LayoutError>>().map_err(|error| chain(&error))?;
    merge::merge(&inputs, limits, &std::env::temp_dir(), &CancellationToken::new()).map_err(|error| chain(&error))
}

fn write_beside_canary(dir: &Path, tree: &Tree) -> Result<(), String> {
    let canary = dir.join("canary");
    fs::write(&canary, "alive").unwrap();
    let written = disk::sink(tree, &dir.join("disk"), DiskSize::Fitted);
    written.map_err(|error| format!("could not be written: {}", chain(&error)))?;
    disk::prove_tree(tree);
    let mut beside: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    beside.sort();
    assert_eq!(beside, ["canary", "disk", "layout"]);
    assert_eq!(fs::read_to_string(canary).unwrap(), "alive");
    Ok(())
}

fn check(cases: Vec<Case>) {
    let wrong: Vec<String> = cases.into_iter().filter_map(|case| case.check().err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_path_leaves_the_image() {
    check(escapes::cases());
}

#[test]
fn whiteouts_hide_only_what_is_in_the_image() {
    check(whiteouts::cases());
}

#[test]
fn nothing_that_is_not_what_its_digest_says_is_used() {
    check(digests::cases());
}

#[test]
fn broken_compression_is_refused() {
    check(compression::cases());
}

#[test]
fn broken_archives_are_refused() {
    check(archives::cases());
}

#[test]
fn odd_documents_are_refused() {
    check(documents::cases());
}

#[test]
fn bombs_within_the_bounds_unpack_and_those_beyond_are_refused() {
    check(bombs::cases());
}

#[test]
fn many_of_anything_is_no_trouble_within_the_bounds() {
    check(many::cases());
}

#[test]
fn the_corpus_has_a_hundred_images_and_each_its_own_name() {
    let all = [
        escapes::cases(),
        whiteouts::cases(),
        digests::cases(),
        compression::cases(),
        archives::cases(),
        documents::cases(),
        bombs::cases(),
        many::cases(),
    ];
    let mut names: Vec<_> = all.iter().flatten().map(|case| case.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 100, "there are {count}");
}
