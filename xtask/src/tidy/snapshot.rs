//! What the rules look at: the text files that git tracks or would track, and the packages as cargo sees them.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::process;

#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) files: Vec<TextFile>,
    pub(super) packages: Vec<Package>,
}

/// A file of UTF-8 text. Pictures and archives have no rules here.
#[derive(Debug)]
pub(super) struct TextFile {
    /// From the workspace's root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl TextFile {
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether this is a test: a sibling `tests.rs`, what lies in a `tests/` folder, or the crate of system tests.
    pub(super) fn is_test(&self) -> bool {
        self.name() == "tests.rs" || self.path.contains("/tests/") || self.path.starts_with("crates/bencher-it/")
    }

    /// The crate's folder name and the rest of the path, for a file below `crates/X/src/`.
    pub(super) fn in_crate(&self) -> Option<(&str, &str)> {
        self.path.strip_prefix("crates/")?.split_once("/src/")
    }
}

/// One package of the workspace, as `cargo metadata` describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// None is a normal dependency.
    pub(super) kind: Option<Kind>,
    /// Set for a package of this workspace.
    pub(super) path: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Dev,
    Build,
}

impl Snapshot {
    pub(super) fn of(root: &Path) -> Result<Self> {
        Ok(Self { files: files(root)?, packages: packages(root)? })
    }
}

fn files(root: &Path) -> Result<Vec<TextFile>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
    let listed = process::output(Command::new("git").current_dir(root).args(arguments))?;
    let mut files = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        let full = root.join(path);
        // A file deleted but not yet committed is still listed; a link is checked where it leads.
        if !full.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            continue;
        }
        let bytes = fs::read(&full).with_context(|| format!("could not read {path}"))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(TextFile { path: path.to_owned(), text });
        }
    }
    Ok(files)
}

fn packages(root: &Path) -> Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let json = process::output(process::cargo().current_dir(root).args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Metadata = serde_json::from_str(&json).context("could not understand cargo's metadata")?;
    Ok(metadata.packages)
}
