//! What `cargo xtask bench overhead` runs in every place: loops that ask a processor, its memory and a kernel for one thing
//! each. Prints a line `NAME NANOSECONDS` for every loop, the time of one step.
//!
//! Each loop runs for a time and not a number of steps, since a step may take a hundred times as long elsewhere. Knows
//! nothing of where it runs, and needs nothing beside it.

#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Bytes of the memory that is copied or read from: more than the caches that one processor has to itself.
const MEMORY: usize = 32 << 20;
const PAGE: usize = 4096;
/// Bytes of new memory at a time.
const FRESH: usize = 16 << 20;
/// Where nothing else is said, for each loop.
const DEFAULT_MILLIS: u64 = 250;

fn main() -> ExitCode {
    let millis = match std::env::args().nth(1).map(|word| word.parse::<u64>()) {
        None => DEFAULT_MILLIS,
        Some(Ok(millis)) => millis,
        Some(Err(_)) => return ExitCode::from(2),
    };
    let time = Duration::from_millis(millis);
    println!("integers {}", step(time, integers()));
    println!("copy {}", step(time, copy()));
    println!("random {}", step(time, random_reads()));
    println!("pages {}", step(time, fresh_pages));
    println!("syscalls {}", step(time, system_calls));
    ExitCode::SUCCESS
}

/// The nanoseconds of one step of a loop. Each call of `batch` does some steps and says how many; the first is for warming up.
fn step(time: Duration, mut batch: impl FnMut() -> u32) -> f64 {
    batch();
    let begun = Instant::now();
    let mut steps = 0.0;
    loop {
        steps += f64::from(batch());
        let elapsed = begun.elapsed();
        if elapsed >= time {
            return elapsed.as_secs_f64() * 1e9 / steps;
        }
    }
}

/// A step is three shifts and a multiplication, each of which waits for the one before.
fn integers() -> impl FnMut() -> u32 {
    const STEPS: u32 = 500_000;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        for _ in 0..STEPS {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state = state.wrapping_mul(0x2545_f491_4f6c_dd1d);
        }
        black_box(state);
        STEPS
    }
}

/// A step is a mebibyte from one place to another.
fn copy() -> impl FnMut() -> u32 {
    const STEPS: u32 = 32;
    // Written, so that the pages exist.
    let from = vec![black_box(1_u8); MEMORY];
    let mut to = vec![black_box(2_u8); MEMORY];
    move || {
        to.copy_from_slice(black_box(&from));
        black_box(&mut to);
        STEPS
    }
}

/// A step is a read from a place that is known only after the read before it.
fn random_reads() -> impl FnMut() -> u32 {
    const STEPS: u32 = 100_000;
    const ENTRIES: u32 = 1 << 23;
    let table = vec![black_box(1_u32); MEMORY / size_of::<u32>()];
    let mut place = 0_u32;
    move || {
        for _ in 0..STEPS {
            // What is read is added, so that nobody knows the sum beforehand; together they visit every entry.
            let read = table[(place % ENTRIES) as usize];
            place = place.wrapping_mul(1_664_525).wrapping_add(1_013_904_222).wrapping_add(read);
        }
        black_box(place);
        STEPS
    }
}

/// A step is the first write to a page that the process did not have before.
fn fresh_pages() -> u32 {
    const STEPS: u32 = 4096;
    let mut memory = vec![0_u8; FRESH];
    for page in memory.chunks_mut(PAGE) {
        page[0] = black_box(1);
    }
    black_box(&mut memory);
    STEPS
}

/// A step is the shortest call of the kernel.
fn system_calls() -> u32 {
    const STEPS: u32 = 1000;
    for _ in 0..STEPS {
        // Never answered from memory of the process, unlike its own number or the time.
        black_box(std::os::unix::process::parent_id());
    }
    STEPS
}
