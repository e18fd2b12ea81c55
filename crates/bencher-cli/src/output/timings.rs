//! How long the parts of an iteration took, as people read it.

use bencher_types::wire::{channel::Timings, job::JobOutput};

use super::units::Unit;

/// The parts that are known, in their order.
pub(crate) fn spoken(timings: &Timings) -> Option<String> {
    let parts = [
        ("clone", timings.clone_ns),
        ("boot", timings.boot_ns),
        ("init", timings.init_ready_ns),
        ("run", timings.run_ns),
        ("collect", timings.collect_ns),
        ("teardown", timings.teardown_ns),
    ];
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let known = parts.into_iter().filter_map(|(name, ns)| Some(format!("{name} {}", Unit::new("ns").format(ns? as f64))));
    let known: Vec<String> = known.collect();
    (!known.is_empty()).then(|| known.join(", "))
}

/// The median of each part over all iterations of a job, or the part of its only one.
pub(crate) fn of_job(output: &JobOutput) -> Option<String> {
    let all: Vec<&Timings> = output.results.iter().filter_map(|result| result.timings.as_ref()).collect();
    let median = |of: fn(&Timings) -> Option<u64>| {
        let mut known: Vec<u64> = all.iter().filter_map(|timings| of(timings)).collect();
        known.sort_unstable();
        known.get(known.len().saturating_sub(1) / 2).copied()
    };
    let medians = Timings {
        clone_ns: median(|timings| timings.clone_ns),
        boot_ns: median(|timings| timings.boot_ns),
        init_ready_ns: median(|timings| timings.init_ready_ns),
        run_ns: median(|timings| timings.run_ns),
        collect_ns: median(|timings| timings.collect_ns),
        teardown_ns: median(|timings| timings.teardown_ns),
    };
    let spoken = spoken(&medians)?;
    Some(if all.len() > 1 { format!("{spoken} (medians of {} iterations)", all.len()) } else { spoken })
}

#[cfg(test)]
mod tests;
