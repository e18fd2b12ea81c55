//! The real `bencher` binary against a small HTTP server that stands for the world.

#![expect(clippy::unwrap_used, reason = "a helper of a test that fails, fails the test")]

mod github;
mod here;
mod image;
mod image_places;
mod image_setup;
mod image_signing;
mod import;
mod logins;
mod output;
mod requests;
mod run_local;
mod run_remote;
mod shapes;
mod support;
mod terminal;
mod verbs;
