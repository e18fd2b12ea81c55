use bencher_types::wire::adapter::Adapter;

use super::*;

fn entry() -> Entry {
    Entry {
        source: "a file".into(),
        commit: Some("45d78258e495044a551046f50604da3c893052ce".parse().unwrap()),
        at: "2024-03-01T12:00:00Z".parse().unwrap(),
        testbed: "box".parse().unwrap(),
        adapter: Adapter::Json,
        result: "{}".into(),
        metrics: 1,
    }
}

#[test]
fn the_key_is_of_what_was_measured_when_and_where_it_goes_and_not_of_the_file() {
    let main: NameId = "main".parse().unwrap();
    let of = |change: fn(&mut Entry)| {
        let mut entry = entry();
        change(&mut entry);
        key(&entry, &main)
    };
    let same = of(|_| {});
    // Another key would import everything again.
    assert_eq!(same.to_string(), "9d92ac7d-9c00-8620-b117-aac8136a5f82");
    assert_eq!(of(|entry| entry.source = "another".into()), same);
    assert_ne!(key(&entry(), &"other".parse().unwrap()), same);
    for changed in [
        of(|entry| entry.commit = None),
        of(|entry| entry.at = "2024-03-01T12:00:01Z".parse().unwrap()),
        of(|entry| entry.testbed = "box2".parse().unwrap()),
        of(|entry| entry.result = "{ }".into()),
    ] {
        assert_ne!(changed, same);
    }
}
