//! The time that a hypervisor gave to somebody else, from `/proc/stat` (see proc_stat(5)).

/// Time that all CPUs together spent since the machine started, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CpuTimes {
    total: u64,
    steal: u64,
}

impl CpuTimes {
    /// `None` where the kernel does not say.
    pub(super) fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// The first line: `cpu user nice system idle iowait irq softirq steal guest guest_nice`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let times: Vec<u64> =
            text.lines().next()?.strip_prefix("cpu ")?.split_whitespace().map_while(|n| n.parse().ok()).collect();
        // The time of guests is part of the user time.
        Some(Self { total: times.iter().take(8).sum(), steal: *times.get(7)? })
    }

    /// Percent of the time until then; `None` where none went by.
    #[expect(clippy::cast_precision_loss, reason = "a ratio of tick counts")]
    pub(super) fn stolen_until(self, later: Self) -> Option<f64> {
        let total = later.total.checked_sub(self.total).filter(|total| *total > 0)?;
        Some(later.steal.saturating_sub(self.steal) as f64 / total as f64 * 100.0)
    }
}
