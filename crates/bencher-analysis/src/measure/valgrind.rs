//! What Valgrind's tools count, as Iai and Gungraun report it: one row per count, with the two names it goes by in outputs.

use super::BuiltInMeasure;

/// One count.
#[derive(Debug)]
pub(crate) struct Count {
    /// In Gungraun's JSON.
    pub(crate) key: &'static str,
    /// In the text of Iai and Gungraun, before the colon.
    pub(crate) label: &'static str,
    pub(crate) measure: BuiltInMeasure,
}

const fn count(key: &'static str, label: &'static str, slug: &'static str, units: &'static str) -> Count {
    named(key, label, label, slug, units)
}

const fn named(key: &'static str, label: &'static str, name: &'static str, slug: &'static str, units: &'static str) -> Count {
    Count { key, label, measure: BuiltInMeasure { name, slug, units } }
}

const BYTES: &str = "bytes (B)";
const PERCENT: &str = "percent (%)";

/// Iai's five. Its names for the caches differ from those of its successors, which count the same otherwise.
pub(crate) const IAI: &[Count] = &[
    count("", "Instructions", "instructions", "instructions"),
    count("", "L1 Accesses", "l1-accesses", "accesses"),
    count("", "L2 Accesses", "l2-accesses", "accesses"),
    count("", "RAM Accesses", "ram-accesses", "accesses"),
    count("", "Estimated Cycles", "estimated-cycles", "cycles"),
];

/// Callgrind and Cachegrind; the latter has fewer of them. The second cache is called `L2` by Iai-Callgrind and `LL`, the last one, by Gungraun.
pub(crate) const CACHES: &[Count] = &[
    count("Ir", "Instructions", "instructions", "instructions"),
    count("L1hits", "L1 Hits", "l1-hits", "hits"),
    count("L2hits", "L2 Hits", "l2-hits", "hits"),
    count("LLhits", "LL Hits", "ll-hits", "hits"),
    count("RamHits", "RAM Hits", "ram-hits", "hits"),
    count("TotalRW", "Total read+write", "total-read-write", "reads/writes"),
    count("EstimatedCycles", "Estimated Cycles", "estimated-cycles", "cycles"),
    count("Dr", "Dr", "dr", "data reads"),
    count("Dw", "Dw", "dw", "data writes"),
    count("I1mr", "I1mr", "i1mr", "misses (reads)"),
    count("D1mr", "D1mr", "d1mr", "misses (reads)"),
    count("D1mw", "D1mw", "d1mw", "misses (writes)"),
    count("ILmr", "ILmr", "ilmr", "misses (reads)"),
    count("DLmr", "DLmr", "dlmr", "misses (reads)"),
    count("DLmw", "DLmw", "dlmw", "misses (writes)"),
    count("I1MissRate", "I1 Miss Rate", "i1-miss-rate", PERCENT),
    count("LLiMissRate", "LLi Miss Rate", "lli-miss-rate", PERCENT),
    count("D1MissRate", "D1 Miss Rate", "d1-miss-rate", PERCENT),
    count("LLdMissRate", "LLd Miss Rate", "lld-miss-rate", PERCENT),
    count("LLMissRate", "LL Miss Rate", "ll-miss-rate", PERCENT),
    count("L1HitRate", "L1 Hit Rate", "l1-hit-rate", PERCENT),
    count("LLHitRate", "LL Hit Rate", "ll-hit-rate", PERCENT),
    count("RamHitRate", "RAM Hit Rate", "ram-hit-rate", PERCENT),
    named("SysCount", "SysCount", "Sys Count", "sys-count", "system calls"),
    // Whatever unit Callgrind was told to count in (`--collect-systime`); the output does not say.
    named("SysTime", "SysTime", "Sys Time", "sys-time", "time in system calls"),
    named("SysCpuTime", "SysCpuTime", "Sys CPU Time", "sys-cpu-time", "CPU time in system calls"),
    count("Ge", "Ge", "ge", "global bus events"),
    count("Bc", "Bc", "bc", "branches"),
    count("Bcm", "Bcm", "bcm", "mispredicted branches"),
    count("Bi", "Bi", "bi", "branches"),
    count("Bim", "Bim", "bim", "mispredicted branches"),
    count("ILdmr", "ILdmr", "ildmr", "misses (reads)"),
    count("DLdmr", "DLdmr", "dldmr", "misses (reads)"),
    count("DLdmw", "DLdmw", "dldmw", "misses (writes)"),
    count("AcCost1", "AcCost1", "accost1", "temporal locality count"),
    count("AcCost2", "AcCost2", "accost2", "temporal locality count"),
    count("SpLoss1", "SpLoss1", "sploss1", "spatial loss count"),
    count("SpLoss2", "SpLoss2", "sploss2", "spatial loss count"),
];

/// DHAT.
pub(crate) const HEAP: &[Count] = &[
    count("TotalUnits", "Total units", "total-units", "units"),
    count("TotalEvents", "Total events", "total-events", "events"),
    count("TotalBytes", "Total bytes", "total-bytes", BYTES),
    count("TotalBlocks", "Total blocks", "total-blocks", "blocks"),
    count("AtTGmaxBytes", "At t-gmax bytes", "at-t-gmax-bytes", BYTES),
    count("AtTGmaxBlocks", "At t-gmax blocks", "at-t-gmax-blocks", "blocks"),
    count("AtTEndBytes", "At t-end bytes", "at-t-end-bytes", BYTES),
    count("AtTEndBlocks", "At t-end blocks", "at-t-end-blocks", "blocks"),
    count("ReadsBytes", "Reads bytes", "reads-bytes", BYTES),
    count("WritesBytes", "Writes bytes", "writes-bytes", BYTES),
    count("TotalLifetimes", "Total lifetimes", "total-lifetimes", "lifetimes"),
    count("MaximumBytes", "Maximum bytes", "maximum-bytes", BYTES),
    count("MaximumBlocks", "Maximum blocks", "maximum-blocks", "blocks"),
];

macro_rules! findings {
    ($($(#[$doc:meta])* $table:ident = $name:literal, $slug:literal;)+) => {$(
        $(#[$doc])*
        pub(crate) const $table: &[Count] = &[
            named("Errors", "Errors", concat!($name, " Errors"), concat!($slug, "-errors"), "errors"),
            named("Contexts", "Contexts", concat!($name, " Contexts"), concat!($slug, "-contexts"), "contexts"),
            named(
                "SuppressedErrors",
                "Suppressed Errors",
                concat!($name, " Suppressed Errors"),
                concat!($slug, "-suppressed-errors"),
                "suppressed errors",
            ),
            named(
                "SuppressedContexts",
                "Suppressed Contexts",
                concat!($name, " Suppressed Contexts"),
                concat!($slug, "-suppressed-contexts"),
                "suppressed contexts",
            ),
        ];
    )+};
}

findings! {
    /// Memcheck.
    MEMCHECK = "Memcheck", "memcheck";
    /// Helgrind.
    HELGRIND = "Helgrind", "helgrind";
    /// DRD.
    DRD = "DRD", "drd";
}
