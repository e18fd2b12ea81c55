//! The page of promises names the tests that hold them: each of those tests is there.

use std::collections::BTreeSet;

use super::{Violation, snapshot::TextFile};

const PAGE: &str = "docs/reliability.md";

pub(super) fn check(files: &[TextFile]) -> Vec<Violation> {
    let Some(page) = files.iter().find(|file| file.path == PAGE) else { return Vec::new() };
    let functions: BTreeSet<&str> = files.iter().filter(|file| file.is_rust()).flat_map(|file| functions(&file.text)).collect();
    let mut found = Vec::new();
    for (index, line) in page.text.lines().enumerate() {
        let Some(named) = named_tests(line) else { continue };
        if named.is_empty() {
            found.push(Violation::line(PAGE, index, "a promise without a test: name one, or do not promise it"));
        }
        let missing = named.into_iter().filter(|name| !functions.contains(name));
        found.extend(missing.map(|name| Violation::line(PAGE, index, format!("there is no test `{name}`"))));
    }
    found
}

/// What stands in the second column of a table; `None` for other lines.
fn named_tests(line: &str) -> Option<Vec<&str>> {
    let column = line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | ")?.1;
    (column != "tests").then(|| column.split('`').skip(1).step_by(2).collect())
}

/// The names of the functions that a file defines.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = ["pub(crate) ", "pub "].iter().find_map(|start| line.strip_prefix(start)).unwrap_or(line);
        let rest = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
    })
}

#[cfg(test)]
mod tests;
