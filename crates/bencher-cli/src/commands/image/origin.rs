//! Opening a place to read from. What is no registry and no layout is unpacked into one first.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use bencher_oci::{Layout, Limits, Origin, archive};
use tempfile::TempDir;

use super::{ImageError, engine, folder, on, registry, transfer::Transfer};
use crate::cli::image::place::Place;

/// Where an image is, and what it needs as long as it is read.
pub(super) struct Opened {
    pub origin: Origin,
    /// What it is called there.
    pub name: Option<String>,
    /// Gone with this, where the image was unpacked for it.
    _folder: Option<TempDir>,
}

impl Opened {
    fn layout(layout: Layout, reference: Option<String>, folder: Option<TempDir>) -> Self {
        let only = || match layout.names().ok()?.as_slice() {
            [(name, _)] if name.parse::<bencher_types::Digest>().is_err() => Some(name.clone()),
            _ => None,
        };
        let name = reference.clone().or_else(only);
        Self { origin: Origin::Layout { layout, reference }, name, _folder: folder }
    }

    /// A layout folder that must be there.
    pub(super) fn layout_at(dir: &Path, reference: Option<String>, place: &str) -> Result<Self, ImageError> {
        let missing = |source| ImageError::NoLayout { place: place.to_owned(), source: Box::new(source) };
        Ok(Self::layout(Layout::open(dir).map_err(missing)?, reference, None))
    }

    pub(super) async fn open(transfer: &Transfer<'_>, place: &Place) -> Result<Self, ImageError> {
        let context = transfer.context;
        match place {
            Place::Registry { image, scheme } => {
                let found = registry::repository(context, (image, *scheme), transfer.login, transfer.observer()).await?;
                let name = image.tag().map(|tag| format!("{}:{tag}", image.repository()));
                let reference = image.manifest_reference();
                let origin = Origin::Registry { client: found.client, repository: found.name, reference };
                Ok(Self { origin, name, _folder: None })
            }
            Place::Layout { dir, name } => Self::layout_at(dir, name.clone(), &place.to_string()),
            Place::Path(path) if path.is_dir() || !path.exists() => Self::layout_at(path, None, &place.to_string()),
            Place::Path(file) => unpack(transfer, place, Some(file.clone()), None).await,
            Place::Archive { file, name, .. } => unpack(transfer, place, Some(file.clone()), name.clone()).await,
            Place::Standard => unpack(transfer, place, None, None).await,
            Place::Engine(name) => {
                let folder = folder(context)?;
                let saved = engine::connect(context)?.save(name, folder.path(), &Limits::default()).await;
                let layout = saved.map_err(|source| ImageError::Engine { source: Box::new(source) })?;
                Ok(Self { name: Some(name.clone()), ..Self::layout(layout, None, Some(folder)) })
            }
        }
    }
}

/// An archive, or standard input, as a layout for the time being.
async fn unpack(
    transfer: &Transfer<'_>,
    place: &Place,
    file: Option<PathBuf>,
    name: Option<String>,
) -> Result<Opened, ImageError> {
    let folder = folder(transfer.context)?;
    let (into, action) = (folder.path().to_owned(), format!("read {place}"));
    let reading = move || {
        let failed = |source| ImageError::Archive { action, source: Box::new(source) };
        let limits = Limits::default();
        match file {
            Some(file) => {
                let opened = File::open(&file).map_err(on("open", &file))?;
                archive::read(opened, &into, &limits).map_err(failed)
            }
            None => archive::read(io::stdin().lock(), &into, &limits).map_err(failed),
        }
    };
    let layout = tokio::task::spawn_blocking(reading).await.map_err(|source| ImageError::Aborted { source })??;
    Ok(Opened::layout(layout, name, Some(folder)))
}
