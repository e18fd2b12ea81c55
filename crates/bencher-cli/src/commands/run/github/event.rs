//! What happened, as GitHub describes it to a workflow: which pull request, and whose. Pure.

use serde::Deserialize;

/// The event, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Event {
    number: Option<u64>,
    pull_request: Option<PullRequest>,
    issue: Option<Issue>,
    repository: Option<Repository>,
}

#[derive(Debug, Deserialize)]
struct PullRequest {
    number: Option<u64>,
    head: Side,
    base: Side,
}

#[derive(Debug, Deserialize)]
struct Issue {
    number: u64,
    /// There where the issue is a pull request.
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Side {
    /// Nothing where the repository was deleted.
    repo: Option<Repository>,
}

#[derive(Debug, Deserialize)]
struct Repository {
    full_name: String,
}

/// A pull request from another repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fork {
    pub head: String,
    pub base: String,
}

/// Where to comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub owner: String,
    pub repository: String,
    pub number: u64,
}

impl Event {
    /// Whose code runs with secrets that are not its own, if somebody else's does. Only one kind of event allows that: the
    /// workflow of `pull_request_target` is trusted, and what it checks out need not be.
    pub(super) fn fork(&self, name: &str) -> Option<Fork> {
        let pull_request = self.pull_request.as_ref().filter(|_| name == "pull_request_target")?;
        let base = pull_request.base.repo.as_ref().or(self.repository.as_ref());
        let head = pull_request.head.repo.as_ref();
        if head.zip(base).is_some_and(|(head, base)| head.full_name == base.full_name) {
            return None;
        }
        let name = |side: Option<&Repository>| {
            side.map_or_else(|| "a repository that is gone".to_owned(), |repo| repo.full_name.clone())
        };
        Some(Fork { head: name(head), base: name(base) })
    }

    /// The pull request that was asked for, or else the one that this is about.
    pub(super) fn target(&self, repository: Option<&str>, number: Option<u64>) -> Option<Target> {
        let of_event = || {
            let pull_request = self.pull_request.as_ref().and_then(|pull_request| pull_request.number.or(self.number));
            let issue = self.issue.as_ref().filter(|issue| issue.pull_request.is_some()).map(|issue| issue.number);
            pull_request.or(issue)
        };
        let number = number.or_else(of_event)?;
        let name = repository.filter(|name| !name.is_empty()).or(self.repository.as_ref().map(|repo| repo.full_name.as_str()))?;
        let (owner, repository) = name.split_once('/')?;
        Some(Target { owner: owner.to_owned(), repository: repository.to_owned(), number })
    }
}

#[cfg(test)]
mod tests;
