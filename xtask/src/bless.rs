//! `cargo xtask bless`: what the tests see now is right. Rewrites snapshots and `openapi.json`; the diff is for review.

use std::process::Command;

use anyhow::Result;

use crate::{
    guest,
    nextest::{self, Accept},
    postgres::{Durability, PrivatePostgres},
    process,
    setup::{self, Need},
    workspace,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Arguments for `cargo nextest run`, such as a filter: `-- -E 'test(openapi)'`
    #[arg(last = true)]
    nextest: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(Need::Test)?;
    let root = workspace::root();
    guest::build()?;
    let postgres = PrivatePostgres::start(Durability::None)?;
    let outcome = nextest::run(&root, &postgres, &args.nextest, Accept::Everything);
    let stopped = postgres.stop();
    let changed = process::output(Command::new("git").current_dir(&root).args(["status", "--short"]))?;
    if changed.is_empty() {
        println!("nothing changed");
    } else {
        println!("changed, to be read before it is committed:\n{changed}");
    }
    outcome?;
    stopped
}
