//! A history is imported by the command line, and says when it changed.

use serde_json::{Value, json};

use crate::support::{PATIENCE, PROJECT, World, text};

/// The first commit with the new level.
const STEP: usize = 16;

fn commit(number: usize) -> String {
    format!("{number:08x}{:032x}", 0)
}

/// Files what was measured of a commit, a day after the one before.
async fn import(world: &World, number: usize, level: f64, more: &[&str]) -> Value {
    let file = world.path().join(format!("{number}.json"));
    let value = level + [0.0, 0.4, -0.3, 0.2, -0.5][number % 5];
    std::fs::write(&file, json!({ "checkout": { "latency": { "value": value } } }).to_string()).expect("the file is written");
    let (file, hash, time) = (file.display().to_string(), commit(number), (1_767_225_600 + number * 86_400).to_string());
    let run = ["run", "--project", PROJECT, "--branch", "main", "--testbed", "box", "--adapter", "json", "--format", "json"];
    let about = ["--hash", &hash, "--backdate", &time, "--file", &file];
    world.bencher(&[&run[..], &about, more].concat()).await.json()
}

#[tokio::test]
async fn an_imported_history_tells_when_it_changed_and_a_threshold_may_begin_there() {
    let Some(world) = World::start().await else { return };
    let mut reports = Vec::new();
    for number in 0..STEP + 12 {
        reports.push(import(&world, number, if number < STEP { 100.0 } else { 112.0 }, &[]).await);
    }
    let list = ["change-point", "list", PROJECT, "--branch", "main", "--measure", "latency"];
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            // All that was filed is in it.
            let found = world.bencher(&list).await.json();
            if found[0]["shift"]["after"]["points"] == 12 {
                return found;
            }
        }
    });
    let found = found.await.expect("the change is found");
    assert_eq!((found.as_array().map(Vec::len), &found[0]["report"]), (Some(1), &reports[STEP]["uuid"]), "{found:#}");
    let uuid = text(&found[0], "uuid");

    let table = world.bencher(&[&list[..], &["--format", "human"]].concat()).await.done().stdout;
    assert!(table.contains(&commit(STEP)[..12]) && table.contains("+12.0 % (99.96 ns → 112.0 ns)"), "{table}");
    let started = text(&reports[STEP], "uuid");
    let report = world.bencher(&["report", "view", PROJECT, &started, "--format", "human"]).await.done().stdout;
    let told = format!("checkout Latency changed at {}: +12.0 % (99.96 ns → 112.0 ns)\n", &commit(STEP)[..12]);
    assert!(report.contains(&told), "{report}");
    // So large a change is seen at once.
    assert_eq!(found[0]["confirmed_by"], found[0]["report"]);

    let threshold = [
        "--threshold-measure",
        "latency",
        "--threshold-test",
        "percentage",
        "--threshold-upper-boundary",
        "0.05",
        "--threshold-since-change-point",
    ];
    let alerts = |report: &Value| report["alerts"].as_array().map(Vec::len);
    let whole = import(&world, 100, 112.0, &[&threshold[..], &["false"]].concat()).await;
    assert_eq!(alerts(&whole), Some(1), "the old level is in the history");
    let since = import(&world, 101, 112.0, &[&threshold[..], &["true"]].concat()).await;
    assert_eq!(alerts(&since), Some(0), "{since:#}");

    let dismissed = world.bencher(&["change-point", "dismiss", PROJECT, &uuid]).await.json();
    assert_eq!((&dismissed["status"], &dismissed["decisions"][0]["status"]), (&json!("dismissed"), &json!("dismissed")));
    let view = world.bencher(&["change-point", "view", PROJECT, &uuid, "--format", "human"]).await.done().stdout;
    assert!(view.contains("dismissed by"), "{view}");
    assert_eq!(alerts(&import(&world, 102, 112.0, &[]).await), Some(1));
    let accepted = world.bencher(&["change-point", "accept", PROJECT, &uuid]).await.json();
    assert_eq!(accepted["status"], "accepted");
}
