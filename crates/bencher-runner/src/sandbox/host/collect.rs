//! The files a benchmark leaves, read from its own view of the file system.
//!
//! The mount namespace is held open past its last process, so that what was written to any of its mounts, `/dev/shm`
//! included, is still there. Nothing runs in it any more, and nothing outside of it can be reached.

use std::{collections::BTreeMap, fs::File, io, path::Path};

use bencher_init::pattern;
use bytes::Bytes;
use rustix::fs::fstatfs;

use crate::{
    limits,
    sandbox::{
        CollectedFile, ExecutionPlan, FileContents, OutputBounds, SkipReason, SkippedFile,
        rootfs::{AnchoredRoot, LocateError, read_bounded},
    },
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
        for path in plan.file_paths.iter().flat_map(|path| self.expand(path, plan)) {
            if collection.files.contains_key(&path) {
                continue;
            }
            let found = if collection.files.len() < plan.output.max_file_count {
                self.file(&absolute(&path, &plan.working_dir), plan.file_contents, &plan.output, read)
            } else {
                Err(SkipReason::TooMany { max: plan.output.max_file_count })
            };
            match found {
                Ok(file) => {
                    read += file.bytes.len() as u64;
                    collection.files.insert(path, file);
                }
                Err(reason) => collection.skipped.push(SkippedFile { path, reason }),
            }
        }
        collection
    }

    /// The paths that one of those asked for stands for. What matches no file stands for itself, and so is reported as missing.
    fn expand(&self, path: &str, plan: &ExecutionPlan) -> Vec<String> {
        let ExecutionPlan { working_dir, output: OutputBounds { max_symlinks, max_file_count, .. }, .. } = plan;
        let is_file = |path: &str| self.root.open_file(&absolute(path, working_dir), *max_symlinks).is_ok();
        let itself = || vec![path.to_owned()];
        // A file of just that name is what is meant, whatever characters are in it.
        if !pattern::is_pattern(path.as_bytes()) || is_file(path) {
            return itself();
        }
        let mut left = limits::MAX_PATTERN_NAMES;
        let paths = pattern::expand(path.as_bytes(), |folder| {
            let folder = absolute(&String::from_utf8_lossy(folder), working_dir);
            let names = self.root.names(&folder, *max_symlinks, left).unwrap_or_default();
            left -= names.len().min(left);
            names.into_iter().map(String::into_bytes).collect()
        });
        let found = paths.into_iter().filter_map(|path| String::from_utf8(path).ok()).filter(|path| is_file(path));
        // One more than can be collected tells that there are more.
        let found: Vec<String> = found.take(max_file_count.saturating_add(1)).collect();
        if found.is_empty() { itself() } else { found }
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
