//! `noise`: how quiet this machine is.

mod steal;
mod work;

use std::{
    io,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use self::{
    steal::CpuTimes,
    work::{Arithmetic, Disk, Memory},
};
use crate::{
    cli::{Format, tools},
    error::CliError,
    output::{
        Out,
        table::{Cell, fields},
    },
};

/// What the results are filed under.
const BENCHMARK: &str = "bencher::noise";
/// Samples without which a percentile says nothing.
const MIN_SAMPLES: usize = 20;

/// How much the same work varied.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Noise {
    /// Percent of the median, as are the next two.
    compute: f64,
    cache: f64,
    io: f64,
    /// Percent of the machine's time; absent where the kernel does not say.
    steal: Option<f64>,
}

impl Noise {
    /// The root mean square of what is known.
    fn score(self) -> f64 {
        let known: Vec<f64> = [Some(self.compute), Some(self.cache), Some(self.io), self.steal].into_iter().flatten().collect();
        let squares: f64 = known.iter().map(|value| value * value).sum();
        #[expect(clippy::cast_precision_loss, reason = "at most four")]
        let count = known.len() as f64;
        (squares / count).sqrt()
    }
}

pub(super) fn noise(out: Out, args: &tools::Noise) -> Result<(), CliError> {
    let folder = |source| CliError::Folder { folder: args.folder.clone(), source };
    let found = measure(out, args).map_err(folder)?;
    let measures = [
        ("compute-jitter", Some(found.compute)),
        ("cache-jitter", Some(found.cache)),
        ("io-jitter", Some(found.io)),
        ("cpu-steal", found.steal),
        ("noise-score", Some(found.score())),
    ];
    match out.format {
        Format::Json => {
            let measures: serde_json::Map<_, _> =
                measures.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!({ "value": value? })))).collect();
            out.json(&json!({ BENCHMARK: measures }))
        }
        Format::Human | Format::Html | Format::Markdown | Format::Csv => out.data(&fields(
            out,
            measures.map(|(name, value)| {
                let unit = if name == "noise-score" { "" } else { " %" };
                (name, Cell::maybe(value.map(|value| format!("{value:.2}{unit}"))))
            }),
        )),
    }
}

/// Lets the kinds of work take turns until the time is over.
fn measure(out: Out, args: &tools::Noise) -> io::Result<Noise> {
    let duration = Duration::from_secs(args.duration.into());
    let bar = if args.quiet || !out.stderr_terminal { ProgressBar::hidden() } else { ProgressBar::new(args.duration.into()) };
    let style = ProgressStyle::with_template("measuring noise {bar:40} {pos}/{len} s").expect("the template is valid");
    bar.set_style(style);

    let (mut arithmetic, mut memory, mut disk) = (Arithmetic::default(), Memory::new(), Disk::new(&args.folder)?);
    // What is slow only the first time is no noise.
    arithmetic.run();
    memory.run();
    disk.run()?;

    let before = CpuTimes::read();
    let [mut compute, mut cache, mut io] = [const { Vec::new() }; 3];
    let start = Instant::now();
    while start.elapsed() < duration || compute.len() < MIN_SAMPLES {
        let began = Instant::now();
        arithmetic.run();
        compute.push(began.elapsed());
        let began = Instant::now();
        memory.run();
        cache.push(began.elapsed());
        let began = Instant::now();
        disk.run()?;
        io.push(began.elapsed());
        bar.set_position(start.elapsed().as_secs());
    }
    bar.finish_and_clear();

    let steal = before.zip(CpuTimes::read()).and_then(|(before, after)| before.stolen_until(after));
    Ok(Noise { compute: jitter(compute), cache: jitter(cache), io: jitter(io), steal })
}

/// How far the 95th percentile lies above the median, in percent of the median.
fn jitter(mut samples: Vec<Duration>) -> f64 {
    samples.sort_unstable();
    let at = |permille: usize| samples.get((samples.len().saturating_sub(1) * permille) / 1000).copied().unwrap_or_default();
    let (median, high) = (at(500).as_secs_f64(), at(950).as_secs_f64());
    if median > 0.0 { (high - median) / median * 100.0 } else { 0.0 }
}

#[cfg(test)]
mod tests;
