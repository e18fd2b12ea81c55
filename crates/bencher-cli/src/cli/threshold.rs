//! Arguments of `threshold` and `alert`.

use bencher_types::{
    AlertUuid, ModelUuid, NameId, ResourceId, SampleSize, ThresholdUuid, Window,
    wire::{
        alert::{AlertStatus, UpdateAlertStatus},
        threshold::Model,
    },
};
use clap::{Args, Subcommand, ValueEnum};

use super::{Page, Sure, run::TestArg};

#[derive(Debug, Subcommand)]
pub(crate) enum Threshold {
    /// List thresholds
    #[command(alias = "ls")]
    List {
        /// The project's slug or UUID
        project: ResourceId,
        /// Only those of this branch (name, slug or UUID)
        #[arg(long)]
        branch: Option<NameId>,
        /// Only those of this testbed (name, slug or UUID)
        #[arg(long)]
        testbed: Option<NameId>,
        /// Only those of this measure (name, slug or UUID)
        #[arg(long)]
        measure: Option<NameId>,
        /// Those of archived branches, testbeds and measures
        #[arg(long)]
        archived: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Create a threshold
    #[command(alias = "add")]
    Create {
        /// The project's slug or UUID
        project: ResourceId,
        /// The branch (name, slug or UUID) that it guards
        #[arg(long)]
        branch: NameId,
        /// The testbed (name, slug or UUID) that it guards
        #[arg(long)]
        testbed: NameId,
        /// The measure (name, slug or UUID) that it guards
        #[arg(long)]
        measure: NameId,
        /// How it finds its limits
        #[arg(long)]
        test: TestArg,
        #[command(flatten)]
        bounds: Bounds,
    },
    /// Show a threshold
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The threshold's UUID
        threshold: ThresholdUuid,
        /// One of its earlier models (UUID) instead of the current one
        #[arg(long, value_name = "UUID")]
        model: Option<ModelUuid>,
    },
    /// Give a threshold another model, or none
    #[command(alias = "edit")]
    Update {
        /// The project's slug or UUID
        project: ResourceId,
        /// The threshold's UUID
        threshold: ThresholdUuid,
        /// How it finds its limits
        #[arg(long, required_unless_present = "remove_model")]
        test: Option<TestArg>,
        #[command(flatten)]
        bounds: Bounds,
        /// It guards nothing any more, but keeps its history
        #[arg(
            long,
            conflicts_with_all = [
                "test", "min_sample_size", "max_sample_size", "window", "lower_boundary", "upper_boundary", "since_change_point",
            ]
        )]
        remove_model: bool,
    },
    /// Delete a threshold and its alerts
    #[command(alias = "rm")]
    Delete {
        /// The project's slug or UUID
        project: ResourceId,
        /// The threshold's UUID
        threshold: ThresholdUuid,
        #[command(flatten)]
        sure: Sure,
    },
}

/// What a test goes by.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Bounds {
    /// The fewest samples it needs
    #[arg(long, value_name = "N")]
    pub min_sample_size: Option<SampleSize>,
    /// The most samples it takes
    #[arg(long, value_name = "N")]
    pub max_sample_size: Option<SampleSize>,
    /// How far it looks back, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub window: Option<Window>,
    /// The lower boundary: a value, a ratio or a probability, as the test goes by
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub lower_boundary: Option<f64>,
    /// The upper boundary: a value, a ratio or a probability, as the test goes by
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub upper_boundary: Option<f64>,
    /// Look back no further than to the last accepted change point
    #[arg(long)]
    pub since_change_point: bool,
}

impl Bounds {
    pub(crate) fn model(self, test: TestArg) -> Model {
        let Self { min_sample_size, max_sample_size, window, lower_boundary, upper_boundary, since_change_point } = self;
        Model {
            test: test.into(),
            min_sample_size,
            max_sample_size,
            window,
            lower_boundary,
            upper_boundary,
            since_change_point: since_change_point.then_some(true),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Alert {
    /// List alerts, the newest first
    #[command(alias = "ls")]
    List {
        /// The project's slug or UUID
        project: ResourceId,
        /// Only alerts in this status
        #[arg(long, value_enum)]
        status: Option<AlertStatusFilter>,
        /// Those of archived branches, testbeds, benchmarks and measures
        #[arg(long)]
        archived: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Show an alert
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The alert's UUID
        alert: AlertUuid,
    },
    /// Put an alert aside, or take it up again
    #[command(alias = "edit")]
    Update {
        /// The project's slug or UUID
        project: ResourceId,
        /// The alert's UUID
        alert: AlertUuid,
        /// What becomes of it
        #[arg(long, value_enum)]
        status: Option<AlertStatusChange>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AlertStatusFilter {
    Active,
    Dismissed,
    Silenced,
}

impl From<AlertStatusFilter> for AlertStatus {
    fn from(status: AlertStatusFilter) -> Self {
        match status {
            AlertStatusFilter::Active => Self::Active,
            AlertStatusFilter::Dismissed => Self::Dismissed,
            AlertStatusFilter::Silenced => Self::Silenced,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AlertStatusChange {
    Active,
    Dismissed,
}

impl From<AlertStatusChange> for UpdateAlertStatus {
    fn from(status: AlertStatusChange) -> Self {
        match status {
            AlertStatusChange::Active => Self::Active,
            AlertStatusChange::Dismissed => Self::Dismissed,
        }
    }
}
