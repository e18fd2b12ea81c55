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
use oci_spec::image::{
    Arch, ConfigBuilder, DescriptorBuilder, ImageConfigurationBuilder, ImageManifestBuilder, MediaType, Os, RootFsBuilder,
};

use crate::{
    document::{BlobRef, MANIFEST},
    error::IoError,
    layout::{Layout, LayoutError, invalid, json},
    platform::Platform,
};

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
/// Without a `PATH` of its own, an image's commands are looked for where people expect.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an image is made of, and how it is to be run.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub source: Source,
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
    /// Static or dynamic ELF programs; the first is the entrypoint.
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
    let created = created(recipe.timestamp)?;
    if let Some(bad) = recipe.env.iter().find(|text| text.split_once('=').is_none_or(|(name, _)| name.is_empty())) {
        return Err(AssembleError::Env(bad.clone()));
    }
    let mut plan = Plan::default();
    let mut collector = libraries::Collector::default();
    let mut entrypoint = recipe.entrypoint.clone();
    match &recipe.source {
        Source::Programs(programs) => {
            let first = programs.first().ok_or(AssembleError::NoProgram)?;
            entrypoint = entrypoint.or_else(|| Some(vec![dest_of(first)]));
            for program in programs {
                collector.program(&mut plan, &program.file, &dest_of(program))?;
            }
        }
        Source::Folder(dir) => folder::add(&mut plan, dir, "/")?,
    }
    for add in &recipe.add {
        add_one(&mut plan, &mut collector, add)?;
    }
    let platform = collector.platform(recipe.platform.as_ref())?;
    add_basics(&mut plan, recipe)?;

    let packed = pack::pack(&plan, layout, recipe.timestamp, recipe.compression)?;
    let config = layout.write_document(CONFIG, &config_json(recipe, entrypoint, &platform, &created, &packed.diff_id)?)?;
    let manifest = layout.write_document(MANIFEST, &manifest_json(&config, &packed.layer)?)?;
    layout.tag(&manifest, &platform, tag)?;
    Ok(Assembled {
        digest: manifest.digest,
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
    if elf::inspect(&add.source)?.is_some_and(|elf| elf.interpreter.is_some()) {
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

fn config_json(
    recipe: &Recipe,
    entrypoint: Option<Vec<String>>,
    platform: &Platform,
    created: &str,
    diff_id: &Digest,
) -> Result<Vec<u8>, LayoutError> {
    let mut env = recipe.env.clone();
    if !env.iter().any(|variable| variable.starts_with("PATH=")) {
        env.insert(0, DEFAULT_PATH.to_owned());
    }
    let mut config = ConfigBuilder::default().env(env);
    if let Some(entrypoint) = entrypoint {
        config = config.entrypoint(entrypoint);
    }
    if !recipe.cmd.is_empty() {
        config = config.cmd(recipe.cmd.clone());
    }
    if let Some(dir) = &recipe.working_dir {
        config = config.working_dir(dir.clone());
    }
    if let Some(user) = &recipe.user {
        config = config.user(user.clone());
    }
    if !recipe.labels.is_empty() {
        let labels: std::collections::HashMap<_, _> = recipe.labels.clone().into_iter().collect();
        config = config.labels(labels);
    }
    let rootfs = RootFsBuilder::default().typ("layers").diff_ids([diff_id.to_string()]).build().map_err(invalid)?;
    let image = ImageConfigurationBuilder::default()
        .created(created)
        .os(Os::from(platform.os.as_str()))
        .architecture(Arch::from(platform.architecture.as_str()))
        .config(config.build().map_err(invalid)?)
        .rootfs(rootfs)
        .build()
        .map_err(invalid)?;
    json(&image)
}

fn manifest_json(config: &BlobRef, layer: &BlobRef) -> Result<Vec<u8>, LayoutError> {
    let descriptor = |blob: &BlobRef| {
        let digest: oci_spec::image::Digest = blob.digest.to_string().parse().map_err(invalid)?;
        let media_type = MediaType::from(blob.media_type.as_str());
        DescriptorBuilder::default().media_type(media_type).digest(digest).size(blob.size).build().map_err(invalid)
    };
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(config)?)
        .layers([descriptor(layer)?])
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
