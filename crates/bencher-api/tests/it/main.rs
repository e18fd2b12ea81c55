//! The server over real HTTP, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod anonymous;
mod channel;
mod dimensions;
mod jobs;
mod openapi;
mod project_keys;
mod projects;
mod queue;
mod registry;
mod rows;
mod run;
mod runners;
mod server;
mod setup;
mod specs;
mod support;
mod tokens;
