//! The description of the API: checked in, complete, and without anything that is there twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use bencher_api::openapi;
use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

/// The document whose table of endpoints is made from the description.
const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");
/// What is around that table.
const MARKERS: [&str; 2] = ["<!-- endpoints: made from openapi.json by a test -->\n", "<!-- end of endpoints -->\n"];

fn document() -> Value {
    serde_json::to_value(openapi::document()).unwrap()
}

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation.clone()))
    });
    operations.collect()
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                found.insert(reference.to_owned());
            }
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_checked_in_description_is_the_servers() {
    let current = serde_json::to_string_pretty(&openapi::document()).unwrap() + "\n";
    if std::env::var_os("BENCHER_BLESS").is_some() {
        std::fs::write(FILE, &current).unwrap();
    }
    let checked_in = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        checked_in == current,
        "{FILE} is not what the server says of itself: look at the change, then run this test with BENCHER_BLESS=1"
    );
}

/// The endpoints as a table: by tag, then by path, then by method.
fn table(document: &Value) -> String {
    let rows: BTreeSet<(String, String, String, String)> = operations(document)
        .into_iter()
        .map(|(route, operation)| {
            let (method, path) = route.split_once(' ').unwrap();
            let text = |value: &Value| value.as_str().unwrap_or_default().replace('|', "\\|");
            (text(&operation["tags"][0]), path.to_owned(), method.to_uppercase(), text(&operation["summary"]))
        })
        .collect();
    let mut table = "| tag | method | path | what it does |\n|---|---|---|---|\n".to_owned();
    for (tag, path, method, summary) in rows {
        writeln!(table, "| {tag} | {method} | `{path}` | {summary} |").unwrap();
    }
    table
}

#[test]
fn the_guide_lists_every_endpoint() {
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    let (before, rest) = guide.split_once(MARKERS[0]).expect("the guide has a marker before its endpoints");
    let (_, after) = rest.split_once(MARKERS[1]).expect("the guide has a marker after its endpoints");
    let current = format!("{before}{}\n{}\n{}{after}", MARKERS[0], table(&document()), MARKERS[1]);
    if std::env::var_os("BENCHER_BLESS").is_some() {
        std::fs::write(GUIDE, &current).unwrap();
    }
    let checked_in = std::fs::read_to_string(GUIDE).unwrap();
    assert!(checked_in == current, "the endpoints in {GUIDE} are not the server's: run this test with BENCHER_BLESS=1");
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_it_does() {
    let mut named = BTreeMap::new();
    for (route, operation) in operations(&document()) {
        let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{route} has no name")).to_owned();
        assert!(operation["summary"].is_string() || operation["description"].is_string(), "{route} does not say what it does");
        if let Some(other) = named.insert(name.clone(), route.clone()) {
            panic!("{route} and {other} are both called {name}");
        }
    }
}

#[test]
fn every_parameter_of_a_path_is_described() {
    for (route, operation) in operations(&document()) {
        let described: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let in_path: BTreeSet<&str> = route.split('{').skip(1).filter_map(|part| part.split('}').next()).collect();
        assert_eq!(described, in_path, "{route}");
    }
}

#[test]
fn whatever_is_referred_to_is_there() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} is not there");
    }
}

#[test]
fn schemas_have_the_names_that_clients_know() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in [
        "JsonNewRun",
        "JsonReport",
        "JsonJob",
        "JsonRunner",
        "JsonSpec",
        "JsonProject",
        "JsonNewUserKey",
        "JsonOneMetric",
        "Adapter",
        "JobStatus",
    ] {
        assert!(schemas.contains_key(name), "{name} is not among {:?}", schemas.keys().collect::<Vec<_>>());
    }
}
