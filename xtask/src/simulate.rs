//! `cargo xtask simulate`: builds the simulation and hands its arguments over.

use anyhow::Result;

use crate::{demo, process, workspace};

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// For the program `simulate`: `--seeds N --from SEED`, or `--seed SEED`; ten thousand where nothing is said, and `--help` tells more
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    simulate: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    // The whole workspace, as for the tests, which then find their dependencies built.
    process::run(process::cargo().current_dir(workspace::root()).args(["build", "--workspace", "--all-targets"]))?;
    process::run(std::process::Command::new(demo::program("simulate")?).args(&args.simulate))
}
