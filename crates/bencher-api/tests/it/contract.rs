//! Our API against what clients of the v0.6 series call and read: `tests/contract/*.txt` against our OpenAPI document.

mod compare;
mod endpoint;
mod ours;
mod shape;

use std::collections::BTreeSet;

use bencher_api::openapi;
use serde_json::Value;

use self::{
    compare::{Comparison, Direction},
    endpoint::Endpoint,
    shape::Shape,
};

const ENDPOINTS: &str = include_str!("../contract/endpoints.txt");
const SCHEMAS: &str = include_str!("../contract/schemas.txt");
const MISSING_SO_FAR: &str = include_str!("../contract/missing_so_far.txt");
const ON_PURPOSE: &str = include_str!("../contract/on_purpose.txt");

/// The image registry is described by the OCI distribution specification and not by our document.
fn is_registry(endpoint: &Endpoint) -> bool {
    endpoint.path.starts_with("/v2")
}

fn differences() -> BTreeSet<String> {
    let document: Value = serde_json::to_value(openapi::document()).unwrap();
    let (theirs, ours) = (shape::read(SCHEMAS), ours::schemas(&document));
    let served = ours::endpoints(&document);
    let mut comparison = Comparison::new(&theirs, &ours);
    let error = Shape::Name("Error".to_owned());
    comparison.shapes(Direction::Answer, "failures", &error, &error);
    for endpoint in endpoint::read(ENDPOINTS).iter().filter(|endpoint| !is_registry(endpoint)) {
        match served.get(&endpoint.key()) {
            Some(served) => comparison.endpoint(endpoint, served),
            None => drop(comparison.differences.insert(format!("{}: is missing", endpoint.name()))),
        }
    }
    comparison.differences
}

/// Method and path of every endpoint that is not written down as missing, the registry's among them.
pub(crate) fn routes_so_far() -> Vec<(String, String)> {
    let missing = lines(MISSING_SO_FAR);
    let endpoints = endpoint::read(ENDPOINTS).into_iter();
    let served = endpoints.filter(|endpoint| !missing.contains(&format!("{}: is missing", endpoint.name())));
    served.map(|endpoint| (endpoint.method, endpoint.path)).collect()
}

fn lines(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn our_api_differs_from_the_contract_only_where_it_is_written_down() {
    let found = differences();
    let mut written: BTreeSet<String> = lines(MISSING_SO_FAR);
    written.extend(lines(ON_PURPOSE));
    let list = |of: BTreeSet<&String>| of.into_iter().map(|line| format!("\n  {line}")).collect::<String>();
    let (new, gone) = (list(found.difference(&written).collect()), list(written.difference(&found).collect()));
    assert!(new.is_empty(), "the API no longer keeps the contract of crates/bencher-api/tests/contract:{new}");
    assert!(gone.is_empty(), "no longer so; take these lines out of missing_so_far.txt or on_purpose.txt:{gone}");
}

#[test]
fn every_shape_of_the_contract_is_described_and_used() {
    let schemas = shape::read(SCHEMAS);
    let mut used = BTreeSet::new();
    let mut follow: Vec<Shape> = Vec::new();
    for endpoint in endpoint::read(ENDPOINTS) {
        follow.extend(endpoint.query.into_values().filter_map(|parameter| parameter.shape));
        follow.extend([endpoint.request, endpoint.answer].into_iter().flatten());
    }
    // The body of every failure.
    follow.push(Shape::Name("Error".to_owned()));
    while let Some(shape) = follow.pop() {
        match shape {
            Shape::Name(name) => {
                let described = schemas.get(&name).unwrap_or_else(|| panic!("{name} is described nowhere"));
                if used.insert(name) {
                    follow.push(described.clone());
                }
            }
            Shape::List(inner) | Shape::Map(inner) => follow.push(*inner),
            Shape::Either(members) => follow.extend(members),
            Shape::Object(fields) => follow.extend(fields.into_values().map(|field| field.shape)),
            Shape::Any
            | Shape::Null
            | Shape::Boolean
            | Shape::String(_)
            | Shape::Texts(_)
            | Shape::Integer { .. }
            | Shape::Number => {}
        }
    }
    let unused: Vec<_> = schemas.keys().filter(|name| !used.contains(*name)).collect();
    assert!(unused.is_empty(), "described and used by no endpoint: {unused:?}");
}
