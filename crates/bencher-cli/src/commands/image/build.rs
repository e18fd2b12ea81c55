//! `image build`: a recipe from the arguments for each platform, an image in a layout, and pushed if asked for.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use bencher_oci::{
    Layout, Limits, Platform, ResolvedImage,
    assemble::{Add, Assembled, Program, Recipe, Source, assemble, assemble_index},
};
use bencher_types::{
    Digest, ImageRef,
    oci::{
        benchmark::{BENCHMARK_FILE, BENCHMARK_LABEL, BenchmarkImage, MAX_BENCHMARK_TEXT},
        reference::DEFAULT_TAG,
    },
};
use serde_json::json;
use tempfile::TempDir;

use super::{
    ImageError,
    checkout::Checkout,
    on,
    origin::Opened,
    own_layout, push,
    setup::{Setup, within},
    transfer::Transfer,
};
use crate::{
    cli::{Format, image::Build},
    commands::Context,
    error::CliError,
    output::{
        table::{Cell, fields},
        units,
    },
};

/// What git's hosts and other tools look for.
const SOURCE_LABEL: &str = "org.opencontainers.image.source";
const REVISION_LABEL: &str = "org.opencontainers.image.revision";

/// Images that were made: one, or one for each platform and an index of them.
struct Made {
    digest: Digest,
    images: Vec<Assembled>,
}

pub(super) async fn build(context: &Context, args: Build) -> Result<(), CliError> {
    let out = context.out;
    let image = args.image.clone();
    let checkout = match &args.git {
        Some(source) => {
            let setup = Setup::of(&args);
            setup.as_ref().map_or(Ok(()), Setup::check)?;
            let transfer = Transfer::new(context, &args.login, None);
            Some(Checkout::make(&transfer, source, setup.as_ref()).await?)
        }
        None => None,
    };
    // What can be wrong without anything being made is looked at first.
    let labels = labels(&args, checkout.as_ref())?;
    let target = match &args.output {
        Some(dir) => Target::Given(dir.clone()),
        None => Target::own(own_layout(context, &image)?)?,
    };
    let unusable = |source| ImageError::Layout { dir: target.dir().to_owned(), source: Box::new(source) };
    let layout = Layout::create(target.dir()).map_err(unusable)?;
    let recipes = recipes(context, &args, Common { root: checkout.as_ref().map(Checkout::dir), labels, layout: &layout }).await?;
    let made = {
        let (image, layout) = (image.clone(), layout.clone());
        // Reads and compresses everything: not for the thread that talks.
        tokio::task::spawn_blocking(move || make(&recipes, &layout, &image))
    };
    let made = made.await.map_err(|source| ImageError::Aborted { source })??;
    if args.base.is_some() {
        // It was only a part of the way.
        let tidied = layout.sweep(&Limits::default());
        tidied.map_err(|source| ImageError::Layout { dir: layout.dir().to_owned(), source: Box::new(source) })?;
    }
    let dir = target.settle()?;

    for path in made.images.iter().flat_map(|image| &image.skipped) {
        out.talk(&format!("warning: {} is left out: an image cannot hold it", path.display()));
    }
    if args.push {
        let transfer = Transfer::new(context, &args.login, None);
        let built = Opened::layout_at(&dir, Some(name_of(&image)), &image.to_string())?;
        push(&transfer, &built, &image).await?;
    }
    match out.format {
        Format::Json => out.json(&made.json(&image, &dir, args.push)),
        Format::Human | Format::Html | Format::Markdown | Format::Csv => {
            out.data(&made.table(context, &image, &dir))?;
            out.done(&if args.push {
                format!("run it with `bencher run --image {image}`")
            } else {
                format!("push it with `bencher image push {image}`")
            });
            Ok(())
        }
    }
}

impl Made {
    fn platforms(&self) -> String {
        self.images.iter().map(|image| image.platform.to_string()).collect::<Vec<_>>().join(", ")
    }

    fn libraries(&self) -> Vec<String> {
        let mut paths: Vec<String> =
            self.images.iter().flat_map(|image| &image.libraries).map(|path| path.display().to_string()).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    fn layer_bytes(&self) -> u64 {
        self.images.iter().map(|image| image.layer_bytes).sum()
    }

    fn json(&self, image: &ImageRef, dir: &Path, pushed: bool) -> serde_json::Value {
        json!({
            "image": image,
            "digest": self.digest,
            "size": self.layer_bytes(),
            "platform": self.platforms(),
            "layout": dir.display().to_string(),
            "libraries": self.libraries(),
            "pushed": pushed,
        })
    }

    fn table(&self, context: &Context, image: &ImageRef, dir: &Path) -> String {
        let libraries = self.libraries();
        let unpacked = self.images.iter().map(|image| image.unpacked_bytes).sum();
        let size = format!("{} ({} unpacked)", units::bytes(self.layer_bytes()), units::bytes(unpacked));
        fields(
            context.out,
            [
                ("image", Cell::new(image)),
                ("platform", Cell::new(self.platforms())),
                ("size", Cell::new(size)),
                ("libraries", Cell::new(if libraries.is_empty() { "none".to_owned() } else { libraries.join("\n") })),
                ("layout", Cell::new(dir.display())),
                ("digest", Cell::new(&self.digest)),
            ],
        )
    }
}

/// Where the image goes.
enum Target {
    /// A layout of the user's; what is in it stays.
    Given(PathBuf),
    /// A layout for this image alone, made beside its place: an image that cannot be made does not cost the one that was.
    Own { place: PathBuf, new: TempDir },
}

impl Target {
    fn own(place: PathBuf) -> Result<Self, ImageError> {
        let parent = place.parent().unwrap_or(&place);
        fs::create_dir_all(parent).map_err(on("create", parent))?;
        let new = tempfile::Builder::new().prefix(".new-").tempdir_in(parent).map_err(on("write to", parent))?;
        Ok(Self::Own { place, new })
    }

    fn dir(&self) -> &Path {
        match self {
            Self::Given(dir) => dir,
            Self::Own { new, .. } => new.path(),
        }
    }

    /// Puts the layout in its place. Returns that.
    fn settle(self) -> Result<PathBuf, ImageError> {
        match self {
            Self::Given(dir) => Ok(dir),
            Self::Own { place, new } => {
                match fs::remove_dir_all(&place) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(on("remove", &place)(error)),
                    _ => {}
                }
                fs::rename(new.path(), &place).map_err(on("create", &place))?;
                Ok(place)
            }
        }
    }
}

fn name_of(image: &ImageRef) -> String {
    format!("{}:{}", image.repository(), image.tag().unwrap_or(DEFAULT_TAG))
}

fn make(recipes: &[Recipe], layout: &Layout, image: &ImageRef) -> Result<Made, ImageError> {
    let name = name_of(image);
    let made = match recipes {
        [one] => assemble(one, layout, &name).map(|made| Made { digest: made.digest.clone(), images: vec![made] }),
        several => assemble_index(several, layout, &name).map(|(digest, images)| Made { digest, images }),
    };
    made.map_err(|source| ImageError::Build { image: image.clone(), source: Box::new(source) })
}

/// What all platforms have in common.
struct Common<'a> {
    /// Where files are taken from, other than from here.
    root: Option<&'a Path>,
    labels: Vec<(String, String)>,
    layout: &'a Layout,
}

/// A recipe for each platform.
async fn recipes(context: &Context, args: &Build, common: Common<'_>) -> Result<Vec<Recipe>, CliError> {
    let Common { root, labels, layout } = common;
    let asked: Vec<Option<Platform>> = match args.platform.as_slice() {
        [] => vec![None],
        several => several.iter().cloned().map(Some).collect(),
    };
    let mut recipes = Vec::new();
    for platform in asked {
        let for_platform = platform.clone().unwrap_or_else(Platform::host);
        let mut recipe = Recipe::new(source(args, root, &for_platform)?);
        recipe.base = base(context, args, layout, &for_platform).await?;
        recipe.add = args.add.iter().map(|add| placed(add, root, &for_platform)).collect::<Result<_, _>>()?;
        recipe.entrypoint = (!args.entrypoint.is_empty()).then(|| args.entrypoint.clone());
        recipe.cmd.clone_from(&args.cmd);
        recipe.env = args.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        recipe.working_dir.clone_from(&args.workdir);
        recipe.user.clone_from(&args.user);
        recipe.labels.extend(labels.clone());
        recipe.timestamp = args.timestamp;
        recipe.platform = platform;
        recipes.push(recipe);
    }
    Ok(recipes)
}

/// The base's image for a platform, fetched into the layout.
async fn base(
    context: &Context,
    args: &Build,
    layout: &Layout,
    platform: &Platform,
) -> Result<Option<ResolvedImage>, ImageError> {
    let Some(place) = &args.base else { return Ok(None) };
    let transfer = Transfer::new(context, &args.login, Some(platform.clone()));
    let opened = Opened::open(&transfer, place).await?;
    let action = format!("fetch the base {place}");
    let copied = transfer.copy_into(&opened, layout, &action).await?;
    let unusable = |source| ImageError::Layout { dir: layout.dir().to_owned(), source: Box::new(source) };
    let digest = copied.digest.to_string();
    let base = layout.resolve(Some(&digest), platform, &Limits::default()).map_err(unusable)?;
    layout.forget(&digest).map_err(unusable)?;
    Ok(Some(base))
}

fn source(args: &Build, root: Option<&Path>, platform: &Platform) -> Result<Source, CliError> {
    let sources = args.sources.iter().map(|path| located(path, root, platform)).collect::<Result<Vec<_>, _>>()?;
    match sources.as_slice() {
        [dir] if dir.is_dir() => Ok(Source::Folder(dir.clone())),
        several => match several.iter().find(|source| source.is_dir()) {
            Some(dir) => {
                let dir = dir.display();
                Err(CliError::Usage(format!("the folder {dir} cannot be built with programs: put it in with --add {dir}:DEST")))
            }
            None => Ok(Source::Programs(several.iter().map(|file| Program { file: file.clone(), dest: None }).collect())),
        },
    }
}

fn placed(add: &Add, root: Option<&Path>, platform: &Platform) -> Result<Add, ImageError> {
    Ok(Add { source: located(&add.source, root, platform)?, dest: add.dest.clone() })
}

/// A path below the clone where there is one, with the platform's names in it. A relative one does not lead out of the clone.
fn located(path: &Path, root: Option<&Path>, platform: &Platform) -> Result<PathBuf, ImageError> {
    let machine = match platform.architecture.as_str() {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "386" => "i686",
        other => other,
    };
    // A path that is no text has none of these.
    let path = match path.to_str() {
        Some(text) => PathBuf::from(text.replace("{arch}", &platform.architecture).replace("{machine}", machine)),
        None => path.to_owned(),
    };
    let Some(root) = root else { return Ok(path) };
    let below = if path.as_os_str() == "." { root.to_owned() } else { root.join(&path) };
    if path.is_relative() {
        within(root, &below)?;
    }
    Ok(below)
}

/// What was asked for, where the files are from, and what the image says of its benchmark.
fn labels(args: &Build, checkout: Option<&Checkout>) -> Result<Vec<(String, String)>, ImageError> {
    let mut labels = Vec::new();
    if let (Some(source), Some(checkout)) = (&args.git, checkout) {
        labels.push((SOURCE_LABEL.to_owned(), without_password(&source.url)));
        labels.push((REVISION_LABEL.to_owned(), checkout.commit.clone()));
    }
    let folder = match (checkout, args.sources.as_slice()) {
        (Some(checkout), _) => Some(checkout.dir()),
        (None, [dir]) if dir.is_dir() => Some(dir.as_path()),
        _ => None,
    };
    let found = folder.map(|folder| folder.join(BENCHMARK_FILE)).filter(|file| file.exists());
    if let (Some(checkout), Some(file)) = (checkout, &found) {
        within(checkout.dir(), file)?;
    }
    if let Some(file) = args.config.clone().or(found) {
        labels.push((BENCHMARK_LABEL.to_owned(), described(&file)?));
    }
    labels.extend(args.label.iter().cloned());
    Ok(labels)
}

/// An address without what is secret in it.
fn without_password(url: &str) -> String {
    match url.parse::<url::Url>() {
        Ok(mut parsed) if parsed.password().is_some() || (parsed.has_host() && !parsed.username().is_empty()) => {
            let _ = parsed.set_password(None);
            let _ = parsed.set_username("");
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}

/// The text of a file that describes a benchmark, if it does.
fn described(file: &Path) -> Result<String, ImageError> {
    let mut text = String::new();
    let opened = fs::File::open(file).map_err(on("open", file))?;
    opened.take(MAX_BENCHMARK_TEXT as u64 + 1).read_to_string(&mut text).map_err(on("read", file))?;
    let invalid = |source| ImageError::Benchmark { file: file.to_owned(), source };
    text.parse::<BenchmarkImage>().map_err(invalid)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
