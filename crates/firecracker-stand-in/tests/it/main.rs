//! The stand-in against what is known of Firecracker: its answers by a table, its process from outside, real guests in it,
//! and the jail around it.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails at that line")]

mod api;
mod jail;
mod process;
mod support;
mod vm;
