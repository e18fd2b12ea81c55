//! Nothing about one machine goes into the repository: no absolute path of a checkout or a home, no host name of a package
//! mirror, no download address in a lock file.
//!
//! Which mirrors this machine uses is read from its own settings, so their names need not stand here.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use super::{Violation, snapshot::TextFile};

/// Put together here, so that this file does not carry them.
const ABSOLUTE: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// The only registry of a lock file.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Hosts that everybody's settings name.
const PUBLIC: &[&str] = &["localhost", "127.0.0.1", "github.com", "crates.io"];

pub(super) fn check(files: &[TextFile], mirrors: &BTreeSet<String>) -> Vec<Violation> {
    files.iter().flat_map(|file| check_file(file, mirrors)).collect()
}

fn check_file(file: &TextFile, mirrors: &BTreeSet<String>) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let mut add = |message: String| found.push(Violation::line(&file.path, index, message));
        if let Some(path) = ABSOLUTE.iter().find(|path| stands_alone(line, path)) {
            add(format!("`{path}…` is a path of one machine"));
        }
        if let Some(host) = mirrors.iter().find(|host| line.contains(host.as_str())) {
            add(format!("`{host}` is where this machine gets its packages; others get them elsewhere"));
        }
        if file.name() == "Cargo.lock" && line.starts_with("source = ") && !line.contains(CRATES_IO) {
            add("a package that is not from crates.io".to_owned());
        }
    }
    found
}

/// Whether an absolute path begins in this line, rather than the same folder names within another path.
fn stands_alone(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | ']' | '*' | '/'))
    })
}

/// The hosts that this machine's package clients are set up with, beyond the public ones.
pub(super) fn configured_hosts() -> BTreeSet<String> {
    let mut texts: Vec<String> = env::vars()
        .filter(|(name, _)| {
            ["PIP_", "NPM_CONFIG_", "CARGO_REGISTRIES_", "CARGO_SOURCE_"]
                .iter()
                .any(|start| name.to_uppercase().starts_with(start))
        })
        .map(|(_, value)| value)
        .collect();
    let mut files = vec![PathBuf::from("/etc/apt/sources.list"), PathBuf::from("/etc/pip.conf")];
    files.extend(fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path()));
    if let Some(home) = env::home_dir() {
        files.extend([".cargo/config.toml", ".npmrc", ".config/pip/pip.conf", ".pip/pip.conf"].map(|file| home.join(file)));
    }
    texts.extend(files.into_iter().filter_map(|file| fs::read_to_string(file).ok()));
    texts.iter().flat_map(|text| hosts(text)).filter(|host| !PUBLIC.contains(&host.as_str())).collect()
}

/// The hosts of all URLs in a text.
fn hosts(text: &str) -> Vec<String> {
    let authority = |rest: &str| rest.split(['/', '"', '\'', ' ', '\n', '\t', '?', '#']).next().unwrap_or_default().to_owned();
    text.match_indices("://")
        .map(|(at, marker)| authority(&text[at + marker.len()..]))
        .map(|authority| authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default().to_owned())
        .filter(|host| host.contains('.') || PUBLIC.contains(&host.as_str()))
        .collect()
}

#[cfg(test)]
mod tests;
