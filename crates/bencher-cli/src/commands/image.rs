//! `image`: images on this machine, in the server's registry, and on their way between places.

mod build;
mod checkout;
pub(crate) mod engine;
mod error;
mod jail;
mod origin;
mod progress;
mod registry;
mod setup;
mod signing;
mod target;
mod transfer;
mod view;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bencher_oci::{Copied, Layout, Limits};
use bencher_types::{ImageRef, oci::reference::DEFAULT_TAG, wire::image::Image};
use serde_json::json;
use tempfile::TempDir;

pub(crate) use self::error::ImageError;
use self::{origin::Opened, transfer::Transfer};
use super::Context;
use crate::{
    cli::{
        Format,
        image::{self as args, place::Place, place::Scheme},
        pairs,
    },
    error::CliError,
    output::{
        table::{Cell, fields},
        units,
    },
};

pub(super) async fn image(context: &Context, args: args::Image) -> Result<(), CliError> {
    // What was made for the time being goes when this function ends, however it ends: not when the process is killed.
    tokio::select! {
        done = run(context, args) => done.map_err(|error| match error {
            CliError::Image(error) => error.told_from(&context.client.registry()).into(),
            error => error,
        }),
        () = interrupted() => Err(ImageError::Interrupted.into()),
    }
}

async fn run(context: &Context, args: args::Image) -> Result<(), CliError> {
    match args {
        args::Image::Build(args) => build::build(context, *args).await,
        args::Image::Push(args) => {
            let args = *args;
            let transfer = Transfer::new(context, &args.login, args.platform);
            let from = match &args.from {
                Some(place) => named(Opened::open(&transfer, &place.0).await?, &args.image),
                None => named(Opened::layout_at(&own_layout(context, &args.image)?, None, &args.image.to_string())?, &args.image),
            };
            let pushed = push(&transfer, &from, &args.image).await?;
            show(context, &args.image.to_string(), &pushed, "sent")?;
            context.out.done(&format!("run it with `bencher run --image {}`", args.image));
            Ok(())
        }
        args::Image::Pull(args) => pull(context, *args).await,
        args::Image::Copy(args) => {
            let args = *args;
            let mut transfer = Transfer::new(context, &args.login, args.platform);
            transfer.referrers = args.referrers;
            if let (true, Some(place)) = (args.referrers, [&args.from, &args.to].into_iter().find(|place| !place.is_registry())) {
                return Err(CliError::Usage(format!("{place} is no registry: --referrers copies from one registry to another")));
            }
            let from = Opened::open(&transfer, &args.from).await?;
            let copied = transfer.copy(&from, &args.to, &format!("copy {} to {}", args.from, args.to)).await?;
            if args.to == Place::Standard {
                return Ok(());
            }
            show(context, &args.to.to_string(), &copied, "moved")
        }
        args::Image::View(args) => view::view(context, *args).await,
        args::Image::Tags { repository, login } => tags(context, &repository, &login).await,
        args::Image::List { project, search, page } => {
            let mut query = pairs([("search", search)]);
            query.extend(page.query());
            let path = ["v0", "projects", &project.to_string(), "images"];
            context.out.show_list(&context.client.get::<Vec<Image>>(&path, &query).await?)
        }
        args::Image::Delete { image, login } => {
            check_target(context, &image)?;
            let deleted = registry::own(context, &login)?.delete_manifest(image.repository(), &image.manifest_reference()).await;
            let failed = |source| ImageError::Registry { action: format!("delete {image}"), source: Box::new(source) };
            deleted.map_err(failed)?;
            context.out.done(&format!("deleted {image}"));
            Ok(())
        }
        args::Image::Signatures(args) => signing::signatures(context, args).await,
        args::Image::Policy(args) => signing::policy(context, args).await,
    }
}

/// Somebody wants this process to end.
async fn interrupted() {
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => if pressed.is_err() { std::future::pending().await },
        _ = terminate.recv() => {}
    }
}

/// Sends an image to this server's registry under its name.
async fn push(transfer: &Transfer<'_>, from: &Opened, image: &ImageRef) -> Result<Copied, ImageError> {
    check_target(transfer.context, image)?;
    let to = Place::Registry { image: image.clone(), scheme: Scheme::Usual };
    transfer.copy(from, &to, &format!("push {image}")).await
}

async fn pull(context: &Context, args: args::Pull) -> Result<(), CliError> {
    let transfer = Transfer::new(context, &args.login, args.platform);
    let from = Opened::open(&transfer, &args.from).await?;
    let action = format!("pull {}", args.from);
    let to = match (args.to, &args.from) {
        (Some(to), _) => to,
        (None, Place::Registry { image, .. }) => Place::Layout { dir: own_layout(context, image)?, name: from.name.clone() },
        (None, _) => return Err(CliError::Usage(format!("{} is no registry: say where to put the image", args.from))),
    };
    let pulled = transfer.copy(&from, &to, &action).await?;
    match &to {
        Place::Standard => return Ok(()),
        // What an image of the same name had before is of no use to anybody.
        Place::Layout { dir, .. } if is_own_layout(context, dir) => {
            let _alone = target::alone(context, dir).await?;
            let swept = Layout::open(dir).and_then(|layout| layout.sweep(&Limits::default()));
            swept.map_err(|source| ImageError::Layout { dir: dir.clone(), source: Box::new(source) })?;
        }
        _ => {}
    }
    show(context, &to.to_string(), &pulled, "fetched")
}

async fn tags(context: &Context, repository: &ImageRef, login: &args::Login) -> Result<(), CliError> {
    let progress = std::sync::Arc::new(bencher_oci::Silent);
    let found = registry::repository(context, (repository, Scheme::Usual), login, progress).await?;
    let failed = |source| ImageError::Registry { action: format!("list the tags of {repository}"), source: Box::new(source) };
    let tags = found.client.tags(&found.name).await.map_err(failed)?;
    match context.out.format {
        Format::Json => context.out.json(&json!(tags)),
        Format::Human | Format::Html | Format::Markdown | Format::Csv => {
            if tags.is_empty() {
                context.out.done("nothing here");
            }
            context.out.data(&tags.iter().map(|tag| format!("{}\n", crate::output::printable(tag))).collect::<String>())
        }
    }
}

/// Prints what a transfer did, the digest last: it is what others are told.
fn show(context: &Context, place: &str, copied: &Copied, did: &str) -> Result<(), CliError> {
    let size = copied.moved_bytes + copied.present_bytes;
    match context.out.format {
        Format::Json => context.out.json(&json!({
            "image": place, "digest": copied.digest, "media_type": copied.media_type, "size": size, "sent": copied.moved_bytes,
        })),
        Format::Human | Format::Html | Format::Markdown | Format::Csv => context.out.data(&fields(
            context.out,
            [
                ("image", Cell::new(place)),
                ("size", Cell::new(format!("{}, of which {} were {did}", units::bytes(size), units::bytes(copied.moved_bytes)))),
                ("digest", Cell::new(&copied.digest)),
            ],
        )),
    }
}

/// Images go to this server, and are deleted from this one.
fn check_target(context: &Context, image: &ImageRef) -> Result<(), ImageError> {
    if registry::is_own(context, image) {
        return Ok(());
    }
    Err(ImageError::OtherHost { image: Box::new(image.clone()), ours: context.client.registry() })
}

/// Where `image build` and `image pull` put an image when they are not told where.
fn own_layout(context: &Context, image: &ImageRef) -> Result<PathBuf, ImageError> {
    let cache = context.image_cache.as_deref().ok_or(ImageError::NoCache)?;
    let host = image.host().filter(|host| *host != context.client.registry());
    Ok(cache_folder(cache, host, image))
}

fn is_own_layout(context: &Context, dir: &Path) -> bool {
    dir.parent().is_some_and(|parent| Some(parent) == context.image_cache.as_deref())
}

/// One folder per repository and tag, so that a rebuilt image replaces the old one whole.
fn cache_folder(cache: &Path, host: Option<&str>, image: &ImageRef) -> PathBuf {
    // Neither a repository nor a tag can contain this character, and a path cannot be left through it.
    let name = format!(
        "{}@{}",
        image.repository().replace('/', "@"),
        image.tag().map_or_else(|| image.manifest_reference(), str::to_owned)
    );
    cache.join(host.map_or_else(|| name.clone(), |host| format!("@{host}@{name}")))
}

/// Where transfers keep what they need for the time being, beside the images; absent where this machine has no such place.
fn transfers_dir(context: &Context) -> Option<PathBuf> {
    Some(context.image_cache.as_deref()?.with_file_name("transfers"))
}

/// A folder that goes when it is not used any more. Images are large: it is where caches are, not where memory may be.
fn folder(context: &Context) -> Result<TempDir, ImageError> {
    let Some(parent) = transfers_dir(context) else {
        return TempDir::new().map_err(on("write to", Path::new("the folder for temporary files")));
    };
    fs::create_dir_all(&parent).map_err(on("create", &parent))?;
    tempfile::Builder::new().prefix("image-").tempdir_in(&parent).map_err(on("write to", &parent))
}

/// Of a layout with several images, the one that is called as it is to be called: by its whole name, or by its tag.
fn named(mut opened: Opened, image: &ImageRef) -> Opened {
    if let bencher_oci::Origin::Layout { layout, reference: reference @ None } = &mut opened.origin {
        let tag = image.tag().unwrap_or(DEFAULT_TAG);
        let names = [format!("{}:{tag}", image.repository()), tag.to_owned()];
        *reference = names.into_iter().find(|name| layout.find(Some(name)).is_ok());
    }
    opened
}

fn on(action: &'static str, path: &Path) -> impl Fn(io::Error) -> ImageError {
    let path = path.to_owned();
    move |source| ImageError::Folder { action, path: path.clone(), source }
}

#[cfg(test)]
mod tests;
