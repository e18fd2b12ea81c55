//! Runs the fuzz target `registry`.

#![no_main]

#[path = "../../targets/registry.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
