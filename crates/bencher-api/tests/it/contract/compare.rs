//! Whether what one side sends is what the other one takes. Each difference is one line that a person can act on.
//!
//! In a request the client sends and we read; in an answer we send and the client reads. Both times every value of the
//! sender must be one of the reader, and every field that the reader knows should be there.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    endpoint::Endpoint,
    shape::{Field, Schemas, Shape},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// They send, we read.
    Request,
    /// We send, they read.
    Answer,
}

type Fields = BTreeMap<String, Field>;

#[derive(Debug)]
pub(crate) struct Comparison<'a> {
    theirs: &'a Schemas,
    ours: &'a Schemas,
    /// Pairs of names that are compared already: each is told of once.
    compared: BTreeSet<(Direction, String, String)>,
    pub(crate) differences: BTreeSet<String>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(theirs: &'a Schemas, ours: &'a Schemas) -> Self {
        Self { theirs, ours, compared: BTreeSet::new(), differences: BTreeSet::new() }
    }

    fn tell(&mut self, difference: impl Into<String>) {
        self.differences.insert(difference.into());
    }

    pub(crate) fn endpoint(&mut self, theirs: &Endpoint, ours: &Endpoint) {
        let name = theirs.name();
        for (parameter, described) in &theirs.query {
            let Some(known) = ours.query.get(parameter) else {
                self.tell(format!("{name}: the query parameter `{parameter}` is missing"));
                continue;
            };
            if known.required && !described.required {
                self.tell(format!("{name}: the query parameter `{parameter}` is required, which it was not"));
            }
            if let (Some(theirs), Some(ours)) = (&described.shape, &known.shape) {
                self.shapes(Direction::Request, &format!("{name}?{parameter}"), theirs, ours);
            }
        }
        for (parameter, _) in ours.query.iter().filter(|(known, ours)| ours.required && !theirs.query.contains_key(*known)) {
            self.tell(format!("{name}: the query parameter `{parameter}` is required, of which clients know nothing"));
        }
        if theirs.status == "default" {
            return;
        }
        if theirs.status != ours.status {
            self.tell(format!("{name}: answers {}, not {}", ours.status, theirs.status));
        }
        self.bodies(Direction::Request, &format!("{name} request"), theirs.request.as_ref(), ours.request.as_ref());
        self.bodies(Direction::Answer, &format!("{name} answer"), theirs.answer.as_ref(), ours.answer.as_ref());
    }

    fn bodies(&mut self, direction: Direction, at: &str, theirs: Option<&Shape>, ours: Option<&Shape>) {
        match (theirs, ours) {
            (Some(theirs), Some(ours)) => self.shapes(direction, at, theirs, ours),
            (Some(_), None) => self.tell(format!("{at}: has no body, or none that is described")),
            (None, Some(_)) => self.tell(format!("{at}: has a body, of which clients know nothing")),
            (None, None) => {}
        }
    }

    /// Compares two shapes that stand at the same place.
    pub(crate) fn shapes(&mut self, direction: Direction, at: &str, theirs: &Shape, ours: &Shape) {
        let (at, theirs, their_name) = self.resolve(at, theirs, self.theirs);
        let (_, ours, our_name) = self.resolve(&at, ours, self.ours);
        if let (Some(theirs), Some(ours)) = (their_name, our_name)
            && !self.compared.insert((direction, theirs, ours))
        {
            return;
        }
        match (theirs, ours) {
            (Shape::Object(theirs), Shape::Object(ours)) => self.fields(direction, &at, theirs, ours),
            (Shape::List(theirs), Shape::List(ours)) => self.shapes(direction, &format!("{at}[]"), theirs, ours),
            (Shape::Map(theirs), Shape::Map(ours)) => self.shapes(direction, &format!("{at}{{}}"), theirs, ours),
            (theirs, ours) => {
                let (sent, read) = match direction {
                    Direction::Request => (theirs, ours),
                    Direction::Answer => (ours, theirs),
                };
                self.either(direction, &at, sent, read);
            }
        }
    }

    /// Every alternative of the sender must be one that the reader takes.
    fn either(&mut self, direction: Direction, at: &str, sent: &Shape, read: &Shape) {
        if let Shape::Either(sent) = sent {
            for one in sent {
                self.pair(direction, at, one, read);
            }
        } else if let Shape::Either(alternatives) = read {
            let of_kind: Vec<&Shape> = alternatives.iter().filter(|one| self.kind(one) == self.kind(sent)).collect();
            let candidates = if of_kind.is_empty() { alternatives.iter().collect() } else { of_kind };
            let failures = candidates.into_iter().map(|one| self.attempt(direction, at, sent, one));
            // The alternative that comes closest is the one that was meant.
            let closest = failures.min_by_key(BTreeSet::len).unwrap_or_default();
            self.differences.extend(closest);
        } else if let Some(difference) = plain(sent, read) {
            let direction = match direction {
                Direction::Request => "clients send",
                Direction::Answer => "the server sends",
            };
            self.tell(format!("{at}: {direction} {difference}"));
        }
    }

    fn pair(&mut self, direction: Direction, at: &str, sent: &Shape, read: &Shape) {
        match direction {
            Direction::Request => self.shapes(direction, at, sent, read),
            Direction::Answer => self.shapes(direction, at, read, sent),
        }
    }

    /// The differences there would be, without telling of them.
    fn attempt(&self, direction: Direction, at: &str, sent: &Shape, read: &Shape) -> BTreeSet<String> {
        let mut attempt = Self::new(self.theirs, self.ours);
        attempt.pair(direction, at, sent, read);
        attempt.differences
    }

    fn fields(&mut self, direction: Direction, at: &str, theirs: &Fields, ours: &Fields) {
        for (name, described) in theirs {
            let at = format!("{at}.{name}");
            let Some(known) = ours.get(name) else {
                self.tell(format!("{at}: is missing"));
                continue;
            };
            match direction {
                Direction::Request if known.required && !described.required => {
                    self.tell(format!("{at}: is required in requests, which it was not"));
                }
                Direction::Answer if described.required && !known.required => {
                    self.tell(format!("{at}: may be absent from answers, which it could not"));
                }
                _ => {}
            }
            // What may be absent may be null instead, on both sides.
            let with_null = |field: &Field| match field.required {
                true => field.shape.clone(),
                false => Shape::Either(vec![field.shape.clone(), Shape::Null]),
            };
            self.shapes(direction, &at, &with_null(described), &known.shape);
        }
        if direction == Direction::Request {
            for (name, _) in ours.iter().filter(|(name, field)| field.required && !theirs.contains_key(*name)) {
                self.tell(format!("{at}.{name}: is required in requests, of which clients know nothing"));
            }
        }
    }

    /// What a shape is, roughly: of the same kind are shapes that were meant to be the same.
    fn kind<'s>(&'s self, mut shape: &'s Shape) -> &'static str {
        while let Shape::Name(name) = shape {
            let found = self.theirs.get(name).or_else(|| self.ours.get(name));
            shape = found.unwrap_or_else(|| panic!("{name} is described nowhere"));
        }
        match shape {
            Shape::Any => "any",
            Shape::Null => "null",
            Shape::Boolean => "boolean",
            Shape::String(_) | Shape::Texts(_) => "string",
            Shape::Integer { .. } | Shape::Number => "number",
            Shape::List(_) => "list",
            Shape::Map(_) | Shape::Object(_) => "object",
            Shape::Either(_) => "either",
            Shape::Name(_) => unreachable!("names were followed"),
        }
    }

    /// Follows names. The last name is where the shape is described, and what a difference is told of.
    fn resolve<'s>(&self, at: &str, shape: &'s Shape, schemas: &'s Schemas) -> (String, &'s Shape, Option<String>) {
        let (mut at, mut shape, mut last) = (at.to_owned(), shape, None);
        while let Shape::Name(name) = shape {
            shape = schemas.get(name).unwrap_or_else(|| panic!("{at}: {name} is described nowhere"));
            if matches!(shape, Shape::Object(_)) {
                at.clone_from(name);
            }
            last = Some(name.clone());
        }
        (at, shape, last)
    }
}

/// How two shapes without parts differ, if what is sent is not always what is read.
fn plain(sent: &Shape, read: &Shape) -> Option<String> {
    let fits = match (sent, read) {
        (_, Shape::Any)
        | (Shape::Null, Shape::Null)
        | (Shape::Boolean, Shape::Boolean)
        | (Shape::Number | Shape::Integer { .. }, Shape::Number)
        | (Shape::Texts(_), Shape::String(None)) => true,
        (Shape::Texts(sent), Shape::Texts(read)) => {
            let unknown: Vec<&str> = sent.iter().filter(|one| !read.contains(one)).map(String::as_str).collect();
            return (!unknown.is_empty()).then(|| format!("{}, which the other side does not know", unknown.join(", ")));
        }
        // A format that only one side names narrows nothing that the other one checks.
        (Shape::String(sent), Shape::String(read)) => sent.is_none() || read.is_none() || sent == read,
        (Shape::Integer { least, most }, Shape::Integer { least: from, most: to }) => least >= from && most <= to,
        _ => false,
    };
    (!fits).then(|| format!("{}, where {} is read", in_words(sent), in_words(read)))
}

fn in_words(shape: &Shape) -> String {
    match shape {
        Shape::Any => "anything".to_owned(),
        Shape::Null => "null".to_owned(),
        Shape::Boolean => "a boolean".to_owned(),
        Shape::String(None) => "a string".to_owned(),
        Shape::String(Some(format)) => format!("a string ({format})"),
        Shape::Texts(texts) => texts.join("|"),
        Shape::Integer { least: i128::MIN, .. } => "an integer of any size".to_owned(),
        Shape::Integer { least, most } => format!("an integer from {least} to {most}"),
        Shape::Number => "a number".to_owned(),
        Shape::List(_) => "a list".to_owned(),
        Shape::Map(_) => "a map".to_owned(),
        Shape::Object(fields) => format!("an object with {} fields", fields.len()),
        Shape::Either(shapes) => shapes.iter().map(in_words).collect::<Vec<_>>().join(" or "),
        Shape::Name(name) => name.clone(),
    }
}
