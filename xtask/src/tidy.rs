//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy knows.
//!
//! A rule is a pure function from a [`Snapshot`] to what breaks it, so each is tested on a few lines that break it.

mod code;
mod edges;
mod layers;
mod machine;
mod manifests;
mod promises;
mod snapshot;
mod sources;

use anyhow::{Result, bail};

use crate::{tidy::snapshot::Snapshot, workspace};

/// A place that breaks a rule, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    path: String,
    /// Counted from 1; 0 for the file as a whole.
    line: usize,
    message: String,
}

impl Violation {
    fn file(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: 0, message: message.into() }
    }

    /// `index` counts from 0.
    fn line(path: &str, index: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: index + 1, message: message.into() }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.path, self.message)
        } else {
            write!(f, "{}:{}: {}", self.path, self.line, self.message)
        }
    }
}

pub(crate) fn run() -> Result<()> {
    let snapshot = Snapshot::of(&workspace::root())?;
    let hosts = machine::configured_hosts();
    let mut violations = Vec::new();
    violations.extend(edges::check(&snapshot.packages));
    violations.extend(manifests::check(&snapshot.files));
    violations.extend(layers::check(&snapshot.files));
    violations.extend(sources::check(&snapshot.files));
    violations.extend(promises::check(&snapshot.files));
    violations.extend(machine::check(&snapshot.files, &hosts));
    violations.sort();
    for violation in &violations {
        eprintln!("{violation}");
    }
    if !violations.is_empty() {
        bail!("tidy: {} in {} files", count(violations.len(), "place"), snapshot.files.len());
    }
    println!("tidy: {} files in {} crates keep the rules", snapshot.files.len(), snapshot.packages.len());
    Ok(())
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
