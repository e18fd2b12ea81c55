//! `cargo xtask vmtest`: the tests in which a real kernel boots, with everything that they need. They are part of
//! `cargo xtask test` too; this is for those alone.
//!
//! Without further words guests run in the stand-in for Firecracker. With `FIRECRACKER_BIN`, `JAILER_BIN` and
//! `FIRECRACKER_KERNEL` (and `FIRECRACKER_MODULES`, where the kernel needs modules) in the environment, the same tests drive
//! the real ones.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{
    guest, nextest, process,
    setup::{self, Need},
    workspace,
};

/// Tests in a module `vm`, or one whose name begins so, whichever crate they are in.
const FILTER: &str = "test(/(^|::)vm(_[a-z_]+)?::/)";
/// The profile of the test runner that writes a report, and where the runner puts it.
const PROFILE: &str = "vm";
const REPORT: &str = "target/nextest/vm/report.xml";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Further arguments for `cargo nextest run`, such as the name of a test
    #[arg(last = true)]
    nextest: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(Need::Vmtest)?;
    let root = workspace::root();
    process::run(process::cargo().current_dir(&root).args(["build", "--workspace", "--all-targets"]))?;
    guest::build()?;
    let report = root.join(REPORT);
    // An old one must not speak for a run that never came to write its own.
    if report.exists() {
        fs::remove_file(&report).with_context(|| format!("could not remove {}", report.display()))?;
    }
    let mut command = nextest::command(&root);
    command.args(["--profile", PROFILE, "-E", FILTER]).args(&args.nextest);
    let outcome = process::run(&mut command);
    match read_counts(&report) {
        Ok(counts) => println!("{} passed, {} failed", counts.passed, counts.failed),
        // What went wrong before a test could run says more than the missing report.
        Err(error) => outcome.as_ref().map_or(Ok(()), |()| Err(error))?,
    }
    outcome
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

fn read_counts(report: &Path) -> Result<Counts> {
    let text = fs::read_to_string(report).with_context(|| format!("could not read {}", report.display()))?;
    counts(&text).with_context(|| format!("{} has no numbers", report.display()))
}

/// The numbers of all tests, which stand in the report's first element.
fn counts(report: &str) -> Option<Counts> {
    let (_, rest) = report.split_once("<testsuites")?;
    let (element, _) = rest.split_once('>')?;
    let number = |name: &str| {
        let (_, rest) = element.split_once(&format!(" {name}=\""))?;
        rest.split('"').next()?.parse::<u64>().ok()
    };
    let failed = number("failures")? + number("errors")?;
    Some(Counts { passed: number("tests")?.checked_sub(failed)?, failed })
}

#[cfg(test)]
mod tests;
