//! The runner: takes jobs, runs benchmarks, delivers results.

pub mod limits;
pub mod sandbox;
