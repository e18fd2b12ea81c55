//! Failures of the guest itself, put into the words of the protocol.

use std::{error::Error, fmt::Display};

use bencher_init::control::GuestFailure;

/// For `map_err`: what the guest could not do, and the reason.
pub(crate) fn system<E: Display>(action: impl Into<String>) -> impl FnOnce(E) -> GuestFailure {
    let action = action.into();
    move |error| GuestFailure::System { action, reason: error.to_string() }
}

/// For `map_err`: what could not be mounted.
pub(crate) fn mount<E: Display>(what: impl Into<String>) -> impl FnOnce(E) -> GuestFailure {
    let what = what.into();
    move |error| GuestFailure::Mount { what, reason: error.to_string() }
}

/// An error with its sources, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
