//! What our own OpenAPI document says, as shapes and endpoints.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    endpoint::{Endpoint, Parameter},
    shape::{Field, Schemas, Shape},
};

const COMPONENTS: &str = "#/components/schemas/";

pub(crate) fn schemas(document: &Value) -> Schemas {
    let components = document["components"]["schemas"].as_object().expect("components");
    components.iter().map(|(name, schema)| (name.clone(), shape(&merged(document, schema)))).collect()
}

/// An object that is described in parts (`allOf`), as one.
fn merged(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).expect("what is referred to");
        return merged(document, target);
    }
    let Some(parts) = schema["allOf"].as_array() else { return schema.clone() };
    let (mut properties, mut required) = (serde_json::Map::new(), Vec::new());
    for part in parts.iter().map(|part| merged(document, part)) {
        properties.extend(part["properties"].as_object().expect("an object has properties").clone());
        required.extend(part["required"].as_array().into_iter().flatten().cloned());
    }
    serde_json::json!({ "type": "object", "properties": properties, "required": required })
}

/// Every endpoint by its [`Endpoint::key`].
pub(crate) fn endpoints(document: &Value) -> BTreeMap<String, Endpoint> {
    let mut found = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let endpoint = endpoint(method, path, operation);
            found.insert(endpoint.key(), endpoint);
        }
    }
    found
}

fn endpoint(method: &str, path: &str, operation: &Value) -> Endpoint {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let query = parameters.filter(|parameter| parameter["in"] == "query").map(|parameter| {
        let shape = Some(shape(&parameter["schema"]));
        (parameter["name"].as_str().expect("a name").to_owned(), Parameter { required: parameter["required"] == true, shape })
    });
    let content = |value: &Value| {
        let types = value["content"].as_object()?;
        types.values().next().map(|media| shape(&media["schema"]))
    };
    let responses = operation["responses"].as_object().expect("responses");
    // Nothing is said of failures but success; where there are two, the first is the usual one.
    let success = responses.iter().find(|(status, _)| status.starts_with(['1', '2']));
    Endpoint {
        method: method.to_uppercase(),
        path: path.to_owned(),
        query: query.collect(),
        request: content(&operation["requestBody"]),
        status: success.map_or_else(|| "default".to_owned(), |(status, _)| status.clone()),
        answer: success.and_then(|(_, response)| content(response)),
    }
}

fn shape(schema: &Value) -> Shape {
    if let Some(reference) = schema["$ref"].as_str() {
        return Shape::Name(reference.strip_prefix(COMPONENTS).expect("a component").to_owned());
    }
    for either in ["oneOf", "anyOf"] {
        if let Some(members) = schema[either].as_array() {
            return Shape::Either(members.iter().map(shape).collect());
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        return Shape::Texts(values.iter().map(|value| value.as_str().expect("a text").to_owned()).collect());
    }
    match &schema["type"] {
        Value::String(kind) => of_type(kind, schema),
        Value::Array(kinds) => Shape::Either(kinds.iter().map(|kind| of_type(kind.as_str().expect("a type"), schema)).collect()),
        _ => Shape::Any,
    }
}

fn of_type(kind: &str, schema: &Value) -> Shape {
    match kind {
        "null" => Shape::Null,
        "boolean" => Shape::Boolean,
        "string" => Shape::String(schema["format"].as_str().map(str::to_owned)),
        "integer" => integer(schema),
        "number" => Shape::Number,
        "array" => Shape::List(Box::new(shape(&schema["items"]))),
        "object" => object(schema),
        other => panic!("a type of which the contract knows nothing: {other}"),
    }
}

/// An integer of its format; the document says tighter bounds where values are checked.
fn integer(schema: &Value) -> Shape {
    Shape::integer(schema["format"].as_str().unwrap_or_default())
}

fn object(schema: &Value) -> Shape {
    let Some(properties) = schema["properties"].as_object() else {
        return match &schema["additionalProperties"] {
            values @ Value::Object(_) => Shape::Map(Box::new(shape(values))),
            _ => Shape::Any,
        };
    };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = properties.iter().map(|(name, of)| {
        let field = Field { required: required.contains(&name.as_str()), shape: shape(of) };
        (name.clone(), field)
    });
    Shape::Object(fields.collect())
}
