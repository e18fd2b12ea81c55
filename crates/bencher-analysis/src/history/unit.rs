//! What other tools call their units, and the measure each belongs to.

use bencher_types::ResourceName;

use crate::{
    decimal,
    measure::{BuiltInMeasure, LATENCY, THROUGHPUT},
    metrics::MetricValue,
};

/// Which way is an improvement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
}

/// The measure of a value, and how the value gets into its units.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kind {
    pub(super) measure: ResourceName,
    /// `None` of a built-in measure.
    pub(super) units: Option<ResourceName>,
    pub(super) better: Better,
    scale: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    factor: f64,
    exponent: i32,
}

impl Kind {
    fn built_in(measure: &BuiltInMeasure, better: Better, scale: Scale) -> Self {
        let name = ResourceName::new(measure.slug).expect("the slugs of built-in measures are names");
        Self { measure: name, units: None, better, scale }
    }

    /// A measure with its own name and units, the values as they are.
    pub(super) fn own(name: &str, units: &str, better: Better) -> Self {
        let units = resource_name(units).or_else(|| resource_name("units"));
        let measure = resource_name(name).or_else(|| resource_name("Value")).expect("a constant is a name");
        Self { measure, units, better, scale: Scale { factor: 1.0, exponent: 0 } }
    }

    /// The measure of a unit such as `ns/iter`, `ops/sec` or `MB`; `otherwise` is which way is better where the unit does not say.
    pub(super) fn of_unit(unit: &str, otherwise: Better) -> Self {
        let unit = unit.trim();
        let per_run = ["/iter", "/op"].into_iter().find_map(|end| unit.strip_suffix(end)).unwrap_or(unit);
        if let Some(seconds) = seconds(per_run) {
            return Self::built_in(&LATENCY, Better::Lower, Scale { exponent: seconds.exponent + 9, ..seconds });
        }
        let per_time = ["ops/", "op/", "iter/", "iters/", "runs/"].into_iter().find_map(|start| unit.strip_prefix(start));
        if let Some(seconds) = per_time.and_then(seconds) {
            let scale = Scale { factor: 1.0 / seconds.factor, exponent: -seconds.exponent };
            return Self::built_in(&THROUGHPUT, Better::Higher, scale);
        }
        Self::own(unit, unit, otherwise)
    }

    fn scaled(&self, value: f64) -> f64 {
        decimal::shift(value * self.scale.factor, self.scale.exponent)
    }

    /// A value in the measure's units.
    pub(super) fn value(&self, value: MetricValue) -> MetricValue {
        let MetricValue { value, lower_value, upper_value } = value;
        MetricValue {
            value: self.scaled(value),
            lower_value: lower_value.map(|bound| self.scaled(bound)),
            upper_value: upper_value.map(|bound| self.scaled(bound)),
        }
    }
}

/// A unit of time in seconds.
fn seconds(unit: &str) -> Option<Scale> {
    let power = |exponent| Some(Scale { factor: 1.0, exponent });
    match unit {
        "ps" | "psec" => power(-12),
        "ns" | "nsec" | "nanosecond" | "nanoseconds" => power(-9),
        // The micro sign, the Greek letter that looks like it, and what is left of either in ASCII.
        "us" | "\u{b5}s" | "\u{3bc}s" | "usec" | "microsecond" | "microseconds" => power(-6),
        "ms" | "msec" | "millisecond" | "milliseconds" => power(-3),
        "s" | "sec" | "secs" | "second" | "seconds" => power(0),
        "min" | "minute" | "minutes" => Some(Scale { factor: 60.0, exponent: 0 }),
        _ => None,
    }
}

/// A foreign text as a name, cut to what a name may have.
fn resource_name(text: &str) -> Option<ResourceName> {
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    ResourceName::new(&text[..text.floor_char_boundary(bencher_types::name::MAX_RESOURCE_NAME_LEN)]).ok()
}
