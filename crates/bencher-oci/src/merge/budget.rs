//! What all layers of one image may use together. Shared by the threads that read them.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::Limits;

/// A bound that was passed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    #[error("the image has more than {0} entries")]
    Entries(u64),
    #[error("the image unpacks to more than {0} bytes")]
    Bytes(u64),
    #[error("the names and attributes of the image take more than {0} bytes")]
    Metadata(u64),
    #[error("one compressed byte becomes more than {ratio} bytes, beyond the first {floor}")]
    Ratio { ratio: u64, floor: u64 },
    #[error("its path is longer than {0} bytes")]
    Path(usize),
    #[error("a name on its path is longer than {0} bytes")]
    Name(usize),
    #[error("it is more than {0} folders deep")]
    Depth(usize),
    #[error("its extended header is longer than {0} bytes")]
    Extension(u64),
}

pub(super) struct Budget<'a> {
    pub(super) limits: &'a Limits,
    entries: AtomicU64,
    bytes: AtomicU64,
    metadata: AtomicU64,
}

impl<'a> Budget<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits, entries: AtomicU64::new(0), bytes: AtomicU64::new(0), metadata: AtomicU64::new(0) }
    }

    /// One more member, with so many bytes of names and attributes.
    pub(super) fn take_entry(&self, metadata: u64) -> Result<(), Exceeded> {
        take(&self.entries, 1, self.limits.entries).ok_or(Exceeded::Entries(self.limits.entries))?;
        take(&self.metadata, metadata, self.limits.metadata_bytes).ok_or(Exceeded::Metadata(self.limits.metadata_bytes))
    }

    /// More bytes of content, be it stored or a hole.
    pub(super) fn take_bytes(&self, bytes: u64) -> Result<(), Exceeded> {
        take(&self.bytes, bytes, self.limits.image_bytes).ok_or(Exceeded::Bytes(self.limits.image_bytes))
    }

    /// Whether a decompressor may have made so much of so little.
    pub(super) fn check_ratio(&self, compressed: u64, uncompressed: u64) -> Result<(), Exceeded> {
        let (ratio, floor) = (self.limits.ratio, self.limits.ratio_floor_bytes);
        if uncompressed > floor && uncompressed / ratio > compressed {
            return Err(Exceeded::Ratio { ratio, floor });
        }
        Ok(())
    }
}

fn take(used: &AtomicU64, amount: u64, limit: u64) -> Option<()> {
    let add = |used: u64| used.checked_add(amount).filter(|sum| *sum <= limit);
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok().map(|_| ())
}
