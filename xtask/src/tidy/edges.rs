//! Which package may depend on which. A new edge is a decision: it changes the table here, in a commit of its own.

use super::{
    Violation,
    snapshot::{Dependency, Kind, Package},
};

/// What a package may use of this workspace.
struct Edges {
    package: &'static str,
    normal: &'static [&'static str],
    dev: &'static [&'static str],
}

#[rustfmt::skip]
const EDGES: &[Edges] = &[
    Edges { package: "bencher-types", normal: &[], dev: &[] },
    Edges { package: "bencher-analysis", normal: &["bencher-types"], dev: &[] },
    Edges { package: "bencher-oci", normal: &["bencher-types"], dev: &[] },
    Edges { package: "bencher-init", normal: &[], dev: &[] },
    Edges { package: "bencher-api", normal: &["bencher-types", "bencher-analysis"], dev: &["bencher-sim", "bad-line"] },
    Edges { package: "bencher-runner", normal: &["bencher-types", "bencher-oci", "bencher-init"], dev: &[] },
    Edges { package: "bencher-cli", normal: &["bencher-types", "bencher-analysis", "bencher-oci"], dev: &[] },
    Edges { package: "bencher-it", normal: &[], dev: &["bencher-types", "bencher-analysis", "bencher-oci", "bencher-init", "bencher-api", "bencher-runner", "bencher-cli", "bad-line"] },
    // Both ends of the channel meet in it, as they do in the tests of the whole; no program of the product is made with it.
    Edges { package: "bencher-sim", normal: &["bencher-types", "bencher-api", "bencher-runner"], dev: &[] },
    Edges { package: "bencher-chaos", normal: &["bad-line", "private-postgres"], dev: &[] },
    Edges { package: "bad-line", normal: &[], dev: &[] },
    Edges { package: "private-postgres", normal: &[], dev: &[] },
    Edges { package: "uml-shim", normal: &[], dev: &[] },
    Edges { package: "firecracker-stand-in", normal: &[], dev: &[] },
    Edges { package: "xtask", normal: &["private-postgres"], dev: &[] },
];

/// Packages of data and rules only: what they need must not bring the outside world in.
const PURE: &[&str] = &["bencher-types", "bencher-analysis"];

/// Crates, or families of crates by their first word, that do I/O.
const OUTSIDE_WORLD: &[&str] = &[
    "async",
    "axum",
    "diesel",
    "futures",
    "http",
    "hyper",
    "libc",
    "nix",
    "object_store",
    "reqwest",
    "rusqlite",
    "rustix",
    "rustls",
    "smol",
    "sqlx",
    "tar",
    "tempfile",
    "tokio",
    "tower",
    "tungstenite",
    "ureq",
];

pub(super) fn check(packages: &[Package]) -> Vec<Violation> {
    packages
        .iter()
        .flat_map(|package| package.dependencies.iter().filter_map(|dependency| problem(package, dependency)))
        .collect()
}

fn problem(package: &Package, dependency: &Dependency) -> Option<Violation> {
    let message = if dependency.path.is_some() { internal(package, dependency)? } else { external(package, dependency)? };
    Some(Violation::file(&format!("package {}", package.name), message))
}

fn internal(package: &Package, dependency: &Dependency) -> Option<String> {
    let Some(edges) = EDGES.iter().find(|edges| edges.package == package.name) else {
        return Some("is not in the table of edges; add it to xtask/src/tidy/edges.rs".to_owned());
    };
    let name = dependency.name.as_str();
    let allowed = match dependency.kind {
        None => edges.normal.contains(&name),
        // What a package may use, its tests may use too.
        Some(Kind::Dev) => edges.normal.contains(&name) || edges.dev.contains(&name),
        Some(Kind::Build) => false,
    };
    let may_use = if dependency.kind == Some(Kind::Dev) { [edges.normal, edges.dev].concat() } else { edges.normal.to_vec() };
    (!allowed).then(|| format!("must not depend on {name}; it may use: {}", list(&may_use)))
}

fn external(package: &Package, dependency: &Dependency) -> Option<String> {
    let family = dependency.name.split(['-', '_']).next().unwrap_or_default();
    let outside = OUTSIDE_WORLD.contains(&family) || OUTSIDE_WORLD.contains(&dependency.name.as_str());
    let forbidden = PURE.contains(&package.name.as_str()) && dependency.kind.is_none() && outside;
    forbidden.then(|| format!("is data and rules only and must not depend on {}", dependency.name))
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "no package of this workspace".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
