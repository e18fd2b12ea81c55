//! What a person waiting for an image may be shown. Observers must not block.

use bencher_types::Digest;

/// Something that moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProgressEvent<'a> {
    /// `done` of `total` bytes of a blob were received. After a restart `done` may be less than before.
    Downloading { digest: &'a Digest, done: u64, total: u64 },
    /// `done` of `total` bytes of a blob were sent.
    Uploading { digest: &'a Digest, done: u64, total: u64 },
    /// `done` of `total` bytes of a blob were copied on this machine.
    Copying { digest: &'a Digest, done: u64, total: u64 },
    /// A blob needs no transfer: it is there already.
    Present { digest: &'a Digest, total: u64 },
    /// The layers are being merged into one tree.
    Merging { layers: usize },
    /// The merged tree is being written.
    Writing { entries: u64, bytes: u64 },
}

/// An observer of transfers, called from several tasks at once.
pub trait Progress: Send + Sync {
    fn on(&self, event: ProgressEvent<'_>);
}

/// Observes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn on(&self, _event: ProgressEvent<'_>) {}
}
