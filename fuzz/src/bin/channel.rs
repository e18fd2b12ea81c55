//! Runs the fuzz target `channel`.

#![no_main]

#[path = "../../targets/channel.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
