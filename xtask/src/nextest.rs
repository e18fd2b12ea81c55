//! How the test runner is called, the same for every command that runs tests.

use std::{env, path::Path, process::Command};

use anyhow::Result;

use crate::{guest, postgres::PrivatePostgres, process};

/// Whether the tests may rewrite what they compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accept {
    No,
    Everything,
}

/// Always the whole workspace: another package selection resolves other features and rebuilds half the dependencies.
pub(crate) fn run(root: &Path, postgres: &PrivatePostgres, args: &[String], accept: Accept) -> Result<()> {
    let mut command = command(root);
    if env::var_os("CI").is_some() {
        command.args(["--profile", "ci"]);
    }
    command.args(args);
    command.env("TEST_DATABASE_URL", postgres.url());
    match accept {
        Accept::No => command.env("INSTA_UPDATE", "no").env_remove("BENCHER_BLESS"),
        Accept::Everything => command.env("INSTA_UPDATE", "always").env("BENCHER_BLESS", "1"),
    };
    process::run(&mut command)
}

/// With the guest's first process, which must have been built, and whatever of Firecracker the environment names.
pub(crate) fn command(root: &Path) -> Command {
    let mut command = process::cargo();
    command.current_dir(root).args(["nextest", "run", "--workspace"]);
    // With this, a test that lacks a program or a right fails instead of returning early.
    command.env("BENCHER_TEST_REQUIRE", "1");
    command.env("BENCHER_INIT", guest::file(root));
    command
}
