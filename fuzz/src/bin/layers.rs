//! Runs the fuzz target `layers`.

#![no_main]

#[path = "../../targets/layers.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
