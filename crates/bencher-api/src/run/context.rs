//! What a client says of where a run comes from.

use std::collections::BTreeMap;

use bencher_types::{BranchName, GitHash, ResourceName, Slug};
use sha2::{Digest as _, Sha256};

/// What the keys begin with.
const PREFIX: &str = "bencher.dev/v0";

/// The context of a run. What is not valid counts as not said: it only ever stands in for what nobody named.
#[derive(Clone, Debug, Default)]
pub struct Context(BTreeMap<String, String>);

/// The repository that a run is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub name: ResourceName,
    /// What the project of an anonymous run is called: the name, and a digest of the name, the repository's first commit and the
    /// machine. Runs from the same place find each other's project, and runs from elsewhere find another. `None` where the run says of
    /// itself no more than a name, which strangers may share.
    pub slug: Option<Slug>,
}

/// Digits of the digest in a slug: nobody hits another one's by chance.
const DIGEST_DIGITS: usize = 12;

fn slug(name: &ResourceName, hash: &str, machine: &str) -> Slug {
    let mut digest = Sha256::new();
    for part in [name.as_str(), hash, machine] {
        // With its length, so that no two different origins are the same text.
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    let digest = hex::encode(digest.finalize());
    let base = Slug::from_name(name.as_str()).unwrap_or_else(|| Slug::new("project").expect("this is a slug"));
    base.with_suffix(&digest[..DIGEST_DIGITS])
}

impl Context {
    #[must_use]
    pub const fn new(context: BTreeMap<String, String>) -> Self {
        Self(context)
    }

    fn get<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.0.get(&format!("{PREFIX}{key}")).and_then(|text| text.parse().ok())
    }

    /// Where a run is from that names no project.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        let name: ResourceName = self.get("/repo/name")?;
        let [hash, machine] = ["/repo/hash", "/testbed/fingerprint"].map(|key| self.get::<String>(key).unwrap_or_default());
        let slug = (!hash.is_empty() || !machine.is_empty()).then(|| slug(&name, &hash, &machine));
        Some(Origin { name, slug })
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

#[cfg(test)]
mod tests;
