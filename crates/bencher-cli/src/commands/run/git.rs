//! What git says of the working directory. Everything is optional: there may be no git, no repository, no commit.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Output, Stdio},
};

use bencher_types::GitHash;
use tokio::{process::Command, time::timeout};

use crate::limits;

/// The state of the repository around the working directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Git {
    /// The name of the repository's top folder.
    pub repository: Option<String>,
    /// The first commit, which tells forks of one program from others of the same name.
    pub root: Option<GitHash>,
    /// The full name of what is checked out, such as `refs/heads/main`; absent with a detached head.
    pub reference: Option<String>,
    pub head: Option<GitHash>,
}

impl Git {
    /// The branch's name, such as `main`.
    pub(super) fn branch(&self) -> Option<&str> {
        self.reference.as_deref()?.strip_prefix("refs/heads/")
    }

    /// What a run says about where its results come from.
    pub(super) fn context(&self) -> BTreeMap<String, String> {
        const PREFIX: &str = "bencher.dev/v0";
        let hash = |hash: &Option<GitHash>| hash.as_ref().map(ToString::to_string);
        [
            ("repo/name", self.repository.clone()),
            ("repo/hash", hash(&self.root)),
            ("branch/ref", self.reference.clone()),
            ("branch/ref/name", self.branch().map(str::to_owned)),
            ("branch/hash", hash(&self.head)),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((format!("{PREFIX}/{key}"), value?)))
        .collect()
    }
}

/// Asks git about the working directory.
pub(super) async fn look() -> Git {
    let (top, reference, head, shallow) = tokio::join!(
        ask(&["rev-parse", "--show-toplevel"]),
        ask(&["symbolic-ref", "--quiet", "HEAD"]),
        ask(&["rev-parse", "--verify", "--quiet", "HEAD"]),
        ask(&["rev-parse", "--is-shallow-repository"]),
    );
    // The oldest commit of a shallow clone is not the first one.
    let root = if shallow.as_deref() == Some("false") { ask(&["rev-list", "--max-parents=0", "HEAD"]).await } else { None };
    Git {
        repository: top.as_deref().and_then(|path| Some(Path::new(path).file_name()?.to_str()?.to_owned())),
        // Merged histories have several first commits; the last one listed is the oldest.
        root: root.and_then(|text| text.lines().last()?.parse().ok()),
        reference,
        head: head.and_then(|text| text.parse().ok()),
    }
}

/// Git's answer without its line end; `None` where it has none.
async fn ask(args: &[&str]) -> Option<String> {
    let child = Command::new("git").args(args).stdin(Stdio::null()).kill_on_drop(true).output();
    let Output { status, stdout, .. } = timeout(limits::GIT_TIMEOUT, child).await.ok()?.ok()?;
    let text = String::from_utf8(stdout).ok()?;
    let text = text.trim();
    (status.success() && !text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
