//! Runs the fuzz target `layout`.

#![no_main]

#[path = "../../targets/layout.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
