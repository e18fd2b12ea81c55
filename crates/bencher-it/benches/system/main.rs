//! Measures the product as it is installed: the release binaries, over loopback, on this machine.
//!
//! Run by `cargo xtask bench`. Prints one Markdown row per figure: the median, the spread and how many runs it is made of.

#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod clones;
mod disks;
mod figures;
mod images;
mod processes;
mod programs;
mod requests;
mod scenarios;

use anyhow::{Context as _, Result};

/// What can be measured, in the order in which it is.
const SCENARIOS: [&str; 9] = ["start", "idle", "assignment", "true", "layers", "disks", "clone", "requests", "programs"];

#[tokio::main]
async fn main() -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    // Cargo adds `--bench` to what the user asked for.
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    for name in &asked {
        anyhow::ensure!(
            SCENARIOS.contains(&name.as_str()),
            "`{name}` is not a measurement: expected one of {}",
            SCENARIOS.join(", ")
        );
    }
    println!("| figure | median | spread | runs |\n|---|---|---|---|");
    for name in SCENARIOS {
        if !asked.is_empty() && !asked.iter().any(|asked| asked == name) {
            continue;
        }
        let figures = match name {
            "start" => scenarios::start().await,
            "idle" => scenarios::idle().await,
            "assignment" => scenarios::assignment().await,
            "true" => scenarios::cached_true().await,
            "disks" => disks::disks().await,
            "clone" => clones::clones(),
            "requests" => requests::requests().await,
            "programs" => programs::programs().await,
            _ => scenarios::layers().await,
        };
        for figure in figures.with_context(|| format!("could not measure `{name}`"))? {
            println!("{figure}");
        }
    }
    Ok(())
}
