//! `cargo xtask chaos`: builds the product as for the tests, and hands its arguments to the program that kills it.

use anyhow::Result;

use crate::{
    demo, process,
    setup::{self, Need},
    workspace,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For the program `chaos`: `--jobs N --seed S --database sqlite|postgres --minutes M --runners R --servers S`; `--help` tells more
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    chaos: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(Need::Test)?;
    process::run(process::cargo().current_dir(workspace::root()).args(["build", "--workspace", "--all-targets"]))?;
    process::run(std::process::Command::new(demo::program("chaos")?).args(&args.chaos))
}
