//! What will be in the layer, by path, before anything is read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::AssembleError;

/// Entries by their path without the leading slash, which sorts folders before what is in them.
#[derive(Default)]
pub(super) struct Plan {
    entries: BTreeMap<Vec<u8>, Entry>,
    skipped: Vec<PathBuf>,
    /// Folders that nobody asked for, on the way to something.
    implied: BTreeSet<Vec<u8>>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) mode: u32,
    pub(super) what: What,
    pub(super) xattrs: Vec<(String, Vec<u8>)>,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Folder,
    File {
        source: PathBuf,
        size: u64,
    },
    Text(String),
    Symlink(Vec<u8>),
    /// Another name of the entry with this path.
    HardLink(Vec<u8>),
    Device {
        block: bool,
        major: u32,
        minor: u32,
    },
    Fifo,
}

impl Plan {
    pub(super) fn entries(&self) -> &BTreeMap<Vec<u8>, Entry> {
        &self.entries
    }

    pub(super) fn skip(&mut self, path: PathBuf) {
        self.skipped.push(path);
    }

    pub(super) fn into_skipped(self) -> Vec<PathBuf> {
        self.skipped
    }

    /// A file, with its own mode.
    pub(super) fn file(&mut self, dest: &str, source: &Path, meta: &Metadata) -> Result<(), AssembleError> {
        self.file_with(dest, source, meta, meta.mode() & 0o7777)
    }

    /// A program or library: what a build tool's or user's mask says of its mode is not part of the image.
    pub(super) fn program(&mut self, dest: &str, source: &Path, meta: &Metadata) -> Result<(), AssembleError> {
        self.file_with(dest, source, meta, 0o755)
    }

    fn file_with(&mut self, dest: &str, source: &Path, meta: &Metadata, mode: u32) -> Result<(), AssembleError> {
        let what = What::File { source: source.to_owned(), size: meta.len() };
        self.insert(key(dest)?, Entry { mode, what, xattrs: Vec::new() })
    }

    /// Any entry by its key. Later files take the place of nothing: two of one path are an error, unless they are one file.
    pub(super) fn insert(&mut self, key: Vec<u8>, entry: Entry) -> Result<(), AssembleError> {
        match (self.entries.get(&key).map(|old| &old.what), &entry.what) {
            (None, _) | (Some(What::Folder), What::Folder) => {}
            (Some(What::File { source: first, .. }), What::File { source: second, .. }) if first == second => {}
            (Some(old), new) => {
                let path = String::from_utf8_lossy(&key).into_owned();
                return Err(AssembleError::Conflict { path: format!("/{path}"), first: origin(old), second: origin(new) });
            }
        }
        self.imply_folders(&key);
        self.implied.remove(&key);
        self.entries.insert(key, entry);
        Ok(())
    }

    /// Leaves out the folders that nobody asked for.
    pub(super) fn forget_implied(&mut self) {
        for key in std::mem::take(&mut self.implied) {
            self.entries.remove(&key);
        }
    }

    /// Gives a file another path; the old one becomes a link to it, and so do the links there were.
    pub(super) fn move_file(&mut self, from: &[u8], to: Vec<u8>) {
        let Some(entry) = self.entries.remove(from) else { return };
        for other in self.entries.values_mut() {
            if matches!(&other.what, What::HardLink(target) if target == from) {
                other.what = What::HardLink(to.clone());
            }
        }
        let link = Entry { mode: entry.mode, what: What::HardLink(to.clone()), xattrs: Vec::new() };
        self.entries.insert(from.to_vec(), link);
        self.imply_folders(&to);
        self.entries.insert(to, entry);
    }

    fn imply_folders(&mut self, key: &[u8]) {
        for end in key.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at) {
            let Self { entries, implied, .. } = self;
            entries.entry(key[..end].to_vec()).or_insert_with_key(|key| {
                implied.insert(key.clone());
                Entry { mode: 0o755, what: What::Folder, xattrs: Vec::new() }
            });
        }
    }

    pub(super) fn folder_if_missing(&mut self, dest: &str, mode: u32) -> Result<(), AssembleError> {
        self.insert_if_missing(dest, Entry { mode, what: What::Folder, xattrs: Vec::new() })
    }

    pub(super) fn text_if_missing(&mut self, dest: &str, text: &str) -> Result<(), AssembleError> {
        self.insert_if_missing(dest, Entry { mode: 0o644, what: What::Text(text.to_owned()), xattrs: Vec::new() })
    }

    pub(super) fn symlink_if_missing(&mut self, dest: &str, target: &str) -> Result<(), AssembleError> {
        self.insert_if_missing(dest, Entry { mode: 0o777, what: What::Symlink(target.into()), xattrs: Vec::new() })
    }

    fn insert_if_missing(&mut self, dest: &str, entry: Entry) -> Result<(), AssembleError> {
        let key = key(dest)?;
        // Below a link the folder's content decides, wherever it leads; nothing is added there.
        let below_link = (0..key.len())
            .filter(|at| key[*at] == b'/')
            .any(|at| self.entries.get(&key[..at]).is_some_and(|entry| !matches!(entry.what, What::Folder)));
        if key.is_empty() || below_link || self.entries.contains_key(&key) {
            return Ok(());
        }
        self.imply_folders(&key);
        self.entries.insert(key, entry);
        Ok(())
    }
}

fn origin(what: &What) -> PathBuf {
    match what {
        What::File { source, .. } => source.clone(),
        What::Folder => PathBuf::from("(a folder)"),
        What::Symlink(_) | What::HardLink(_) => PathBuf::from("(a link)"),
        What::Text(_) | What::Device { .. } | What::Fifo => PathBuf::from("(a special file)"),
    }
}

/// The key of an absolute path; the root's is empty.
pub(super) fn key(dest: &str) -> Result<Vec<u8>, AssembleError> {
    let invalid = || AssembleError::Dest(dest.to_owned());
    let rest = dest.strip_prefix('/').ok_or_else(invalid)?;
    let names: Vec<&str> = rest.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    if names.iter().any(|name| *name == ".." || name.contains('\0')) {
        return Err(invalid());
    }
    Ok(names.join("/").into_bytes())
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    Path::new("/").join(path)
}
