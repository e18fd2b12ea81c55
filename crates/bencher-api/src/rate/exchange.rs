//! What this server has counted since it last told the others on the same database. Each charges its own buckets with what the others
//! counted, so that all of them together allow what is configured, and little more: what is counted twice within one exchange.
//!
//! Knows neither who the others are nor how they are told.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use crate::limits;

/// What was counted, by the number of its counter and by whom.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    counted: Mutex<HashMap<(usize, u128), u32>>,
}

/// So many of one counter, of one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) counter: usize,
    pub(super) key: u128,
    pub(super) number: u32,
}

impl Exchange {
    /// One was counted. Of more subjects than there is room for, nothing is told.
    pub(super) fn note(&self, counter: usize, key: u128) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() < limits::MAX_RATES_EXCHANGED || counted.contains_key(&(counter, key)) {
            let number = counted.entry((counter, key)).or_default();
            *number = number.saturating_add(1);
        }
    }

    /// What was counted since the last time, as texts of bounded length.
    pub(super) fn take(&self) -> Vec<String> {
        let counted = std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        let mut texts: Vec<String> = Vec::new();
        for ((counter, key), number) in counted {
            if texts.last().is_none_or(|text| text.len() > limits::MAX_RATES_TEXT_BYTES) {
                texts.push(String::new());
            }
            if let Some(text) = texts.last_mut() {
                write!(text, "{}{counter}:{key:x}:{number}", if text.is_empty() { "" } else { " " })
                    .expect("a text takes any other text");
            }
        }
        texts
    }
}

/// What another server wrote. What is not understood is passed over.
pub(super) fn read(text: &str) -> impl Iterator<Item = Counted> {
    text.split(' ').filter_map(|entry| {
        let mut parts = entry.split(':');
        let counter = parts.next()?.parse().ok()?;
        let key = u128::from_str_radix(parts.next()?, 16).ok()?;
        let number = parts.next()?.parse().ok()?;
        Some(Counted { counter, key, number })
    })
}

#[cfg(test)]
mod tests;
