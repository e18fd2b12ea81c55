//! Opening a place to write to, and what is left to do when everything is in the layout before it: an archive appears when it is
//! whole, an engine gets one.

use std::{
    fs::{self, File, TryLockError},
    io::{self, IsTerminal as _, Write},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use bencher_oci::{
    Destination, Layout, LayoutError, Limits, RegistryError,
    archive::{self, ArchiveError},
};
use tempfile::TempDir;

use super::{ImageError, engine, folder, on, registry, transfer::Transfer};
use crate::{
    cli::image::place::{ArchiveKind, Place},
    commands::Context,
    limits,
};

/// Where an image goes first, and from there.
pub(super) struct Target {
    pub destination: Destination,
    then: Then,
    /// Nobody else writes to the same folder meanwhile.
    _alone: Option<File>,
}

enum Then {
    Nothing,
    /// The layout `staging` becomes this file, and goes when that is there.
    Archive {
        file: PathBuf,
        kind: ArchiveKind,
        name: Option<String>,
        staging: PathBuf,
    },
    Stdout(TempDir),
    Engine {
        name: String,
        folder: TempDir,
    },
}

impl Target {
    /// `name` is what the image is called where nobody says otherwise.
    pub(super) async fn open(transfer: &Transfer<'_>, place: &Place, name: Option<String>) -> Result<Self, ImageError> {
        let context = transfer.context;
        match place {
            Place::Registry { image, scheme } => {
                if image.digest().is_some() {
                    return Err(ImageError::Digest { image: image.clone() });
                }
                let found = registry::repository(context, (image, *scheme), transfer.login, transfer.observer()).await?;
                let tag = image.tag().map(str::to_owned);
                let destination = Destination::Registry { client: found.client, repository: found.name, tag };
                Ok(Self { destination, then: Then::Nothing, _alone: None })
            }
            Place::Layout { dir, name: given } => Self::layout(context, dir, given.clone().or(name), Then::Nothing).await,
            Place::Path(path) if !path.is_dir() && path.extension().is_some_and(|extension| extension == "tar") => {
                Self::archive(context, path, name, ArchiveKind::Oci).await
            }
            Place::Path(path) => Self::layout(context, path, name, Then::Nothing).await,
            Place::Archive { file, name: given, kind } => Self::archive(context, file, given.clone().or(name), *kind).await,
            Place::Standard => {
                if io::stdout().is_terminal() {
                    return Err(ImageError::Terminal);
                }
                let folder = folder(context)?;
                let dir = folder.path().to_owned();
                Self::layout(context, &dir, name, Then::Stdout(folder)).await
            }
            Place::Engine(name) => {
                let folder = folder(context)?;
                let dir = folder.path().to_owned();
                Self::layout(context, &dir, None, Then::Engine { name: name.clone(), folder }).await
            }
        }
    }

    async fn layout(context: &Context, dir: &Path, name: Option<String>, then: Then) -> Result<Self, ImageError> {
        let alone = alone(context, dir).await?;
        let unusable = |source| ImageError::Layout { dir: dir.to_owned(), source: Box::new(source) };
        if dir.is_dir() && !dir.join("oci-layout").exists() && fs::read_dir(dir).is_ok_and(|mut found| found.next().is_some()) {
            // Something else is in it: nothing of ours goes there.
            return Err(unusable(LayoutError::NotALayout { dir: dir.to_owned() }));
        }
        let layout = Layout::create(dir).map_err(unusable)?;
        Ok(Self { destination: Destination::Layout { layout, name }, then, _alone: Some(alone) })
    }

    async fn archive(context: &Context, file: &Path, name: Option<String>, kind: ArchiveKind) -> Result<Self, ImageError> {
        let file_name = file.file_name().ok_or_else(|| ImageError::NoFile { path: file.to_owned() })?;
        // Beside the file and named after it, so that the same pull goes on from there.
        let staging = file.with_file_name(format!(".{}.unfinished", file_name.to_string_lossy()));
        let then = Then::Archive { file: file.to_owned(), kind, name: name.clone(), staging: staging.clone() };
        Self::layout(context, &staging, name, then).await
    }

    /// Docker's own archives hold the image of one platform.
    pub(super) fn is_of_one_platform(&self) -> bool {
        matches!(self.then, Then::Engine { .. } | Then::Archive { kind: ArchiveKind::Docker, .. })
    }

    /// Takes the image from the layout to where it belongs.
    pub(super) async fn finish(self, context: &Context, to: &Place) -> Result<(), ImageError> {
        let Destination::Layout { layout, .. } = self.destination else { return Ok(()) };
        let action = format!("write {to}");
        let failed = move |source| ImageError::Archive { action, source: Box::new(source) };
        match self.then {
            Then::Nothing => Ok(()),
            Then::Archive { file, kind, name, staging } => {
                blocking(move || {
                    let written = to_file(&file, |out| write(&layout, kind, name.as_deref(), out).map_err(failed));
                    // It is whole, or cannot be made of what is here: nothing to go on with either way.
                    let removed = fs::remove_dir_all(&staging).map_err(on("remove", &staging));
                    written.and(removed)
                })
                .await
            }
            Then::Stdout(_folder) => {
                blocking(move || write(&layout, ArchiveKind::Oci, None, io::stdout().lock()).map_err(failed)).await
            }
            Then::Engine { name, folder } => {
                let file = folder.path().join("archive.tar");
                let (path, tag) = (file.clone(), name.clone());
                blocking(move || {
                    let whole = File::create(&path).map_err(on("create", &path))?;
                    write(&layout, ArchiveKind::Docker, Some(&tag), io::BufWriter::new(whole)).map_err(failed)
                })
                .await?;
                let loaded = engine::connect(context)?.load(&file).await;
                loaded.map_err(|source| ImageError::Engine { source: Box::new(source) })
            }
        }
    }

    /// What can go on stays for the next try; what cannot goes.
    pub(super) fn give_up(self, error: &RegistryError) {
        if let Then::Archive { staging, .. } = &self.then
            && !error.is_transient()
        {
            let _ = fs::remove_dir_all(staging);
        }
    }
}

/// Makes a folder and has it alone for as long as what is returned lives: another transfer to the same place is waited for, and finds
/// what this one has brought.
pub(super) async fn alone(context: &Context, dir: &Path) -> Result<File, ImageError> {
    let waited = async {
        let mut is_said = false;
        loop {
            fs::create_dir_all(dir).map_err(on("create", dir))?;
            let held = File::open(dir).map_err(on("open", dir))?;
            match held.try_lock() {
                // It may have been removed while it was waited for.
                Ok(()) if is_still(dir, &held) => return Ok(held),
                Ok(()) => continue,
                Err(TryLockError::Error(error)) => return Err(on("lock", dir)(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            if !is_said {
                context.out.talk(&format!("waiting for another transfer to {}", dir.display()));
                is_said = true;
            }
            tokio::time::sleep(limits::LOCK_POLL).await;
        }
    };
    let timed_out = |_| on("wait for another transfer to", dir)(io::ErrorKind::TimedOut.into());
    tokio::time::timeout(limits::TRANSFER_PATIENCE, waited).await.map_err(timed_out)?
}

fn is_still(dir: &Path, held: &File) -> bool {
    let (Ok(now), Ok(then)) = (fs::metadata(dir), held.metadata()) else { return false };
    (now.dev(), now.ino()) == (then.dev(), then.ino())
}

/// Writes a file that is there when it is whole, and else what it was.
fn to_file(file: &Path, write: impl FnOnce(&mut File) -> Result<(), ImageError>) -> Result<(), ImageError> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut whole = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(parent)
        .map_err(on("write to", parent))?;
    write(whole.as_file_mut())?;
    whole.as_file().sync_all().map_err(on("write", file))?;
    whole.persist(file).map_err(|error| on("write", file)(error.error))?;
    Ok(())
}

fn write(layout: &Layout, kind: ArchiveKind, name: Option<&str>, out: impl Write) -> Result<(), ArchiveError> {
    let limits = Limits::default();
    match kind {
        ArchiveKind::Oci => archive::write_oci(layout, &limits, out),
        ArchiveKind::Docker => {
            let names: Vec<String> = name.map(tagged).into_iter().collect();
            archive::write_docker(layout, &layout.find(None)?, &names, &limits, out)
        }
    }
}

/// Docker takes a name with a tag only.
fn tagged(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains(':') { name.to_owned() } else { format!("{name}:latest") }
}

async fn blocking(work: impl FnOnce() -> Result<(), ImageError> + Send + 'static) -> Result<(), ImageError> {
    tokio::task::spawn_blocking(work).await.map_err(|source| ImageError::Aborted { source })?
}
