//! Runs the fuzz target `documents`.

#![no_main]

#[path = "../../targets/documents.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
