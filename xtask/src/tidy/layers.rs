//! Directions inside a crate: which module may use which, and which outside names a module must not know.

use std::collections::BTreeSet;

use super::{Violation, code, snapshot::TextFile};

/// A group of top-level modules of a crate with the same rule.
struct Layer {
    package: &'static str,
    name: &'static str,
    modules: Modules,
    may_use: MayUse,
    /// Identifiers of other crates that do not belong here.
    unknown_here: &'static [&'static str],
}

enum Modules {
    These(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

/// Which of the crate's own top-level modules may be named. A layer's own modules always may.
enum MayUse {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

/// The API's edge, its shell and what everything may use; all other modules are the domain.
const API_NOT_DOMAIN: &[&str] = &[
    "http", "channel", "error", "openapi", // the edge
    "main", "lib", "app", "config", // the shell, which puts the parts together
    "store", "schedule", "chain", "limits", "clock", // below the domain
];

/// Addresses are data; sockets and files are not.
const IO: &[&str] = &["async", "std::fs", "std::env", "std::process", "TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs"];

const LAYERS: &[Layer] = &[
    Layer {
        package: "bencher-api",
        name: "store",
        modules: Modules::These(&["store"]),
        may_use: MayUse::Only(&["schedule", "chain", "limits", "clock"]),
        unknown_here: &["axum", "tower_http", "StatusCode", "tokio_tungstenite"],
    },
    Layer {
        package: "bencher-api",
        name: "domain",
        modules: Modules::AllBut(API_NOT_DOMAIN),
        may_use: MayUse::AllBut(&["http", "channel", "error", "openapi"]),
        unknown_here: &["axum", "tower_http", "StatusCode", "sqlx"],
    },
    Layer {
        package: "bencher-api",
        name: "edge",
        modules: Modules::These(&["http", "channel", "error", "openapi"]),
        may_use: MayUse::AllBut(&[]),
        unknown_here: &["sqlx"],
    },
    Layer {
        package: "bencher-runner",
        name: "sandbox and tuning",
        modules: Modules::These(&["sandbox", "tuning"]),
        may_use: MayUse::AllBut(&["daemon", "channel", "job"]),
        unknown_here: &["reqwest", "tokio_tungstenite"],
    },
    Layer {
        package: "bencher-types",
        name: "vocabulary",
        modules: Modules::AllBut(&[]),
        may_use: MayUse::AllBut(&[]),
        unknown_here: IO,
    },
    Layer {
        package: "bencher-analysis",
        name: "analysis",
        modules: Modules::AllBut(&[]),
        may_use: MayUse::AllBut(&[]),
        unknown_here: IO,
    },
];

pub(super) fn check(files: &[TextFile]) -> Vec<Violation> {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    // What is named from a crate's root may also be a macro, a type or a function.
    let is_module = |package: &str, name: &str| paths.contains(format!("crates/{package}/src/{name}.rs").as_str());
    files.iter().filter(|file| file.is_rust() && !file.is_test()).flat_map(|file| check_file(file, &is_module)).collect()
}

fn check_file(file: &TextFile, is_module: &impl Fn(&str, &str) -> bool) -> Vec<Violation> {
    let Some((package, rest)) = file.in_crate() else { return Vec::new() };
    let module = rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs");
    let code = code::code_only(&file.text);
    let mut found = Vec::new();
    for layer in LAYERS.iter().filter(|layer| layer.package == package && layer.has(module)) {
        for (at, used) in own_modules_used(&code, depth(rest)) {
            if is_module(package, &used) && !layer.has(&used) && !layer.may_use(&used) {
                let message = format!("{} must not use `crate::{used}`", layer.name);
                found.push(Violation::line(&file.path, line_of(&code, at), message));
            }
        }
        for unknown in layer.unknown_here {
            for at in places(&code, unknown) {
                found.push(Violation::line(&file.path, line_of(&code, at), format!("{} must not know `{unknown}`", layer.name)));
            }
        }
    }
    found.sort();
    found
}

impl Layer {
    fn has(&self, module: &str) -> bool {
        match self.modules {
            Modules::These(modules) => modules.contains(&module),
            Modules::AllBut(modules) => !modules.contains(&module),
        }
    }

    fn may_use(&self, module: &str) -> bool {
        match self.may_use {
            MayUse::Only(modules) => modules.contains(&module),
            MayUse::AllBut(modules) => !modules.contains(&module),
        }
    }
}

/// How many `super::` lead from a file to the crate's root. `path` is below `src/`.
fn depth(path: &str) -> usize {
    if path == "lib.rs" || path == "main.rs" { 0 } else { path.split('/').count() }
}

/// Where a name of another crate stands: `name`, or `std::name` also within `std::{name, …}`.
fn places(code: &str, name: &str) -> Vec<usize> {
    match name.strip_prefix("std::") {
        Some(module) => named_from(code, "std").into_iter().filter(|(_, used)| used == module).map(|(at, _)| at).collect(),
        None => code::words(code, name).collect(),
    }
}

/// Top-level modules named from the root of the crate, by `crate::a`, `crate::{a, b::c}` or enough `super::`.
fn own_modules_used(code: &str, depth: usize) -> Vec<(usize, String)> {
    let up = "super::".repeat(depth);
    let mut found = named_from(code, "crate");
    if depth > 0 {
        for (at, _) in code.match_indices(&up) {
            let continues = code[..at].ends_with("::") || code[at + up.len()..].starts_with("super");
            if !continues {
                found.extend(first_segments(&code[at + up.len()..]).into_iter().map(|module| (at, module)));
            }
        }
    }
    found
}

/// What follows `root::`, and where it stands.
fn named_from(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in code::words(code, root) {
        if let Some(rest) = code[at + root.len()..].strip_prefix("::") {
            found.extend(first_segments(rest).into_iter().map(|name| (at, name)));
        }
    }
    found
}

/// The first names of a path: one, or those of a group in braces.
fn first_segments(path: &str) -> Vec<String> {
    let name = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut depth = 0_usize;
    let mut start = 0;
    let mut segments = Vec::new();
    for (at, symbol) in group.char_indices() {
        match symbol {
            '{' => depth += 1,
            '}' if depth == 0 => {
                segments.push(name(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                segments.push(name(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    segments.retain(|segment| !segment.is_empty());
    segments
}

/// Counted from 0.
fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count()
}

#[cfg(test)]
mod tests;
