//! The server over real HTTP, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod channel;
mod queue;
mod rows;
mod server;
mod specs;
mod support;
