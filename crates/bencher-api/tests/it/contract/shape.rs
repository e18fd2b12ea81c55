//! The shapes of values, of either side, and how `schemas.txt` writes them.

use std::collections::BTreeMap;

/// What a JSON value may look like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Any,
    Null,
    Boolean,
    /// With its format, such as `uuid`.
    String(Option<String>),
    /// One of these texts.
    Texts(Vec<String>),
    Integer {
        least: i128,
        most: i128,
    },
    Number,
    List(Box<Shape>),
    Map(Box<Shape>),
    Object(BTreeMap<String, Field>),
    Either(Vec<Shape>),
    /// Described elsewhere, under this name.
    Name(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// Shapes by name.
pub(crate) type Schemas = BTreeMap<String, Shape>;

impl Shape {
    /// An integer of a format such as `uint32`; without one, of any size.
    pub(crate) fn integer(format: &str) -> Self {
        let (least, most) = match format {
            "int8" => (i8::MIN.into(), i8::MAX.into()),
            "int16" => (i16::MIN.into(), i16::MAX.into()),
            "int32" => (i32::MIN.into(), i32::MAX.into()),
            "int64" => (i64::MIN.into(), i64::MAX.into()),
            "uint8" => (0, u8::MAX.into()),
            "uint16" => (0, u16::MAX.into()),
            "uint32" => (0, u32::MAX.into()),
            // As wide as a machine word, of which a client may have a smaller one.
            "uint" | "uint64" => (0, u64::MAX.into()),
            _ => (i128::MIN, i128::MAX),
        };
        Self::Integer { least, most }
    }
}

/// Reads `schemas.txt`.
pub(crate) fn read(text: &str) -> Schemas {
    let mut schemas = Schemas::new();
    let mut object: Option<(String, BTreeMap<String, Field>)> = None;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if let (Some((_, fields)), true) = (&mut object, line.starts_with(' ')) {
            let (name, of) = line.trim().split_once(' ').unwrap_or_else(|| panic!("a field without a type: {line}"));
            let field = Field { required: !name.ends_with('?'), shape: shape(of) };
            fields.insert(name.trim_end_matches('?').to_owned(), field);
            continue;
        }
        if let Some((name, fields)) = object.take() {
            schemas.insert(name, Shape::Object(fields));
        }
        match line.split_once(" = ") {
            Some((name, of)) => drop(schemas.insert(name.to_owned(), shape(of))),
            None => object = Some((line.trim().to_owned(), BTreeMap::new())),
        }
    }
    if let Some((name, fields)) = object {
        schemas.insert(name, Shape::Object(fields));
    }
    schemas
}

/// Reads the right side of a line of `schemas.txt`, or the body of one of `endpoints.txt`.
pub(crate) fn shape(text: &str) -> Shape {
    let text = text.trim();
    let inner = |open: char, close: char| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    if text.contains('"') {
        return Shape::Texts(text.split('|').map(|one| one.trim().trim_matches('"').to_owned()).collect());
    }
    if text.contains('|') {
        return Shape::Either(text.split('|').map(shape).collect());
    }
    if let Some(item) = inner('[', ']') {
        return Shape::List(Box::new(shape(item)));
    }
    match inner('{', '}') {
        Some("") => return Shape::Object(BTreeMap::new()),
        Some(value) => return Shape::Map(Box::new(shape(value))),
        None => {}
    }
    let (kind, format) = text.split_once(' ').unwrap_or((text, ""));
    match kind {
        "any" => Shape::Any,
        "null" => Shape::Null,
        "boolean" => Shape::Boolean,
        "string" => Shape::String((!format.is_empty()).then(|| format.to_owned())),
        "integer" => Shape::integer(format),
        "number" => Shape::Number,
        name => Shape::Name(name.to_owned()),
    }
}
