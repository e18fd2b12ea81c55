//! `cargo xtask ci`: everything that a change must pass, in the order that tells bad news early. The same on every
//! machine; `.ci/run` calls it. The tests come last, so that their summary ends the output.

use anyhow::{Context as _, Result};

use crate::{
    process,
    setup::{self, Need},
    test::{self, Laps},
    tidy, workspace,
};

pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let mut laps = Laps::start();
    setup::ensure(Need::Test)?;
    laps.done("setup");
    let cargo = |args: &[&str]| process::run(process::cargo().current_dir(&root).args(args));
    cargo(&["fmt", "--all", "--check"]).context("formatting; `cargo fmt --all` mends it")?;
    laps.done("fmt");
    tidy::run().context("rules of the house")?;
    laps.done("tidy");
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).context("lints")?;
    laps.done("clippy");
    let mut doc = process::cargo();
    doc.current_dir(&root).args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    process::run(&mut doc).context("documentation")?;
    laps.done("doc");
    println!("checked: {laps}");
    test::run(&test::Args::everything()).context("tests")
}
