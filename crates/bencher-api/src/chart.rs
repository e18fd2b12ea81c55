//! Pictures of the history of metrics: what is in one. How it is drawn is in `draw.rs`, how axes are divided in `scale.rs`.
//!
//! A measure has a panel of its own, because its unit is its own; a line has the same colour in all of them. The font is part of the
//! program, so that a server without fonts draws the same picture. Nothing here knows where the numbers came from.

mod draw;
mod scale;

use bencher_types::{
    MeasureUuid,
    wire::{
        change_point::ChangePointStatus,
        perf::{Perf, PerfMetric, PerfMetrics},
        plot::XAxis,
    },
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::limits;

pub use draw::color;

/// What kind of file a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChartFormat)]
pub enum Format {
    Png,
    Svg,
}

impl Format {
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Svg => "image/svg+xml",
        }
    }
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    #[error("these are {found} measures, each of which has a panel of its own: at most {most} fit into one picture")]
    TooManyPanels { found: usize, most: usize },
    #[error("too many pictures are being drawn")]
    Busy,
    #[error("could not draw the picture")]
    Draw(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("could not write the picture as PNG")]
    Encode(#[source] png::EncodingError),
    #[error("drawing the picture panicked")]
    Panicked,
}

/// A picture before it is drawn. Its texts are made for one line each and hold nothing that cannot be drawn.
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    /// What all lines have in common.
    subtitle: String,
    axis: XAxis,
    panels: Vec<Panel>,
    /// What each colour stands for.
    legend: Vec<String>,
}

/// One measure.
#[derive(Clone, Debug)]
struct Panel {
    heading: String,
    lines: Vec<Line>,
}

/// One series.
#[derive(Clone, Debug)]
struct Line {
    /// Its place in the legend.
    color: usize,
    /// From left to right: seconds since 1970 or the number of a version, and the value.
    points: Vec<(f64, f64)>,
    /// Where it began to be another one: as the points have it.
    changes: Vec<f64>,
}

/// The largest number that is drawn: differences and margins of such numbers are still numbers.
const LARGEST: f64 = 1e300;

impl Chart {
    /// A picture of these series.
    ///
    /// # Errors
    /// There are too many measures.
    pub fn of(perf: &Perf, title: Option<&str>, axis: XAxis) -> Result<Self, ChartError> {
        let names: Vec<[String; 3]> = perf.results.iter().map(names).collect();
        let varying = [0, 1, 2].map(|at| names.iter().any(|of| of[at] != names[0][at]));
        let subtitle = match names.first() {
            Some(first) => joined(first, |at| !varying[at]),
            None => String::new(),
        };
        let mut keys: Vec<&[String; 3]> = Vec::new();
        let mut panels: Vec<(MeasureUuid, Panel)> = Vec::new();
        for (series, names) in perf.results.iter().zip(&names) {
            let color = keys.iter().position(|key| *key == names).unwrap_or_else(|| {
                keys.push(names);
                keys.len() - 1
            });
            let measure = &series.measure;
            let panel = panels.iter().position(|(uuid, _)| *uuid == measure.uuid).unwrap_or_else(|| {
                let heading = clean(&format!("{}: {}", measure.name, measure.units));
                panels.push((measure.uuid, Panel { heading, lines: Vec::new() }));
                panels.len() - 1
            });
            panels[panel].1.lines.push(Line { color, points: points(series, axis), changes: changes(series, axis) });
        }
        if panels.len() > limits::MAX_CHART_PANELS {
            return Err(ChartError::TooManyPanels { found: panels.len(), most: limits::MAX_CHART_PANELS });
        }
        // One line needs no legend where all that it is stands above it.
        let legend = if keys.len() > 1 { keys.iter().map(|key| joined(key, |at| varying[at])).collect() } else { Vec::new() };
        Ok(Self {
            title: clean(title.unwrap_or(perf.project.name.as_str())),
            subtitle,
            axis,
            panels: panels.into_iter().map(|(_, panel)| panel).collect(),
            legend,
        })
    }
}

/// Draws a picture, aside of the tasks that serve requests.
///
/// # Errors
/// Too many are being drawn, or this one cannot be.
pub async fn render(chart: Chart, format: Format) -> Result<Vec<u8>, ChartError> {
    static DRAWING: Semaphore = Semaphore::const_new(limits::CHARTS_AT_ONCE);
    let permit = tokio::time::timeout(limits::CHART_TIMEOUT, DRAWING.acquire()).await.map_err(|_| ChartError::Busy)?;
    let permit = permit.expect("nobody closes it");
    let drawn = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        match format {
            Format::Png => draw::png(&chart),
            Format::Svg => draw::svg(&chart),
        }
    });
    drawn.await.map_err(|_| ChartError::Panicked)?
}

/// Branch, testbed and benchmark of a series, as people tell them apart.
fn names(series: &PerfMetrics) -> [String; 3] {
    let head = &series.branch.head;
    let branch = match head.replaced {
        // Only a head that is not the branch's present one needs telling.
        Some(_) => format!("{} ({:.8})", series.branch.name, head.uuid.to_string()),
        None => series.branch.name.to_string(),
    };
    [branch, series.testbed.name.to_string(), series.benchmark.name.to_string()]
}

fn joined(names: &[String; 3], shown: impl Fn(usize) -> bool) -> String {
    let shown: Vec<&str> = (0..3).filter(|at| shown(*at)).map(|at| names[at].as_str()).collect();
    clean(&shown.join(" · "))
}

/// Where a point is from left to right.
fn along(point: &PerfMetric, axis: XAxis) -> f64 {
    match axis {
        XAxis::DateTime => point.start_time.timestamp().as_duration().as_secs_f64(),
        XAxis::Version => f64::from(point.version.number),
    }
}

/// Where the series changed, unless somebody has put that aside.
fn changes(series: &PerfMetrics, axis: XAxis) -> Vec<f64> {
    let accepted = series.change_points.iter().flatten().filter(|change| change.status == ChangePointStatus::Accepted);
    let first = accepted.filter_map(|change| series.metrics.iter().find(|point| point.metric.uuid == change.metric));
    first.map(|point| along(point, axis)).collect()
}

fn points(series: &PerfMetrics, axis: XAxis) -> Vec<(f64, f64)> {
    let place = |point: &PerfMetric| (along(point, axis), point.metric.value.clamp(-LARGEST, LARGEST));
    let mut points: Vec<(f64, f64)> = series.metrics.iter().map(place).collect();
    // Versions and times may be in different orders; a line goes from left to right.
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// A text for one line: without what is not drawn, turns the line around, or cannot stand in XML; and not without end.
fn clean(text: &str) -> String {
    let drawable = |c: char| match c {
        c if c.is_control() => ' ',
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c => c,
    };
    let mut chars = text.trim().chars().map(drawable);
    let mut kept: String = chars.by_ref().take(limits::MAX_CHART_TITLE_CHARS).collect();
    if chars.next().is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests;
