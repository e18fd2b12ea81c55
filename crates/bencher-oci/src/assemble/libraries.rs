//! The libraries of a program, found as its loader will find them in the image.
//!
//! glibc: the `RPATH` of the library and of whoever loaded it, or its `RUNPATH`; then the folders of `/etc/ld.so.conf`; then
//! those built into the loader. A library of the second kind gets a link in a built-in folder, since the image has no
//! `ld.so.cache`. musl: run paths, then the folders of `/etc/ld-musl-*.path`. `LD_LIBRARY_PATH` is not looked at: it is this
//! shell's, not the image's.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    fs,
    path::{Component, Path, PathBuf},
};

use super::{
    AssembleError,
    elf::{self, Elf},
    plan::{Plan, absolute},
    platform_of,
};
use crate::{error::IoError, platform::Platform};

/// How deep `include` lines of `/etc/ld.so.conf` are followed.
const MAX_INCLUDES: usize = 8;

/// Puts programs and their libraries into plans, each library once.
#[derive(Default)]
pub(super) struct Collector {
    /// Programs go without their libraries.
    alone: bool,
    found: BTreeSet<PathBuf>,
    first: Option<(PathBuf, Platform)>,
}

/// Something that is loaded: where it is here, and where in the image.
struct Object {
    host: PathBuf,
    image: PathBuf,
    elf: Elf,
    /// The index of what asked for it; the program has none.
    loader: Option<usize>,
    /// Found only by way of `/etc/ld.so.conf`, so that it or what it loads may need a link.
    by_configuration: bool,
}

/// A folder to look in, here and in the image.
struct Place {
    host: PathBuf,
    image: PathBuf,
    /// Whether the image's loader looks there only because of this machine's configuration.
    by_configuration: bool,
}

impl Collector {
    /// What the programs are for; all must be for the same.
    /// `alone`: programs go without their libraries, for the image that they go into has them.
    pub(super) fn of(alone: bool) -> Self {
        Self { alone, ..Self::default() }
    }

    pub(super) fn is_alone(&self) -> bool {
        self.alone
    }

    pub(super) fn platform(&self, wanted: Option<&Platform>) -> Result<Platform, AssembleError> {
        match (&self.first, wanted) {
            (Some((path, found)), Some(expected)) if found != expected => {
                Err(AssembleError::Platform { path: path.clone(), found: found.clone(), expected: expected.clone() })
            }
            (Some((_, found)), _) => Ok(found.clone()),
            (None, Some(wanted)) => Ok(wanted.clone()),
            (None, None) => Ok(Platform::host()),
        }
    }

    /// The libraries that were added.
    pub(super) fn into_found(self) -> Vec<PathBuf> {
        self.found.into_iter().collect()
    }

    /// Adds a program at `dest` with everything it needs to start.
    pub(super) fn program(&mut self, plan: &mut Plan, file: &Path, dest: &str) -> Result<(), AssembleError> {
        // The loader takes a program's own folder from its real path.
        let host = fs::canonicalize(file).map_err(IoError::on("find", file))?;
        let Some(elf) = elf::inspect(&host)? else {
            return Err(AssembleError::NotElf { path: file.to_owned(), hint: script_hint(&host) });
        };
        let platform = platform_of(&elf, file)?;
        match &self.first {
            Some((_, expected)) if *expected != platform => {
                return Err(AssembleError::Platform { path: host, found: platform, expected: expected.clone() });
            }
            Some(_) => {}
            None => self.first = Some((host.clone(), platform)),
        }
        let meta = fs::metadata(&host).map_err(IoError::on("look at", &host))?;
        plan.program(dest, &host, &meta)?;
        if self.alone {
            return Ok(());
        }
        let Some(interpreter) = elf.interpreter.clone() else { return Ok(()) };
        if !interpreter.is_file() {
            return Err(AssembleError::MissingInterpreter { path: file.to_owned(), interpreter });
        }
        if elf::inspect(&interpreter)?.is_none() {
            // A program that somebody else built may name any file of this machine here.
            return Err(AssembleError::NotElf { path: interpreter, hint: ", which a program names as its loader" });
        }
        self.library(plan, &interpreter, &interpreter)?;
        let system = System::of(&interpreter, &elf)?;
        let program = Object { host, image: PathBuf::from(dest), elf, loader: None, by_configuration: false };
        self.closure(plan, program, &interpreter, &system)
    }

    /// Breadth first, as loaders do: the first library of a name serves everyone.
    fn closure(&mut self, plan: &mut Plan, program: Object, interpreter: &Path, system: &System) -> Result<(), AssembleError> {
        let mut loaded: HashSet<String> = HashSet::new();
        loaded.extend(interpreter.file_name().map(|name| name.to_string_lossy().into_owned()));
        let mut objects = vec![program];
        let mut queue = VecDeque::from([0]);
        while let Some(at) = queue.pop_front() {
            for name in objects[at].elf.needed.clone() {
                if system.is_loader_itself(&name) || !loaded.insert(name.clone()) {
                    continue;
                }
                let object = find(&objects, at, &name, system)?;
                self.library(plan, &object.host, &object.image)?;
                if object.by_configuration
                    && let Some(built_in) = system.built_in.first()
                {
                    let link = built_in.join(&name);
                    if link != object.image {
                        plan.symlink_if_missing(&text(&link), &text(&object.image))?;
                    }
                }
                objects.push(object);
                queue.push_back(objects.len() - 1);
            }
        }
        Ok(())
    }

    /// The file itself under its real name, and the name it is asked for by as a link where these differ.
    fn library(&mut self, plan: &mut Plan, host: &Path, image: &Path) -> Result<(), AssembleError> {
        let real = fs::canonicalize(host).map_err(IoError::on("find", host))?;
        let meta = fs::metadata(&real).map_err(IoError::on("look at", &real))?;
        self.found.insert(host.to_owned());
        let same_folder = host.parent().and_then(|folder| fs::canonicalize(folder).ok()).as_deref() == real.parent();
        match (same_folder, real.file_name()) {
            (true, Some(name)) if Some(name) != image.file_name() => {
                plan.program(&text(&image.with_file_name(name)), &real, &meta)?;
                plan.symlink_if_missing(&text(image), &name.to_string_lossy())
            }
            _ => plan.program(&text(image), &real, &meta),
        }
    }
}

/// Finds what `objects[at]` asks for by `name`.
fn find(objects: &[Object], at: usize, name: &str, system: &System) -> Result<Object, AssembleError> {
    let asking = &objects[at];
    let program = &objects[0].elf;
    let candidate = |host: PathBuf, image: PathBuf, by_configuration: bool| -> Result<Option<Object>, AssembleError> {
        if !host.is_file() {
            return Ok(None);
        }
        // Loaders pass over files of other machines, and so over what is no library at all.
        let elf = elf::inspect(&host)?.filter(|elf| elf.fits(program));
        Ok(elf.map(|elf| Object { host, image, elf, loader: Some(at), by_configuration }))
    };
    if name.contains('/') {
        let path = PathBuf::from(name);
        let found = if path.is_absolute() { candidate(path.clone(), path.clone(), false)? } else { None };
        return found.ok_or_else(|| missing(name, asking, vec![path]));
    }
    let mut searched = Vec::new();
    for place in places(objects, at, system) {
        // A link for what this machine's configuration finds, and for what only that library knows where to find.
        let by_configuration = place.by_configuration || asking.by_configuration;
        let by_configuration = by_configuration && !system.built_in.contains(&place.image);
        if let Some(object) = candidate(place.host.join(name), place.image.join(name), by_configuration)? {
            return Ok(object);
        }
        if !searched.contains(&place.host) {
            searched.push(place.host);
        }
    }
    Err(missing(name, asking, searched))
}

fn missing(library: &str, asking: &Object, searched: Vec<PathBuf>) -> AssembleError {
    AssembleError::MissingLibrary { library: library.to_owned(), needed_by: asking.host.clone(), searched }
}

/// Where a loader looks on behalf of one object, in its order.
fn places(objects: &[Object], at: usize, system: &System) -> Vec<Place> {
    let mut places = Vec::new();
    let mut add = |object: &Object, folders: &[String]| {
        for folder in folders {
            places.extend(system.expand(folder, object));
        }
    };
    let asking = &objects[at];
    match &asking.elf.runpath {
        Some(runpath) => add(asking, runpath),
        None => {
            let mut next = Some(at);
            while let Some(index) = next {
                add(&objects[index], &objects[index].elf.rpath);
                next = objects[index].loader;
            }
        }
    }
    let same = |folder: &PathBuf, by_configuration| Place { host: folder.clone(), image: folder.clone(), by_configuration };
    places.extend(system.configured.iter().map(|folder| same(folder, true)));
    places.extend(system.built_in.iter().map(|folder| same(folder, false)));
    places
}

/// The loader of a program, as far as it decides where libraries are found.
struct System {
    musl: bool,
    /// Folders the loader knows by itself, that exist here.
    built_in: Vec<PathBuf>,
    /// Folders it knows from this machine's configuration.
    configured: Vec<PathBuf>,
    platform: &'static str,
    /// What `$LIB` may stand for.
    lib_names: Vec<String>,
}

impl System {
    fn of(interpreter: &Path, elf: &Elf) -> Result<Self, AssembleError> {
        let name = interpreter.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let platform = match elf.machine {
            goblin::elf::header::EM_X86_64 => "x86_64",
            goblin::elf::header::EM_AARCH64 => "aarch64",
            goblin::elf::header::EM_RISCV => "riscv64",
            _ => "i386",
        };
        let existing = |folders: Vec<PathBuf>| folders.into_iter().filter(|folder| folder.is_dir()).collect();
        if let Some(rest) = name.strip_prefix("ld-musl-") {
            let arch = rest.split('.').next().unwrap_or_default();
            let configured = fs::read_to_string(format!("/etc/ld-musl-{arch}.path")).ok();
            let built_in = match &configured {
                Some(text) => text.split([':', '\n']).filter(|folder| !folder.is_empty()).map(PathBuf::from).collect(),
                None => ["/lib", "/usr/local/lib", "/usr/lib"].map(PathBuf::from).to_vec(),
            };
            let lib_names = vec!["lib".to_owned()];
            return Ok(Self { musl: true, built_in: existing(built_in), configured: Vec::new(), platform, lib_names });
        }
        let triple = format!("lib/{platform}-linux-gnu");
        let mut lib_names = vec![triple];
        lib_names.extend(elf.is_64.then(|| "lib64".to_owned()));
        lib_names.push("lib".to_owned());
        let built_in = lib_names.iter().flat_map(|lib| ["/", "/usr/"].map(|root| PathBuf::from(format!("{root}{lib}"))));
        let built_in = existing(built_in.collect());
        let mut configured = Vec::new();
        read_configuration(Path::new("/etc/ld.so.conf"), 0, &mut configured);
        Ok(Self { musl: false, built_in, configured, platform, lib_names })
    }

    /// musl's loader and C library are one file under many names.
    fn is_loader_itself(&self, name: &str) -> bool {
        const PARTS: [&str; 8] = ["c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet.", "crypt."];
        self.musl && name.strip_prefix("lib").is_some_and(|rest| PARTS.iter().any(|part| rest.starts_with(part)))
    }

    /// A folder of a run path, with its variables replaced, here and in the image.
    fn expand(&self, folder: &str, object: &Object) -> Vec<Place> {
        let replace = |text: &str, name: &str, value: &str| {
            text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
        };
        let with_platform = replace(folder, "PLATFORM", self.platform);
        let has_lib = with_platform.contains("$LIB") || with_platform.contains("${LIB}");
        let libs = if has_lib { self.lib_names.as_slice() } else { &self.lib_names[..1] };
        let parent = |path: &Path| text(path.parent().unwrap_or(Path::new("/")));
        libs.iter()
            .map(|lib| {
                let folder = replace(&with_platform, "LIB", lib);
                let host = replace(&folder, "ORIGIN", &parent(&object.host));
                let image = replace(&folder, "ORIGIN", &parent(&object.image));
                Place { host: PathBuf::from(host), image: normal(Path::new(&image)), by_configuration: false }
            })
            // A relative folder depends on where the program is started.
            .filter(|place| place.host.is_absolute())
            .collect()
    }
}

/// `/etc/ld.so.conf`: a folder per line, and `include` with a pattern whose last part may have a star.
fn read_configuration(path: &Path, depth: usize, folders: &mut Vec<PathBuf>) {
    // A machine without the file, or with an unreadable part of it, has the built-in folders.
    let Ok(text) = fs::read_to_string(path) else { return };
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(pattern) = line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
            for file in matching(path, pattern.trim()) {
                if depth < MAX_INCLUDES {
                    read_configuration(&file, depth + 1, folders);
                }
            }
        } else if line.starts_with('/') {
            let folder = PathBuf::from(line.split(['=', ' ', '\t']).next().unwrap_or(line));
            if folder.is_dir() && !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }
}

fn matching(from: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = from.parent().unwrap_or(Path::new("/")).join(pattern);
    let name = pattern.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((before, after)) = name.split_once('*') else { return vec![pattern] };
    let Some(Ok(entries)) = pattern.parent().map(fs::read_dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        })
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

/// Without `.` and `..`, by the text alone: folders in the image are real ones.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    absolute(&normal)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn script_hint(path: &Path) -> &'static str {
    let mut first = [0; 2];
    let read = fs::File::open(path).and_then(|mut file| std::io::Read::read(&mut file, &mut first));
    match (read, &first) {
        (Ok(2), b"#!") => ", but a script: put its interpreter into the image as the program, and add the script",
        _ => "",
    }
}
