//! Who is sending how many uploads just now: each takes memory, so nobody may have any number of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Everybody who is sending.
#[derive(Debug)]
pub(super) struct Senders {
    most: usize,
    sending: Arc<Mutex<HashMap<String, usize>>>,
}

/// One upload that is being sent, until this is dropped.
#[derive(Debug)]
#[must_use = "it counts for as long as it is there"]
pub(super) struct Sending {
    principal: String,
    sending: Arc<Mutex<HashMap<String, usize>>>,
}

impl Senders {
    pub(super) fn new(most: usize) -> Self {
        Self { most, sending: Arc::default() }
    }

    /// One more of this caller, or how many there may be.
    pub(super) fn admit(&self, principal: &str) -> Result<Sending, u64> {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let count = sending.entry(principal.to_owned()).or_default();
        if *count >= self.most {
            return Err(u64::try_from(self.most).unwrap_or(u64::MAX));
        }
        *count += 1;
        Ok(Sending { principal: principal.to_owned(), sending: self.sending.clone() })
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = sending.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                sending.remove(&self.principal);
            }
        }
    }
}

#[cfg(test)]
mod tests;
