//! Runs the fuzz target `signature`.

#![no_main]

#[path = "../../targets/signature.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
