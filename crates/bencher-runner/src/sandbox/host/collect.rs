//! The files a benchmark leaves, read from its own view of the file system.
//!
//! The mount namespace is held open past its last process, so that what was written to any of its mounts, `/dev/shm`
//! included, is still there. Nothing runs in it any more, and nothing outside of it can be reached.

use std::{collections::BTreeMap, fs::File, io, path::Path};

use bytes::Bytes;
use rustix::fs::fstatfs;

use crate::sandbox::{
    CollectedFile, ExecutionPlan, FileContents, OutputBounds, SkipReason, SkippedFile,
    rootfs::{AnchoredRoot, LocateError, read_bounded},
};

/// File systems a benchmark's own files can be on. Those of the kernel, `/proc` and `/sys`, are not among them.
const WRITABLE_FILE_SYSTEMS: [u32; 2] = [0x794c_7630 /* overlay */, 0x0102_1994 /* tmpfs */];

/// The benchmark's file system, alive without the benchmark.
#[derive(Debug)]
pub(super) struct FileView {
    root: AnchoredRoot,
    /// Keeps the mounts below the root in place.
    _mounts: File,
}

/// What was found of what was asked for.
#[derive(Debug, Default)]
pub(super) struct Collection {
    pub(super) files: BTreeMap<String, CollectedFile>,
    pub(super) skipped: Vec<SkippedFile>,
}

impl FileView {
    /// The view of a process, to be taken before it runs anything of the image.
    pub(super) fn of_process(pid: i32) -> io::Result<Self> {
        let root = AnchoredRoot::open(Path::new(&format!("/proc/{pid}/root")))?;
        Ok(Self { root, _mounts: open_namespace(pid)? })
    }

    /// Reads the files of a plan, within its bounds. Blocking.
    pub(super) fn collect(&self, plan: &ExecutionPlan) -> Collection {
        let mut collection = Collection::default();
        let mut read = 0;
        for path in &plan.file_paths {
            if collection.files.contains_key(path) {
                continue;
            }
            let found = if collection.files.len() < plan.output.max_file_count {
                self.file(&absolute(path, &plan.working_dir), plan.file_contents, &plan.output, read)
            } else {
                Err(SkipReason::TooMany { max: plan.output.max_file_count })
            };
            match found {
                Ok(file) => {
                    read += file.bytes.len() as u64;
                    collection.files.insert(path.clone(), file);
                }
                Err(reason) => collection.skipped.push(SkippedFile { path: path.clone(), reason }),
            }
        }
        collection
    }

    fn file(&self, path: &str, contents: FileContents, bounds: &OutputBounds, read: u64) -> Result<CollectedFile, SkipReason> {
        let file = self.root.open_file(path, bounds.max_symlinks).map_err(skip_reason)?;
        let unreadable = |error: io::Error| SkipReason::Unreadable(error.kind());
        let file_system = fstatfs(&file).map_err(|errno| unreadable(errno.into()))?.f_type;
        if !WRITABLE_FILE_SYSTEMS.iter().any(|magic| i64::from(*magic) == file_system as i64) {
            return Err(SkipReason::NotRegular);
        }
        let size = file.metadata().map_err(unreadable)?.len();
        match contents {
            FileContents::SizeOnly => Ok(CollectedFile { size, bytes: Bytes::new() }),
            FileContents::Read => {
                let max = bounds.max_output_size;
                if size > max {
                    return Err(SkipReason::TooLarge { size, max });
                }
                if size > bounds.max_files_size.saturating_sub(read) {
                    return Err(SkipReason::TogetherTooLarge { max: bounds.max_files_size });
                }
                let bytes = read_bounded(file, size).map_err(unreadable)?.ok_or(SkipReason::TooLarge { size, max })?;
                Ok(CollectedFile { size, bytes: bytes.into() })
            }
        }
    }
}

fn open_namespace(pid: i32) -> io::Result<File> {
    File::open(format!("/proc/{pid}/ns/mnt"))
}

fn absolute(path: &str, working_dir: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{working_dir}/{path}") }
}

fn skip_reason(error: LocateError) -> SkipReason {
    match error {
        error if error.is_missing() => SkipReason::Missing,
        LocateError::NotRegular => SkipReason::NotRegular,
        LocateError::TooManySymlinks { max } => SkipReason::TooManySymlinks { max },
        LocateError::Io(error) => SkipReason::Unreadable(error.kind()),
    }
}
