//! Integration tests of the runner: real processes, real kernel.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod binary;
mod control;
mod daemon;
mod failures;
mod install;
mod network;
mod real;
mod sandbox;
mod systemd;
mod transcripts;
mod verbs;
mod vm;
mod world;
