//! `cargo xtask guest`: the first process of microVMs, as one file that needs nothing beside it: no library, no loader.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use crate::{process, setup, workspace};

/// The only machine guests are built for so far.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Bytes. It is loaded before every run and stays in the guest's memory.
const LARGEST: u64 = 2 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<()> {
    let started = Instant::now();
    let file = build()?;
    let size = fs::metadata(&file).with_context(|| format!("could not look at {}", file.display()))?.len();
    println!("{}: {} KiB, static, built in {:.1} s", file.display(), size / 1024, started.elapsed().as_secs_f64());
    Ok(())
}

/// Where it is when it is built.
pub(crate) fn file(root: &Path) -> PathBuf {
    root.join("target/guest/bencher-init")
}

/// Builds it and says where it is.
pub(crate) fn build() -> Result<PathBuf> {
    let root = workspace::root();
    let built = build_static(&root, "bencher-init", "guest")?;
    check(&built)?;
    let file = file(&root);
    // Renamed into place: a guest may be starting from the old one.
    let fresh = root.join("target/guest/bencher-init.new");
    fs::copy(&built, &fresh).with_context(|| format!("could not copy {}", built.display()))?;
    fs::rename(&fresh, &file).with_context(|| format!("could not write {}", file.display()))?;
    Ok(file)
}

/// Builds the loops that are run on the host and in guests, as fast as release programs are, and says where they are.
pub(crate) fn build_loops() -> Result<PathBuf> {
    let built = build_static(&workspace::root(), "bench-loops", "release")?;
    check_static(&built)?;
    Ok(built)
}

fn build_static(root: &Path, program: &str, profile: &str) -> Result<PathBuf> {
    // A folder of its own: other flags for the same crates would have everything built anew, again and again.
    let folder = root.join("target/guest");
    let mut cargo = process::cargo();
    cargo
        .current_dir(root)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .args(["build", "--workspace", "--bin", program, "--profile", profile, "--target", TARGET])
        .arg("--target-dir")
        .arg(&folder);
    process::run(&mut cargo)?;
    Ok(folder.join(TARGET).join(profile).join(program))
}

/// What a guest's first process must be like.
fn check(file: &Path) -> Result<()> {
    check_static(file)?;
    let size = fs::metadata(file).with_context(|| format!("could not look at {}", file.display()))?.len();
    if size > LARGEST {
        bail!("{} has {size} bytes, at most {LARGEST} are meant; see the profile `guest` in Cargo.toml", file.display());
    }
    Ok(())
}

fn check_static(file: &Path) -> Result<()> {
    if !setup::is_static(file) {
        bail!("{} is not static: it names a loader, which no guest has", file.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
