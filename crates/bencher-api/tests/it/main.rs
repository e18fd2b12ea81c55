//! The server over real HTTP, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod alerts;
mod anonymous;
mod backup;
mod billing;
mod channel;
mod contract;
mod contract_channel;
mod contract_requests;
mod deletion;
mod dimensions;
mod edge;
mod filing;
mod jobs;
mod mail;
mod matrix;
mod members;
mod migrations;
mod openapi;
mod perf;
mod plots;
mod project_keys;
mod projects;
mod queue;
mod registry;
mod rivals;
mod rows;
mod run;
mod runners;
mod server;
mod setup;
mod simulated;
mod specs;
mod start_points;
mod statements;
mod support;
mod thresholds;
mod tokens;
mod usage;
