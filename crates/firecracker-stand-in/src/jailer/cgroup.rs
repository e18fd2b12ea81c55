//! The jail's control groups: `<hierarchy>/<parent>/<id>`, made, set and entered; never removed.

use std::{
    fs,
    path::{Component, Path, PathBuf},
    process,
};

use crate::error::JailError;

/// Processes of the host that a guest of the stand-in takes beyond Firecracker's threads.
const GUEST_PROCESSES: u64 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

impl Version {
    pub(crate) fn parse(text: &str) -> Result<Self, JailError> {
        match text {
            "1" => Ok(Self::One),
            "2" => Ok(Self::Two),
            _ => Err(JailError::CgroupVersion(text.to_owned())),
        }
    }
}

/// One `--cgroup FILE=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    controller: String,
    file: String,
    value: String,
}

impl Setting {
    pub(crate) fn parse(text: &str) -> Result<Self, JailError> {
        let (file, value) = text
            .split_once('=')
            .filter(|(_, value)| !value.is_empty() && !value.contains('='))
            .ok_or_else(|| JailError::CgroupFormat(text.to_owned()))?;
        let controller = file.split('.').next().filter(|controller| *controller != file);
        let controller = controller.ok_or_else(|| JailError::CgroupFile(file.to_owned()))?;
        let value = match (file, value.parse::<u64>()) {
            ("pids.max", Ok(count)) => count.saturating_add(GUEST_PROCESSES).to_string(),
            _ => value.to_owned(),
        };
        Ok(Self { controller: controller.to_owned(), file: file.to_owned(), value })
    }
}

/// A parent is a relative path without detours.
pub(crate) fn checked_parent(parent: &Path) -> Result<&Path, JailError> {
    let plain = parent.components().all(|component| matches!(component, Component::Normal(_)));
    if plain { Ok(parent) } else { Err(JailError::ParentCgroup) }
}

/// Makes the groups that the settings need, and puts this process into them. Without settings nothing is made.
pub(crate) fn enter(version: Version, settings: &[Setting], parent: &Path, id: &str) -> Result<(), JailError> {
    if settings.is_empty() {
        return Ok(());
    }
    let path = PathBuf::from("/proc/mounts");
    let mounts = fs::read_to_string(&path).map_err(|error| JailError::Open { path, error })?;
    let mut groups = Vec::new();
    for setting in settings {
        let root = hierarchy(&mounts, version, &setting.controller)?;
        let group = root.join(parent).join(id);
        fs::create_dir_all(&group).map_err(|error| JailError::CreateDir { path: group.clone(), error })?;
        match version {
            Version::One => inherit(&group, &setting.file, parent.components().count())?,
            Version::Two => enable(&root, &group, &setting.controller)?,
        }
        write(&group.join(&setting.file), &setting.value)?;
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let entrance = if version == Version::One { "tasks" } else { "cgroup.procs" };
    groups.iter().try_for_each(|group| write(&group.join(entrance), &process::id().to_string()))
}

/// The mount point on which a controller is.
fn hierarchy(mounts: &str, version: Version, controller: &str) -> Result<PathBuf, JailError> {
    let wanted = if version == Version::One { "cgroup" } else { "cgroup2" };
    let mut points = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind, options) = (words.next()?, words.next()?, words.next()?);
        (kind == wanted).then_some((PathBuf::from(point), options))
    });
    match version {
        Version::One => points
            .find(|(_, options)| options.split(',').any(|option| option == controller))
            .map(|(point, _)| point)
            .ok_or_else(|| JailError::CgroupController(controller.to_owned())),
        Version::Two => {
            let (point, _) = points.next().ok_or_else(|| JailError::CgroupHierarchy("unified".to_owned()))?;
            let available = fs::read_to_string(point.join("cgroup.controllers")).unwrap_or_default();
            let available = available.split_ascii_whitespace().any(|name| name == controller);
            if available { Ok(point) } else { Err(JailError::CgroupController(controller.to_owned())) }
        }
    }
}

/// A new group of version 1 has files without content where its parent has some.
fn inherit(group: &Path, file: &str, depth: usize) -> Result<(), JailError> {
    let failed = || JailError::CgroupInherit { path: group.to_owned(), file: file.to_owned() };
    let parent = group.parent().ok_or_else(failed)?;
    let line = |folder: &Path| fs::read_to_string(folder.join(file)).map(|text| text.trim_end().to_owned());
    let mut above = line(parent).map_err(|error| JailError::Open { path: parent.join(file), error })?;
    if above.is_empty() && depth > 0 {
        // Another jailer may have been quicker; what counts is what is there now.
        let _ = inherit(parent, file, depth - 1);
        above = line(parent).unwrap_or_default();
    }
    if above.is_empty() {
        return Err(failed());
    }
    write(&group.join(file), &above)
}

/// Every group above must hand the controller down.
fn enable(root: &Path, group: &Path, controller: &str) -> Result<(), JailError> {
    let mut folder = root.to_owned();
    let below = group.strip_prefix(root).unwrap_or(Path::new(""));
    for name in below.components() {
        write(&folder.join("cgroup.subtree_control"), &format!("+{controller}"))?;
        folder.push(name);
    }
    Ok(())
}

fn write(path: &Path, value: &str) -> Result<(), JailError> {
    fs::write(path, format!("{value}\n")).map_err(|error| JailError::Write { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests;
