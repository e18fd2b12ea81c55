//! `cargo xtask chroot-test DIR`: does a new machine pass? A bare Debian in a folder, the Rust toolchain read-only, a fresh
//! clone of what is committed, and `.ci/run`.
//!
//! Everything inside runs in mount and process namespaces of its own, which the kernel takes apart when the run ends or is
//! killed; so removing the folder can never reach through a mount that was left behind.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::unistd::Uid;

use crate::{
    process,
    setup::{self, Need},
    workspace,
};

/// What runs as the first process of the namespaces.
const INSIDE: &str = include_str!("chroot_test/inside.sh");
/// What a program needs to reach the network from here, handed on by name.
const HANDED_ON: &[&str] = &["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder that does not exist yet, on a disk with 10 GB to spare
    dir: PathBuf,
    /// Debian's release
    #[arg(long, default_value = "bookworm")]
    suite: String,
    /// Keep the folder also when everything passed
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(Uid::effective().is_root(), "this mounts and changes root: run it as root");
    ensure!(!args.dir.exists(), "{} exists; name a folder that does not", args.dir.display());
    setup::ensure(Need::ChrootTest)?;
    let mirror = configured_mirror(Path::new("/etc/apt"))?;
    fs::create_dir_all(&args.dir).with_context(|| format!("could not create {}", args.dir.display()))?;
    let dir = args.dir.canonicalize().with_context(|| format!("could not find {}", args.dir.display()))?;

    process::output(Command::new("debootstrap").args(["--variant=minbase", &args.suite]).arg(&dir).arg(mirror))
        .context("could not make a bare Debian")?;
    copy_network_settings(&dir)?;
    let clone = dir.join("src");
    process::run(Command::new("git").args(["clone", "--quiet", "--no-local"]).arg(workspace::root()).arg(&clone))?;

    let started = Instant::now();
    let outcome = run_inside(&dir);
    println!("cold time of .ci/run: {:.1} minutes", started.elapsed().as_secs_f64() / 60.0);
    outcome.with_context(|| format!("{} is kept for a look", dir.display()))?;
    if !args.keep {
        remove(&dir)?;
    }
    Ok(())
}

fn run_inside(dir: &Path) -> Result<()> {
    let toolchain = process::output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(workspace::root()))?;
    // The kernel kills the first process inside, and so all of them, if this process or `unshare` dies.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-s"]);
    command.arg(dir).arg(toolchain.trim());
    for name in HANDED_ON {
        if let Ok(value) = env::var(name) {
            command.arg(format!("{name}={value}"));
        }
    }
    let mut script = tempfile::tempfile().context("could not make a file for the script")?;
    std::io::Write::write_all(&mut script, INSIDE.as_bytes()).context("could not write the script")?;
    std::io::Seek::rewind(&mut script).context("could not rewind the script")?;
    process::run(command.stdin(script))
}

/// The first mirror that this machine's apt is set up with. No mirror is named in this repository.
fn configured_mirror(apt: &Path) -> Result<String> {
    for file in sources(apt)? {
        let text = fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
        if let Some(mirror) = mirror_of(&text) {
            return Ok(mirror);
        }
    }
    bail!("apt has no source under {}", apt.display())
}

fn sources(apt: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vec![apt.join("sources.list")];
    let parts = apt.join("sources.list.d");
    if parts.is_dir() {
        for entry in fs::read_dir(&parts).with_context(|| format!("could not read {}", parts.display()))? {
            files.push(entry.with_context(|| format!("could not read {}", parts.display()))?.path());
        }
    }
    files.retain(|file| file.is_file() && file.extension().is_some_and(|ext| ext == "list" || ext == "sources"));
    files.sort();
    Ok(files)
}

/// The URL of a source in either of apt's formats: `deb [options] URL suite …` or a `URIs:` field.
fn mirror_of(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        match words.next()? {
            "deb" | "URIs:" => words.find(|word| word.contains("://")).map(str::to_owned),
            _ => None,
        }
    })
}

/// How this machine reaches its package mirror and the crates, and whom it trusts; nothing else.
fn copy_network_settings(dir: &Path) -> Result<()> {
    // debootstrap wrote a source of its own.
    let default_source = dir.join("etc/apt/sources.list");
    if default_source.exists() {
        fs::remove_file(&default_source).context("could not replace the sources of packages")?;
    }
    let mut files = sources(Path::new("/etc/apt"))?;
    files.extend(["/etc/resolv.conf", "/etc/hosts"].map(PathBuf::from));
    for folder in ["/etc/apt/apt.conf.d", "/etc/apt/keyrings", "/usr/local/share/ca-certificates"] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            files.push(entry.with_context(|| format!("could not read {folder}"))?.path());
        }
    }
    // Of apt's settings only how it fetches: the rest belongs to this machine.
    let is_wanted = |file: &Path| {
        !file.starts_with("/etc/apt/apt.conf.d") || fs::read_to_string(file).is_ok_and(|text| text.contains("Acquire::"))
    };
    for file in files.iter().filter(|file| file.is_file() && is_wanted(file)) {
        let copy = dir.join(file.strip_prefix("/").unwrap_or(file));
        let parent = copy.parent().context("a copied file has a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("could not create {}", parent.display()))?;
        fs::copy(file, &copy).with_context(|| format!("could not copy {} to {}", file.display(), copy.display()))?;
    }
    Ok(())
}

fn remove(dir: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("could not read /proc/self/mounts")?;
    let below = mounts.lines().filter_map(|line| line.split(' ').nth(1)).find(|point| Path::new(point).starts_with(dir));
    if let Some(point) = below {
        bail!("{point} is still mounted; {} is not removed", dir.display());
    }
    fs::remove_dir_all(dir).with_context(|| format!("could not remove {}", dir.display()))
}

#[cfg(test)]
mod tests;
