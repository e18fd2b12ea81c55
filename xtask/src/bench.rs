//! `cargo xtask bench`: builds the release binaries and measures them on this machine. The figures go to `docs/performance.md`.

use anyhow::Result;

use crate::{
    postgres::{Durability, PrivatePostgres},
    process,
    setup::{self, Need},
    workspace,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure; everything where nothing is named: start, idle, assignment, true, layers, disks,
    /// clone, requests, programs
    measurements: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(Need::Test)?;
    let root = workspace::root();
    // The binaries are what is measured; the measuring program finds them beside itself.
    process::run(process::cargo().current_dir(&root).args(["build", "--release", "--workspace", "--bins"]))?;
    let mut bench = process::cargo();
    bench.current_dir(&root).args(["bench", "--workspace", "--bench", "system", "--"]).args(&args.measurements);
    let postgres = PrivatePostgres::start(Durability::Full)?;
    let measured = process::run(bench.env("BENCH_DATABASE_URL", postgres.url()));
    postgres.stop()?;
    measured
}
