//! Arguments of `perf` and `plot`.

use std::fmt;

use bencher_types::{
    BenchmarkUuid, BranchUuid, HeadUuid, MeasureUuid, PlotUuid, ResourceId, ResourceName, SpecUuid, TestbedUuid, Window,
    wire::plot::{XAxis, YAxis},
};
use clap::{Args, Subcommand, ValueEnum};

use super::{Page, Span, Sure, run::Elided};
use crate::limits;

/// Show the history of results: one series for each combination of what is named.
///
/// Every list may be repeated, or separated by commas.
#[derive(Debug, Args)]
pub(crate) struct Perf {
    /// The project's slug or UUID
    pub project: ResourceId,
    /// Branches (UUID)
    #[arg(long, value_name = "UUID", value_delimiter = ',', required = true)]
    pub branches: Vec<BranchUuid>,
    /// Heads (UUID) of the branches, in the same order; `_` for the current one
    #[arg(long, value_name = "UUID", value_delimiter = ',')]
    pub heads: Vec<Elided<HeadUuid>>,
    /// Testbeds (UUID)
    #[arg(long, value_name = "UUID", value_delimiter = ',', required = true)]
    pub testbeds: Vec<TestbedUuid>,
    /// Specs (UUID) of the testbeds, in the same order; `_` for any
    #[arg(long, value_name = "UUID", value_delimiter = ',')]
    pub specs: Vec<Elided<SpecUuid>>,
    /// Benchmarks (UUID)
    #[arg(long, value_name = "UUID", value_delimiter = ',', required = true)]
    pub benchmarks: Vec<BenchmarkUuid>,
    /// Measures (UUID)
    #[arg(long, value_name = "UUID", value_delimiter = ',', required = true)]
    pub measures: Vec<MeasureUuid>,
    /// Print a table, wherever it goes, in this style
    #[arg(long, value_enum, value_name = "STYLE", num_args = 0..=1, require_equals = true, default_missing_value = "compact")]
    pub table: Option<TableStyle>,
    /// Print columns of numbers as JSON, with more than values where it is named: much less for many series
    #[arg(long, value_enum, value_name = "EXTRA", num_args = 0.., value_delimiter = ',', require_equals = true, conflicts_with = "table")]
    pub columns: Option<Vec<Column>>,
    #[command(flatten)]
    pub span: Span,
}

/// What points have beside values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Column {
    /// Lower and upper values
    Bounds,
    /// Thresholds, baselines, limits and alerts
    Thresholds,
    /// Change points
    Changes,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bounds => "bounds",
            Self::Thresholds => "thresholds",
            Self::Changes => "changes",
        })
    }
}

/// Which lines a table has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum TableStyle {
    /// No lines
    #[default]
    #[value(alias = "empty", alias = "blank")]
    Compact,
    /// All lines, of ASCII characters
    Ascii,
    /// As PostgreSQL's shell prints them
    #[value(alias = "dots")]
    Psql,
    /// A table of Markdown
    Markdown,
    /// All lines
    #[value(alias = "extended")]
    Modern,
    /// Lines between columns, and square corners
    Sharp,
    /// Lines between columns, and round corners
    #[value(alias = "modern_rounded")]
    Rounded,
    /// Lines between rows
    #[value(alias = "re_structured_text", alias = "rest")]
    Rst,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Plot {
    /// List plots
    #[command(alias = "ls")]
    List {
        /// The project's slug or UUID
        project: ResourceId,
        /// Only what has exactly this title
        #[arg(long)]
        title: Option<ResourceName>,
        /// Only what has this text in its title or UUID
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Create a plot
    #[command(alias = "add")]
    Create(CreatePlot),
    /// Show a plot
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The plot's UUID
        plot: PlotUuid,
    },
    /// Change a plot
    #[command(alias = "edit")]
    Update(UpdatePlot),
    /// Delete a plot
    #[command(alias = "rm")]
    Delete {
        /// The project's slug or UUID
        project: ResourceId,
        /// The plot's UUID
        plot: PlotUuid,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreatePlot {
    /// The project's slug or UUID
    pub project: ResourceId,
    /// Its place among the plots, from 0; the first if absent
    #[arg(long, value_name = "N")]
    pub index: Option<u8>,
    /// Its title
    #[arg(long)]
    pub title: Option<ResourceName>,
    /// Show the lower values of metrics
    #[arg(long)]
    pub lower_value: bool,
    /// Show the upper values of metrics
    #[arg(long)]
    pub upper_value: bool,
    /// Show the lower limits of thresholds
    #[arg(long)]
    pub lower_boundary: bool,
    /// Show the upper limits of thresholds
    #[arg(long)]
    pub upper_boundary: bool,
    /// What the horizontal axis counts
    #[arg(long, value_enum, default_value = "date_time")]
    pub x_axis: XAxisArg,
    /// How the vertical axis is divided
    #[arg(long, value_enum)]
    pub y_axis: Option<YAxisArg>,
    /// How far it looks back, in seconds
    #[arg(long, value_name = "SECONDS", default_value = limits::DEFAULT_PLOT_WINDOW_SECS)]
    pub window: Window,
    /// Branches (UUID); may be repeated or separated by commas, as may all of these
    #[arg(long, value_name = "UUID", value_delimiter = ',', required = true)]
    pub branches: Vec<BranchUuid>,
    /// Testbeds (UUID)
    #[arg(long, value_name = "UUID", value_delimiter = ',', required = true)]
    pub testbeds: Vec<TestbedUuid>,
    /// Benchmarks (UUID)
    #[arg(long, value_name = "UUID", value_delimiter = ',', required = true)]
    pub benchmarks: Vec<BenchmarkUuid>,
    /// Measures (UUID)
    #[arg(long, value_name = "UUID", value_delimiter = ',', required = true)]
    pub measures: Vec<MeasureUuid>,
}

#[derive(Debug, Args)]
pub(crate) struct UpdatePlot {
    /// The project's slug or UUID
    pub project: ResourceId,
    /// The plot's UUID
    pub plot: PlotUuid,
    /// Another place among the plots, from 0
    #[arg(long, value_name = "N")]
    pub index: Option<u8>,
    /// A new title
    #[arg(long, conflicts_with = "remove_title")]
    pub title: Option<ResourceName>,
    /// It has no title any more
    #[arg(long)]
    pub remove_title: bool,
    /// Whether it shows the lower values of metrics
    #[arg(long, value_name = "BOOL")]
    pub lower_value: Option<bool>,
    /// Whether it shows the upper values of metrics
    #[arg(long, value_name = "BOOL")]
    pub upper_value: Option<bool>,
    /// Whether it shows the lower limits of thresholds
    #[arg(long, value_name = "BOOL")]
    pub lower_boundary: Option<bool>,
    /// Whether it shows the upper limits of thresholds
    #[arg(long, value_name = "BOOL")]
    pub upper_boundary: Option<bool>,
    /// What the horizontal axis counts
    #[arg(long, value_enum)]
    pub x_axis: Option<XAxisArg>,
    /// How the vertical axis is divided
    #[arg(long, value_enum)]
    pub y_axis: Option<YAxisArg>,
    /// How far it looks back, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub window: Option<Window>,
    /// Other branches (UUID) instead of all it has; may be repeated or separated by commas, as may all of these
    #[arg(long, value_name = "UUID", value_delimiter = ',')]
    pub branches: Option<Vec<BranchUuid>>,
    /// Other testbeds (UUID)
    #[arg(long, value_name = "UUID", value_delimiter = ',')]
    pub testbeds: Option<Vec<TestbedUuid>>,
    /// Other benchmarks (UUID)
    #[arg(long, value_name = "UUID", value_delimiter = ',')]
    pub benchmarks: Option<Vec<BenchmarkUuid>>,
    /// Other measures (UUID)
    #[arg(long, value_name = "UUID", value_delimiter = ',')]
    pub measures: Option<Vec<MeasureUuid>>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum XAxisArg {
    DateTime,
    Version,
}

impl From<XAxisArg> for XAxis {
    fn from(axis: XAxisArg) -> Self {
        match axis {
            XAxisArg::DateTime => Self::DateTime,
            XAxisArg::Version => Self::Version,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum YAxisArg {
    Auto,
    Linear,
    Log,
}

impl From<YAxisArg> for YAxis {
    fn from(axis: YAxisArg) -> Self {
        match axis {
            YAxisArg::Auto => Self::Auto,
            YAxisArg::Linear => Self::Linear,
            YAxisArg::Log => Self::Log,
        }
    }
}
