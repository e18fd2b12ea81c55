//! JSON objects read strictly: derived readers also take an array for an object, and maps keep the last of two entries
//! with the same key; either would turn a wrong file into wrong numbers.

use std::{fmt, marker::PhantomData};

use bencher_types::wire::adapter::Adapter;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::{AdapterError, excerpt};
use crate::limits::MAX_METRICS;

/// A whole text as one JSON value.
pub(super) fn read<'de, T: Deserialize<'de>>(
    adapter: Adapter,
    expected: &'static str,
    text: &'de str,
) -> Result<T, AdapterError> {
    serde_json::from_str(text).map_err(|source| AdapterError::Format {
        adapter,
        expected,
        found: excerpt::around(text, &source),
        source: Some((&source).into()),
    })
}

/// A `T` that only a JSON object is taken for.
pub(super) struct Object<T>(pub(super) T);

/// The entries of a JSON object in their order, those with the same key included; at most [`MAX_METRICS`] of them.
pub(super) struct Entries<T>(pub(super) Vec<(String, T)>);

/// The items of a JSON array; at most [`MAX_METRICS`] of them, so that a hostile output is not first built up in memory.
pub(super) struct List<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if entries.len() == MAX_METRICS {
                        return Err(A::Error::custom(format_args!("more than {MAX_METRICS} entries in one object")));
                    }
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    if list.len() == MAX_METRICS {
                        return Err(A::Error::custom(format_args!("more than {MAX_METRICS} items in one array")));
                    }
                    list.push(item);
                }
                Ok(List(list))
            }
        }

        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}
