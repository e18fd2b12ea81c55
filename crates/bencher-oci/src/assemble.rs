//! An image from programs or a folder, without any container tool.
//!
//! A program gets beside it what its dynamic loader will ask for: the loader itself and every library, found the way the
//! loader finds them. The image has one layer. The same input gives the same digest: entries are sorted, times fixed, owners
//! zero, compression without a time stamp. Reads no environment; a caller that honours `SOURCE_DATE_EPOCH` passes it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use bencher_types::{DateTime, Digest};
use oci_spec::image::{ImageIndexBuilder, ImageManifestBuilder, MediaType};

use crate::{
    document::{BlobRef, DOCKER_LAYER, INDEX, MANIFEST, ResolvedImage},
    error::IoError,
    layout::{Layout, LayoutError, descriptor, invalid, json},
    platform::Platform,
};

mod config;
mod elf;
mod folder;
mod libraries;
mod pack;
mod plan;

pub use crate::compress::Compression;
pub use elf::ElfError;

use plan::Plan;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Where programs go that nobody placed.
const DEFAULT_BIN: &str = "/usr/local/bin";

/// What an image is made of, and how it is to be run.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub source: Source,
    /// An image whose blobs are in the layout already: what is added goes on top of it, and what is not said is as it is there.
    /// Programs find their libraries in it, or not at all.
    pub base: Option<ResolvedImage>,
    /// Further files and folders. A program among them gets its libraries, too.
    pub add: Vec<Add>,
    /// Without one: the first program. A folder has none.
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    pub working_dir: Option<String>,
    pub user: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// Without one: what the programs are for, or this machine.
    pub platform: Option<Platform>,
    /// Seconds since 1970 for everything that has a time.
    pub timestamp: i64,
    pub compression: Compression,
}

impl Recipe {
    /// A recipe with nothing but its source.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            base: None,
            add: Vec::new(),
            entrypoint: None,
            cmd: Vec::new(),
            env: Vec::new(),
            working_dir: None,
            user: None,
            labels: BTreeMap::new(),
            platform: None,
            timestamp: 0,
            compression: Compression::Gzip,
        }
    }
}

#[derive(Clone, Debug)]
pub enum Source {
    /// Static or dynamic ELF programs; the first is the entrypoint. None where there is a base.
    Programs(Vec<Program>),
    /// A folder's content as it is, but for owners and times.
    Folder(PathBuf),
}

#[derive(Clone, Debug)]
pub struct Program {
    pub file: PathBuf,
    /// Its absolute path in the image; without one, its name below `/usr/local/bin`.
    pub dest: Option<String>,
}

/// A file or folder to put into an image, `SRC:DEST`. A `DEST` that ends in a slash is a folder to put it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    pub source: PathBuf,
    pub dest: String,
}

/// A text that is not `SRC:DEST`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not say what to put where: expected SRC:DEST with an absolute DEST, such as data/corpus:/data/corpus")]
pub struct InvalidAdd(pub String);

impl FromStr for Add {
    type Err = InvalidAdd;

    fn from_str(text: &str) -> Result<Self, InvalidAdd> {
        match text.rsplit_once(':') {
            Some((source, dest)) if !source.is_empty() && dest.starts_with('/') => {
                Ok(Self { source: PathBuf::from(source), dest: dest.to_owned() })
            }
            _ => Err(InvalidAdd(text.to_owned())),
        }
    }
}

/// Why no image could be made.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    #[error("there is no program to put into the image")]
    NoProgram,
    #[error("{} is not an ELF program{hint}", path.display())]
    NotElf { path: PathBuf, hint: &'static str },
    #[error("{} cannot be read as an ELF file", path.display())]
    Elf {
        path: PathBuf,
        #[source]
        source: ElfError,
    },
    #[error("{} needs the loader {}, which is not on this machine", path.display(), interpreter.display())]
    MissingInterpreter { path: PathBuf, interpreter: PathBuf },
    #[error(
        "{} needs the library {library}, which is in none of {}; install it, or put its folder into the program's RUNPATH",
        needed_by.display(),
        list(searched)
    )]
    MissingLibrary { library: String, needed_by: PathBuf, searched: Vec<PathBuf> },
    #[error("{} is for {found}, the image is for {expected}", path.display())]
    Platform { path: PathBuf, found: Platform, expected: Platform },
    #[error("two of the images are for {0}: an index has one for each platform")]
    PlatformTwice(Platform),
    #[error("`{0}` is not an absolute path inside the image, free of `..`")]
    Dest(String),
    #[error("both {} and {} are to be `{path}` in the image", first.display(), second.display())]
    Conflict { path: String, first: PathBuf, second: PathBuf },
    #[error("`{0}` is not an environment variable: expected NAME=value")]
    Env(String),
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    #[error("{} changed while it was read", .0.display())]
    Changed(PathBuf),
    #[error("the time {0} is outside of what an image can say")]
    Timestamp(i64),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Io(#[from] IoError),
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// An image that was made.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// Of the manifest.
    pub digest: Digest,
    /// The manifest.
    pub manifest: BlobRef,
    pub platform: Platform,
    /// Bytes of the compressed layer.
    pub layer_bytes: u64,
    /// Bytes of the layer's archive.
    pub unpacked_bytes: u64,
    /// Libraries and loaders that were added, as they are called on this machine.
    pub libraries: Vec<PathBuf>,
    /// What a folder held and an image cannot: sockets.
    pub skipped: Vec<PathBuf>,
}

/// Makes an image and names it `tag` in a layout. Blocks.
///
/// # Errors
/// A program, library or file is missing or unusable, two things are to be in one place, or the disk refuses.
pub fn assemble(recipe: &Recipe, layout: &Layout, tag: &str) -> Result<Assembled, AssembleError> {
    let made = make(recipe, layout)?;
    layout.tag(&made.manifest, &made.platform, tag)?;
    Ok(made)
}

/// Makes an image for each of several platforms, and an index of them that is named `tag`. Blocks.
///
/// # Errors
/// As [`assemble`], or two are for one platform.
pub fn assemble_index(recipes: &[Recipe], layout: &Layout, tag: &str) -> Result<(Digest, Vec<Assembled>), AssembleError> {
    let made = recipes.iter().map(|recipe| make(recipe, layout)).collect::<Result<Vec<_>, _>>()?;
    for (at, one) in made.iter().enumerate() {
        if made[..at].iter().any(|other| other.platform == one.platform) {
            return Err(AssembleError::PlatformTwice(one.platform.clone()));
        }
    }
    let manifests = made.iter().map(|one| descriptor(&one.manifest, Some(&one.platform))).collect::<Result<Vec<_>, _>>()?;
    let index = ImageIndexBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageIndex)
        .manifests(manifests)
        .build()
        .map_err(invalid)?;
    let index = layout.write_document(INDEX, &json(&index)?)?;
    layout.name(&index, Some(tag))?;
    Ok((index.digest, made))
}

fn make(recipe: &Recipe, layout: &Layout) -> Result<Assembled, AssembleError> {
    let created = created(recipe.timestamp)?;
    if let Some(bad) = recipe.env.iter().find(|text| text.split_once('=').is_none_or(|(name, _)| name.is_empty())) {
        return Err(AssembleError::Env(bad.clone()));
    }
    let mut plan = Plan::default();
    let mut collector = libraries::Collector::of(recipe.base.is_some());
    let mut entrypoint = recipe.entrypoint.clone();
    match &recipe.source {
        Source::Programs(programs) => {
            match programs.first() {
                Some(first) => entrypoint = entrypoint.or_else(|| Some(vec![dest_of(first)])),
                None if recipe.base.is_none() => return Err(AssembleError::NoProgram),
                None => {}
            }
            for program in programs {
                collector.program(&mut plan, &program.file, &dest_of(program))?;
            }
        }
        Source::Folder(dir) => folder::add(&mut plan, dir, "/")?,
    }
    for add in &recipe.add {
        add_one(&mut plan, &mut collector, add)?;
    }
    let of_base = recipe.base.as_ref().map(|base| Platform::of(base.config.os(), base.config.architecture()));
    let platform = collector.platform(of_base.as_ref().or(recipe.platform.as_ref()))?;
    match recipe.base {
        // A folder that is only on the way to something is as the base has it, and may be a link there.
        Some(_) => plan.forget_implied(),
        None => add_basics(&mut plan, recipe)?,
    }

    let packed = pack::pack(&plan, layout, recipe.timestamp, recipe.compression)?;
    let config = config::of(recipe, entrypoint, &platform, &created, &packed.diff_id)?;
    let config = layout.write_document(CONFIG, &json(&config)?)?;
    let manifest = layout.write_document(MANIFEST, &manifest_json(recipe, &config, &packed.layer)?)?;
    Ok(Assembled {
        digest: manifest.digest.clone(),
        manifest,
        platform,
        layer_bytes: packed.layer.size,
        unpacked_bytes: packed.unpacked_bytes,
        libraries: collector.into_found(),
        skipped: plan.into_skipped(),
    })
}

fn dest_of(program: &Program) -> String {
    program.dest.clone().unwrap_or_else(|| {
        let name = program.file.file_name().unwrap_or_default().to_string_lossy();
        format!("{DEFAULT_BIN}/{name}")
    })
}

fn add_one(plan: &mut Plan, collector: &mut libraries::Collector, add: &Add) -> Result<(), AssembleError> {
    let dest = if add.dest.ends_with('/') {
        let name = add.source.file_name().unwrap_or_default().to_string_lossy();
        format!("{}{name}", add.dest)
    } else {
        add.dest.clone()
    };
    let meta = std::fs::metadata(&add.source).map_err(IoError::on("look at", &add.source))?;
    if meta.is_dir() {
        return folder::add(plan, &add.source, &dest);
    }
    if elf::inspect(&add.source)?.is_some_and(|elf| elf.interpreter.is_some()) && !collector.is_alone() {
        return collector.program(plan, &add.source, &dest);
    }
    plan.file(&dest, &add.source, &meta)
}

/// What every program may expect to be there.
fn add_basics(plan: &mut Plan, recipe: &Recipe) -> Result<(), AssembleError> {
    plan.folder_if_missing("/tmp", 0o1777)?;
    plan.text_if_missing("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n")?;
    plan.text_if_missing("/etc/group", "root:x:0:\nnogroup:x:65534:\n")?;
    plan.folder_if_missing("/root", 0o700)?;
    // Whoever runs the image mounts something there, and the root may be read-only by then.
    for (mount_point, mode) in [("/dev", 0o755), ("/proc", 0o555), ("/sys", 0o555), ("/run", 0o755)] {
        plan.folder_if_missing(mount_point, mode)?;
    }
    if let Some(dir) = &recipe.working_dir {
        plan.folder_if_missing(dir, 0o755)?;
    }
    Ok(())
}

fn created(timestamp: i64) -> Result<String, AssembleError> {
    let time = timestamp.checked_mul(1_000_000).and_then(|micros| DateTime::from_micros(micros).ok());
    time.map(|time| time.to_string()).ok_or(AssembleError::Timestamp(timestamp))
}

fn manifest_json(recipe: &Recipe, config: &BlobRef, layer: &BlobRef) -> Result<Vec<u8>, LayoutError> {
    let of_base = recipe.base.iter().flat_map(|base| &base.layers).map(|layer| match layer.blob.media_type.as_str() {
        // The same bytes under the name that an OCI manifest has for them.
        DOCKER_LAYER => BlobRef { media_type: Compression::Gzip.media_type().to_owned(), ..layer.blob.clone() },
        _ => layer.blob.clone(),
    });
    let layers = of_base.chain([layer.clone()]).map(|blob| descriptor(&blob, None)).collect::<Result<Vec<_>, _>>()?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(config, None)?)
        .layers(layers)
        .build()
        .map_err(invalid)?;
    json(&manifest)
}

/// An ELF machine in the words of the OCI specification, where there is one.
fn platform_of(elf: &elf::Elf, path: &Path) -> Result<Platform, AssembleError> {
    use goblin::elf::header::{EM_386, EM_AARCH64, EM_RISCV, EM_X86_64};
    let architecture = match (elf.machine, elf.is_64) {
        (EM_X86_64, true) => "amd64",
        (EM_AARCH64, true) => "arm64",
        (EM_386, false) => "386",
        (EM_RISCV, true) => "riscv64",
        _ => {
            let hint = " of a machine that images are made for";
            return Err(AssembleError::NotElf { path: path.to_owned(), hint });
        }
    };
    Ok(Platform::new("linux", architecture))
}

#[cfg(test)]
mod tests;
