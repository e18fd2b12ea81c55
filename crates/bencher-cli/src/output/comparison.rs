//! Comparisons as a table: a row for each benchmark's measure, the verdict in front.

use bencher_types::wire::compare::{Comparison, ReportComparison, Uncompared, Verdict};

use super::{
    Human, Out, printable,
    table::{Cell, Tone, table},
};

impl Human for ReportComparison {
    fn human(&self, out: Out) -> String {
        let rows = self.results.iter().map(|compared| {
            let name = format!("{} {}", compared.benchmark.name, compared.measure.name);
            (printable(&name), &compared.comparison)
        });
        let mut text = String::new();
        for (which, side) in [("old", &self.old), ("new", &self.new)] {
            if let Some(iterations) = &side.iterations {
                text.push_str(&format!("{which}: iterations {iterations} of report {}\n", side.uuid));
            }
        }
        if self.results.is_empty() {
            text.push_str("nothing in common\n");
        } else {
            text.push_str(&comparison_table(out, rows));
        }
        for (of, only) in [("old", &self.only_old), ("new", &self.only_new)] {
            let names = only.iter().map(|Uncompared { benchmark, measure }| format!("{} {}", benchmark.name, measure.name));
            for name in names {
                text.push_str(&printable(&format!("only on the {of} side: {name}\n")));
            }
        }
        text
    }
}

/// Each comparison under the name of what was compared.
pub(crate) fn comparison_table<'a>(out: Out, comparisons: impl IntoIterator<Item = (String, &'a Comparison)>) -> String {
    let head = ["VERDICT", "WHAT", "OLD", "NEW", "CHANGE", "INTERVAL", "P", "DETECTABLE"].map(str::to_owned);
    let rows = comparisons.into_iter().map(|(name, comparison)| {
        let interval = comparison.interval.map(|interval| format!("{} to {}", percent(interval.lower), percent(interval.upper)));
        let (verdict, tone) = verdict(comparison.verdict);
        vec![
            Cell::toned(verdict, tone),
            Cell::new(name),
            Cell::maybe(comparison.old.mean.map(figure)),
            Cell::maybe(comparison.new.mean.map(figure)),
            Cell::maybe(comparison.ratio.map(percent)),
            Cell::maybe(interval),
            Cell::maybe(comparison.adjusted_p_value.map(|p| format!("{p:.4}"))),
            Cell::maybe(comparison.detectable.map(|share| format!("{:.2} %", share * 100.0))),
        ]
    });
    table(out, &head, rows)
}

/// A number with the six digits that a person compares; large whole numbers keep theirs.
pub(crate) fn figure(number: f64) -> String {
    if number == 0.0 || number.abs() >= 1e6 && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    let rounded: f64 = format!("{number:.5e}").parse().expect("a printed number is a number");
    rounded.to_string()
}

/// A ratio as what was added: 1.05 is +5 %.
fn percent(ratio: f64) -> String {
    format!("{:+.2} %", (ratio - 1.0) * 100.0)
}

const fn verdict(verdict: Verdict) -> (&'static str, Tone) {
    match verdict {
        Verdict::Regression => ("regression", Tone::Bad),
        Verdict::Improvement => ("improvement", Tone::Good),
        Verdict::Equivalent => ("equivalent", Tone::Plain),
        Verdict::Inconclusive => ("inconclusive", Tone::Busy),
    }
}
