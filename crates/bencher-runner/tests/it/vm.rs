//! Benchmarks in microVMs: a real kernel, the real first process, real connections.
//!
//! Nothing here knows what is behind the programs: a processor that can start virtual machines, or a stand-in.

mod attacks;
mod harness;
mod iterations;
mod leftovers;
mod outcomes;
