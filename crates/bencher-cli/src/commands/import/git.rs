//! What git knows of commits: their full hashes and when they were made.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Output, Stdio},
};

use bencher_types::{DateTime, GitHash};
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use crate::limits;

/// Commits that git knows, by their full hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Commits {
    known: BTreeMap<String, DateTime>,
}

impl Commits {
    /// Asks the repository around a folder. Without git or a repository nothing is known.
    pub(super) async fn ask(repository: &Path, hashes: &[String]) -> Self {
        let text = timeout(limits::GIT_HISTORY_TIMEOUT, log(repository, hashes)).await;
        let text = text.ok().flatten().unwrap_or_default();
        let commit = |line: &str| {
            let (hash, seconds) = line.split_once(' ')?;
            Some((hash.to_owned(), DateTime::from_micros(seconds.parse::<i64>().ok()?.checked_mul(1_000_000)?).ok()?))
        };
        Self { known: text.lines().filter_map(commit).collect() }
    }

    /// The commit that a hash, or its beginning, is of.
    pub(super) fn find(&self, beginning: &str) -> Option<(GitHash, DateTime)> {
        let (hash, at) = self.known.range(beginning.to_owned()..).next()?;
        Some((hash.strip_prefix(beginning).and_then(|_| hash.parse().ok())?, *at))
    }
}

async fn log(repository: &Path, hashes: &[String]) -> Option<String> {
    // Only digits are given to git, so that no name of a file is taken for a flag.
    let mut asked = String::new();
    for hash in hashes.iter().filter(|hash| hash.bytes().all(|b| b.is_ascii_hexdigit())) {
        asked.push_str(hash);
        asked.push('\n');
    }
    let mut child = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(["log", "--no-walk=unsorted", "--ignore-missing", "--format=%H %ct", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    // Both at once: git may answer before it has read everything.
    let write = async move {
        let _ = stdin.write_all(asked.as_bytes()).await;
    };
    let ((), output) = tokio::join!(write, child.wait_with_output());
    let Output { status, stdout, .. } = output.ok()?;
    status.success().then(|| String::from_utf8_lossy(&stdout).into_owned())
}
