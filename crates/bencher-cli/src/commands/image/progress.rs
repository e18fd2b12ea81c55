//! One moving line for all transfers of an image, on a terminal only.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bencher_oci::{Progress, ProgressEvent};
use bencher_types::Digest;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Out;

pub(super) struct Transfers {
    bar: ProgressBar,
    /// Done and total bytes of each blob.
    blobs: Mutex<HashMap<Digest, (u64, u64)>>,
}

impl Transfers {
    pub(super) fn new(out: Out) -> Self {
        let bar = if out.stderr_terminal { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}") {
            bar.set_style(style);
        }
        Self { bar, blobs: Mutex::default() }
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Transfers {
    fn on(&self, event: ProgressEvent<'_>) {
        let (digest, done, total) = match event {
            ProgressEvent::Uploading { digest, done, total } | ProgressEvent::Downloading { digest, done, total } => {
                (digest, done, total)
            }
            ProgressEvent::Present { digest, total } => (digest, total, total),
            _ => return,
        };
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.insert(digest.clone(), (done, total));
        self.bar.set_length(blobs.values().map(|(_, total)| total).sum());
        self.bar.set_position(blobs.values().map(|(done, _)| done).sum());
    }
}
