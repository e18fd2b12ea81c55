//! Where files are installed: whole sets, of which one is current. Whoever looks sees the old set or the new one, never half
//! of each, whenever this is killed.
//!
//! ```text
//! DIR/current ─▶ sets/aB3x      firecracker, jailer, vmlinux, pins.toml
//! DIR/sets/aB3x                 what is current
//! DIR/sets/Zk9q                 what was current before: a running runner may use it still
//! DIR/sets/.new-…               being filled; swept away by the next that finds it
//! ```

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::pins::{self, Name, Pin};

/// What a set that is not whole yet is called.
const UNFINISHED: &str = ".new-";
/// What says what is in a set.
pub(super) const PINS: &str = "pins.toml";

/// Why nothing was installed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("could not {action} {path}{}", hint(source))]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("another installation into {path} is under way; wait for it")]
    Busy { path: PathBuf },
    #[error(
        "{path} can be changed by other users (mode {mode:03o}), who could exchange what runs as root; run `chmod go-w {path}`"
    )]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{path} is in the way: it is no link to a set of files; remove it, or install elsewhere with --to")]
    InTheWay { path: PathBuf },
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "; run this as root, or install elsewhere with --to",
        _ => "",
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PlaceError {
    let path = path.to_owned();
    move |source| PlaceError::Io { action, path, source }
}

/// The folder of the set that is current, which is there or not.
#[must_use]
pub fn current(dir: &Path) -> PathBuf {
    dir.join("current")
}

/// What is installed now, as its own pins say.
#[must_use]
pub fn installed(dir: &Path) -> Vec<Pin> {
    pins::read(&current(dir).join(PINS)).unwrap_or_default()
}

/// A folder that nobody else installs into.
#[derive(Debug)]
pub(super) struct Place {
    dir: PathBuf,
    _lock: File,
}

/// A set that is being filled. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Set(TempDir);

impl Set {
    pub(super) fn path(&self, name: Name) -> PathBuf {
        self.0.path().join(name.file())
    }

    /// A folder for what is fetched; not part of the set.
    pub(super) fn downloads(&self) -> Result<PathBuf, PlaceError> {
        let path = self.0.path().join("downloads");
        folder(&path, 0o700)?;
        Ok(path)
    }
}

impl Place {
    /// Creates the folder if need be, and removes what a killed installation left in it.
    pub(super) fn open(dir: &Path) -> Result<Self, PlaceError> {
        folder(dir, 0o755)?;
        let sets = dir.join("sets");
        folder(&sets, 0o755)?;
        for path in [dir, &sets] {
            let mode = fs::metadata(path).map_err(failed("look at", path))?.mode() & 0o777;
            if mode & 0o022 != 0 {
                return Err(PlaceError::Exposed { path: path.to_owned(), mode });
            }
        }
        // Goes with the process, however it ends.
        let lock = File::open(&sets).map_err(failed("open", &sets))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| PlaceError::Busy { path: dir.to_owned() })?;
        let place = Self { dir: dir.to_owned(), _lock: lock };
        for name in place.names()?.iter().filter(|name| name.starts_with(UNFINISHED)) {
            remove(&sets.join(name));
        }
        Ok(place)
    }

    /// A new, empty set.
    pub(super) fn begin(&self) -> Result<Set, PlaceError> {
        let sets = self.dir.join("sets");
        let new = tempfile::Builder::new().prefix(UNFINISHED).permissions(Permissions::from_mode(0o755)).tempdir_in(&sets);
        new.map(Set).map_err(failed("create a folder in", &sets))
    }

    /// What of the current set has no successor goes on in the new one.
    pub(super) fn carry_over(&self, set: &Set, pins: &mut Vec<Pin>) -> Result<(), PlaceError> {
        for old in installed(&self.dir) {
            if pins.iter().any(|pin| pin.name == old.name) {
                continue;
            }
            let from = current(&self.dir).join(old.name.file());
            fs::hard_link(&from, set.path(old.name)).map_err(failed("keep", &from))?;
            pins.push(old);
        }
        pins.sort_by_key(|pin| pin.name);
        Ok(())
    }

    /// Makes a set the current one.
    pub(super) fn commit(&self, set: Set, pins: &[Pin]) -> Result<PathBuf, PlaceError> {
        let folder = set.0.path();
        let downloads = folder.join("downloads");
        if downloads.exists() {
            fs::remove_dir_all(&downloads).map_err(failed("remove", &downloads))?;
        }
        for pin in pins {
            settle(&set.path(pin.name), if pin.name == Name::Kernel { 0o644 } else { 0o755 })?;
        }
        let record = folder.join(PINS);
        fs::write(&record, pins::write(pins)).map_err(failed("write", &record))?;
        settle(&record, 0o644)?;
        sync(folder)?;

        let current = current(&self.dir);
        let before = match fs::read_link(&current) {
            Ok(target) => target.file_name().map(ToOwned::to_owned),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(_) => return Err(PlaceError::InTheWay { path: current }),
        };
        let sets = self.dir.join("sets");
        let unfinished = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = unfinished.trim_start_matches(UNFINISHED).to_owned();
        let whole = sets.join(&name);
        fs::rename(folder, &whole).map_err(failed("rename", folder))?;
        sync(&sets)?;
        let link = self.dir.join(format!(".current-{name}"));
        symlink(Path::new("sets").join(&name), &link).map_err(failed("create", &link))?;
        fs::rename(&link, &current).map_err(failed("replace", &current))?;
        sync(&self.dir)?;

        for other in self.names()? {
            if other != name && before.as_ref().is_none_or(|before| before.as_os_str() != other.as_str()) {
                remove(&sets.join(other));
            }
        }
        Ok(whole)
    }

    fn names(&self) -> Result<Vec<String>, PlaceError> {
        let sets = self.dir.join("sets");
        let entries = fs::read_dir(&sets).map_err(failed("read", &sets))?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    }
}

/// Nothing refers to it; what stays of it does no harm, and the next installation tries again.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        tracing::warn!(path = %path.display(), %error, "could not remove what is not used any more");
    }
}

fn folder(path: &Path, mode: u32) -> Result<(), PlaceError> {
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(failed("create", path))
}

/// Whatever the process's mask says: a file as it has to be, and on the disk.
fn settle(path: &Path, mode: u32) -> Result<(), PlaceError> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("set the mode of", path))?;
    let file = File::open(path).map_err(failed("open", path))?;
    file.sync_all().map_err(failed("write", path))
}

fn sync(dir: &Path) -> Result<(), PlaceError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("write", dir))
}
