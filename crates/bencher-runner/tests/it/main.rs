//! Integration tests of the runner: real processes, real kernel.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod binary;
mod daemon;
mod real;
mod sandbox;
mod transcripts;
mod world;
