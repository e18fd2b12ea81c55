//! `cargo xtask simulate`: builds the simulation and hands its arguments over.

use anyhow::Result;

use crate::{demo, process, workspace};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many worlds, each decided by its number
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run this one only, and print what happens in it
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

impl Args {
    /// What every change must pass.
    pub(crate) fn for_every_change() -> Self {
        Self { seeds: 10_000, from: 0, seed: None }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    // The whole workspace, as for the tests, which then find their dependencies built.
    process::run(process::cargo().current_dir(workspace::root()).args(["build", "--workspace", "--all-targets"]))?;
    let mut simulate = std::process::Command::new(demo::program("simulate")?);
    match args.seed {
        Some(seed) => simulate.args(["--seed".to_owned(), seed.to_string()]),
        None => simulate.args(["--seeds".to_owned(), args.seeds.to_string(), "--from".to_owned(), args.from.to_string()]),
    };
    process::run(&mut simulate)
}
