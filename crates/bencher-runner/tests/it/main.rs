//! Integration tests of the runner: real processes, real kernel.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod daemon;
mod sandbox;
mod world;
