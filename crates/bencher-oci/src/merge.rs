//! Layers become one tree in memory.
//!
//! Each layer is read once, all layers in parallel: decompressed, both digests checked, names and attributes kept in
//! memory, contents in an unnamed spool file (or left where they are, if the layer is not compressed). Then the layers are
//! applied to a tree from the lowest up, each one's whiteouts before its members. Only the tree, sealed and within every
//! bound, is handed to a [`crate::sink`]. Nothing here writes a file an image could name, so there is no path to escape by.

use std::{
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bencher_types::Digest;
use tokio_util::sync::CancellationToken;

use crate::{
    document::LayerRef,
    error::{Blame, is_disk_full},
    limits::Limits,
};

mod apply;
pub(crate) mod archive;
mod budget;
mod decode;
mod layer;
pub mod tree;

use budget::Budget;
pub use budget::Exceeded;
pub use tree::{Content, Inode, InodeId, Kind, Meta, Mtime, Segment, Summary, Tree};

/// A layer that is at hand: its promise and its bytes.
#[derive(Clone, Debug)]
pub struct LayerInput {
    pub layer: LayerRef,
    /// The blob, read from its start by positioned reads.
    pub file: Arc<File>,
}

/// Why layers did not become a tree.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error("layer {layer} ({digest}) is damaged")]
    Layer {
        layer: usize,
        digest: Digest,
        #[source]
        problem: Problem,
    },
    #[error("layer {layer} ({digest}), entry `{entry}`")]
    Entry {
        layer: usize,
        digest: Digest,
        /// The name as the layer has it, bytes that are not text replaced.
        entry: String,
        #[source]
        problem: Problem,
    },
    #[error("the work was canceled")]
    Canceled,
}

/// What is wrong with a layer or an entry of it.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("the blob has the digest {found}; fetch or push it again")]
    Digest { found: Digest },
    #[error("the blob is {found} bytes, its descriptor says {expected}; fetch or push it again")]
    Size { found: u64, expected: u64 },
    #[error("it unpacks to the digest {found}, the image configuration says {expected}; push the image again")]
    DiffId { expected: Box<Digest>, found: Box<Digest> },
    #[error("it cannot be read or decompressed")]
    Read(#[source] std::io::Error),
    #[error("its content cannot be written to the spool file")]
    Spool(#[source] std::io::Error),
    #[error("it is not a valid tar archive: {0}")]
    Archive(String),
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error("the path leaves the image by `..`")]
    LeavesImage,
    #[error("the name contains a NUL byte")]
    NulInName,
    #[error("the root of the image is not a folder")]
    RootNotFolder,
    #[error("`{0}`, on its path, is neither a folder nor a link to one")]
    NotAFolder(String),
    #[error("its path goes through more than {0} symbolic links")]
    SymlinkLoop(usize),
    #[error("it is a hard link to `{0}`, which is not there")]
    LinkTargetMissing(String),
    #[error("it is a hard link to `{0}`, which is a folder")]
    LinkToFolder(String),
    #[error("it is of the type `{0}`, which an image cannot have")]
    Type(char),
    #[error("its {field} is {found}, which is out of range")]
    Range { field: &'static str, found: u64 },
}

impl MergeError {
    fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Layer { problem, .. } | Self::Entry { problem, .. } => Some(problem),
            Self::Canceled => None,
        }
    }

    /// Who can do something about it.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self.problem() {
            None => Blame::Canceled,
            Some(Problem::Spool(_)) => Blame::Host,
            Some(_) => Blame::Image,
        }
    }

    /// The layer whose stored blob is not what its digest says. Fetched again it may be right.
    #[must_use]
    pub fn damaged_blob(&self) -> Option<&Digest> {
        match self {
            Self::Layer { digest, problem: Problem::Digest { .. } | Problem::Size { .. }, .. } => Some(digest),
            _ => None,
        }
    }

    /// Whether the disk of the spool files is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self.problem(), Some(Problem::Spool(error)) if is_disk_full(error))
    }
}

/// Reads layers, lowest first, and merges them. Blocks; `spool_dir` takes unnamed temporary files as large as the
/// uncompressed contents, which vanish with the tree.
///
/// # Errors
/// A layer is damaged, hostile or beyond a bound (the error names layer and entry), the disk is full, or `cancel` fired.
pub fn merge(layers: &[LayerInput], limits: &Limits, spool_dir: &Path, cancel: &CancellationToken) -> Result<Tree, MergeError> {
    let budget = Budget::new(limits);
    let scanned = scan_all(layers, &budget, spool_dir, cancel)?;
    let mut merger = apply::Merger::new(limits);
    for (index, (scan, input)) in scanned.into_iter().zip(layers).enumerate() {
        if cancel.is_cancelled() {
            return Err(MergeError::Canceled);
        }
        merger.apply(scan).map_err(|refused| refused.in_layer(index, &input.layer.blob.digest))?;
    }
    Ok(merger.seal())
}

/// Scans layers on as many threads as there are processors; each has a second one that decompresses.
fn scan_all(
    layers: &[LayerInput],
    budget: &Budget<'_>,
    spool_dir: &Path,
    cancel: &CancellationToken,
) -> Result<Vec<layer::Scan>, MergeError> {
    // The first failure stops the others; the parent token is not touched.
    let stop = cancel.child_token();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((index, input)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            layers.get(index).map(|input| (index, input))
        } {
            let scan =
                layer::scan(input, budget, spool_dir, &stop).map_err(|refused| refused.in_layer(index, &input.layer.blob.digest));
            let failed = scan.is_err();
            done.push((index, scan));
            if failed {
                stop.cancel();
                break;
            }
        }
        done
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(layers.len());
    let mut all: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    all.sort_by_key(|(index, _)| *index);
    // A thread that was stopped by another's failure has nothing to say.
    let failure = all.iter().position(|(_, scan)| matches!(scan, Err(error) if !matches!(error, MergeError::Canceled)));
    if let Some(at) = failure {
        all.swap(0, at);
    }
    all.into_iter().map(|(_, scan)| scan).collect()
}

/// Why something was refused, before it is known in which layer.
#[derive(Debug)]
pub(crate) enum Refused {
    Layer(Problem),
    Entry(Box<[u8]>, Problem),
    Canceled,
}

impl Refused {
    fn entry(name: &[u8], problem: impl Into<Problem>) -> Self {
        Self::Entry(name.into(), problem.into())
    }

    fn in_layer(self, layer: usize, digest: &Digest) -> MergeError {
        let digest = digest.clone();
        match self {
            Self::Layer(problem) => MergeError::Layer { layer, digest, problem },
            Self::Entry(name, problem) => MergeError::Entry { layer, digest, entry: printable(&name), problem },
            Self::Canceled => MergeError::Canceled,
        }
    }
}

/// A name for people: not UTF-8 and control characters replaced, cut to a line's length.
pub(crate) fn printable(name: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(name).chars().take(200).collect();
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
