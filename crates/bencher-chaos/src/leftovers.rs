//! What must not be on the machine once every program has ended.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use crate::site::Site;

/// The iterations that were under way when their runner was killed, by the names of their folders and control groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupted(Arc<Mutex<BTreeSet<String>>>);

impl Interrupted {
    /// Notes what a runner has under way.
    pub(crate) fn note(&self, data: &Path) {
        self.0.lock().expect("no panics while the lock is held").extend(iterations(data));
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.0.lock().expect("no panics while the lock is held").clone()
    }
}

/// Everything that is left, in words.
pub(crate) fn find(site: &Site, interrupted: &Interrupted) -> Vec<String> {
    let mut left = Vec::new();
    for process in processes_where(|word| word == site.marker) {
        left.push(format!("a process of a benchmark: {process}"));
    }
    let folder = site.path().display().to_string();
    for process in processes_where(|word| word.contains(&folder)) {
        left.push(format!("a process with the run's folder in its command line: {process}"));
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    left.extend(mounts.lines().filter(|line| line.contains(&folder)).map(|line| format!("a mount: {line}")));
    for device in entries(Path::new("/sys/block")) {
        let backing = fs::read_to_string(device.join("loop/backing_file")).unwrap_or_default();
        if backing.contains(&folder) {
            left.push(format!("a loop device: {} on {}", device.display(), backing.trim()));
        }
    }
    let names = interrupted.names();
    for group in folders(Path::new("/sys/fs/cgroup")) {
        if group.file_name().is_some_and(|name| names.iter().any(|ours| name.to_string_lossy().contains(ours))) {
            left.push(format!("a control group: {}", group.display()));
        }
    }
    left.extend(entries(&site.path().join("tmp")).iter().map(|path| format!("a temporary file: {}", path.display())));
    for runner in &site.runners {
        left.extend(iterations(&runner.data).iter().map(|name| format!("the folder of an iteration: {}/{name}", runner.name)));
        left.extend(entries(&runner.data.join("spool")).iter().map(|path| format!("in a spool: {}", path.display())));
        let scraps = files(&runner.data).into_iter().filter(|path| is_scrap(path) && !is_resumable(path));
        left.extend(scraps.map(|path| format!("of a runner: {}", path.display())));
    }
    // How the blob store names what it has not finished writing. Of several servers none can know soon whose that is.
    let is_unfinished = |path: &Path| site.postgres.is_none() && path.to_string_lossy().contains('#');
    let of_blobs = files(&site.blobs()).into_iter().filter(|path| is_scrap(path) || is_upload(path) || is_unfinished(path));
    left.extend(of_blobs.map(|path| format!("of the blob store: {}", path.display())));
    left
}

/// Something unfinished, or that only a running program has.
fn is_scrap(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;

    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = ["tmp", "part", "partial", "new"];
    path.extension().is_some_and(|extension| unfinished.iter().any(|known| extension == *known))
        || path.parent().and_then(Path::file_name).is_some_and(|folder| folder == "tmp" || folder == "partial")
        || name == "in-flight.json"
        || fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket())
}

/// The beginning of a blob that a runner was killed over and never needed again: kept, so that the next download goes on from there.
fn is_resumable(path: &Path) -> bool {
    let Some((folder, name)) = path.parent().zip(path.file_name()) else { return false };
    folder.ends_with("store/partial") && !folder.with_file_name("blobs").join(name).exists()
}

fn is_upload(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "uploads")
}

/// The keys of all job output in the blob store.
pub(crate) fn job_outputs(blobs: &Path) -> BTreeSet<String> {
    let found = files(&blobs.join("jobs")).into_iter().filter(|path| !path.to_string_lossy().contains('#'));
    found.filter_map(|path| Some(path.strip_prefix(blobs).ok()?.display().to_string())).collect()
}

fn iterations(data: &Path) -> Vec<String> {
    let names = entries(&data.join("sandbox")).into_iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    names.filter(|name| name.starts_with("iteration-")).collect()
}

fn processes_where(is_it: impl Fn(&str) -> bool) -> Vec<String> {
    let processes = entries(Path::new("/proc")).into_iter().filter(|path| {
        let is_process = path.file_name().is_some_and(|name| name.to_string_lossy().chars().all(|c| c.is_ascii_digit()));
        // A process that has ended meanwhile has no command line any more.
        let line = if is_process { fs::read(path.join("cmdline")).unwrap_or_default() } else { Vec::new() };
        String::from_utf8_lossy(&line).split('\0').any(&is_it)
    });
    processes.map(|path| path.display().to_string()).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Every folder below one.
fn folders(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let below = fs::read_dir(folder).into_iter().flatten().flatten();
        let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path());
        for path in below {
            open.push(path.clone());
            found.push(path);
        }
    }
    found
}

/// Everything below a folder that is no folder.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut all = folders(root);
    all.push(root.to_owned());
    let inside = all.iter().flat_map(|folder| entries(folder));
    inside.filter(|path| fs::symlink_metadata(path).is_ok_and(|data| !data.is_dir())).collect()
}
