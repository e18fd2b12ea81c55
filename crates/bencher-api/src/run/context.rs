//! What a client says of where a run comes from.

use std::collections::BTreeMap;

use bencher_types::{BranchName, GitHash, ResourceName};

/// What the keys begin with.
const PREFIX: &str = "bencher.dev/v0";

/// The context of a run. What is not valid counts as not said: it only ever stands in for what nobody named.
#[derive(Clone, Debug, Default)]
pub struct Context(BTreeMap<String, String>);

impl Context {
    #[must_use]
    pub const fn new(context: BTreeMap<String, String>) -> Self {
        Self(context)
    }

    fn get<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.0.get(&format!("{PREFIX}{key}")).and_then(|text| text.parse().ok())
    }

    /// The name of the repository.
    #[must_use]
    pub fn repository_name(&self) -> Option<ResourceName> {
        self.get("/repo/name")
    }

    #[must_use]
    pub fn branch_name(&self) -> Option<BranchName> {
        self.get("/branch/ref/name")
    }

    #[must_use]
    pub fn branch_hash(&self) -> Option<GitHash> {
        self.get("/branch/hash")
    }

    /// The operating system that the results were measured on.
    #[must_use]
    pub fn testbed_name(&self) -> Option<ResourceName> {
        self.get("/testbed/os")
    }
}
