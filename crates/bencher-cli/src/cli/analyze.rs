//! Arguments of `analyze`: statistics of numbers in files, without a server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be asked of a file with measurements.
#[derive(Debug, Subcommand)]
pub(crate) enum Analyze {
    /// Find where a series began to be another one
    ChangePoints(ChangePoints),
    /// Compare two sets of measurements
    Compare(Compare),
}

/// Find where a series of measurements, the oldest first, began to be another one.
///
/// The file is a JSON array of numbers, or CSV with a line of column names first. Each change point is the index, from 0, of the first
/// point of a new regime. A missing value (`null`, an empty cell) counts as the one before it.
#[derive(Debug, Args)]
pub(crate) struct ChangePoints {
    /// The series; `-` is standard input
    pub file: PathBuf,
    #[command(flatten)]
    pub column: Column,
    /// How many points are looked at together
    #[arg(long, value_name = "POINTS", default_value_t = 50)]
    pub window: usize,
    /// How probable a change may be at most if there was none
    #[arg(long, value_name = "P", default_value_t = 0.001)]
    pub max_p_value: f64,
    /// How large a change must be, as a share of the mean: 0.05 is five percent
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub min_magnitude: f64,
}

/// Compare two sets of measurements: how much slower the new one is, how sure that is, and what could have been missed.
///
/// The files are JSON arrays of numbers, or CSV with a line of column names first. Ends with 5 where there is a regression.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// What was measured before; `-` is standard input
    pub old: PathBuf,
    /// What was measured now
    pub new: PathBuf,
    #[command(flatten)]
    pub column: Column,
    /// Both were measured in turns: the first of one belongs to the first of the other
    #[arg(long)]
    pub paired: bool,
    #[command(flatten)]
    pub judgement: Judgement,
    /// More is better, as of a throughput
    #[arg(long)]
    pub higher_is_better: bool,
}

/// How sure and how large a change must be.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Judgement {
    /// The share of the old value within which a change does not matter
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub margin: f64,
    /// Of the intervals; one less this is the largest p-value of a verdict
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    pub confidence: f64,
}

/// Which column of a CSV file.
#[derive(Debug, Args)]
pub(crate) struct Column {
    /// The column of a CSV file, where several have numbers
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
}
