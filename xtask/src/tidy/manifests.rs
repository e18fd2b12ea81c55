//! Every member takes its dependencies and its lints from the workspace.

use super::{Violation, snapshot::TextFile};

/// A workspace of its own, which cannot inherit from ours: everything in it is compiled with coverage counters.
const NO_MEMBER: &str = "fuzz/Cargo.toml";

pub(super) fn check(files: &[TextFile]) -> Vec<Violation> {
    let members = files.iter().filter(|file| file.path.ends_with("/Cargo.toml") && file.path != NO_MEMBER);
    members.flat_map(check_manifest).collect()
}

/// Reads line by line: members are written one dependency a line, which the rule itself ensures.
fn check_manifest(file: &TextFile) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut section = String::new();
    let mut lints = false;
    for (index, line) in file.text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
            if is_dependencies(section.rsplit_once('.').map_or("", |(parent, _)| parent)) {
                found.push(Violation::line(&file.path, index, "write a dependency on one line: `NAME.workspace = true`"));
            }
        } else if section == "lints" && inherits(line) {
            lints = true;
        } else if is_dependencies(&section) && !line.is_empty() && !inherits(line) {
            let name = line.split(['=', '.']).next().unwrap_or(line).trim();
            let message = format!("declare `{name}` in the workspace and write `{name}.workspace = true` here");
            found.push(Violation::line(&file.path, index, message));
        }
    }
    if !lints {
        found.push(Violation::file(&file.path, "does not take the workspace's lints: add `[lints]` and `workspace = true`"));
    }
    found
}

fn is_dependencies(section: &str) -> bool {
    matches!(section.rsplit('.').next(), Some("dependencies" | "dev-dependencies" | "build-dependencies"))
}

fn inherits(line: &str) -> bool {
    let dense: String = line.chars().filter(|c| !c.is_whitespace()).collect();
    dense.ends_with("workspace=true") || dense.contains("{workspace=true") || dense.contains(",workspace=true")
}

#[cfg(test)]
mod tests;
