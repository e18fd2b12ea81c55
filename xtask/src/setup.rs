//! `cargo xtask setup`: what a machine must have beyond a Rust toolchain, and how to get it.
//!
//! Looks before it acts: on a machine that has everything, no package manager is called. Packages are Debian's, by name; on
//! another system it says which programs are missing.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use nix::unistd::Uid;

use crate::{postgres, process, python, schemathesis, workspace};

/// What a requirement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Need {
    /// `cargo xtask demo`
    Demo,
    /// `cargo xtask test` and `ci`
    Test,
    /// `cargo xtask vmtest`
    Vmtest,
    /// `cargo xtask chroot-test`
    ChrootTest,
}

/// How to see that a package is there, without asking a package manager.
#[derive(Clone, Copy, Debug)]
enum Provides {
    Program(&'static str),
    File(&'static str),
    /// The server's programs, which Debian keeps off the path.
    PostgresServer,
    /// A part of Python's library, which Debian ships in packages of its own.
    PythonModule(&'static str),
    /// A program that needs no shared library, so that it runs alone in an empty image.
    StaticProgram(&'static str),
}

#[derive(Clone, Copy, Debug)]
struct Requirement {
    package: &'static str,
    provides: Provides,
    needs: &'static [Need],
    why: &'static str,
}

/// What builds the product, or is looked for by what all of these run.
const ALL: &[Need] = &[Need::Demo, Need::Test, Need::Vmtest];
const BOTH: &[Need] = &[Need::Demo, Need::Test];
const TEST: &[Need] = &[Need::Test];
const GUEST: &[Need] = &[Need::Test, Need::Vmtest];

#[rustfmt::skip]
const REQUIREMENTS: &[Requirement] = &[
    Requirement { package: "gcc", provides: Provides::Program("cc"), needs: ALL, why: "links Rust programs, compiles SQLite, zstd and ring" },
    Requirement { package: "libc6-dev", provides: Provides::File("/usr/include/stdio.h"), needs: ALL, why: "the headers gcc needs" },
    Requirement { package: "ca-certificates", provides: Provides::File("/etc/ssl/certs/ca-certificates.crt"), needs: ALL, why: "cargo's downloads" },
    Requirement { package: "crun", provides: Provides::Program("crun"), needs: BOTH, why: "the runner's host execution" },
    Requirement { package: "hyperfine", provides: Provides::Program("hyperfine"), needs: BOTH, why: "the benchmark of the demo" },
    Requirement { package: "xz-utils", provides: Provides::Program("xz"), needs: BOTH, why: "compared by the demo's benchmark" },
    Requirement { package: "zstd", provides: Provides::Program("zstd"), needs: BOTH, why: "compared by the demo's benchmark" },
    Requirement { package: "gzip", provides: Provides::Program("gzip"), needs: BOTH, why: "compared by the demo's benchmark" },
    Requirement { package: "git", provides: Provides::Program("git"), needs: TEST, why: "lists the files that tidy reads" },
    Requirement { package: "postgresql", provides: Provides::PostgresServer, needs: TEST, why: "the store suite on PostgreSQL" },
    Requirement { package: "skopeo", provides: Provides::Program("skopeo"), needs: TEST, why: "a real client of the registry" },
    Requirement { package: "buildah", provides: Provides::Program("buildah"), needs: TEST, why: "a real client of the registry" },
    Requirement { package: "umoci", provides: Provides::Program("umoci"), needs: TEST, why: "makes images in layouts, which the registry takes" },
    Requirement { package: "bubblewrap", provides: Provides::Program("bwrap"), needs: TEST, why: "the jail of `bencher image build --setup`" },
    Requirement { package: "podman", provides: Provides::Program("podman"), needs: TEST, why: "a real container engine" },
    Requirement { package: "busybox-static", provides: Provides::StaticProgram("busybox"), needs: GUEST, why: "small images with a shell" },
    Requirement { package: "python3-aiosmtpd", provides: Provides::File("/usr/lib/python3/dist-packages/aiosmtpd/__init__.py"), needs: TEST, why: "a real mail server" },
    Requirement { package: "openssl", provides: Provides::Program("openssl"), needs: TEST, why: "the mail server's certificate" },
    Requirement { package: "iproute2", provides: Provides::Program("ip"), needs: GUEST, why: "the network of guests" },
    Requirement { package: "nftables", provides: Provides::Program("nft"), needs: GUEST, why: "the network of guests" },
    Requirement { package: "xfsprogs", provides: Provides::Program("mkfs.xfs"), needs: TEST, why: "a file system that shares blocks, to clone disks on" },
    Requirement { package: "e2fsprogs", provides: Provides::Program("mkfs.ext4"), needs: GUEST, why: "disk images of a bounded size" },
    Requirement { package: "user-mode-linux", provides: Provides::Program("linux.uml"), needs: GUEST, why: "a kernel for guests where the processor starts none" },
    Requirement { package: "python3-venv", provides: Provides::PythonModule("ensurepip"), needs: TEST, why: "schemathesis, which calls the API with made-up requests, and oras, a real client of the registry" },
    Requirement { package: "debootstrap", provides: Provides::Program("debootstrap"), needs: &[Need::ChrootTest], why: "a bare Debian in a folder" },
];

/// The test runner where it has to be compiled; any version that is already installed will do.
const NEXTEST_VERSION: &str = "0.9.143";
/// The program behind the vsock devices of guests; any version that is already installed will do.
const VSOCK_VERSION: &str = "0.3.0";
const VSOCK: &str = "vhost-device-vsock";
/// The server of buckets; any version that is already installed will do.
const GARAGE_VERSION: &str = "2.5.0";
const GARAGE: &str = "garage";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only what one command needs [default: what `demo` and `test` need]
    #[arg(long = "for", value_enum, value_name = "COMMAND")]
    need: Option<Need>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match args.need {
        Some(need) => ensure(need)?,
        None => BOTH.iter().try_for_each(|need| ensure(*need))?,
    }
    println!("this machine has what it needs");
    Ok(())
}

/// Installs what is missing. Quiet and quick when nothing is.
pub(crate) fn ensure(need: Need) -> Result<()> {
    let missing = missing(need, is_there);
    if !missing.is_empty() {
        install(&missing)?;
        let still: Vec<_> = missing.into_iter().filter(|requirement| !is_there(requirement)).collect();
        if !still.is_empty() {
            bail!("still missing after the installation:\n{}", list(&still));
        }
    }
    if GUEST.contains(&need) {
        if !has_nextest() {
            install_nextest()?;
        }
        // Where the stand-in for Firecracker looks for it: a runner hands it no path to search.
        provide(VSOCK, install_vsock)?;
    }
    if need == Need::Test {
        provide(GARAGE, install_garage)?;
        schemathesis::PACKAGES.install()?;
        python::ORAS.install()?;
    }
    Ok(())
}

fn missing(need: Need, is_there: impl Fn(&Requirement) -> bool) -> Vec<&'static Requirement> {
    REQUIREMENTS.iter().filter(|requirement| requirement.needs.contains(&need) && !is_there(requirement)).collect()
}

fn is_there(requirement: &Requirement) -> bool {
    match requirement.provides {
        Provides::Program(name) => process::find(name).is_some(),
        Provides::File(path) => Path::new(path).exists(),
        Provides::PostgresServer => postgres::programs().is_some(),
        Provides::PythonModule(name) => {
            let mut python = Command::new("python3");
            process::output(python.args(["-c", &format!("import {name}")])).is_ok()
        }
        Provides::StaticProgram(name) => process::find(name).is_some_and(|program| is_static(&program)),
    }
}

/// Whether an ELF program names no interpreter. Reads the 64-bit program headers; anything else is not ours to run.
pub(crate) fn is_static(program: &Path) -> bool {
    const PT_INTERP: u32 = 3;
    let Ok(elf) = fs::read(program) else { return false };
    let u64_at = |at: usize| elf.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
    let u32_at = |at: usize| elf.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let u16_at = |at: usize| elf.get(at..at + 2).and_then(|b| b.try_into().ok()).map(u16::from_le_bytes);
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return false;
    }
    let (Some(table), Some(size), Some(count)) = (u64_at(32), u16_at(54), u16_at(56)) else { return false };
    let Ok(table) = usize::try_from(table) else { return false };
    let header = |index: u16| table.checked_add(usize::from(size) * usize::from(index));
    (0..count).all(|index| header(index).and_then(u32_at).is_some_and(|kind| kind != PT_INTERP))
}

fn list(requirements: &[&Requirement]) -> String {
    let mut text = String::new();
    for requirement in requirements {
        let what = match requirement.provides {
            Provides::Program(name) => format!("the program `{name}`"),
            Provides::File(path) => format!("the file {path}"),
            Provides::PostgresServer => "PostgreSQL's programs `initdb` and `postgres`".to_owned(),
            Provides::PythonModule(name) => format!("Python 3 with its module `{name}`"),
            Provides::StaticProgram(name) => format!("the program `{name}`, statically linked"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {what} (Debian: {}): {}", requirement.package, requirement.why);
    }
    text
}

fn install(missing: &[&Requirement]) -> Result<()> {
    eprint!("missing on this machine:\n{}", list(missing));
    let packages: Vec<&str> = missing.iter().map(|requirement| requirement.package).collect();
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if process::find("apt-get").is_none() {
        bail!("install them with your system's package manager: this is no Debian, there is no `apt-get`");
    }
    if !Uid::effective().is_root() && process::find("sudo").is_none() {
        bail!("installing needs root, and there is no `sudo`; as root: {by_hand}");
    }
    process::run(&mut apt_get(&["update"])).with_context(|| format!("or install by hand: {by_hand}"))?;
    let no_cluster = packages.contains(&"postgresql").then(NoSystemCluster::ask);
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    process::run(&mut apt_get(&arguments)).with_context(|| format!("or install by hand: {by_hand}"))?;
    no_cluster.map_or(Ok(()), NoSystemCluster::withdraw)
}

/// `apt-get`, with root's rights, without questions, waiting for another one that holds the lock.
fn apt_get(arguments: &[&str]) -> Command {
    let mut command = as_root(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command.args(["-q", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=600"]).args(arguments);
    command
}

fn as_root(words: &[&str]) -> Command {
    let sudo: &[&str] = if Uid::effective().is_root() { &[] } else { &["sudo"] };
    let all = [sudo, words].concat();
    let mut command = Command::new(all[0]);
    command.args(&all[1..]);
    command
}

/// Debian's PostgreSQL packages make and start a cluster for the machine. Nobody asked for one: only the programs are
/// needed. A settings file that is there during the installation says so.
struct NoSystemCluster;

impl NoSystemCluster {
    const FOLDER: &str = "/etc/postgresql-common/createcluster.d";
    const FILE: &str = "/etc/postgresql-common/createcluster.d/no-cluster-for-tests.conf";

    /// Without the file a cluster is made, which is a nuisance and no failure.
    fn ask() -> Self {
        let script = format!("mkdir -p {} && echo 'create_main_cluster = false' > {}", Self::FOLDER, Self::FILE);
        if let Err(error) = process::output(&mut as_root(&["sh", "-c", &script])) {
            eprintln!("warning: the packages may start a PostgreSQL of the machine's own: {error:#}");
        }
        Self
    }

    fn withdraw(self) -> Result<()> {
        process::output(&mut as_root(&["rm", "-f", Self::FILE])).with_context(|| format!("could not remove {}", Self::FILE))?;
        Ok(())
    }
}

fn has_nextest() -> bool {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    process::find("cargo-nextest").is_some() || cargo_home.is_some_and(|home| home.join("bin/cargo-nextest").exists())
}

/// Compiled from its crate. It only starts programs, so it is built quickly rather than optimized, and without the part
/// that updates itself.
fn install_nextest() -> Result<()> {
    eprintln!("missing on this machine:\n  cargo-nextest: runs the tests; compiling it takes some minutes");
    let mut command = process::cargo();
    command.args(["install", "cargo-nextest", "--locked", "--version", NEXTEST_VERSION]);
    command.args(["--no-default-features", "--features", "default-no-update", "--debug"]);
    command.env("CARGO_PROFILE_DEV_DEBUG", "false").current_dir(env::temp_dir());
    process::run(&mut command).context("could not install cargo-nextest")
}

/// A program that Debian has no package of, in `target/tools/bin`.
fn provide(program: &str, install: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let tools = workspace::root().join("target/tools");
    let expected = tools.join("bin").join(program);
    if expected.exists() {
        return Ok(());
    }
    match process::find(program) {
        Some(installed) => link(&installed, &expected),
        None => install(&tools),
    }
}

fn link(installed: &Path, expected: &Path) -> Result<()> {
    let folder = expected.parent().unwrap_or(expected);
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    // What it led to may be gone.
    let _ = fs::remove_file(expected);
    std::os::unix::fs::symlink(installed, expected).with_context(|| format!("could not make the link {}", expected.display()))
}

/// Compiled from its crate: Debian has no package of it. Optimized, for gigabytes go through it.
fn install_vsock(tools: &Path) -> Result<()> {
    eprintln!("missing on this machine:\n  {VSOCK}: the sockets of guests; compiling it takes some minutes");
    let mut command = process::cargo();
    command.args(["install", VSOCK, "--locked", "--version", VSOCK_VERSION, "--root"]).arg(tools);
    process::run(command.current_dir(env::temp_dir())).with_context(|| format!("could not install {VSOCK}"))
}

/// Compiled from its crate, with one of its databases only, and quickly rather than well: nine minutes on two busy cores, once.
fn install_garage(tools: &Path) -> Result<()> {
    eprintln!("missing on this machine:\n  {GARAGE}: a server of S3 buckets; compiling it takes about ten minutes");
    let mut command = process::cargo();
    command.args(["install", GARAGE, "--locked", "--version", GARAGE_VERSION, "--root"]).arg(tools);
    command.args(["--no-default-features", "--features", "bundled-libs,sqlite", "--debug"]);
    command.env("CARGO_PROFILE_DEV_DEBUG", "false").current_dir(env::temp_dir());
    process::run(&mut command).with_context(|| format!("could not install {GARAGE}"))
}

/// The registry that ours is measured against, as Debian builds it. Only the program is wanted, so its package is unpacked and not
/// installed: that would start a registry of the machine's own.
pub(crate) fn docker_registry() -> Result<PathBuf> {
    let tools = workspace::root().join("target/tools");
    let program = tools.join("docker-registry/usr/bin/docker-registry");
    if !program.exists() {
        let folder = tempfile::tempdir()?;
        let mut download = Command::new("apt-get");
        download.args(["-q", "download", "docker-registry"]).current_dir(folder.path());
        process::run(&mut download).context("could not fetch Debian's package docker-registry; `apt-get update` may help")?;
        let package = fs::read_dir(folder.path())?.next().context("apt-get fetched nothing")??.path();
        process::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(tools.join("docker-registry")))?;
    }
    Ok(program)
}

#[cfg(test)]
mod tests;
