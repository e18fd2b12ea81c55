//! Arguments of `change-point`.

use bencher_types::{ChangePointUuid, HeadUuid, NameId, ResourceId, wire::change_point::ChangePointStatus};
use clap::{Args, Subcommand, ValueEnum};

use super::Page;

#[derive(Debug, Subcommand)]
pub(crate) enum ChangePoint {
    /// List change points, the latest change first
    #[command(alias = "ls")]
    List(Box<List>),
    /// Show a change point
    #[command(alias = "get")]
    View(One),
    /// Put a change point aside: it does not count
    Dismiss(One),
    /// Take a change point that was put aside as one again
    Accept(One),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The project's slug or UUID
    pub project: ResourceId,
    /// Only those of this branch (name, slug or UUID)
    #[arg(long)]
    pub branch: Option<NameId>,
    /// Those of this head (UUID) instead of the branch's current one
    #[arg(long, value_name = "UUID")]
    pub head: Option<HeadUuid>,
    /// Only those of this testbed (name, slug or UUID)
    #[arg(long)]
    pub testbed: Option<NameId>,
    /// Only those of this benchmark (name, slug or UUID)
    #[arg(long)]
    pub benchmark: Option<NameId>,
    /// Only those of this measure (name, slug or UUID)
    #[arg(long)]
    pub measure: Option<NameId>,
    /// Only those in this status
    #[arg(long, value_enum)]
    pub status: Option<Status>,
    /// Those of archived branches, testbeds, benchmarks and measures
    #[arg(long)]
    pub archived: bool,
    #[command(flatten)]
    pub page: Page,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The project's slug or UUID
    pub project: ResourceId,
    /// The change point's UUID
    pub change_point: ChangePointUuid,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Status {
    Accepted,
    Dismissed,
}

impl From<Status> for ChangePointStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Accepted => Self::Accepted,
            Status::Dismissed => Self::Dismissed,
        }
    }
}
