//! The second step: boundaries that are too weak or too small go, one at a time, and the regimes beside them become one.

use super::{ChangePoint, regime::Regime};

/// Those of the indexes (in order, inside the series) that are significant and large enough, each between its neighbours.
///
/// Where a boundary goes, the next two on its right are looked at anew; the one on its left keeps what was said of it until
/// something to its left goes. That is what the reference implementation does (Otava 0.8.0), whose change points these are, index by
/// index. So a boundary may stay whose final p-value, which is the one that is told, is above the largest that was asked for.
pub(super) fn merge(series: &[f64], indexes: &[usize], max_p_value: f64, min_magnitude: f64) -> Vec<ChangePoint> {
    let mut points = between_all(series, indexes);
    while let Some(weakest) = weakest(&points, max_p_value, min_magnitude) {
        points.remove(weakest);
        let indexes = indexes_of(&points);
        for number in weakest..(weakest + 2).min(points.len()) {
            points[number] = between(series, &indexes, number);
        }
    }
    between_all(series, &indexes_of(&points))
}

/// The one that has to go next: the least significant, or, where all are significant, the smallest.
fn weakest(points: &[ChangePoint], max_p_value: f64, min_magnitude: f64) -> Option<usize> {
    let first_of = |more: fn(&ChangePoint, &ChangePoint) -> bool| {
        (1..points.len()).fold(0, |most, number| if more(&points[number], &points[most]) { number } else { most })
    };
    if points.is_empty() {
        return None;
    }
    let unsure = first_of(|one, other| one.p_value > other.p_value);
    if points[unsure].p_value >= max_p_value {
        return Some(unsure);
    }
    let small = first_of(|one, other| one.magnitude() < other.magnitude());
    (points[small].magnitude() <= min_magnitude).then_some(small)
}

fn indexes_of(points: &[ChangePoint]) -> Vec<usize> {
    points.iter().map(|point| point.index).collect()
}

fn between_all(series: &[f64], indexes: &[usize]) -> Vec<ChangePoint> {
    (0..indexes.len()).map(|number| between(series, indexes, number)).collect()
}

/// The boundary with the regimes that its neighbours leave it.
fn between(series: &[f64], indexes: &[usize], number: usize) -> ChangePoint {
    let at = indexes[number];
    let start = number.checked_sub(1).map_or(0, |before| indexes[before]);
    let end = indexes.get(number + 1).copied().unwrap_or(series.len());
    ChangePoint::between(at, Regime::of(&series[start..at]), Regime::of(&series[at..end]))
}
