//! The image of a job: a name becomes the digest of what is stored here under that name.

pub(super) mod configuration;
pub(crate) mod signed;

use bencher_types::{
    Digest, ImageRef, ResourceId,
    oci::benchmark::{BENCHMARK_LABEL, BenchmarkImage, BenchmarkSpec, InvalidBenchmark},
    wire::spec::Architecture,
};
use url::Url;

use self::configuration::Configuration;
use crate::{
    app::App,
    limits,
    registry::{
        blob::BlobError,
        index::{Entry, Platform, entries, oci_name},
    },
    store::{
        StoreError,
        oci::{
            Place, Reach, RepositoryKey,
            manifest::{ManifestDocument, ManifestReference},
        },
        project::ProjectRow,
    },
};

/// An image that a job cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error(
        "the image {image} is at {host}, and jobs run images of this server ({here}) only; push it here first, \
         such as with `bencher image push` or `skopeo copy docker://{image} docker://{here}/PROJECT:TAG`"
    )]
    OtherHost { image: String, host: String, here: String },
    #[error(
        "there is no image {image} in the project {project}; push it first, such as with `bencher image push`, \
         or look at the spelling of its name and tag"
    )]
    Missing { image: String, project: String },
    #[error("the image {image} is for {found}, and the spec {spec} needs linux/{needed}; build it for that platform")]
    Platform { image: String, found: String, spec: String, needed: &'static str },
    #[error("what the image {image} says of its benchmark, in its label {BENCHMARK_LABEL}, cannot be used: {invalid}")]
    Benchmark { image: String, invalid: InvalidBenchmark },
    #[error("the image {image} is not complete: the project {project} lacks {}; push the image again", listed(missing))]
    Incomplete { image: String, project: String, missing: Vec<Digest> },
    #[error(transparent)]
    NotSigned(Box<signed::Refusal>),
    #[error("could not look whether the image is signed; try again later")]
    Signatures(#[source] BlobError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The first few of what is missing.
fn listed(missing: &[Digest]) -> String {
    const SHOWN: usize = 3;
    let mut text = missing.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if missing.len() > SHOWN {
        text.push_str(&format!(" and {} more", missing.len() - SHOWN));
    }
    text
}

/// Who asks for an image, for what machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) project: &'a ProjectRow,
    pub(crate) spec: &'a str,
    pub(crate) architecture: Architecture,
}

/// Whether an image can be on this server at all.
pub(super) fn check_host(app: &App, image: &ImageRef) -> Result<(), ImageError> {
    match image.host() {
        Some(host) if !is_here(app, host) => Err(ImageError::OtherHost {
            image: image.to_string(),
            host: host.to_owned(),
            here: authority(&app.config.registry_url()).unwrap_or_default(),
        }),
        _ => Ok(()),
    }
}

/// An image that a job can run.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// Of the manifest or index that the reference names.
    pub(crate) digest: Digest,
    /// What the image says of its benchmark, where it does.
    pub(crate) benchmark: Option<BenchmarkSpec>,
}

/// The image that a reference names, as far as somebody must know it before it runs.
pub(crate) async fn resolve(app: &App, image: &ImageRef, wanted: Wanted<'_>) -> Result<Resolved, ImageError> {
    let found = find(app, image, wanted.project).await?;
    let found =
        found.ok_or_else(|| ImageError::Missing { image: image.to_string(), project: wanted.project.slug.0.to_string() })?;
    let (digest, document) = (found.row.digest.0, found.content);
    let listed = entries(&document);
    let config = configuration::read(app, &document).await;
    if let Some(platforms) = platforms_without(&platforms(&listed, config.as_deref()), wanted.architecture) {
        return Err(ImageError::Platform {
            image: image.to_string(),
            found: platforms,
            spec: wanted.spec.to_owned(),
            needed: oci_name(wanted.architecture),
        });
    }
    let missing = missing(app, &digest, &listed, wanted).await?;
    if !missing.is_empty() {
        let project = wanted.project.slug.0.to_string();
        return Err(ImageError::Incomplete { image: image.to_string(), project, missing });
    }
    // Before anything that it says is followed.
    signed::check(app, wanted.project, image, &digest, &may_run(&listed, wanted.architecture)).await?;
    let config = match listed.iter().find(|entry| entry.is_for(wanted.architecture)) {
        Some(entry) => match by_digest(app, wanted.project, &entry.digest).await? {
            Some(image) => configuration::read(app, &image.content).await,
            None => None,
        },
        None => config,
    };
    let label = config.as_ref().and_then(|config| config.benchmark.as_deref());
    let benchmark = label.map(|label| label.parse::<BenchmarkImage>().map(|image| image.spec)).transpose();
    let benchmark = benchmark.map_err(|invalid| ImageError::Benchmark { image: image.to_string(), invalid })?;
    Ok(Resolved { digest, benchmark })
}

/// What a runner of this architecture would miss: the registry holds manifests of which parts were never pushed.
async fn missing(app: &App, digest: &Digest, listed: &[Entry], wanted: Wanted<'_>) -> Result<Vec<Digest>, StoreError> {
    let mut missing = app.store.oci_missing(wanted.project.id, digest).await?;
    if listed.is_empty() {
        return Ok(missing);
    }
    // Images for other machines may be elsewhere.
    let wanted_here = may_run(listed, wanted.architecture);
    missing.retain(|digest| wanted_here.contains(&digest));
    for entry in wanted_here.into_iter().take(limits::MAX_IMAGES_LOOKED_INTO) {
        missing.extend(app.store.oci_missing(wanted.project.id, entry).await?);
    }
    Ok(missing)
}

fn place(project: &ProjectRow, name: &str, reach: Reach) -> Place {
    Place { repository: RepositoryKey { project_id: project.id, name: name.to_owned() }, reach }
}

/// The manifest or index of this name. A digest is looked for in the whole project: it cannot mean something else elsewhere.
async fn find(app: &App, image: &ImageRef, project: &ProjectRow) -> Result<Option<ManifestDocument>, StoreError> {
    if let Some(digest) = image.digest() {
        return by_digest(app, project, digest).await;
    }
    let tag = ManifestReference::Tag(image.tag().unwrap_or(bencher_types::oci::reference::DEFAULT_TAG).to_owned());
    for name in repositories(image, project) {
        if let Some(found) = app.store.oci_manifest_document(&place(project, name, Reach::Repository), &tag).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn by_digest(app: &App, project: &ProjectRow, digest: &Digest) -> Result<Option<ManifestDocument>, StoreError> {
    app.store.oci_manifest_document(&place(project, "", Reach::Project), &ManifestReference::Digest(digest.clone())).await
}

/// Whether a host is this server, under a name that it is known by.
fn is_here(app: &App, host: &str) -> bool {
    let names = [&app.config.registry_url(), &app.config.console.url].map(authority);
    let port = app.config.server.bind_address.port();
    let local = ["localhost", "127.0.0.1", "[::1]"].map(|name| Some(format!("{name}:{port}")));
    names.iter().chain(&local).flatten().any(|name| name.eq_ignore_ascii_case(host))
}

/// Host and port, the port left out where it goes without saying.
fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Where in the project an image may be: what follows the project's own name; else, where the project was named apart, the whole name,
/// or the project's own repository.
fn repositories<'a>(image: &'a ImageRef, project: &ProjectRow) -> Vec<&'a str> {
    let (first, rest) = image.repository().split_once('/').unwrap_or((image.repository(), ""));
    let is_project = match first.parse() {
        Ok(ResourceId::Uuid(uuid)) => uuid == project.uuid.0.as_uuid(),
        Ok(ResourceId::Slug(slug)) => slug == project.slug.0,
        Err(_) => false,
    };
    if is_project { vec![rest] } else { vec![image.repository(), ""] }
}

/// What of an index a runner of this architecture may run.
fn may_run(listed: &[Entry], architecture: Architecture) -> Vec<&Digest> {
    let runs = |entry: &&Entry| entry.platform.as_ref().is_none_or(|platform| platform.fits(architecture));
    listed.iter().filter(runs).map(|entry| &entry.digest).collect()
}

/// The platforms of a manifest or index; empty where it does not say. Nobody relies on this: the runner looks for itself. It is for
/// telling a person early.
fn platforms(listed: &[Entry], config: Option<&Configuration>) -> Vec<Platform> {
    match config {
        Some(config) => vec![config.platform.clone()],
        // An entry without a platform may be for any.
        None => listed.iter().map(|entry| entry.platform.clone()).collect::<Option<Vec<_>>>().unwrap_or_default(),
    }
}

/// The platforms of an image that has none for this architecture; `None` where it has one, or where nothing says what it has.
fn platforms_without(platforms: &[Platform], architecture: Architecture) -> Option<String> {
    if platforms.is_empty() || platforms.iter().any(|platform| platform.fits(architecture)) {
        return None;
    }
    let names: Vec<String> = platforms.iter().map(|platform| format!("{}/{}", platform.os, platform.architecture)).collect();
    Some(names.join(", "))
}

#[cfg(test)]
mod tests;
