//! `image view`: what an image is, without fetching its layers.

use bencher_oci::{
    BlobRef, Documented, Limits, Platform, ProcessDefaults,
    document::{self, Document, DocumentError},
};
use serde::Serialize;

use super::{ImageError, origin::Opened, transfer::Transfer};
use crate::{
    cli::{Format, image as args},
    commands::Context,
    error::CliError,
    output::{
        table::{Cell, fields},
        units,
    },
};

/// Everything there is to show, as `--format json` prints it.
#[derive(Debug, Serialize)]
struct View {
    image: String,
    digest: String,
    media_type: String,
    /// Of an index: what it has, and which of it the rest is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    platforms: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<Shown>,
}

#[derive(Debug, Serialize)]
struct Entry {
    platform: String,
    digest: String,
}

/// One manifest.
#[derive(Debug, Serialize)]
struct Shown {
    digest: String,
    /// Bytes of all that is pulled for it.
    size: u64,
    layers: Vec<Layer>,
    /// Absent for what is no container image.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Configuration>,
}

#[derive(Debug, Serialize)]
struct Layer {
    digest: String,
    size: u64,
    media_type: String,
}

#[derive(Debug, Serialize)]
struct Configuration {
    platform: String,
    created: Option<String>,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    env: Vec<String>,
    working_dir: String,
    user: String,
    labels: std::collections::BTreeMap<String, String>,
}

pub(super) async fn view(context: &Context, args: args::View) -> Result<(), CliError> {
    let transfer = Transfer::new(context, &args.login, args.platform.clone());
    let opened = Opened::open(&transfer, &args.image).await?;
    let view = look(&opened, args.image.to_string(), args.platform.as_ref()).await;
    let action = format!("look at {}", args.image);
    let view = view.map_err(|source| ImageError::Registry { action, source: Box::new(source) })?;
    match context.out.format {
        Format::Json => {
            let json = serde_json::to_value(&view).map_err(|error| CliError::Stdout(error.into()))?;
            context.out.json(&json)
        }
        Format::Human | Format::Html | Format::Markdown | Format::Csv => context.out.data(&fields(context.out, view.rows())),
    }
}

async fn look(opened: &Opened, image: String, wanted: Option<&Platform>) -> Result<View, bencher_oci::RegistryError> {
    let limits = Limits::default();
    let root = opened.origin.root(&limits).await?;
    let document = Document::parse(&root.bytes)?;
    let media_type = root.blob.media_type.clone();
    let mut view = View { image, digest: root.blob.digest.to_string(), media_type, platforms: Vec::new(), shown: None };
    let Document::Index(index) = &document else {
        if let Some(wanted) = wanted {
            opened.origin.of_platform(wanted, &limits).await?;
        }
        view.shown = Some(shown(opened, &root, &limits).await?);
        return Ok(view);
    };
    for entry in index.manifests() {
        let platform = entry.platform().as_ref().map_or_else(|| "-".to_owned(), |platform| Platform::from(platform).to_string());
        view.platforms.push(Entry { platform, digest: entry.digest().to_string() });
    }
    let one = match wanted {
        Some(wanted) => Some(opened.origin.of_platform(wanted, &limits).await?),
        // Of what this machine could run, if anything.
        None => match document::select_platform(index, &Platform::host()) {
            Ok(blob) => Some(opened.origin.child(&blob, &limits).await?),
            Err(DocumentError::WrongPlatform { .. }) => None,
            Err(error) => return Err(error.into()),
        },
    };
    if let Some(one) = one {
        view.shown = Some(shown(opened, &one, &limits).await?);
    }
    Ok(view)
}

async fn shown(opened: &Opened, found: &Documented, limits: &Limits) -> Result<Shown, bencher_oci::RegistryError> {
    let digest = found.blob.digest.to_string();
    let Document::Manifest(manifest) = Document::parse(&found.bytes)? else {
        // An index in an index: its own manifests are to be looked at by their digests.
        return Ok(Shown { digest, size: found.blob.size, layers: Vec::new(), image: None });
    };
    let blobs: Vec<BlobRef> = manifest.layers().iter().map(|layer| BlobRef::of("manifest", layer)).collect::<Result<_, _>>()?;
    let size =
        blobs.iter().fold(found.blob.size.saturating_add(manifest.config().size()), |sum, blob| sum.saturating_add(blob.size));
    let layer = |blob: BlobRef| Layer { digest: blob.digest.to_string(), size: blob.size, media_type: blob.media_type };
    let layers = blobs.into_iter().map(layer).collect();
    let image = match document::check_manifest(&manifest, limits) {
        Ok(config) => Some(configuration(&opened.origin.small_blob(&config, limits).await?)?),
        Err(DocumentError::NotAnImage(_) | DocumentError::LayerType { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Shown { digest, size, layers, image })
}

fn configuration(bytes: &[u8]) -> Result<Configuration, DocumentError> {
    let config = document::configuration(bytes)?;
    let ProcessDefaults { entrypoint, cmd, env, working_dir, user, labels } = ProcessDefaults::from(&config);
    let platform = Platform::of(config.os(), config.architecture()).to_string();
    Ok(Configuration { platform, created: config.created().clone(), entrypoint, cmd, env, working_dir, user, labels })
}

impl View {
    fn rows(&self) -> Vec<(&'static str, Cell)> {
        let mut rows = vec![("image", Cell::new(&self.image)), ("type", Cell::new(&self.media_type))];
        if !self.platforms.is_empty() {
            let entry = |entry: &Entry| format!("{}  {}", entry.platform, entry.digest);
            rows.push(("platforms", Cell::new(lines(self.platforms.iter().map(entry)))));
        }
        if let Some(shown) = &self.shown {
            shown.add_to(&mut rows);
        }
        rows.push(("digest", Cell::new(&self.digest)));
        rows
    }
}

impl Shown {
    fn add_to(&self, rows: &mut Vec<(&'static str, Cell)>) {
        if let Some(image) = &self.image {
            rows.push(("platform", Cell::new(&image.platform)));
            if let Some(created) = &image.created {
                rows.push(("created", Cell::new(created)));
            }
            let words = |words: &[String]| serde_json::to_string(words).unwrap_or_default();
            for (name, list) in [("entrypoint", &image.entrypoint), ("command", &image.cmd)] {
                if !list.is_empty() {
                    rows.push((name, Cell::new(words(list))));
                }
            }
            for (name, text) in [("folder", &image.working_dir), ("user", &image.user)] {
                if !text.is_empty() {
                    rows.push((name, Cell::new(text)));
                }
            }
            if !image.env.is_empty() {
                rows.push(("env", Cell::new(lines(image.env.iter().cloned()))));
            }
            if !image.labels.is_empty() {
                rows.push(("labels", Cell::new(lines(image.labels.iter().map(|(name, value)| format!("{name}={value}"))))));
            }
        }
        let layer = |layer: &Layer| format!("{}  {}", layer.digest, units::bytes(layer.size));
        rows.push(("layers", Cell::new(lines(self.layers.iter().map(layer)))));
        rows.push(("size", Cell::new(units::bytes(self.size))));
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}
