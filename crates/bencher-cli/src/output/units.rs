//! Numbers as people read them: four digits and a unit of fitting size.

/// The unit of a measure as the API writes it, such as `nanoseconds (ns)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unit<'a> {
    short: &'a str,
}

impl<'a> Unit<'a> {
    /// The short name is what stands in parentheses at the end, or everything.
    pub(crate) fn new(units: &'a str) -> Self {
        let short = units.strip_suffix(')').and_then(|text| text.rsplit_once('(')).map_or(units, |(_, short)| short);
        Self { short: short.trim() }
    }

    /// A value in a unit of this kind that makes the number readable.
    pub(crate) fn format(&self, value: f64) -> String {
        let scales: &[(f64, &str)] = match self.short {
            "ns" => &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")],
            "s" => &[(1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s")],
            "B" => &[(1.0, "B"), (1024.0, "KiB"), (1_048_576.0, "MiB"), (1_073_741_824.0, "GiB")],
            "ops/s" => &[(1.0, "ops/s"), (1e3, "k ops/s"), (1e6, "M ops/s"), (1e9, "G ops/s")],
            short => return format!("{} {short}", digits(value)).trim_end().to_owned(),
        };
        let magnitude = value.abs();
        // Zero has no size of its own: it is shown in the measure's own unit.
        let own = scales.iter().find(|(factor, _)| (*factor - 1.0).abs() < f64::EPSILON);
        let fitting = if magnitude == 0.0 { own } else { scales.iter().rev().find(|(factor, _)| magnitude >= *factor) };
        match fitting.or_else(|| scales.first()) {
            Some((factor, name)) => format!("{} {name}", digits(value / factor)),
            None => digits(value),
        }
    }
}

/// A number with at least four digits where it is not a whole one.
pub(crate) fn digits(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() || magnitude >= 1e15 || (magnitude > 0.0 && magnitude < 1e-4) {
        return format!("{value:e}");
    }
    let decimals = match magnitude {
        m if m.fract() == 0.0 => 0,
        m if m >= 1000.0 => 1,
        m if m >= 100.0 => 1,
        m if m >= 10.0 => 2,
        m if m >= 1.0 => 3,
        _ => 5,
    };
    format!("{value:.decimals$}")
}

/// A number of bytes.
pub(crate) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    Unit::new("B").format(count as f64)
}

#[cfg(test)]
mod tests;
