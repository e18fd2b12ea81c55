//! `simulate`: runs worlds by number and says which of them went wrong.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a developer tool talks to a person, not to a log")]

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
};

use bencher_sim::{
    model::Model,
    scales,
    world::{Outcome, World},
};
use clap::Parser;

/// Run server, runners and network in one process, with everything that can go wrong, once for each seed
#[derive(Debug, Parser)]
#[command(name = "simulate")]
struct Args {
    /// How many seeds
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run this seed only, and print what happens
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(seed) = args.seed {
        let outcome = World::new(seed, scales::of(seed), Model::default()).traced().run();
        for line in &outcome.trace {
            println!("{line}");
        }
        return say(seed, &outcome);
    }
    let end = args.from.saturating_add(args.seeds);
    let next = AtomicU64::new(args.from);
    let wrong = AtomicUsize::new(0);
    let steps = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    let outcome = World::new(seed, scales::of(seed), Model::default()).run();
                    steps.fetch_add(outcome.steps, Ordering::Relaxed);
                    if outcome.violation.is_some() {
                        wrong.fetch_add(1, Ordering::Relaxed);
                        say(seed, &outcome);
                    }
                }
            });
        }
    });
    let (wrong, steps) = (wrong.into_inner(), steps.into_inner());
    println!("{} seeds, {steps} steps, {wrong} violations", args.seeds);
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(seed: u64, outcome: &Outcome) -> ExitCode {
    match &outcome.violation {
        None => {
            println!("seed {seed}: {} steps, everything holds", outcome.steps);
            ExitCode::SUCCESS
        }
        Some(violation) => {
            eprintln!("seed {seed}: {}; see what happened with `cargo xtask simulate --seed {seed}`", violation.0);
            ExitCode::FAILURE
        }
    }
}
