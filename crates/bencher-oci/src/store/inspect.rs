//! Looking after a store by hand: what is in it, whether it is whole, emptying it. Safe beside other processes that use it.

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _},
    path::Path,
};

use bencher_types::Digest;

use super::{
    BlobStore, file_name,
    tidy::{list_dir, remove_unused},
};
use crate::{error::IoError, flock, hash::Hasher, limits::CHUNK};

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreUsage {
    pub blobs: u64,
    /// Unfinished downloads.
    pub partial: u64,
    /// Of all of them.
    pub bytes: u64,
}

/// What emptying a store did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    pub files: u64,
    pub bytes: u64,
    /// Files that had to stay because somebody uses them.
    pub in_use: u64,
}

/// What looking at a blob showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Whole,
    /// Its content has another digest, or its name is none.
    Damaged,
    /// It went while it was looked for.
    Gone,
}

impl BlobStore {
    /// # Errors
    /// The folders cannot be read.
    pub fn usage(&self) -> Result<StoreUsage, IoError> {
        let (blobs, partial) = (list_dir(&self.blobs())?, list_dir(&self.partials())?);
        let bytes = blobs.iter().chain(&partial).map(|item| item.size).sum();
        Ok(StoreUsage { blobs: blobs.len() as u64, partial: partial.len() as u64, bytes })
    }

    /// The names of all blobs: `ALGORITHM-HEX`.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, IoError> {
        let items = list_dir(&self.blobs())?;
        let mut names: Vec<String> =
            items.iter().filter_map(|item| Some(item.path.file_name()?.to_string_lossy().into_owned())).collect();
        names.sort();
        Ok(names)
    }

    /// Reads a blob from the disk and compares it with its name. Blocks; nobody evicts it meanwhile. Does not count as a use.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn verify(&self, name: &str) -> Result<Verdict, IoError> {
        let path = self.blobs().join(name);
        let Some(mut file) = open_shared(&path)? else { return Ok(Verdict::Gone) };
        let digest = name.split_once('-').and_then(|(algorithm, hex)| format!("{algorithm}:{hex}").parse::<Digest>().ok());
        let Some(digest) = digest.filter(|digest| file_name(digest) == name) else { return Ok(Verdict::Damaged) };
        let mut hasher = Hasher::like(&digest);
        let mut buffer = vec![0; CHUNK];
        loop {
            match file.read(&mut buffer).map_err(IoError::on("read", &path))? {
                0 => break,
                read => hasher.update(&buffer[..read]),
            }
        }
        Ok(if hasher.finish() == digest { Verdict::Whole } else { Verdict::Damaged })
    }

    /// Removes a blob unless somebody uses it. Says whether it is gone.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn remove_by_name(&self, name: &str) -> Result<bool, IoError> {
        remove_unused(&self.blobs().join(name))
    }

    /// Removes every blob and unfinished download that nobody uses.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn clear(&self) -> Result<Cleared, IoError> {
        let mut cleared = Cleared::default();
        for item in self.list()? {
            if remove_unused(&item.path)? {
                cleared.files += 1;
                cleared.bytes += item.size;
            } else {
                cleared.in_use += 1;
            }
        }
        Ok(cleared)
    }
}

/// `None` where the file is not there or just goes.
fn open_shared(path: &Path) -> Result<Option<File>, IoError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(IoError::on::<io::Error>("open", path)(error)),
    };
    let held = flock::try_shared(&file).map_err(IoError::on("lock", path))?;
    Ok(held.then_some(file))
}

#[cfg(test)]
mod tests;
