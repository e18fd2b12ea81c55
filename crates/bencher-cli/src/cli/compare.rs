//! Arguments of `compare`.

use bencher_types::{ReportUuid, ResourceId};
use clap::Args;

use super::analyze::Judgement;

/// Compare two reports: which benchmarks are slower, how sure that is, and what could have been missed.
///
/// Each needs several iterations (`bencher run --iter N`): one measurement has no spread to judge by. Ends with 5 where something is
/// worse.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// UUID of the report with the old results
    pub old: ReportUuid,
    /// UUID of the report with the new results
    pub new: ReportUuid,
    /// The project's slug or UUID
    #[arg(long, env = "BENCHER_PROJECT")]
    pub project: ResourceId,
    /// Both were measured in turns: the first iteration of one belongs to the first of the other
    #[arg(long)]
    pub paired: bool,
    /// The measures that are better when they are higher, beside throughput
    #[arg(long, value_name = "MEASURE", value_delimiter = ',')]
    pub higher_is_better: Vec<String>,
    #[command(flatten)]
    pub judgement: Judgement,
}
