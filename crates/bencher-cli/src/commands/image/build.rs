//! `image build`: a recipe from the arguments, an image in a layout, and pushed if asked for.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bencher_oci::{
    Layout,
    assemble::{Assembled, Program, Recipe, Source, assemble},
};
use bencher_types::{ImageRef, oci::reference::DEFAULT_TAG};
use serde_json::json;

use super::{ImageError, on, origin::Opened, own_layout, push, transfer::Transfer};
use crate::{
    cli::{Format, image::Build},
    commands::Context,
    error::CliError,
    output::{
        table::{Cell, fields},
        units,
    },
};

pub(super) async fn build(context: &Context, args: Build) -> Result<(), CliError> {
    let out = context.out;
    let image = args.image.clone();
    let target = match &args.output {
        Some(dir) => Target::Given(dir.clone()),
        None => Target::Own(own_layout(context, &image)?),
    };
    let (push_too, login) = (args.push, args.login.clone());

    let working = {
        let (recipe, image) = (recipe(args)?, image.clone());
        // Reads and compresses everything: not for the thread that talks.
        tokio::task::spawn_blocking(move || make(&recipe, &target, &image))
    };
    let (dir, made) = working.await.map_err(|source| ImageError::Aborted { source })??;

    for path in &made.skipped {
        out.talk(&format!("warning: {} is left out: an image cannot hold it", path.display()));
    }
    let pushed = if push_too {
        let transfer = Transfer::new(context, &login, None);
        let name = format!("{}:{}", image.repository(), image.tag().unwrap_or(DEFAULT_TAG));
        let built = Opened::layout_at(&dir, Some(name), &image.to_string())?;
        Some(push(&transfer, &built, &image).await?)
    } else {
        None
    };
    match out.format {
        Format::Json => out.json(&json!({
            "image": image,
            "digest": made.digest,
            "size": made.layer_bytes,
            "platform": made.platform.to_string(),
            "layout": dir.display().to_string(),
            "libraries": made.libraries.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
            "pushed": pushed.is_some(),
        })),
        Format::Human | Format::Html | Format::Markdown | Format::Csv => {
            out.data(&table(context, &image, &dir, &made))?;
            out.done(&match pushed {
                Some(_) => format!("run it with `bencher run --image {image}`"),
                None => format!("push it with `bencher image push {image}`"),
            });
            Ok(())
        }
    }
}

fn table(context: &Context, image: &ImageRef, dir: &Path, made: &Assembled) -> String {
    let libraries: Vec<_> = made.libraries.iter().map(|path| path.display().to_string()).collect();
    let size = format!("{} ({} unpacked)", units::bytes(made.layer_bytes), units::bytes(made.unpacked_bytes));
    fields(
        context.out,
        [
            ("image", Cell::new(image)),
            ("platform", Cell::new(&made.platform)),
            ("size", Cell::new(size)),
            ("libraries", Cell::new(if libraries.is_empty() { "none".to_owned() } else { libraries.join("\n") })),
            ("layout", Cell::new(dir.display())),
            ("digest", Cell::new(&made.digest)),
        ],
    )
}

/// Where the image goes.
enum Target {
    /// A layout of the user's; what is in it stays.
    Given(PathBuf),
    /// A layout for this image alone; what was in it goes.
    Own(PathBuf),
}

fn recipe(args: Build) -> Result<Recipe, CliError> {
    let pair = |(name, value): (String, String)| format!("{name}={value}");
    let source = match args.sources.as_slice() {
        [dir] if dir.is_dir() => Source::Folder(dir.clone()),
        sources => match sources.iter().find(|source| source.is_dir()) {
            Some(dir) => {
                let dir = dir.display();
                return Err(CliError::Usage(format!(
                    "the folder {dir} cannot be built with programs: put it in with --add {dir}:DEST"
                )));
            }
            None => Source::Programs(sources.iter().map(|file| Program { file: file.clone(), dest: None }).collect()),
        },
    };
    let mut recipe = Recipe::new(source);
    recipe.add = args.add;
    recipe.entrypoint = (!args.entrypoint.is_empty()).then_some(args.entrypoint);
    recipe.cmd = args.cmd;
    recipe.env = args.env.into_iter().map(pair).collect();
    recipe.working_dir = args.workdir;
    recipe.user = args.user;
    recipe.labels = args.label.into_iter().collect();
    recipe.timestamp = args.timestamp;
    Ok(recipe)
}

/// Makes the image. Returns the folder that has it.
fn make(recipe: &Recipe, target: &Target, image: &ImageRef) -> Result<(PathBuf, Assembled), ImageError> {
    let name = format!("{}:{}", image.repository(), image.tag().unwrap_or(DEFAULT_TAG));
    let into = |dir: &Path| {
        let layout =
            Layout::create(dir).map_err(|source| ImageError::Layout { dir: dir.to_owned(), source: Box::new(source) })?;
        assemble(recipe, &layout, &name).map_err(|source| ImageError::Build { image: image.clone(), source: Box::new(source) })
    };
    match target {
        Target::Given(dir) => Ok((dir.clone(), into(dir)?)),
        Target::Own(dir) => {
            // Beside its place, so that an image that cannot be made does not cost the one that was.
            let parent = dir.parent().unwrap_or(dir);
            fs::create_dir_all(parent).map_err(on("create", parent))?;
            let new = tempfile::Builder::new().prefix(".new-").tempdir_in(parent).map_err(on("write to", parent))?;
            let made = into(new.path())?;
            match fs::remove_dir_all(dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(on("remove", dir)(error)),
                _ => {}
            }
            fs::rename(new.path(), dir).map_err(on("create", dir))?;
            Ok((dir.clone(), made))
        }
    }
}
