//! `runner install-deps`: Firecracker, its jailer and a guest's kernel, from a place that the operator names, checked against
//! hashes that the operator gives or confirms. Nothing is fetched otherwise, and no hash is known here beforehand.

use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

mod archive;
pub mod elf;
mod limits;
pub mod pins;
pub mod place;
mod plan;
mod source;
pub mod version;

use self::{
    archive::ArchiveError,
    elf::ElfError,
    pins::{Name, Pin, PinsError},
    place::{Place, PlaceError},
    plan::{PlanError, Wanted},
    source::{FetchError, Fetched, Source},
    version::{OLDEST_FIRECRACKER, OLDEST_KERNEL, TESTED_KERNELS, Version, VersionError},
};
use crate::{
    cli::InstallArgs,
    exit::Exit,
    verbs::{self, VerbError},
};

/// Where it is installed, and where the runner looks, unless somebody says otherwise.
pub const INSTALL_DIR: &str = "/usr/local/lib/bencher";

/// Why nothing was installed. What was installed before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error(transparent)]
    Pins(#[from] PinsError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(
        "{file} has the SHA-256 {found}, and {pins} says {expected}: it is another file than was confirmed; get it from somewhere \
         else, or find out why it changed before you change the pins"
    )]
    Hash { file: String, found: String, expected: String, pins: String },
    #[error(
        "nobody confirmed these hashes: compare them, then give a pins file with --pins, or --yes, or run this on a terminal"
    )]
    Unconfirmed,
    #[error("not confirmed; nothing was installed")]
    Declined,
    #[error("the version of {name} is not known")]
    Version {
        name: Name,
        #[source]
        source: VersionError,
    },
    #[error("{name} {found} is not supported: expected {expected}")]
    Unsupported { name: Name, found: Version, expected: String },
    #[error("{file} is {name} {found}, and was to be {expected}")]
    OtherVersion { file: String, name: Name, found: Version, expected: Version },
    #[error(
        "firecracker is of version {firecracker} and jailer of {jailer}: both have to be of one release; install both at once"
    )]
    Differ { firecracker: String, jailer: String },
    #[error("{file} cannot be a guest's kernel")]
    Kernel {
        file: String,
        #[source]
        source: ElfError,
    },
    #[error(transparent)]
    Print(#[from] VerbError),
}

/// What was done, or would be.
#[derive(Debug, Serialize)]
struct Report {
    /// The folder that programs are run from.
    to: PathBuf,
    dry_run: bool,
    files: Vec<Row>,
    /// The pins file that was written, for other machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pins: Option<PathBuf>,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    name: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    file: String,
    bytes: u64,
    sha256: String,
    /// Whether a pins file said this hash before.
    pinned: bool,
}

/// # Errors
/// Nothing was installed, and why.
pub async fn run(args: &InstallArgs) -> Result<Exit, InstallError> {
    let dir = args.to.clone().unwrap_or_else(|| PathBuf::from(INSTALL_DIR));
    let source = Source::parse(&args.from)?;
    let wanted = plan::plan(args, &source)?;
    if args.dry_run {
        let scratch = tempfile::tempdir().map_err(|source| PlaceError::Io {
            action: "create a folder in",
            path: std::env::temp_dir(),
            source,
        })?;
        let files = fetch(&source, &wanted, scratch.path()).await?;
        let rows = check(args, &dir, &wanted, &files)?;
        verbs::say(args.format, &Report { to: place::current(&dir), dry_run: true, files: rows, pins: None }, table)?;
        return Ok(Exit::Success);
    }
    let place = Place::open(&dir)?;
    let set = place.begin()?;
    let files = fetch(&source, &wanted, &set.downloads()?).await?;
    let mut rows = check(args, &dir, &wanted, &files)?;
    if rows.iter().any(|row| !row.pinned) {
        confirm(args, &source, &rows)?;
    }
    let mut pins = Vec::new();
    for ((wanted, fetched), row) in wanted.iter().zip(&files).zip(&mut rows) {
        let version = put(wanted, fetched, &set.path(wanted.name)).await?;
        row.version = Some(version.to_string());
        pins.push(Pin {
            name: wanted.name,
            version: version.to_string(),
            file: wanted.file.clone(),
            sha256: fetched.sha256.clone(),
        });
    }
    place.carry_over(&set, &mut pins)?;
    one_release(&pins)?;
    let folder = place.commit(set, &pins)?;
    tracing::info!(folder = %folder.display(), "installed");
    let record = place::current(&dir).join(place::PINS);
    verbs::say(args.format, &Report { to: place::current(&dir), dry_run: false, files: rows, pins: Some(record) }, table)?;
    Ok(Exit::Success)
}

/// Fetches each file once, however many parts are in it.
async fn fetch(source: &Source, wanted: &[Wanted], folder: &Path) -> Result<Vec<Fetched>, FetchError> {
    let mut fetched: Vec<Fetched> = Vec::new();
    for (index, part) in wanted.iter().enumerate() {
        let same = wanted[..index].iter().position(|other| other.file == part.file).map(|at| fetched[at].clone());
        fetched.push(match same {
            Some(same) => same,
            None => {
                verbs::talk(&format!("fetching {} from {source}", part.file));
                source.fetch(&part.file, &folder.join(index.to_string())).await?
            }
        });
    }
    Ok(fetched)
}

/// Compares with the pins, and with what was installed under the same version before.
fn check(args: &InstallArgs, dir: &Path, wanted: &[Wanted], files: &[Fetched]) -> Result<Vec<Row>, InstallError> {
    let before = place::installed(dir);
    let mut rows = Vec::new();
    for (part, fetched) in wanted.iter().zip(files) {
        let differs = |expected: &str, pins: &Path| InstallError::Hash {
            file: part.file.clone(),
            found: fetched.sha256.clone(),
            expected: expected.to_owned(),
            pins: pins.display().to_string(),
        };
        if let Some(expected) = part.sha256.as_ref().filter(|expected| **expected != fetched.sha256) {
            return Err(differs(expected, args.pins.as_deref().unwrap_or(Path::new("the pins file"))));
        }
        let same = before.iter().find(|pin| pin.name == part.name && pin.file == part.file && part.sha256.is_none());
        if let Some(known) = same.filter(|known| known.sha256 != fetched.sha256) {
            return Err(differs(&known.sha256, &place::current(dir).join(place::PINS)));
        }
        rows.push(Row {
            name: part.name,
            version: part.version.map(|version| version.to_string()),
            file: part.file.clone(),
            bytes: fetched.bytes,
            sha256: fetched.sha256.clone(),
            pinned: part.sha256.is_some(),
        });
    }
    Ok(rows)
}

/// Asks a person whether these are the right hashes.
fn confirm(args: &InstallArgs, source: &Source, rows: &[Row]) -> Result<(), InstallError> {
    verbs::talk(&format!("no pins file says what these files have to be; from {source}:\n\n{}", rows_table(rows)));
    if args.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(InstallError::Unconfirmed);
    }
    // Where nobody can be asked, nobody answers.
    let _ = write!(io::stderr(), "Compare them with what their makers publish. Install these files? [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(InstallError::Declined) }
}

/// Puts one part into the new set and makes sure that it is what it is said to be.
async fn put(wanted: &Wanted, fetched: &Fetched, to: &Path) -> Result<Version, InstallError> {
    let file = wanted.file.clone();
    let (part, from, target) = (wanted.clone(), fetched.path.clone(), to.to_owned());
    let placed = tokio::task::spawn_blocking(move || -> Result<(), InstallError> {
        let failed = |source| PlaceError::Io { action: "write", path: target.clone(), source };
        match part.version.filter(|_| archive::is_archive(&part.file)) {
            Some(version) => archive::take(&from, &part.file, part.name, version, &target)?,
            None => drop(fs::copy(&from, &target).map_err(failed)?),
        }
        use std::os::unix::fs::PermissionsExt as _;
        Ok(fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).map_err(failed)?)
    });
    placed.await.expect("placing a file does not panic")?;
    let (found, expected) = match wanted.name {
        Name::Firecracker | Name::Jailer => {
            let found = version::ask(to).await.map_err(|source| InstallError::Version { name: wanted.name, source })?;
            (found, (!found.is_supported()).then(|| format!("{OLDEST_FIRECRACKER} or a later 1.x")))
        }
        Name::Kernel => {
            let kernel = |source| InstallError::Kernel { file: file.clone(), source };
            elf::kernel(to).map_err(kernel)?;
            let found = elf::kernel_version(to).map_err(kernel)?.or(wanted.version);
            let unreadable = || InstallError::Version { name: Name::Kernel, source: VersionError::Unreadable(file.clone()) };
            let found = found.ok_or_else(unreadable)?;
            if !TESTED_KERNELS.iter().any(|tested| tested.is_of_series(found)) {
                tracing::warn!(version = %found, "Firecracker's makers do not test guests with a kernel of this series");
            }
            (found, (found < OLDEST_KERNEL).then(|| format!("{OLDEST_KERNEL} or newer")))
        }
    };
    if let Some(expected) = expected {
        return Err(InstallError::Unsupported { name: wanted.name, found, expected });
    }
    match wanted.version {
        Some(expected) if expected != found => Err(InstallError::OtherVersion { file, name: wanted.name, found, expected }),
        _ => Ok(found),
    }
}

/// Firecracker and jailer of different releases do not work together.
fn one_release(pins: &[Pin]) -> Result<(), InstallError> {
    let of = |name| pins.iter().find(|pin| pin.name == name).map(|pin| pin.version.clone());
    match (of(Name::Firecracker), of(Name::Jailer)) {
        (Some(firecracker), Some(jailer)) if firecracker != jailer => Err(InstallError::Differ { firecracker, jailer }),
        _ => Ok(()),
    }
}

fn rows_table(rows: &[Row]) -> String {
    let mut table = verbs::plain(&["NAME", "VERSION", "FILE", "SIZE", "SHA-256"]);
    for row in rows {
        let version = row.version.clone().unwrap_or_else(|| "?".to_owned());
        table.add_row([row.name.to_string(), version, row.file.clone(), verbs::size(row.bytes), row.sha256.clone()]);
    }
    verbs::text(&table)
}

fn table(report: &Report) -> String {
    let end = match &report.pins {
        None => "nothing was installed: --dry-run\n".to_owned(),
        Some(pins) => format!("installed in {}; {} says what, for other machines\n", report.to.display(), pins.display()),
    };
    format!("{}\n{end}", rows_table(&report.files))
}

impl InstallError {
    /// What the process's exit code says of it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Pins(_) | Self::Plan(_) | Self::Fetch(FetchError::NoSource(_)) | Self::Unconfirmed => Exit::Usage,
            Self::Place(PlaceError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Exit::Unable,
            _ => Exit::Failure,
        }
    }
}
