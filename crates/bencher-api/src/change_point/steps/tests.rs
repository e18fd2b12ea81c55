use bencher_analysis::change_point::{Options, change_points};

use super::steps;
use crate::store::change_point::series::{Found, Place, Samples, Step, Stored};

const NOISE: [f64; 5] = [0.0, 0.4, -0.3, 0.2, -0.5];

const fn place(version_number: i64) -> Place {
    Place { version_number, start_time: 0 }
}

/// A point for each version, around these levels.
fn samples(levels: &[(f64, usize)]) -> Samples {
    let levels = levels.iter().flat_map(|(level, count)| std::iter::repeat_n(*level, *count));
    let values = (0..).zip(levels).map(|(version, level)| (place(version), level + NOISE[usize::try_from(version).unwrap() % 5]));
    Samples { values: values.collect(), has_older: false }
}

/// What the steps would leave behind, with the ids that new ones would get.
fn after(steps: &[Step], stored: &[Stored]) -> Vec<Stored> {
    let mut stored = stored.to_vec();
    for step in steps {
        match *step {
            Step::Add(found, _) => {
                let id = 100 + found.place.version_number;
                stored.push(Stored { id, place: found.place, shift: found.shift, is_gone: false, is_decided: false });
            }
            Step::Move(id, Found { place, shift }) => {
                let moved = stored.iter_mut().find(|stored| stored.id == id).unwrap();
                (moved.place, moved.shift) = (place, shift);
            }
            Step::Update(id, shift) => {
                let updated = stored.iter_mut().find(|stored| stored.id == id).unwrap();
                (updated.shift, updated.is_gone) = (shift, false);
            }
            Step::Remove(id) => stored.retain(|stored| stored.id != id),
            Step::Retire(id) => stored.iter_mut().find(|stored| stored.id == id).unwrap().is_gone = true,
        }
    }
    stored.sort_by_key(|stored| stored.place);
    stored
}

/// What is stored of these levels, found at once.
fn known(levels: &[(f64, usize)]) -> Vec<Stored> {
    after(&steps(&samples(levels), &[]), &[])
}

fn versions(stored: &[Stored]) -> Vec<(i64, bool)> {
    stored.iter().map(|stored| (stored.place.version_number, stored.is_gone)).collect()
}

#[test]
fn a_new_change_point_names_the_point_with_which_it_was_first_found() {
    let found = steps(&samples(&[(100.0, 20), (101.0, 20)]), &[]);
    let [Step::Add(found, confirmed)] = found[..] else { panic!("{found:?}") };
    assert_eq!(found.place, place(20));
    assert!((21..30).contains(&confirmed.version_number), "{confirmed:?}");
    let until = |version: i64| steps(&samples(&[(100.0, 20), (101.0, usize::try_from(version - 19).unwrap())]), &[]);
    assert_eq!(until(confirmed.version_number - 1), []);
    assert_eq!(until(confirmed.version_number).len(), 1);
}

#[test]
fn nothing_is_to_be_done_twice() {
    let levels = [(100.0, 20), (110.0, 20), (90.0, 15)];
    let stored = known(&levels);
    assert_eq!(versions(&stored), [(20, false), (40, false)]);
    assert_eq!(steps(&samples(&levels), &stored), []);
}

#[test]
fn an_appended_point_changes_only_the_last_regime() {
    let stored = known(&[(100.0, 20), (110.0, 20), (90.0, 15)]);
    let found = steps(&samples(&[(100.0, 20), (110.0, 20), (90.0, 16)]), &stored);
    assert!(matches!(found[..], [Step::Update(140, _)]), "{found:?}");
}

#[test]
fn a_change_point_that_moves_a_little_is_still_the_same() {
    let mut stored = known(&[(100.0, 20), (110.0, 20)]);
    stored[0].is_decided = true;
    let found = steps(&samples(&[(100.0, 22), (110.0, 20)]), &stored);
    assert!(matches!(found[..], [Step::Move(120, Found { place: Place { version_number: 22, .. }, .. })]), "{found:?}");
    // Far away it is another one, and what was decided about the first one is kept.
    let found = steps(&samples(&[(100.0, 50), (110.0, 20)]), &stored);
    assert!(matches!(found[..], [Step::Retire(120), Step::Add(..)]), "{found:?}");
}

#[test]
fn what_is_no_longer_found_goes_unless_somebody_decided_about_it() {
    let mut stored = known(&[(100.0, 20), (110.0, 20)]);
    let without = samples(&[(100.0, 40)]);
    assert_eq!(steps(&without, &stored), [Step::Remove(120)]);
    stored[0].is_decided = true;
    let found = steps(&without, &stored);
    assert_eq!(found, [Step::Retire(120)]);
    let retired = after(&found, &stored);
    assert_eq!(steps(&without, &retired), []);
    let again = steps(&samples(&[(100.0, 20), (110.0, 20)]), &retired);
    assert_eq!(again, [Step::Update(120, stored[0].shift)]);
}

#[test]
fn what_is_older_than_what_is_looked_at_stays() {
    let stored = known(&[(100.0, 20), (110.0, 20), (90.0, 20)]);
    let mut newest = samples(&[(100.0, 20), (110.0, 20), (90.0, 20)]);
    newest.values.drain(..30);
    newest.has_older = true;
    let left = after(&steps(&newest, &stored), &stored);
    assert_eq!(versions(&left), [(20, false), (40, false)]);
    newest.has_older = false;
    let left = after(&steps(&newest, &stored), &stored);
    assert_eq!(versions(&left), [(40, false)]);
}

#[test]
fn iterations_of_one_report_are_one_point() {
    let mut samples = samples(&[(100.0, 10), (110.0, 10)]);
    samples.values = samples.values.iter().flat_map(|(place, value)| [(*place, value - 5.0), (*place, value + 5.0)]).collect();
    let found = steps(&samples, &[]);
    let means: Vec<f64> = samples.values.chunks(2).map(|pair| f64::midpoint(pair[0].1, pair[1].1)).collect();
    let [expected] = &change_points(&means, &Options::default())[..] else { panic!("{means:?}") };
    let [Step::Add(found, _)] = found[..] else { panic!("{found:?}") };
    assert_eq!((found.place, found.shift), (place(10), expected.into()));
}

#[test]
fn numbers_too_large_to_be_added_are_left_out() {
    let mut samples = samples(&[(100.0, 20), (110.0, 20)]);
    samples.values.splice(5..5, [(place(5), f64::MAX), (place(5), f64::MAX)]);
    // Beside the two, one more was measured of version 5.
    let found = after(&steps(&samples, &[]), &[]);
    assert_eq!(versions(&found), [(20, false)]);
}
