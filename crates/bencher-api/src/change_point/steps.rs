//! From the metrics of a series to what becomes of its change points: pure.

use bencher_analysis::change_point::{Options, change_points, found_with};

use crate::{
    limits,
    store::change_point::series::{Found, Place, Samples, Step, Stored},
};

/// What has to be done so that what is stored of a series is what is found in it.
///
/// What is older than what is looked at stays as it was found when it was.
pub(super) fn steps(samples: &Samples, stored: &[Stored]) -> Vec<Step> {
    let options = Options::default();
    let points = points(&samples.values);
    let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    let changes = change_points(&values, &options);
    let found: Vec<Found> = changes.iter().map(|change| Found { place: points[change.index].0, shift: change.into() }).collect();
    let first = points.first().filter(|_| samples.has_older).map(|(place, _)| *place);
    let in_sight: Vec<&Stored> = stored.iter().filter(|stored| first.is_none_or(|first| stored.place > first)).collect();
    let index_of = |place: Place| points.partition_point(|(other, _)| *other < place);
    let reconciled = Reconciled::new(&in_sight, &found, index_of);
    let confirmed = |found: &Found| points[found_with(&values, index_of(found.place), &options) - 1].0;
    reconciled.steps(confirmed)
}

/// What was measured of one version at one time is one point: the mean of it. Iterations of one report are more alike than those of two,
/// so that as points of their own they would pass for regimes.
fn points(values: &[(Place, f64)]) -> Vec<(Place, f64)> {
    let runs = values.chunk_by(|one, next| one.0 == next.0);
    #[expect(clippy::cast_precision_loss, reason = "there are few metrics of one version and time")]
    let mean = |run: &[(Place, f64)]| run.iter().map(|(_, value)| value).sum::<f64>() / run.len() as f64;
    // The sum of very large numbers is none, and would be in the way of all others.
    runs.map(|run| (run[0].0, mean(run))).filter(|(_, value)| value.is_finite()).collect()
}

/// What is stored, in line with what was found.
struct Reconciled<'a> {
    /// What stays where it is and has another shift now, or is there again.
    updated: Vec<(&'a Stored, &'a Found)>,
    moved: Vec<(&'a Stored, &'a Found)>,
    lost: Vec<&'a Stored>,
    new: Vec<&'a Found>,
}

impl<'a> Reconciled<'a> {
    /// Both come in the order of places. Where between two that stay as many went as came, and none far away, those have moved: what was
    /// decided about them holds.
    fn new(stored: &[&'a Stored], found: &'a [Found], index_of: impl Fn(Place) -> usize) -> Self {
        let mut reconciled = Self { updated: Vec::new(), moved: Vec::new(), lost: Vec::new(), new: Vec::new() };
        let (mut stay, mut kept, mut came) = (Vec::new(), Vec::new(), Vec::new());
        for found in found {
            let here = || stored.iter().filter(|stored| stored.place == found.place);
            match here().find(|stored| !stored.is_gone).or_else(|| here().next()) {
                Some(known) => {
                    stay.push(found.place);
                    kept.push(known.id);
                    if known.is_gone || known.shift != found.shift {
                        reconciled.updated.push((known, found));
                    }
                }
                None => came.push(found),
            }
        }
        let went: Vec<&Stored> = stored.iter().copied().filter(|stored| !stored.is_gone && !kept.contains(&stored.id)).collect();
        let gap_of = |place: Place| stay.partition_point(|kept| *kept < place);
        for gap in 0..=stay.len() {
            let went = went.iter().copied().filter(|stored| gap_of(stored.place) == gap);
            let came = came.iter().copied().filter(|found| gap_of(found.place) == gap);
            let pairs: Vec<(&Stored, &Found)> = went.clone().zip(came.clone()).collect();
            let is_near = |(stored, found): &(&Stored, &Found)| {
                index_of(stored.place).abs_diff(index_of(found.place)) <= limits::CHANGE_POINT_MOVES
            };
            if went.clone().count() == came.clone().count() && pairs.iter().all(is_near) {
                reconciled.moved.extend(pairs);
            } else {
                reconciled.lost.extend(went);
                reconciled.new.extend(came);
            }
        }
        reconciled
    }

    /// `confirmed` says with the point at which place a new one was first found.
    fn steps(self, confirmed: impl Fn(&Found) -> Place) -> Vec<Step> {
        let mut steps = Vec::new();
        steps.extend(self.updated.into_iter().map(|(stored, found)| Step::Update(stored.id, found.shift)));
        steps.extend(self.moved.into_iter().map(|(stored, found)| Step::Move(stored.id, *found)));
        steps.extend(self.lost.into_iter().map(|stored| match stored.is_decided {
            true => Step::Retire(stored.id),
            false => Step::Remove(stored.id),
        }));
        steps.extend(self.new.into_iter().map(|found| Step::Add(*found, confirmed(found))));
        steps
    }
}

#[cfg(test)]
mod tests;
