//! Benchmarks in microVMs.

pub mod network;
