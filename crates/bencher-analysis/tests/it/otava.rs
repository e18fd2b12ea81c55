//! Change points are those that Apache Otava finds (`tools/compare-change-points.py` made the fixture).

use std::collections::BTreeMap;

use bencher_analysis::change_point::{Options, change_points};

#[test]
fn change_points_of_real_series_are_those_of_otava() {
    let mut reference: BTreeMap<String, Vec<usize>> = serde_json::from_str(&crate::fixture("otava-0.8.0.json")).unwrap();
    for file in ["github-action-benchmark", "mongodb", "msal-js", "rocksdb", "tigerbeetle"] {
        let series: BTreeMap<String, Vec<f64>> = serde_json::from_str(&crate::fixture(&format!("series/{file}.json"))).unwrap();
        for (name, points) in series {
            let found: Vec<usize> = change_points(&points, &Options::default()).iter().map(|point| point.index).collect();
            assert_eq!(Some(found), reference.remove(&name), "{file}: {name}");
        }
    }
    assert_eq!(reference, BTreeMap::new(), "series that are not there");
}
