//! `cargo xtask bench`: builds the release binaries and measures them on this machine. The figures go to `docs/performance.md`.

use anyhow::Result;

use crate::{
    guest,
    postgres::{Durability, PrivatePostgres},
    process,
    setup::{self, Need},
    workspace,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure; everything where nothing is named: start, idle, assignment, true, layers, images,
    /// clone, overhead, quiet, requests, registry, results, queue, programs
    measurements: Vec<String>,
    /// Only show that images, overhead, quiet, registry, results and queue work, with small images and few runs
    #[arg(long)]
    quick: bool,
    /// Measure requests, results and queue on this database only: sqlite or postgresql
    #[arg(long)]
    database: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(Need::Test)?;
    let root = workspace::root();
    // The binaries are what is measured; the measuring program finds them beside itself. Libraries are built, too: what the
    // guest's kernel needs is one.
    process::run(process::cargo().current_dir(&root).args(["build", "--release", "--workspace"]))?;
    let init = guest::build()?;
    let loops = guest::build_loops()?;
    let mut bench = process::cargo();
    bench.current_dir(&root).args(["bench", "--workspace", "--bench", "system", "--"]).args(&args.measurements);
    if args.quick {
        bench.arg("--quick");
    }
    if let Some(database) = &args.database {
        bench.arg(format!("--database={database}"));
    }
    bench.env("BENCHER_INIT", init).env("BENCH_LOOPS", loops);
    if args.measurements.is_empty() || args.measurements.iter().any(|name| name == "registry") {
        bench.env("BENCH_DOCKER_REGISTRY", setup::docker_registry()?);
    }
    let postgres = PrivatePostgres::start(Durability::Full)?;
    let measured = process::run(bench.env("BENCH_DATABASE_URL", postgres.url()));
    postgres.stop()?;
    measured
}
