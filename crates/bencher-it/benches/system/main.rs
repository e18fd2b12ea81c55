//! Measures the product as it is installed: the release binaries, over loopback, on this machine.
//!
//! Run by `cargo xtask bench`. Prints one Markdown row per figure: the median, the spread, how many runs it is made of, and
//! what it should be where that is said somewhere. `--quick` shows in little time that the long ones work; `--database=` measures what
//! depends on one on that database only.

#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod clones;
mod content;
mod databases;
mod disks;
mod figures;
mod guests;
mod images;
mod machine;
mod overhead;
mod phases;
mod processes;
mod programs;
mod queue;
mod quiet;
mod registry;
mod requests;
mod results;
mod scenarios;
mod xfs;

use anyhow::{Context as _, Result};

use crate::figures::Extent;

/// What can be measured, in the order in which it is.
const SCENARIOS: [&str; 14] = [
    "start",
    "idle",
    "assignment",
    "true",
    "layers",
    "images",
    "clone",
    "overhead",
    "quiet",
    "requests",
    "registry",
    "results",
    "queue",
    "programs",
];
/// Those in which guests run.
const WITH_GUESTS: [&str; 3] = ["images", "overhead", "quiet"];

fn main() -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    // Before there are other threads, which would not come along.
    xfs::leave_the_hosts_mounts()?;
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let extent = if arguments.iter().any(|argument| argument == "--quick") { Extent::Quick } else { Extent::Full };
    let only = arguments.iter().find_map(|argument| argument.strip_prefix("--database="));
    let databases = databases::wanted(only)?;
    // Cargo adds `--bench` to what the user asked for.
    let asked: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    for name in &asked {
        anyhow::ensure!(
            SCENARIOS.contains(&name.as_str()),
            "`{name}` is not a measurement: expected one of {}",
            SCENARIOS.join(", ")
        );
    }
    let wanted = SCENARIOS.into_iter().filter(|name| asked.is_empty() || asked.iter().any(|asked| asked == name));
    let wanted: Vec<&str> = wanted.collect();
    if wanted.iter().any(|name| WITH_GUESTS.contains(name)) {
        println!("{}\n", guests::Tools::find()?.description());
    }
    println!("{}", figures::HEAD);
    for name in wanted {
        let figures = match name {
            "start" => scenarios::start().await,
            "idle" => scenarios::idle().await,
            "assignment" => scenarios::assignment().await,
            "true" => scenarios::cached_true().await,
            "images" => phases::images(extent).await,
            "clone" => clones::clones(),
            "overhead" => overhead::overhead(extent).await,
            "quiet" => quiet::quiet(extent).await,
            "requests" => requests::requests(&databases).await,
            "registry" => registry::registry(extent, |figure| println!("{figure}")).await.map(|()| Vec::new()),
            "results" => results::results(&databases, extent, |figure| println!("{figure}")).await.map(|()| Vec::new()),
            "queue" => queue::queue(&databases, extent, |figure| println!("{figure}")).await.map(|()| Vec::new()),
            "programs" => programs::programs().await,
            _ => scenarios::layers().await,
        };
        for figure in figures.with_context(|| format!("could not measure `{name}`"))? {
            println!("{figure}");
        }
    }
    Ok(())
}
