//! Rules for single source files: their documentation, length and name, and what must not be left in them.

use super::{Violation, code, snapshot::TextFile};

/// Over this a file is asked for a second idea inside, or for a reason.
const LONG: usize = 600;
/// Over this no reason is good enough.
const TOO_LONG: usize = 1000;
/// How the module doc of a long file begins the line with its reason.
const REASON: &str = "//! Long because ";

/// Names that tell nothing about what is inside.
const VAGUE: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "core"];

/// Words that mark unfinished work. Put together here, so that this file does not carry them.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Files of ours in which unfinished work hides.
const CODE_EXTENSIONS: &[&str] = &[".rs", ".toml", ".sql", ".sh", ".ts", ".tsx", ".css", ".html"];

/// Where the environment and the arguments are read; everywhere else they are passed in.
const READS_ENVIRONMENT: &[&str] = &["main.rs", "config.rs", "cli.rs"];

pub(super) fn check(files: &[TextFile]) -> Vec<Violation> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &TextFile) -> Vec<Violation> {
    let mut found = Vec::new();
    if CODE_EXTENSIONS.iter().any(|extension| file.path.ends_with(extension)) {
        found.extend(unfinished(file));
    }
    if file.is_rust() {
        found.extend(name(file));
        found.extend(attributes(file));
        if !file.is_test() {
            found.extend(documentation(file));
            found.extend(length(file));
            found.extend(environment(file));
        }
    }
    found
}

fn unfinished(file: &TextFile) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for word in UNFINISHED.iter().filter(|word| code::words(line, word).next().is_some()) {
            found.push(Violation::line(&file.path, index, format!("finish it or leave it out: {word} is left behind")));
        }
    }
    found
}

fn name(file: &TextFile) -> Option<Violation> {
    if file.name() == "mod.rs" {
        return Some(Violation::file(&file.path, "write `foo.rs` beside the folder `foo/` instead of `foo/mod.rs`"));
    }
    let mut parts = file.path.split('/').map(|part| part.trim_end_matches(".rs"));
    let vague = parts.find(|part| VAGUE.contains(part))?;
    Some(Violation::file(&file.path, format!("`{vague}` says nothing about what is inside; name the idea")))
}

fn attributes(file: &TextFile) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in code::code_only(&file.text).lines().enumerate() {
        let dense: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        if dense.contains("#[ignore") {
            found.push(Violation::line(&file.path, index, "a test that does not run is no test; mend it or remove it"));
        }
        if dense.contains("#[allow(") || dense.contains("#![allow(") {
            found.push(Violation::line(&file.path, index, "use `#[expect(lint, reason = \"…\")]`, which ends with its cause"));
        }
    }
    found
}

fn documentation(file: &TextFile) -> Option<Violation> {
    let documented =
        file.text.lines().next().is_some_and(|line| line.strip_prefix("//! ").is_some_and(|doc| !doc.trim().is_empty()));
    (!documented).then(|| Violation::file(&file.path, "begin with `//!`: what the module is for and what it must not know"))
}

fn length(file: &TextFile) -> Option<Violation> {
    let lines = file.text.lines().count();
    let reason = file.text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.starts_with(REASON));
    if lines > TOO_LONG {
        Some(Violation::file(&file.path, format!("{lines} lines; split it, over {TOO_LONG} there is no reason good enough")))
    } else if lines > LONG && !reason {
        Some(Violation::file(
            &file.path,
            format!("{lines} lines; find the second idea inside, or say `{REASON}…` in the module doc"),
        ))
    } else {
        None
    }
}

fn environment(file: &TextFile) -> Vec<Violation> {
    if file.in_crate().is_none() || READS_ENVIRONMENT.contains(&file.name()) {
        return Vec::new();
    }
    let code = code::code_only(&file.text);
    let reads = ["env::var", "env::var_os", "env::vars", "env::vars_os", "env::args", "env::args_os"];
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        for read in reads.iter().filter(|read| code::words(line, read).next().is_some()) {
            let message =
                format!("only {} read the environment; pass the value instead of `{read}`", READS_ENVIRONMENT.join(", "));
            found.push(Violation::line(&file.path, index, message));
        }
    }
    found
}

#[cfg(test)]
mod tests;
