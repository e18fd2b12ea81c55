//! Runs the fuzz target `new_run`.

#![no_main]

#[path = "../../targets/new_run.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
