//! What a layout's names lead to, and what nothing leads to any more.

use std::{collections::BTreeSet, fs};

use bencher_types::Digest;

use super::{Layout, LayoutError};
use crate::{
    document::{BlobRef, Document, DocumentError},
    error::IoError,
    limits::{Limits, MAX_INDEX_DEPTH},
};

impl Layout {
    /// Every manifest, configuration and layer that a name leads to. Manifests of an index that are not here are passed over:
    /// an index may be copied in part.
    ///
    /// # Errors
    /// A document is damaged or beyond a limit.
    pub fn reachable(&self, limits: &Limits) -> Result<BTreeSet<Digest>, LayoutError> {
        let mut found = BTreeSet::new();
        let mut level: Vec<BlobRef> = self.names()?.into_iter().map(|(_, root)| root).collect();
        for depth in 0.. {
            let mut below = Vec::new();
            for document in level {
                if !found.insert(document.digest.clone()) {
                    continue;
                }
                let parts = Document::parse(&self.read_document(&document, limits.manifest_bytes)?)?.parts(limits)?;
                found.extend(parts.blobs.into_iter().map(|blob| blob.digest));
                below.extend(parts.manifests.into_iter().filter(|child| self.blob_path(&child.digest).exists()));
            }
            if below.is_empty() {
                break;
            }
            if depth == MAX_INDEX_DEPTH {
                return Err(DocumentError::IndexTooDeep(MAX_INDEX_DEPTH).into());
            }
            level = below;
        }
        Ok(found)
    }

    /// Removes the blobs that no name leads to.
    ///
    /// # Errors
    /// As [`Layout::reachable`], or the disk refuses.
    pub fn sweep(&self, limits: &Limits) -> Result<(), LayoutError> {
        let keep: BTreeSet<_> = self.reachable(limits)?.iter().map(|digest| self.blob_path(digest)).collect();
        let blobs = self.dir().join("blobs");
        let list = |dir: &std::path::Path| -> Result<Vec<_>, IoError> {
            let on_list = IoError::on("list", dir);
            fs::read_dir(dir).map_err(&on_list)?.map(|entry| entry.map(|entry| entry.path()).map_err(&on_list)).collect()
        };
        for algorithm in list(&blobs)? {
            for blob in list(&algorithm)? {
                if !keep.contains(&blob) {
                    fs::remove_file(&blob).map_err(IoError::on("remove", &blob))?;
                }
            }
        }
        Ok(())
    }
}
