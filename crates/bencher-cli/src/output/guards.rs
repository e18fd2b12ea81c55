//! How thresholds and alerts look.

use bencher_types::wire::{
    alert::{Alert, AlertStatus},
    threshold::{StoredModel, Threshold},
};

use super::{
    Human, Out,
    resources::time,
    table::{Cell, Listed, Tone, fields},
    units::{Unit, digits},
};

impl Listed for Threshold {
    const HEAD: &'static [&'static str] = &["UUID", "BRANCH", "TESTBED", "MEASURE", "TEST", "LOWER", "UPPER"];

    fn row(&self) -> Vec<Cell> {
        let model = self.model.as_ref().map(|stored| stored.model);
        vec![
            Cell::new(self.uuid),
            Cell::new(&self.branch.name),
            Cell::new(&self.testbed.name),
            Cell::new(&self.measure.name),
            Cell::maybe(model.map(|model| model.test.as_str())),
            Cell::maybe(model.and_then(|model| model.lower_boundary).map(digits)),
            Cell::maybe(model.and_then(|model| model.upper_boundary).map(digits)),
        ]
    }
}

impl Human for Threshold {
    fn human(&self, out: Out) -> String {
        let mut rows = vec![
            ("uuid", Cell::new(self.uuid)),
            ("branch", Cell::new(&self.branch.name)),
            ("testbed", Cell::new(&self.testbed.name)),
            ("measure", Cell::new(&self.measure.name)),
        ];
        match &self.model {
            Some(model) => rows.extend(model_rows(model)),
            None => rows.push(("test", Cell::new("none: it guards nothing"))),
        }
        rows.push(("created", Cell::new(time(self.created))));
        fields(out, rows)
    }
}

fn model_rows(stored: &StoredModel) -> Vec<(&'static str, Cell)> {
    let model = stored.model;
    let mut rows = vec![
        ("test", Cell::new(model.test.as_str())),
        ("min sample size", Cell::maybe(model.min_sample_size)),
        ("max sample size", Cell::maybe(model.max_sample_size)),
        ("window", Cell::maybe(model.window.map(|window| format!("{window} s")))),
        ("lower boundary", Cell::maybe(model.lower_boundary.map(digits))),
        ("upper boundary", Cell::maybe(model.upper_boundary.map(digits))),
        ("model", Cell::new(stored.uuid)),
    ];
    if model.since_change_point == Some(true) {
        rows.push(("history", Cell::new("since the last accepted change point")));
    }
    if let Some(replaced) = stored.replaced {
        rows.push(("replaced", Cell::new(time(replaced))));
    }
    rows
}

pub(super) fn alert_status(status: AlertStatus) -> Cell {
    let tone = if status == AlertStatus::Active { Tone::Bad } else { Tone::Plain };
    Cell::toned(status.as_str(), tone)
}

/// The limit that a metric is outside of, as `> 900 ns`.
fn limit(alert: &Alert) -> Cell {
    use bencher_types::wire::alert::BoundaryLimit::{Lower, Upper};
    let unit = Unit::new(alert.threshold.measure.units.as_str());
    let (sign, limit) = match alert.limit {
        Lower => ("<", alert.boundary.lower_limit),
        Upper => (">", alert.boundary.upper_limit),
    };
    Cell::new(match limit {
        Some(limit) => format!("{sign} {}", unit.format(limit)),
        None => alert.limit.as_str().to_owned(),
    })
}

fn value(alert: &Alert) -> String {
    Unit::new(alert.threshold.measure.units.as_str()).format(alert.metric.value)
}

impl Listed for Alert {
    const HEAD: &'static [&'static str] = &["UUID", "STATUS", "BENCHMARK", "ITERATION", "MEASURE", "VALUE", "LIMIT", "CREATED"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(self.uuid),
            alert_status(self.status),
            Cell::new(&self.benchmark.name),
            Cell::new(self.iteration),
            Cell::new(&self.threshold.measure.name),
            Cell::new(value(self)),
            limit(self),
            Cell::new(time(self.created)),
        ]
    }
}

impl Human for Alert {
    fn human(&self, out: Out) -> String {
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("status", alert_status(self.status)),
                ("benchmark", Cell::new(&self.benchmark.name)),
                ("measure", Cell::new(&self.threshold.measure.name)),
                ("value", Cell::new(value(self))),
                ("limit", limit(self)),
                ("branch", Cell::new(&self.threshold.branch.name)),
                ("testbed", Cell::new(&self.threshold.testbed.name)),
                ("threshold", Cell::new(self.threshold.uuid)),
                ("report", Cell::new(self.report)),
                ("iteration", Cell::new(self.iteration)),
                ("created", Cell::new(time(self.created))),
                ("modified", Cell::new(time(self.modified))),
            ],
        )
    }
}
