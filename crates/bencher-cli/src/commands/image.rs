//! `image`: images on this machine and in the server's registry.

mod build;
mod error;
mod progress;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bencher_oci::{Credentials, Layout, LayoutError, RegistryClient, client::Pushed};
use bencher_types::{ImageRef, oci::reference::DEFAULT_TAG, wire::image::Image};
use serde_json::json;

pub(crate) use self::error::ImageError;
use self::progress::Transfers;
use super::Context;
use crate::{
    cli::{Format, image as args, pairs},
    error::CliError,
    output::table::{Cell, fields},
};

/// The user name that goes with a key where no e-mail address is given: the key itself says whose it is.
const KEY_USER: &str = "key";

pub(super) async fn image(context: &Context, args: args::Image) -> Result<(), CliError> {
    match args {
        args::Image::Build(args) => build::build(context, *args).await,
        args::Image::Push(args) => {
            let dir = match args.from {
                Some(dir) => dir,
                None => own_layout(context, &args.image)?,
            };
            let missing = |source| ImageError::NoLayout { image: args.image.clone(), source: Box::new(source) };
            let layout = Layout::open(&dir).map_err(missing)?;
            let pushed = push(context, &layout, &args.image, &args.login).await?;
            print(context, &args.image, &pushed)
        }
        args::Image::List { project, search, page } => {
            let mut query = pairs([("search", search)]);
            query.extend(page.query());
            let path = ["v0", "projects", &project.to_string(), "images"];
            context.out.show_list(&context.client.get::<Vec<Image>>(&path, &query).await?)
        }
        args::Image::Delete { image, login } => {
            check_target(context, &image)?;
            let deleted = registry(context, &login)?.delete_manifest(image.repository(), &image.manifest_reference()).await;
            deleted.map_err(|source| ImageError::Delete { image: image.clone(), source: Box::new(source) })?;
            context.out.done(&format!("deleted {image}"));
            Ok(())
        }
    }
}

/// Where `image build` puts an image when it is not told where.
fn own_layout(context: &Context, image: &ImageRef) -> Result<PathBuf, ImageError> {
    let cache = context.image_cache.as_deref().ok_or(ImageError::NoCache)?;
    Ok(cache_folder(cache, image))
}

/// One folder per repository and tag, so that a rebuilt image replaces the old one whole.
fn cache_folder(cache: &Path, image: &ImageRef) -> PathBuf {
    // Neither a repository nor a tag can contain this character, and a path cannot be left through it.
    cache.join(format!("{}@{}", image.repository().replace('/', "@"), image.tag().unwrap_or(DEFAULT_TAG)))
}

/// Sends an image of a layout to this server's registry under its name.
async fn push(context: &Context, layout: &Layout, image: &ImageRef, login: &args::Login) -> Result<Pushed, ImageError> {
    check_target(context, image)?;
    let tag = image.tag().ok_or_else(|| ImageError::Digest { image: image.clone() })?;
    let reference = find(layout, image)?;
    let transfers = Arc::new(Transfers::new(context.out));
    let pushed = registry(context, login)?
        .progress(Arc::clone(&transfers) as Arc<dyn bencher_oci::Progress>)
        .push_layout(layout, reference.as_deref(), image.repository(), tag)
        .await;
    transfers.end();
    pushed.map_err(|source| ImageError::Push { image: image.clone(), source: Box::new(source) })
}

/// Images go to this server; a tag is what makes them findable.
fn check_target(context: &Context, image: &ImageRef) -> Result<(), ImageError> {
    let ours = context.client.registry();
    match image.host() {
        Some(other) if other != ours => Err(ImageError::OtherHost { image: Box::new(image.clone()), ours }),
        _ => Ok(()),
    }
}

/// How the layout calls the image: by its whole name, by its tag, or not at all where it is the only one.
fn find(layout: &Layout, image: &ImageRef) -> Result<Option<String>, ImageError> {
    let names =
        [format!("{}:{}", image.repository(), image.tag().unwrap_or(DEFAULT_TAG)), image.tag().unwrap_or(DEFAULT_TAG).to_owned()];
    let failed = |source| ImageError::NoLayout { image: image.clone(), source: Box::new(source) };
    for name in names {
        match layout.find(Some(&name)) {
            Ok(_) => return Ok(Some(name)),
            Err(LayoutError::NoSuchImage { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    layout.find(None).map_err(failed).map(|_| None)
}

fn registry(context: &Context, login: &args::Login) -> Result<RegistryClient, ImageError> {
    let credentials = match context.client.credential() {
        Some(password) => {
            let user = login.email.as_ref().map_or_else(|| KEY_USER.to_owned(), ToString::to_string);
            Credentials::Basic { user, password: password.clone() }
        }
        None => Credentials::None,
    };
    let setup = |source| ImageError::Registry { source: Box::new(source) };
    let http = context.client.transfer_client().map_err(|source| ImageError::Setup { source })?;
    RegistryClient::with_http(http, context.client.host().clone(), credentials).map_err(setup)
}

fn print(context: &Context, image: &ImageRef, pushed: &Pushed) -> Result<(), CliError> {
    let size = pushed.sent_bytes + pushed.present_bytes;
    match context.out.format {
        Format::Json => {
            context.out.json(&json!({ "image": image, "digest": pushed.digest, "size": size, "sent": pushed.sent_bytes }))
        }
        Format::Human | Format::Html | Format::Markdown | Format::Csv => {
            let bytes = crate::output::units::bytes;
            context.out.data(&fields(
                context.out,
                [
                    ("image", Cell::new(image)),
                    ("digest", Cell::new(&pushed.digest)),
                    ("size", Cell::new(format!("{}, of which {} were sent", bytes(size), bytes(pushed.sent_bytes)))),
                ],
            ))?;
            context.out.done(&format!("run it with `bencher run --image {image}`"));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
