//! Flags of host tuning, the same for both commands.

use clap::{Args, ValueEnum};

/// Each boolean flag *keeps* a feature that would be switched off for benchmarks.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Host tuning (accepted, not applied yet)")]
pub struct TuningArgs {
    /// Leave the machine as it is.
    #[arg(long)]
    pub no_tuning: bool,
    /// Keep address space randomization.
    #[arg(long)]
    pub aslr: bool,
    /// Keep the NMI watchdog.
    #[arg(long)]
    pub nmi_watchdog: bool,
    /// Keep hyper-threading.
    #[arg(long)]
    pub smt: bool,
    /// Keep turbo boost.
    #[arg(long)]
    pub turbo: bool,
    /// Keep automatic NUMA balancing.
    #[arg(long)]
    pub numa_balancing: bool,
    /// Keep timer migration.
    #[arg(long)]
    pub timer_migration: bool,
    /// Keep the soft-lockup watchdog.
    #[arg(long)]
    pub soft_watchdog: bool,
    /// Keep the merging of identical memory pages.
    #[arg(long)]
    pub ksm: bool,
    /// Keep deep sleep states of the CPUs.
    #[arg(long)]
    pub cstates: bool,
    /// Leave interrupts on the benchmark's CPUs.
    #[arg(long)]
    pub no_irq_steering: bool,
    /// Do not set the benchmark's CPUs apart.
    #[arg(long)]
    pub no_cpuset_partition: bool,
    /// How eagerly memory is swapped out, 0 to 200.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=200), value_name = "NUMBER")]
    pub swappiness: u8,
    /// The frequency governor of the CPUs.
    #[arg(long, default_value = "performance", value_name = "NAME")]
    pub governor: String,
    /// Who may use performance counters, -1 (everybody) to 4.
    #[arg(
        long,
        default_value_t = -1,
        value_parser = clap::value_parser!(i8).range(-1..=4),
        allow_negative_numbers = true,
        value_name = "LEVEL"
    )]
    pub perf_event_paranoid: i8,
    /// Transparent huge pages.
    #[arg(long, default_value = "never", value_name = "MODE")]
    pub thp: Thp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Thp {
    Never,
    Madvise,
    Always,
    /// As the machine has it.
    Leave,
}

impl TuningArgs {
    /// The flags that were given with another value than their default, as they are typed.
    #[must_use]
    pub fn given(&self) -> Vec<&'static str> {
        let flags = [
            (self.no_tuning, "--no-tuning"),
            (self.aslr, "--aslr"),
            (self.nmi_watchdog, "--nmi-watchdog"),
            (self.smt, "--smt"),
            (self.turbo, "--turbo"),
            (self.numa_balancing, "--numa-balancing"),
            (self.timer_migration, "--timer-migration"),
            (self.soft_watchdog, "--soft-watchdog"),
            (self.ksm, "--ksm"),
            (self.cstates, "--cstates"),
            (self.no_irq_steering, "--no-irq-steering"),
            (self.no_cpuset_partition, "--no-cpuset-partition"),
            (self.swappiness != 10, "--swappiness"),
            (self.governor != "performance", "--governor"),
            (self.perf_event_paranoid != -1, "--perf-event-paranoid"),
            (self.thp != Thp::Never, "--thp"),
        ];
        flags.into_iter().filter_map(|(given, flag)| given.then_some(flag)).collect()
    }
}
