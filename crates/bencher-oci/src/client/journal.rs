//! Where uploads went on, for a process that comes later: one small file per blob and repository.
//!
//! An upload's address may be all that is needed to write to it, so the folder is private. An entry is locked while its upload
//! is under way: two processes that send the same blob do not write into one upload.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bencher_types::Digest;
use url::Url;

use crate::{
    clock,
    error::IoError,
    flock,
    limits::{MAX_UPLOAD_ADDRESS, PARTIAL_MAX_AGE},
    store::{create_private_dir, remove_if_there},
};

#[derive(Clone, Debug)]
pub(super) struct Journal {
    dir: Arc<Path>,
}

impl Journal {
    /// Opens the folder, and forgets uploads that no registry will remember either.
    pub(super) fn open(dir: &Path) -> Result<Self, IoError> {
        create_private_dir(dir)?;
        let on_read = IoError::on("read", dir);
        for entry in fs::read_dir(dir).map_err(&on_read)? {
            let entry = entry.map_err(&on_read)?;
            let age = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|at| clock::now().duration_since(at).ok());
            if age.is_some_and(|age| age > PARTIAL_MAX_AGE) {
                remove_if_there(&entry.path())?;
            }
        }
        Ok(Self { dir: dir.into() })
    }

    /// The entry of an upload; `None` where another process is at it.
    pub(super) fn entry(&self, registry: &Url, repository: &str, digest: &Digest) -> io::Result<Option<Entry>> {
        let key = Digest::sha256(format!("{registry}\n{repository}\n{digest}").as_bytes());
        let path = self.dir.join(key.hex());
        let file = flock::open_or_create(&path)?;
        let ours = flock::try_exclusive(&file)? && flock::is_still(&file, &path)?;
        Ok(ours.then_some(Entry { file, path }))
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    file: File,
    path: PathBuf,
}

impl Entry {
    /// Where the upload goes on, as far as it was begun.
    pub(super) fn address(&mut self) -> Option<Url> {
        let mut text = String::new();
        self.file.seek(SeekFrom::Start(0)).ok()?;
        (&self.file).take(MAX_UPLOAD_ADDRESS).read_to_string(&mut text).ok()?;
        Url::parse(&text).ok()
    }

    /// An upload that cannot be remembered is only one that would begin anew.
    pub(super) fn remember(&mut self, address: &Url) {
        let written = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        if let Err(error) = written.and_then(|_| self.file.write_all(address.as_str().as_bytes())) {
            tracing::debug!(error = &error as &dyn std::error::Error, "could not remember an upload");
        }
    }

    /// The upload is over.
    pub(super) fn forget(self) {
        if let Err(error) = remove_if_there(&self.path) {
            tracing::debug!(error = &error as &dyn std::error::Error, "could not forget an upload");
        }
    }
}
