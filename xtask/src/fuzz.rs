//! `cargo xtask fuzz TARGET`: builds one fuzz target with coverage counters and runs it for a while, on its corpus.
//!
//! The compiler of the workspace is enough: the counters are an option of LLVM, and libFuzzer comes with its crate. What is
//! found goes below `target/fuzz`; what deserves to stay is copied into `fuzz/corpus`, which the ordinary tests replay.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{process, workspace};

/// What makes LLVM count edges and show libFuzzer the operands of comparisons.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg",
    "fuzzing",
    "-Ccodegen-units=1",
];
/// One input that takes longer is a finding, in seconds. Inputs are a few kilobytes.
const INPUT_SECONDS: u32 = 10;
/// Memory of the whole process, in mebibytes. A zstd frame may ask for a window of 128.
const MEMORY_MIB: u32 = 2048;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to fuzz: the name of a file in fuzz/targets
    target: String,
    /// How long, after the build
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Arguments for libFuzzer: `-- -jobs=2`, or the file of an input to run just that
    #[arg(last = true)]
    libfuzzer: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace::root();
    let targets = targets(&root.join("fuzz/targets"))?;
    if !targets.contains(&args.target) {
        bail!("there is no fuzz target `{}`; use one of {}", args.target, targets.join(", "));
    }
    let binary = build(&root, &args.target)?;
    let output = root.join("target/fuzz");
    let (corpus, artifacts) = (output.join("corpus").join(&args.target), output.join("artifacts").join(&args.target));
    for dir in [&corpus, &artifacts] {
        fs::create_dir_all(dir).with_context(|| format!("could not create {}", dir.display()))?;
    }
    // A target that is ended in the middle leaves its temporary files behind; they go with this folder.
    let temporary = tempfile::tempdir_in(in_memory()).context("could not create a temporary folder")?;
    let mut fuzzer = Command::new(binary);
    fuzzer
        .current_dir(&root)
        .env("TMPDIR", temporary.path())
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-max_total_time={}", args.seconds))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
        .args(&args.libfuzzer);
    // A file among the arguments is run instead of the corpus; libFuzzer takes either files or folders.
    if args.libfuzzer.iter().all(|argument| argument.starts_with('-')) {
        // The first folder is where new inputs go.
        fuzzer.arg(&corpus).arg(Path::new("fuzz/corpus").join(&args.target));
    }
    process::run(&mut fuzzer).with_context(|| {
        format!("a failing input is in {}; it belongs into fuzz/corpus/{}, with the fix", artifacts.display(), args.target)
    })
}

/// Where temporary files cost no disk: some targets write a file or two for every input.
fn in_memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { env::temp_dir() }
}

/// The targets there are, by name.
fn targets(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("could not read {}", dir.display()))? {
        let path = entry.with_context(|| format!("could not read {}", dir.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Builds a target and says where it is.
fn build(root: &Path, target: &str) -> Result<PathBuf> {
    let version =
        process::output(Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).current_dir(root).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not say what it builds for")?;
    let mut cargo = process::cargo();
    // With a target, the flags do not reach build scripts and macros, which have no counters to link with.
    cargo
        .current_dir(root)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", COVERAGE.join(" "))
        .args(["build", "--manifest-path", "fuzz/Cargo.toml", "--locked", "--release", "--target-dir", "target/fuzz"])
        .args(["--target", host, "--bin", target]);
    process::run(&mut cargo)?;
    Ok(root.join("target/fuzz").join(host).join("release").join(target))
}
