//! Everything is killed at random, a few times: a small run of what `cargo xtask chaos` does at length.

use std::process::Stdio;

use crate::support::{binary, child, machine};

/// Runs `chaos`, which fails where anything was lost, done twice or left behind.
async fn holds(arguments: &[&str]) {
    if machine::require().is_none() {
        return;
    }
    let mut chaos = child::owned(&binary("chaos"));
    let output = chaos.args(arguments).stdin(Stdio::null()).output().await.expect("`chaos` starts");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("killed server-0"), "nothing was killed:\n{said}");
}

#[tokio::test]
async fn every_job_ends_once_whatever_is_killed_on_sqlite() {
    holds(&["--jobs", "20", "--seed", "1", "--runners", "2", "--minutes", "1"]).await;
}

#[tokio::test]
async fn every_job_ends_once_whatever_is_killed_on_postgresql() {
    holds(&["--jobs", "20", "--seed", "2", "--runners", "2", "--minutes", "1", "--database", "postgres"]).await;
}

#[tokio::test]
async fn every_job_ends_once_whatever_is_killed_over_lines_that_are_cut() {
    holds(&["--jobs", "20", "--seed", "3", "--runners", "2", "--minutes", "1", "--proxy"]).await;
}
