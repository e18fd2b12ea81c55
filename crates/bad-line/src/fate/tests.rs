use super::{Conduct, Fate, Rough};

fn rough(seed: u64) -> Conduct {
    Conduct::Rough(Rough { seed, cut_after: 1..1000, delay_ms: 0..20, refused_one_in: 4, silent_one_in: 4, good_from: 100 })
}

fn fates(conduct: &Conduct) -> Vec<Fate> {
    (0..100).map(|number| conduct.fate(number)).collect()
}

#[test]
fn a_number_decides_every_fate() {
    assert_eq!(fates(&rough(7)), fates(&rough(7)));
    assert_ne!(fates(&rough(7)), fates(&rough(8)));
}

#[test]
fn fates_are_of_each_kind_and_within_their_bounds() {
    let fates = fates(&rough(1));
    assert!(fates.iter().any(|fate| fate.refused) && fates.iter().any(|fate| fate.silent && !fate.refused));
    assert!(fates.iter().any(|fate| !fate.refused && !fate.silent));
    assert!(fates.iter().all(|fate| fate.cut_after.is_some_and(|bytes| (1..1000).contains(&bytes))));
    assert!(fates.iter().all(|fate| fate.delay_up.as_millis() < 20 && fate.delay_down.as_millis() < 20));
}

#[test]
fn what_is_tried_often_enough_comes_through() {
    assert_eq!(rough(1).fate(100), Fate::default());
}
