//! The stand-in against what is known of Firecracker: its answers by a table, its process from outside, real guests in it,
//! and the jail around it.

mod api;
mod jail;
mod process;
mod support;
mod vm;
