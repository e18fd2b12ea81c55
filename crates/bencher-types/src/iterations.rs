//! Some of a report's iterations, as a person names them: `1-5,8`, `odd`, `even`. They are counted from 1.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ReportUuid;

/// At least one, in the order in which they were measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Iterations(Chosen);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Chosen {
    /// The first, the third and so on.
    Odd,
    Even,
    /// Each begins after the one before has ended.
    Ranges(Vec<RangeInclusive<u32>>),
}

/// A text that names no iterations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIterations {
    #[error("no iteration is named: expected something like 1-5,8 or odd or even")]
    Empty,
    #[error("`{0}` is no iteration and no range of them: expected something like 8 or 1-5, counted from 1")]
    Part(String),
    #[error("iteration {next} is named after {before}: expected each once, in their order")]
    Order { before: u32, next: u32 },
}

/// Iterations that a report has not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchIterations {
    #[error("there is no iteration {named} among {count}")]
    Beyond { named: u32, count: usize },
    #[error("none of {count} iterations is {named}")]
    None { named: Iterations, count: usize },
}

impl Iterations {
    /// The first, the third and so on: those of the program that began, where two were measured in turns.
    pub const ODD: Self = Self(Chosen::Odd);
    /// The second, the fourth and so on.
    pub const EVEN: Self = Self(Chosen::Even);

    /// Their places, counted from 0, where there are so many iterations. Never empty.
    ///
    /// # Errors
    /// One of them is beyond the last, or none is left.
    pub fn places(&self, count: usize) -> Result<Vec<usize>, NoSuchIterations> {
        let places: Vec<usize> = match &self.0 {
            Chosen::Odd => (0..count).step_by(2).collect(),
            Chosen::Even => (1..count).step_by(2).collect(),
            Chosen::Ranges(ranges) => {
                let last = ranges.iter().map(|range| *range.end()).max().unwrap_or_default();
                if usize::try_from(last).map_or(true, |last| last > count) {
                    return Err(NoSuchIterations::Beyond { named: last, count });
                }
                ranges.iter().cloned().flatten().filter_map(|number| usize::try_from(number).ok()?.checked_sub(1)).collect()
            }
        };
        if places.is_empty() {
            return Err(NoSuchIterations::None { named: self.clone(), count });
        }
        Ok(places)
    }
}

impl fmt::Display for Iterations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Chosen::Odd => f.write_str("odd"),
            Chosen::Even => f.write_str("even"),
            Chosen::Ranges(ranges) => {
                for (place, range) in ranges.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    match (range.start(), range.end()) {
                        (start, end) if start == end => write!(f, "{comma}{start}")?,
                        (start, end) => write!(f, "{comma}{start}-{end}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl FromStr for Iterations {
    type Err = InvalidIterations;

    fn from_str(text: &str) -> Result<Self, InvalidIterations> {
        match text {
            "" => return Err(InvalidIterations::Empty),
            "odd" => return Ok(Self::ODD),
            "even" => return Ok(Self::EVEN),
            _ => {}
        }
        let mut ranges: Vec<RangeInclusive<u32>> = Vec::new();
        for part in text.split(',') {
            let range = range(part).ok_or_else(|| InvalidIterations::Part(part.to_owned()))?;
            if let Some(before) = ranges.last().map(|range| *range.end()).filter(|before| before >= range.start()) {
                return Err(InvalidIterations::Order { before, next: *range.start() });
            }
            ranges.push(range);
        }
        Ok(Self(Chosen::Ranges(ranges)))
    }
}

fn range(text: &str) -> Option<RangeInclusive<u32>> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
    let (start, end) = match text.split_once('-') {
        Some((start, end)) => (number(start)?, number(end)?),
        None => (number(text)?, number(text)?),
    };
    (start <= end).then_some(start..=end)
}

impl TryFrom<String> for Iterations {
    type Error = InvalidIterations;

    fn try_from(text: String) -> Result<Self, InvalidIterations> {
        text.parse()
    }
}

impl From<Iterations> for String {
    fn from(iterations: Iterations) -> Self {
        iterations.to_string()
    }
}

/// A report, or some of its iterations: `UUID`, `UUID@1-5,8`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ReportPart {
    pub report: ReportUuid,
    /// All of them where none are named.
    pub iterations: Option<Iterations>,
}

/// A text that names no part of a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReportPart {
    #[error("`{0}` is not the UUID of a report: expected one, or one with iterations after an @, as in UUID@1-5,8")]
    Report(String),
    #[error(transparent)]
    Iterations(#[from] InvalidIterations),
}

impl fmt::Display for ReportPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.iterations {
            Some(iterations) => write!(f, "{}@{iterations}", self.report),
            None => self.report.fmt(f),
        }
    }
}

impl FromStr for ReportPart {
    type Err = InvalidReportPart;

    fn from_str(text: &str) -> Result<Self, InvalidReportPart> {
        let (report, iterations) = match text.split_once('@') {
            Some((report, iterations)) => (report, Some(iterations.parse()?)),
            None => (text, None),
        };
        let report = report.parse().map_err(|_| InvalidReportPart::Report(report.to_owned()))?;
        Ok(Self { report, iterations })
    }
}

impl TryFrom<String> for ReportPart {
    type Error = InvalidReportPart;

    fn try_from(text: String) -> Result<Self, InvalidReportPart> {
        text.parse()
    }
}

impl From<ReportPart> for String {
    fn from(part: ReportPart) -> Self {
        part.to_string()
    }
}

#[cfg(test)]
mod tests;
