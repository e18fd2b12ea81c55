//! What processes take from this machine, as its kernel counts it.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    ops::{AddAssign, Range},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::libc;

/// A control group for a process that competes with those of sandboxes, which have one each. Where others work on the machine,
/// a process outside of any would share its part with all of them. Where there is no controller of CPU time, none is needed.
pub(crate) struct OwnGroup(Vec<PathBuf>);

impl OwnGroup {
    /// Below the folder `parent` of each hierarchy.
    pub(crate) fn new(parent: &str) -> Self {
        let roots = ["cpu", "cpu,cpuacct", ""].map(|name| fs::canonicalize(Path::new("/sys/fs/cgroup").join(name)));
        let roots: BTreeSet<PathBuf> = roots.into_iter().flatten().filter(|root| root.join("cgroup.procs").exists()).collect();
        let folders = roots.into_iter().filter_map(|root| {
            let folder = root.join(parent).join("bare");
            fs::create_dir_all(&folder).ok()?;
            for level in [root.clone(), root.join(parent)] {
                // Version 1 has no such file, and another process may have done it.
                let _ = fs::OpenOptions::new()
                    .write(true)
                    .open(level.join("cgroup.subtree_control"))
                    .and_then(|mut file| file.write_all(b"+cpu"));
            }
            Some(folder)
        });
        Self(folders.collect())
    }

    pub(crate) fn add(&self, pid: u32) -> Result<()> {
        for folder in &self.0 {
            let file = folder.join("cgroup.procs");
            fs::write(&file, pid.to_string()).with_context(|| format!("could not write to {}", file.display()))?;
        }
        Ok(())
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        for folder in &self.0 {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Memory of a guest's processes, in KiB. What several share counts for each in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GuestMemory {
    /// What the guest itself has touched.
    pub(crate) guest: u64,
    /// Everything else: the machine around it.
    pub(crate) around: u64,
    pub(crate) processes: u64,
}

impl AddAssign for GuestMemory {
    fn add_assign(&mut self, other: Self) {
        self.guest += other.guest;
        self.around += other.around;
        self.processes += other.processes;
    }
}

/// The memory of all processes of these users, whose guest has this much.
pub(crate) fn memory_of(users: &Range<u32>, guest_mib: u64) -> GuestMemory {
    let mut all = GuestMemory::default();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let is_process = entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        if is_process && entry.metadata().is_ok_and(|metadata| users.contains(&metadata.uid())) {
            // One that has just ended has none.
            let maps = fs::read_to_string(entry.path().join("smaps")).unwrap_or_default();
            all += memory_in(&maps, guest_mib);
        }
    }
    all
}

/// One mapping of a process.
#[derive(Debug, Default)]
struct Mapping {
    /// Device and inode; what has none is `00:00 0`.
    file: String,
    size: u64,
    pss: u64,
}

/// The guest's memory is the one mapping that is at least half as large, and every other mapping of the same file.
fn memory_in(maps: &str, guest_mib: u64) -> GuestMemory {
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        match (first, mappings.last_mut()) {
            ("Size:", Some(mapping)) => mapping.size = words.next().and_then(|kib| kib.parse().ok()).unwrap_or_default(),
            ("Pss:", Some(mapping)) => mapping.pss = words.next().and_then(|kib| kib.parse().ok()).unwrap_or_default(),
            (name, _) if name.ends_with(':') => {}
            _ => {
                let file = [words.nth(2), words.next()].map(Option::unwrap_or_default).join(" ");
                mappings.push(Mapping { file, ..Mapping::default() });
            }
        }
    }
    let is_large = |mapping: &&Mapping| mapping.size * 2 >= guest_mib * 1024;
    let files: BTreeSet<&str> = mappings.iter().filter(is_large).map(|mapping| mapping.file.as_str()).collect();
    let is_guests =
        |mapping: &Mapping| is_large(&mapping) || (!mapping.file.ends_with(" 0") && files.contains(mapping.file.as_str()));
    let mut memory = GuestMemory { processes: u64::from(!mappings.is_empty()), ..GuestMemory::default() };
    for mapping in &mappings {
        let part = if is_guests(mapping) { &mut memory.guest } else { &mut memory.around };
        *part += mapping.pss;
    }
    memory
}

/// The CPU time that a process has used, with all its threads, also those that have ended: to the nanosecond, where
/// `/proc/PID/stat` has hundredths of a second.
pub(crate) fn precise_cpu_time(pid: u32) -> Result<Duration> {
    // The clock of a process, as `clock_getcpuclockid` makes its name: the kernel's CPUCLOCK_SCHED is 2.
    let clock = (!libc::clockid_t::try_from(pid)? << 3) | 2;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a whole `timespec` that lives for the call, and a wrong clock is refused.
    let answer = unsafe { libc::clock_gettime(clock, &raw mut time) };
    ensure!(answer == 0, "the CPU time of process {pid} cannot be read: {}", std::io::Error::last_os_error());
    let nanos = u32::try_from(time.tv_nsec).context("an odd CPU time")?;
    Ok(Duration::new(u64::try_from(time.tv_sec).context("an odd CPU time")?, nanos))
}
