//! The time, for what is compared with the times that the server wrote.

/// Now.
pub(crate) fn now() -> jiff::Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    jiff::Timestamp::now()
}
