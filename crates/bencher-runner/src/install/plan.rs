//! Which files are to be installed: what the pins say, else what the flags and the place itself let one find.

use std::{env::consts::ARCH, path::Path};

use super::{
    archive::is_archive,
    pins::{self, Name, PinsError},
    source::Source,
    version::{OLDEST_FIRECRACKER, TESTED_FIRECRACKER, Version},
};
use crate::cli::InstallArgs;

/// One part and the file it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: Name,
    /// Below the source.
    pub(super) file: String,
    /// As far as it is known beforehand.
    pub(super) version: Option<Version>,
    /// What it has to be, where somebody said so.
    pub(super) sha256: Option<String>,
}

/// Why it is not clear what is to be installed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Pins(#[from] PinsError),
    #[error("--firecracker-version {0}")]
    Version(String),
    #[error("--firecracker-version {0} is not supported: expected {OLDEST_FIRECRACKER} or a later 1.x")]
    Unsupported(Version),
    #[error("--kernel `{0}` is no name of a file there: expected letters, digits and `._+-/`")]
    Kernel(String),
    #[error(
        "there is nothing to install in {0}: expected firecracker-vVERSION-{ARCH}.tgz as its makers publish it, `firecracker` and \
         `jailer`, or a kernel `vmlinux…`; --pins names files that are called otherwise"
    )]
    Nothing(String),
    #[error("there are several kernels ({}); say which with --kernel", .0.join(", "))]
    Kernels(Vec<String>),
}

pub(super) fn plan(args: &InstallArgs, source: &Source) -> Result<Vec<Wanted>, PlanError> {
    if let Some(path) = &args.pins {
        let wanted = pins::read(path)?.into_iter().map(|pin| Wanted {
            name: pin.name,
            file: pin.file,
            version: pin.version.parse().ok(),
            sha256: Some(pin.sha256),
        });
        return Ok(wanted.collect());
    }
    let asked = args.firecracker_version.as_deref().map(str::parse::<Version>).transpose().map_err(PlanError::Version)?;
    if let Some(version) = asked.filter(|version| !version.is_supported()) {
        return Err(PlanError::Unsupported(version));
    }
    if let Some(kernel) = args.kernel.as_ref().filter(|kernel| !pins::is_relative(kernel)) {
        return Err(PlanError::Kernel(kernel.clone()));
    }
    let kernel = |file: String| Wanted { name: Name::Kernel, version: None, file, sha256: None };
    match source {
        Source::Address(_) => {
            let version = asked.unwrap_or(TESTED_FIRECRACKER);
            Ok(release(version).into_iter().chain(args.kernel.clone().map(kernel)).collect())
        }
        Source::Folder(folder) => {
            let names = names(folder);
            let mut wanted = programs(&names, asked);
            match (&args.kernel, kernels(&names).as_slice()) {
                (Some(named), _) => wanted.push(kernel(named.clone())),
                (None, []) => {}
                (None, [only]) => wanted.push(kernel(only.clone())),
                (None, several) => return Err(PlanError::Kernels(several.to_vec())),
            }
            if wanted.is_empty() { Err(PlanError::Nothing(source.to_string())) } else { Ok(wanted) }
        }
    }
}

/// Both programs from the archive of a release, under the name that its makers give it.
fn release(version: Version) -> Vec<Wanted> {
    let file = format!("firecracker-v{version}-{ARCH}.tgz");
    let of = |name| Wanted { name, file: file.clone(), version: Some(version), sha256: None };
    vec![of(Name::Firecracker), of(Name::Jailer)]
}

/// The programs of a folder: those of the archive that was asked for or is newest, else loose ones.
fn programs(names: &[String], asked: Option<Version>) -> Vec<Wanted> {
    let in_name = |name: &str| -> Option<Version> {
        is_archive(name).then_some(())?;
        name.strip_prefix("firecracker-v")?.strip_suffix(".tgz")?.strip_suffix(ARCH)?.strip_suffix('-')?.parse().ok()
    };
    let archives = names.iter().filter_map(|name| in_name(name)).filter(|version| version.is_supported());
    if let Some(version) = archives.filter(|version| asked.is_none_or(|asked| asked == *version)).max() {
        return release(version);
    }
    let loose = |name: Name| {
        let versioned = names.iter().filter_map(|file| {
            let version: Version =
                file.strip_prefix(&format!("{name}-v"))?.strip_suffix(ARCH)?.strip_suffix('-')?.parse().ok()?;
            Some((Some(version), file))
        });
        let mut plain = names.iter().filter(|file| **file == name.to_string()).map(|file| (asked, file));
        let fitting = versioned.filter(|(version, _)| asked.is_none() || *version == asked);
        let (version, file) = fitting.max().or_else(|| plain.next_back())?;
        Some(Wanted { name, file: file.clone(), version, sha256: None })
    };
    [Name::Firecracker, Name::Jailer].into_iter().filter_map(loose).collect()
}

/// Kernels by their usual names, without the configurations that lie beside them.
fn kernels(names: &[String]) -> Vec<String> {
    let is_kernel = |name: &&String| {
        let rest = name.strip_prefix("vmlinux");
        rest.is_some_and(|rest| {
            (rest.is_empty() || rest.starts_with(['-', '.'])) && !rest.ends_with(".config") && !rest.ends_with(".debug")
        })
    };
    names.iter().filter(is_kernel).cloned().collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| pins::is_relative(name));
    names.sort();
    names
}

#[cfg(test)]
mod tests;
