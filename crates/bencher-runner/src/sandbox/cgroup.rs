//! A control group per iteration, on hosts with version 1, version 2 or both.
//!
//! Not left to the container runtime: `crun` refuses hosts that have both versions mounted. Every limit that cannot
//! be applied becomes a warning; the benchmark still runs, and the operator learns what the number is worth.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::Resources;

/// Microseconds over which CPU time is counted; the kernel's own default.
const CPU_PERIOD_MICROS: u64 = 100_000;

/// How often the removal of a group is tried. Mostly the first pauses are enough: of 1, 2, 4, 8, then every time 16 ms, together
/// half a second, after which something in it hangs in the kernel.
const REMOVAL_TRIES: u32 = 40;

/// A controller that a limit of ours needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Controller {
    Cpu,
    Memory,
    Pids,
    Io,
}

/// Which hierarchy a controller is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

#[derive(Clone, Debug)]
struct Hierarchy {
    version: Version,
    mount: PathBuf,
}

/// A bound on reading from, and on writing to, one disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IoLimit {
    /// Numbers of the whole disk: the kernel refuses those of a partition.
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) bytes_per_second: u64,
}

/// The controllers this host has.
#[derive(Clone, Debug, Default)]
pub(super) struct CgroupHost {
    hierarchies: BTreeMap<Controller, Hierarchy>,
    /// Folder below each hierarchy that holds the groups of iterations.
    parent: String,
}

impl Controller {
    /// Those of which every host should have one.
    const EXPECTED: [Self; 3] = [Self::Cpu, Self::Memory, Self::Pids];
    const ALL: [Self; 4] = [Self::Cpu, Self::Memory, Self::Pids, Self::Io];

    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Io => "io",
        }
    }

    /// What the kernel calls it where it lists what a hierarchy has.
    fn listed_as(self, version: Version) -> &'static str {
        match (self, version) {
            (Self::Io, Version::V1) => "blkio",
            (controller, _) => controller.name(),
        }
    }
}

impl CgroupHost {
    /// Looks for mounted controllers in the text of `/proc/self/mountinfo`.
    pub(super) fn detect(mountinfo: &str, parent: &str) -> Self {
        let mut hierarchies = BTreeMap::new();
        for (mount, kind, options) in mountinfo.lines().filter_map(mount_line) {
            let available = match kind {
                "cgroup" => options.split(',').map(str::to_owned).collect(),
                "cgroup2" => read_words(&mount.join("cgroup.controllers")),
                _ => continue,
            };
            let version = if kind == "cgroup" { Version::V1 } else { Version::V2 };
            for controller in Controller::ALL {
                if available.iter().any(|name| name == controller.listed_as(version)) {
                    hierarchies.insert(controller, Hierarchy { version, mount: mount.clone() });
                }
            }
        }
        Self { hierarchies, parent: parent.to_owned() }
    }

    /// What limits cannot be applied on this host, in sentences. Makes the folder of all groups, to see whether it can be had.
    pub(super) fn shortcomings(&self, with_io: bool) -> Vec<String> {
        let wanted = Controller::ALL.into_iter().filter(|controller| with_io || *controller != Controller::Io);
        let missing = wanted.filter_map(|controller| {
            let name = controller.name();
            let Some(hierarchy) = self.hierarchies.get(&controller) else {
                return Some(format!("the host has no {name} cgroup controller: that limit is not applied"));
            };
            let error = self.parent(hierarchy, controller).err()?;
            Some(format!("the {name} cgroup controller cannot be used ({error}): that limit is not applied"))
        });
        missing.collect()
    }

    /// Makes the group of one iteration and sets its limits. Never fails; what did not take is in the group's warnings.
    pub(super) fn create(&self, name: &str, resources: &Resources, host_cpus: usize) -> JobCgroup {
        let mut group = JobCgroup { folders: BTreeMap::new(), warnings: Vec::new() };
        for controller in Controller::EXPECTED {
            let wanted = match controller {
                Controller::Cpu => resources.cpus.is_some_and(|cpus| (cpus as usize) < host_cpus),
                Controller::Memory => resources.memory_bytes.is_some(),
                Controller::Pids => resources.pids.is_some(),
                Controller::Io => false,
            };
            if !wanted {
                continue;
            }
            let Some(hierarchy) = self.hierarchies.get(&controller) else {
                group.warnings.push(format!("no {} limit: the host has no such cgroup controller", controller.name()));
                continue;
            };
            let applied = self.folder(hierarchy, controller, name).and_then(|folder| {
                group.folders.insert(controller, (hierarchy.version, folder.clone()));
                apply(controller, hierarchy.version, &folder, resources)
            });
            if let Err(error) = applied {
                group.warnings.push(format!("no {} limit: {error}", controller.name()));
            }
        }
        group
    }

    /// Bounds what the group reads from the disk, and what it writes to it, in bytes a second. As [`Self::create`], never fails.
    pub(super) fn limit_io(&self, group: &mut JobCgroup, name: &str, limit: IoLimit) {
        let Some(hierarchy) = self.hierarchies.get(&Controller::Io) else {
            group.warnings.push("no io limit: the host has no such cgroup controller".to_owned());
            return;
        };
        let IoLimit { major, minor, bytes_per_second: bound } = limit;
        let applied = self.folder(hierarchy, Controller::Io, name).and_then(|folder| {
            group.folders.insert(Controller::Io, (hierarchy.version, folder.clone()));
            match hierarchy.version {
                Version::V1 => ["blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device"]
                    .into_iter()
                    .try_for_each(|file| write(&folder.join(file), &format!("{major}:{minor} {bound}"))),
                Version::V2 => write(&folder.join("io.max"), &format!("{major}:{minor} rbps={bound} wbps={bound}")),
            }
        });
        if let Err(error) = applied {
            group.warnings.push(format!("no io limit: {error}"));
        }
    }

    /// Removes the group of an iteration of which nothing shall live any more, if it is there.
    pub(super) async fn remove_leftover(&self, name: &str) {
        let folders = self
            .hierarchies
            .iter()
            .map(|(controller, hierarchy)| (*controller, (hierarchy.version, hierarchy.mount.join(&self.parent).join(name))));
        JobCgroup { folders: folders.collect(), warnings: Vec::new() }.close().await;
    }

    /// The folder of all groups, in which a group has the controller.
    fn parent(&self, hierarchy: &Hierarchy, controller: Controller) -> io::Result<PathBuf> {
        let parent = hierarchy.mount.join(&self.parent);
        fs::create_dir_all(&parent)
            .map_err(|error| io::Error::new(error.kind(), format!("making {}: {error}", parent.display())))?;
        if hierarchy.version == Version::V2 {
            for level in [hierarchy.mount.as_path(), parent.as_path()] {
                enable(level, controller)?;
            }
        }
        Ok(parent)
    }

    fn folder(&self, hierarchy: &Hierarchy, controller: Controller, name: &str) -> io::Result<PathBuf> {
        let folder = self.parent(hierarchy, controller)?.join(name);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(folder),
        }
    }
}

/// The group of one iteration.
#[derive(Debug)]
#[must_use = "dropping it removes the group"]
pub(super) struct JobCgroup {
    folders: BTreeMap<Controller, (Version, PathBuf)>,
    pub(super) warnings: Vec<String>,
}

impl JobCgroup {
    /// Moves a process into the group. To be called while it waits to become the benchmark.
    pub(super) fn add(&mut self, pid: i32) {
        for (controller, (_, folder)) in &self.folders {
            if let Err(error) = write(&folder.join("cgroup.procs"), &pid.to_string()) {
                self.warnings.push(format!("no {} limit: {error}", controller.name()));
            }
        }
    }

    /// Whether the kernel killed something in the group for want of memory.
    pub(super) fn oom_killed(&self) -> bool {
        let Some((version, folder)) = self.folders.get(&Controller::Memory) else { return false };
        let file = match version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        text.lines().filter_map(|line| line.split_once(' ')).any(|(key, count)| key == "oom_kill" && count.trim() != "0")
    }

    /// Removes the group with everything in it. The kernel may need a moment to notice that the processes are gone.
    pub(super) async fn close(mut self) {
        for attempt in 0..REMOVAL_TRIES {
            self.remove();
            if self.folders.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1 << attempt.min(4))).await;
        }
        tracing::warn!(groups = ?self.folders, "could not remove the cgroup of an iteration");
    }

    /// Where it is not empty, what is in it gets killed, and a later try finds it empty.
    fn remove(&mut self) {
        self.folders.retain(|_, (_, folder)| {
            let removed = removed(folder);
            if !removed {
                kill_all(folder);
            }
            !removed
        });
    }
}

impl Drop for JobCgroup {
    fn drop(&mut self) {
        self.remove();
        self.remove();
    }
}

/// Removes a group and the groups that were made in it.
fn removed(folder: &Path) -> bool {
    let remove = || match fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    remove() || {
        groups_in(folder).iter().for_each(|group| {
            removed(group);
        });
        remove()
    }
}

/// Kills every process of a group and of the groups in it.
fn kill_all(folder: &Path) {
    // All at once, also what is being forked; version 2 has that since Linux 5.14.
    if write(&folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    groups_in(folder).iter().for_each(|group| kill_all(group));
    let list = folder.join("cgroup.procs");
    let members = || read_words(&list).into_iter().filter_map(|word| word.parse().ok());
    // A process of another PID namespace stands there as 0, which is nobody's number here.
    for pid in members().filter_map(Pid::from_raw) {
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // The handle is open, so from here on the number cannot change its owner unnoticed.
        if members().any(|member: i32| member == pid.as_raw_nonzero().get()) {
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
    }
}

fn groups_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

fn apply(controller: Controller, version: Version, folder: &Path, resources: &Resources) -> io::Result<()> {
    let set = |file: &str, value: String| write(&folder.join(file), &value);
    match (controller, version) {
        (Controller::Cpu, version) => {
            let quota = u64::from(resources.cpus.unwrap_or(1)) * CPU_PERIOD_MICROS;
            match version {
                Version::V1 => {
                    set("cpu.cfs_period_us", CPU_PERIOD_MICROS.to_string())?;
                    set("cpu.cfs_quota_us", quota.to_string())
                }
                Version::V2 => set("cpu.max", format!("{quota} {CPU_PERIOD_MICROS}")),
            }
        }
        (Controller::Io, _) => Ok(()),
        (Controller::Pids, _) => set("pids.max", resources.pids.unwrap_or(u64::MAX).to_string()),
        (Controller::Memory, Version::V1) => {
            let bytes = resources.memory_bytes.unwrap_or(u64::MAX).to_string();
            set("memory.limit_in_bytes", bytes.clone())?;
            // Without swap accounting the next best is not to swap while there is anything else to take.
            set("memory.memsw.limit_in_bytes", bytes).or_else(|_| set("memory.swappiness", "0".to_owned()))
        }
        (Controller::Memory, Version::V2) => {
            set("memory.max", resources.memory_bytes.unwrap_or(u64::MAX).to_string())?;
            // A benchmark that lost one of its processes measures something else: all or none.
            set("memory.oom.group", "1".to_owned())?;
            match set("memory.swap.max", "0".to_owned()) {
                // A kernel without swap has no such file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            }
        }
    }
}

/// Makes a controller available to the groups below `level`.
fn enable(level: &Path, controller: Controller) -> io::Result<()> {
    let file = level.join("cgroup.subtree_control");
    if read_words(&file).iter().any(|name| name == controller.name()) {
        return Ok(());
    }
    write(&file, &format!("+{}", controller.listed_as(Version::V2)))
}

fn write(path: &Path, value: &str) -> io::Result<()> {
    let said = |error: io::Error| io::Error::new(error.kind(), format!("{value} to {}: {error}", path.display()));
    fs::OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(value.as_bytes())).map_err(said)
}

fn read_words(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Mount point, file system type and super block options of a line of `mountinfo`.
fn mount_line(line: &str) -> Option<(PathBuf, &str, &str)> {
    let (left, right) = line.split_once(" - ")?;
    let mount = left.split(' ').nth(4)?;
    let mut right = right.split(' ');
    Some((PathBuf::from(mount), right.next()?, right.nth(1)?))
}

#[cfg(test)]
mod tests;
