//! Runs the fuzz target `guest`.

#![no_main]

#[path = "../../targets/guest.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
