//! The demo's benchmark: Debian's hyperfine times gzip, zstd and xz on files that every Debian has.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::client::Client;
use crate::process;

/// What hyperfine is told to call the three; so are the benchmarks in the report.
pub(crate) const BENCHMARKS: &[&str] = &["gzip", "zstd", "xz"];

/// Where the benchmark leaves its results. A file, since hyperfine writes them anew after each of its commands.
pub(crate) const RESULTS: &str = "/tmp/results.json";

/// From Debian's packages base-files, perl-base and bash, which cannot be removed: texts of licences, the source of Perl's
/// modules, and machine code; together a few MiB. Folders are taken with all that is below them.
const CORPUS: &[&str] = &[
    "/usr/share/common-licenses",
    "/usr/lib/x86_64-linux-gnu/perl-base",
    "/usr/lib/aarch64-linux-gnu/perl-base",
    "/usr/bin/bash",
];

/// Fewer bytes than this are no corpus; then the list above does not fit this machine.
const CORPUS_AT_LEAST: u64 = 1 << 20;

/// The image's programs; the first is its entrypoint.
const PROGRAMS: &[&str] = &["hyperfine", "gzip", "zstd", "xz"];

/// How the image runs. gzip is told to keep no time: it warns of the one that files have in an image. One warm-up and five measured runs of each, without a shell between hyperfine and the compressor.
const COMMAND: &[&str] = &[
    "--shell=none",
    "--style=none",
    "--warmup=1",
    "--runs=5",
    "--export-json",
    RESULTS,
    "--command-name=gzip",
    "gzip -n -c /data/corpus",
    "--command-name=zstd",
    "zstd -q -c /data/corpus",
    "--command-name=xz",
    "xz -1 -c /data/corpus",
];

/// Builds the image with `bencher image build`, pushes it as `reference`, and says what it is made of.
pub(crate) fn publish(client: &Client, work: &Path, reference: &str) -> Result<()> {
    let corpus = work.join("corpus");
    let bytes = write_corpus(&corpus)?;
    let programs = PROGRAMS.iter().map(|name| program(name)).collect::<Result<Vec<_>>>()?;
    let mut arguments: Vec<OsString> = ["image", "build", "--push", "--tag", reference, "--add"].map(OsString::from).to_vec();
    let mut add = corpus.into_os_string();
    add.push(":/data/corpus");
    arguments.push(add);
    arguments.extend(COMMAND.iter().map(|word| OsString::from(format!("--cmd={word}"))));
    arguments.extend(programs.into_iter().map(PathBuf::into_os_string));
    let image = client.json(&arguments)?;
    let mebibytes = bytes >> 20;
    println!("built and pushed {reference}: Debian's {} and {mebibytes} MiB to compress", PROGRAMS.join(", "));
    println!("  (licences, Perl's library, bash); {}", image["digest"].as_str().unwrap_or_default());
    Ok(())
}

/// Concatenates the corpus, in the order of the names, so that it is the same every time.
fn write_corpus(to: &Path) -> Result<u64> {
    let mut files = Vec::new();
    for path in CORPUS {
        collect(Path::new(path), &mut files)?;
    }
    let mut corpus = File::create(to).with_context(|| format!("could not create {}", to.display()))?;
    let mut bytes = 0;
    for path in &files {
        let mut file = File::open(path).with_context(|| format!("could not open {}", path.display()))?;
        bytes += io::copy(&mut file, &mut corpus).with_context(|| format!("could not copy {}", path.display()))?;
    }
    corpus.flush().with_context(|| format!("could not write {}", to.display()))?;
    ensure!(
        bytes >= CORPUS_AT_LEAST,
        "the corpus has only {bytes} bytes: of {} nothing is left on this machine",
        CORPUS.join(", ")
    );
    Ok(bytes)
}

/// The plain files at or below `path`, sorted; links are passed over, so that nothing counts twice.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("could not look at {}", path.display())),
    };
    if meta.is_file() {
        files.push(path.to_owned());
    } else if meta.is_dir() {
        let entries = fs::read_dir(path).with_context(|| format!("could not read {}", path.display()))?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
        let mut paths = paths.with_context(|| format!("could not read {}", path.display()))?;
        paths.sort();
        paths.iter().try_for_each(|path| collect(path, files))?;
    }
    Ok(())
}

/// Where a compressor is on this machine.
fn program(name: &str) -> Result<PathBuf> {
    process::find(name).with_context(|| format!("there is no `{name}`; `cargo xtask setup --for demo` installs it"))
}

#[cfg(test)]
mod tests;
