//! How change points look: as resources, and as a report tells of them.

use bencher_types::wire::{
    change_point::{ChangePoint, ChangePointPart, ChangePointStatus, ReportChangePoint, Shift},
    dimension::{Measure, Version},
    report::Report,
};

use super::{
    Human, Out,
    resources::time,
    table::{Cell, Listed, fields},
    units::{Unit, digits},
};

impl Listed for ChangePoint {
    const HEAD: &'static [&'static str] =
        &["UUID", "STATUS", "BENCHMARK", "MEASURE", "BRANCH", "TESTBED", "CHANGED AT", "STARTED", "CHANGE"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(self.uuid),
            Cell::new(self.status.as_str()),
            Cell::new(&self.benchmark.name),
            Cell::new(&self.measure.name),
            Cell::new(&self.branch.name),
            Cell::new(&self.testbed.name),
            Cell::maybe(self.branch.head.version.as_ref().map(at)),
            Cell::new(time(self.start_time)),
            Cell::new(change(&self.shift, &self.measure)),
        ]
    }
}

impl Human for ChangePoint {
    fn human(&self, out: Out) -> String {
        let unit = Unit::new(self.measure.units.as_str());
        let regime = |regime: &bencher_types::wire::change_point::Regime| {
            format!("{} ± {} ({} points)", unit.format(regime.mean), unit.format(regime.deviation), regime.points)
        };
        let mut rows = vec![
            ("uuid", Cell::new(self.uuid)),
            ("status", Cell::new(self.status.as_str())),
            ("benchmark", Cell::new(&self.benchmark.name)),
            ("measure", Cell::new(&self.measure.name)),
            ("branch", Cell::new(&self.branch.name)),
            ("testbed", Cell::new(&self.testbed.name)),
            ("changed at", Cell::maybe(self.branch.head.version.as_ref().map(at))),
            ("change", Cell::new(change(&self.shift, &self.measure))),
            ("before", Cell::new(regime(&self.shift.before))),
            ("after", Cell::new(regime(&self.shift.after))),
            ("p", Cell::new(digits(self.shift.p_value))),
            ("report", Cell::new(self.report)),
            ("confirmed by", Cell::maybe(self.confirmed_by)),
            ("started", Cell::new(time(self.start_time))),
        ];
        for decision in &self.decisions {
            let by = decision.user.as_ref().map_or_else(String::new, |user| format!(" by {}", user.name));
            rows.push(("decided", Cell::new(format!("{}{by}, {}", decision.status.as_str(), time(decision.created)))));
        }
        if let Some(gone) = self.gone {
            rows.push(("no longer found", Cell::new(time(gone))));
        }
        fields(out, rows)
    }
}

/// What people know a version by: the beginning of its hash, else its number.
fn at(version: &Version) -> String {
    match version.hash.as_ref().and_then(|hash| hash.as_str().get(..12)) {
        Some(hash) => hash.to_owned(),
        None => format!("version {}", version.number),
    }
}

/// How much a series changed, as `+12.3 % (100 ns → 112.3 ns)`.
pub(super) fn change(shift: &Shift, measure: &Measure) -> String {
    let unit = Unit::new(measure.units.as_str());
    let means = format!("{} → {}", unit.format(shift.before.mean), unit.format(shift.after.mean));
    match shift.change {
        Some(change) => format!("{:+.1} % ({means})", change * 100.0),
        None => means,
    }
}

/// What a report tells of changes that nobody has put aside: of what, and how.
pub(crate) fn told(report: &Report) -> impl Iterator<Item = (&ReportChangePoint, String)> {
    let counts = report.change_points.iter().flatten().filter(|point| point.status == ChangePointStatus::Accepted);
    counts.map(|point| {
        let part = match point.part {
            ChangePointPart::Started => "",
            ChangePointPart::Confirmed => ", seen with this report",
        };
        (point, format!("changed at {}: {}{part}", at(&point.version), change(&point.shift, &point.measure)))
    })
}

/// A line for each change.
pub(super) fn lines(report: &Report) -> String {
    let mut text = String::new();
    for (point, how) in told(report) {
        if text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{} {} {how}\n", point.benchmark.name, point.measure.name));
    }
    text
}
