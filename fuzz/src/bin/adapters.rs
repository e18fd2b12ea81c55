//! Runs the fuzz target `adapters`.

#![no_main]

#[path = "../../targets/adapters.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
