//! An endpoint, of either side, and how `endpoints.txt` writes one.

use std::collections::BTreeMap;

use super::shape::{Shape, shape};

#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, Parameter>,
    pub(crate) request: Option<Shape>,
    pub(crate) status: String,
    pub(crate) answer: Option<Shape>,
}

#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) required: bool,
    /// Where its values are described.
    pub(crate) shape: Option<Shape>,
}

impl Endpoint {
    /// Method and path; what the parameters in the path are called does not matter.
    pub(crate) fn key(&self) -> String {
        let parts = self.path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        format!("{} {}", self.method, parts.collect::<Vec<_>>().join("/"))
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Reads `endpoints.txt`.
pub(crate) fn read(text: &str) -> Vec<Endpoint> {
    text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).map(line).collect()
}

fn line(line: &str) -> Endpoint {
    let (call, success) = line.split_once(" > ").unwrap_or_else(|| panic!("nothing is said of the answer: {line}"));
    let (call, request) = call.split_once(" < ").map_or((call, None), |(call, body)| (call, Some(shape(body))));
    let (status, answer) = success.split_once(' ').map_or((success, None), |(status, body)| (status, Some(shape(body))));
    let mut words = call.split_whitespace();
    let mut word = || words.next().unwrap_or_else(|| panic!("a method and a path were expected: {line}")).to_owned();
    let (method, path) = (word(), word());
    Endpoint { method, path, query: words.map(parameter).collect(), request, status: status.to_owned(), answer }
}

fn parameter(word: &str) -> (String, Parameter) {
    let word = word.strip_prefix('?').unwrap_or_else(|| panic!("a query parameter begins with `?`: {word}"));
    let (name, of) = word.split_once(':').map_or((word, None), |(name, of)| (name, Some(shape(of))));
    (name.trim_end_matches('!').to_owned(), Parameter { required: name.ends_with('!'), shape: of })
}
