use bencher_types::Digest;

use super::*;
use crate::store::{Micros, Text, oci::retention::ChildRow};

const NOW: i64 = 1000;

fn day(day: i64) -> DateTime {
    DateTime::from_micros(day * 24 * 60 * 60 * 1_000_000).unwrap()
}

fn digest(id: i64) -> Digest {
    Digest::sha256(id.to_string().as_bytes())
}

/// A repository whose manifests are numbered, each with the day on which it was pushed.
fn repository(manifests: &[(i64, i64)], tags: &[(&str, i64, i64)]) -> Inventory {
    let manifests = manifests.iter().map(|(id, pushed)| ManifestRow {
        id: *id,
        digest: Text(digest(*id)),
        subject: None,
        created: Micros(day(*pushed)),
        expired: None,
    });
    let tags = tags.iter().map(|(name, manifest, pushed)| TagRow {
        name: (*name).to_owned(),
        manifest_id: *manifest,
        modified: Micros(day(*pushed)),
    });
    Inventory { tags: tags.collect(), manifests: manifests.collect(), children: Vec::new() }
}

fn rules(keep_tags: Option<u32>, keep_days: Option<u32>) -> Applied {
    Applied { rules: RetentionRules { keep_tags, keep_days, keep_used_days: None }, ..Applied::default() }
}

/// The names of the tags and the numbers of the manifests that go.
#[track_caller]
fn check(applied: &Applied, inventory: &Inventory, tags: &[&str], manifests: &[i64]) {
    let plan = applied.apply(inventory, day(NOW));
    let mut names: Vec<&str> = plan.tags.iter().map(|tag| tag.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, tags);
    assert_eq!(plan.manifests.iter().map(|row| row.id).collect::<Vec<_>>(), manifests);
}

#[test]
fn the_newest_tags_stay() {
    let inventory = repository(&[(1, 1), (2, 2), (3, 3)], &[("a", 1, 9), ("b", 2, 2), ("c", 3, 3)]);
    check(&rules(Some(2), None), &inventory, &["b"], &[2]);
    check(&rules(Some(3), None), &inventory, &[], &[]);
    check(&rules(Some(0), None), &inventory, &["a", "b", "c"], &[3, 2, 1]);
}

#[test]
fn what_any_rule_keeps_stays() {
    let inventory = repository(&[(1, 1), (2, 2), (3, 995)], &[("a", 1, 9), ("b", 2, 2), ("c", 3, 3)]);
    // The third was pushed lately under a tag that is old, by its digest.
    check(&rules(Some(1), Some(10)), &inventory, &["b", "c"], &[2]);
    check(&rules(None, Some(u32::MAX)), &inventory, &[], &[]);
}

#[test]
fn what_a_job_uses_stays_with_its_tags() {
    let inventory = repository(&[(1, 1), (2, 2)], &[("a", 1, 1), ("b", 2, 2)]);
    let used = Applied { used: HashSet::from([digest(1).to_string()]), ..rules(Some(0), None) };
    check(&used, &inventory, &["b"], &[2]);
}

#[test]
fn a_manifest_that_a_kept_index_lists_stays() {
    let mut inventory = repository(&[(1, 1), (2, 1), (3, 1), (4, 1)], &[("new", 3, 9), ("old", 4, 1)]);
    inventory.children = vec![ChildRow { parent: 3, child: 1 }, ChildRow { parent: 4, child: 2 }];
    check(&rules(Some(1), None), &inventory, &["old"], &[4, 2]);
}

#[test]
fn what_hangs_on_an_image_stays_and_goes_with_it() {
    let signature = |id: i64| format!("sha256-{}.sig", digest(id).hex());
    let (one, two) = (signature(1), signature(2));
    let tags = [("new", 1, 9), ("old", 2, 1), (one.as_str(), 3, 1), (two.as_str(), 4, 20)];
    let mut inventory = repository(&[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)], &tags);
    inventory.manifests[4].subject = Some(Text(digest(1)));
    inventory.manifests[5].subject = Some(Text(digest(2)));
    // The tag of a signature is not counted as one of the newest.
    check(&rules(Some(1), None), &inventory, &["old", &two], &[6, 4, 2]);
}

#[test]
fn the_parts_of_a_push_under_way_stay() {
    let inventory = repository(&[(1, 1), (2, NOW)], &[]);
    let applied = Applied { fresh_since: Some(day(NOW - 1)), ..rules(Some(1), None) };
    check(&applied, &inventory, &[], &[1]);
}

#[test]
fn what_is_kept_again_is_told() {
    let mut inventory = repository(&[(1, 1), (2, 2)], &[("a", 1, 1)]);
    for row in &mut inventory.manifests {
        row.expired = Some(Micros(day(5)));
    }
    assert_eq!(rules(Some(1), None).apply(&inventory, day(NOW)).kept_again, [1]);
}
