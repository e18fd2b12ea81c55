//! Runs the fuzz target `names`.

#![no_main]

#[path = "../../targets/names.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
