//! The benchmark's control group: what bounds the number of its processes, and lets the kernel end it as a whole where
//! memory runs out. A kernel without control groups, or without one of the controllers, goes without.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

const ROOT: &str = "/sys/fs/cgroup";
const GROUP: &str = "/sys/fs/cgroup/benchmark";

/// The group, ready to be joined.
#[derive(Debug)]
pub(crate) struct Group {
    /// A process that writes `0` here joins.
    pub(crate) procs: File,
}

impl Group {
    pub(crate) fn create(max_pids: Option<u64>) -> Option<Self> {
        for controller in ["pids", "memory"] {
            // One at a time, for one that does not exist refuses all.
            let _ = fs::write(Path::new(ROOT).join("cgroup.subtree_control"), format!("+{controller}"));
        }
        match fs::create_dir(GROUP) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return None,
            _ => {}
        }
        let max_pids = max_pids.map_or_else(|| "max".to_owned(), |max| max.to_string());
        let _ = fs::write(Path::new(GROUP).join("pids.max"), max_pids);
        let _ = fs::write(Path::new(GROUP).join("memory.oom.group"), "1");
        let procs = File::options().write(true).open(Path::new(GROUP).join("cgroup.procs"));
        procs.ok().map(|procs| Self { procs })
    }
}

/// How many processes the kernel has killed for want of memory since its start. All of them are a benchmark's: there is
/// nothing else, and the first process is spared.
pub(crate) fn oom_kills() -> u64 {
    crate::mounts::read_small("/proc/vmstat").ok().and_then(|text| counter(&text, "oom_kill")).unwrap_or_default()
}

/// The value on the line of a name.
fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}
