//! How an axis is divided: where its marks are and what they say.

use jiff::{Timestamp, civil, tz::TimeZone};

/// A part of the numbers that is shown, with its marks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    pub(super) marks: Vec<(f64, String)>,
}

impl Scale {
    /// Where a number is on the axis: 0 at its beginning, 1 at its end.
    pub(super) fn place(&self, number: f64) -> f64 {
        (number - self.from) / (self.to - self.from)
    }

    /// For values, with some room above and below them.
    pub(super) fn of_values(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = range(values).unwrap_or((0.0, 1.0));
        let room = if most > least { (most - least) * 0.05 } else { (most.abs() * 0.05).max(f64::MIN_POSITIVE / f64::EPSILON) };
        let room = if least == 0.0 && most == 0.0 { 1.0 } else { room };
        // What is never negative does not look as if it could be.
        let from = if least >= 0.0 { (least - room).max(0.0) } else { least - room };
        let to = most + room;
        Self { from, to, marks: number_marks(from, to, 6.0) }
    }

    /// For numbers of versions.
    pub(super) fn of_versions(versions: impl Iterator<Item = f64>) -> Self {
        let (least, most) = range(versions).unwrap_or((0.0, 1.0));
        let room = ((most - least) * 0.02).max(0.5);
        let (from, to) = (least - room, most + room);
        let step = nice_step((to - from) / 10.0).max(1.0);
        let marks = multiples(from, to, step).map(|version| (version, format!("{version:.0}"))).collect();
        Self { from, to, marks }
    }

    /// For times, in seconds since 1970.
    pub(super) fn of_times(times: impl Iterator<Item = f64>) -> Self {
        let (least, most) = range(times).unwrap_or((0.0, DAY));
        let room = if most > least { (most - least) * 0.02 } else { HOUR };
        let (from, to) = (least - room, most + room);
        Self { from, to, marks: time_marks(from, to) }
    }
}

fn range(numbers: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    numbers.fold(None, |range, number| match range {
        None => Some((number, number)),
        Some((least, most)) => Some((f64::min(least, number), f64::max(most, number))),
    })
}

/// 1, 2 or 5 times a power of ten, not less than this.
fn nice_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= least);
    nice.unwrap_or(10.0) * power
}

/// The multiples of a step in a range. The number of steps is bounded, whatever rounding does to small ones.
fn multiples(from: f64, to: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (from / step).ceil();
    (0..32_i32).map(move |number| (first + f64::from(number)) * step).take_while(move |multiple| *multiple <= to)
}

fn number_marks(from: f64, to: f64, most: f64) -> Vec<(f64, String)> {
    let step = nice_step((to - from) / most);
    let largest = from.abs().max(to.abs());
    multiples(from, to, step).map(|number| (number, number_label(number, step, largest))).collect()
}

/// A number as precise as the step to the next one, in the unit that suits the largest of its axis.
fn number_label(number: f64, step: f64, largest: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")];
    let (unit, suffix) = match units.into_iter().find(|(least, _)| largest >= *least) {
        Some((1e4, suffix)) => (1e3, suffix),
        Some(found) => found,
        None => (1.0, ""),
    };
    // What rounding leaves of a zero is one.
    let number = if number.abs() < step / 2.0 { 0.0 } else { number };
    let decimals = -(step / unit).log10().floor();
    if largest >= 1e15 || decimals > 6.0 {
        return if number == 0.0 { "0".to_owned() } else { format!("{number:.3e}") };
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 6")]
    let decimals = decimals.max(0.0) as usize;
    format!("{:.decimals$}{suffix}", number / unit)
}

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// Steps between marks of less than a month.
const STEPS: [f64; 20] = [
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    MINUTE,
    2.0 * MINUTE,
    5.0 * MINUTE,
    10.0 * MINUTE,
    15.0 * MINUTE,
    30.0 * MINUTE,
    HOUR,
    2.0 * HOUR,
    3.0 * HOUR,
    6.0 * HOUR,
    12.0 * HOUR,
    DAY,
    2.0 * DAY,
    7.0 * DAY,
];

/// How many marks there is room for.
const MOST_TIMES: f64 = 8.0;

fn time_marks(from: f64, to: f64) -> Vec<(f64, String)> {
    let least = (to - from) / MOST_TIMES;
    match STEPS.into_iter().find(|step| *step >= least) {
        Some(step) => {
            let format = match step {
                step if step >= DAY => "%Y-%m-%d",
                step if step >= MINUTE => "%m-%d %H:%M",
                _ => "%H:%M:%S",
            };
            multiples(from, to, step).filter_map(|seconds| Some((seconds, label(seconds, format)?))).collect()
        }
        None => month_marks(from, to, least / (30.0 * DAY)),
    }
}

/// The first days of months or years, at least this many months apart.
fn month_marks(from: f64, to: f64, least: f64) -> Vec<(f64, String)> {
    let months = [1.0, 2.0, 3.0, 6.0, 12.0].into_iter().find(|months| *months >= least);
    let months = months.unwrap_or_else(|| 12.0 * nice_step(least / 12.0));
    let format = if months >= 12.0 { "%Y" } else { "%Y-%m" };
    let Some(first) = time(from) else { return Vec::new() };
    let first = first.to_zoned(TimeZone::UTC).date();
    // Months since the year 0, so that steps fall on the same ones wherever the axis begins.
    let first = f64::from(first.year()) * 12.0 + f64::from(first.month() - 1);
    multiples(first, first + months * 2.0 * MOST_TIMES, months)
        .filter_map(|month| {
            #[expect(clippy::cast_possible_truncation, reason = "out of bounds is no date below")]
            let (year, month) = ((month / 12.0).floor() as i16, (month.rem_euclid(12.0)) as i8 + 1);
            let date = civil::Date::new(year, month, 1).ok()?;
            let seconds = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_duration().as_secs_f64();
            Some((seconds, label(seconds, format)?))
        })
        .filter(|(seconds, _)| (from..=to).contains(seconds))
        .collect()
}

fn time(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_duration(jiff::SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}

fn label(seconds: f64, format: &str) -> Option<String> {
    Some(time(seconds)?.to_zoned(TimeZone::UTC).strftime(format).to_string())
}

#[cfg(test)]
mod tests;
