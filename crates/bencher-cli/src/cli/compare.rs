//! Arguments of `compare`.

use bencher_types::{ReportPart, ResourceId};
use clap::Args;

use super::analyze::Judgement;

/// Compare two reports: which benchmarks are slower, how sure that is, and what could have been missed.
///
/// Each needs several iterations (`bencher run --iter N`): one measurement has no spread to judge by. Ends with 5 where something is
/// worse.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// UUID of the report with the old results, or some of its iterations
    ///
    /// Counted from 1, after an `@`: `UUID@1-5,8`, `UUID@odd`, `UUID@even`
    pub old: ReportPart,
    /// The same of the new results; it may be the same report
    #[arg(required_unless_present = "pairs")]
    pub new: Option<ReportPart>,
    /// The project's slug or UUID
    #[arg(long, env = "BENCHER_PROJECT")]
    pub project: ResourceId,
    /// Both were measured in turns: the first iteration of one belongs to the first of the other
    #[arg(long)]
    pub paired: bool,
    /// OLD holds both, measured in turns: the odd iterations are the old ones, and each belongs to the next
    #[arg(long, conflicts_with_all = ["new", "paired"])]
    pub pairs: bool,
    /// The measures that are better when they are higher, beside throughput
    #[arg(long, value_name = "MEASURE", value_delimiter = ',')]
    pub higher_is_better: Vec<String>,
    #[command(flatten)]
    pub judgement: Judgement,
}
