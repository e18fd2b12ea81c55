//! Tests of the crate's public way: real layers, real tools, the real kernel; only the registry is simulated.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

mod archives;
mod assemble;
mod clone;
mod copies;
mod corpus;
mod ext4;
mod flatten;
mod hostile;
mod hostile_images;
mod hostile_registry;
mod images;
mod merge_model;
mod merge_rules;
mod real_tools;
mod registry_pull;
mod registry_push;
mod support;
