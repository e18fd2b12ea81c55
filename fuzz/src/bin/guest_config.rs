//! Runs the fuzz target `guest_config`.

#![no_main]

#[path = "../../targets/guest_config.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
