//! Where a branch's history begins, and what happens when that changes.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    filing::{PROJECT, boundary, hash, shop, text},
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

/// Three versions of `main`, of the commits a, b and c, with the latencies 10, 20 and 30.
async fn main_branch(server: &TestServer, user: &TestUser) -> Value {
    for (digit, latency) in [('a', 10.0), ('b', 20.0), ('c', 30.0)] {
        server.file(user, latency, json!({ "branch": "main", "hash": hash(digit) })).await;
    }
    server.found(&format!("{PROJECT}/branches/main"), user).await
}

fn percentage() -> Value {
    json!({ "models": { "latency": { "test": "percentage", "upper_boundary": 0.1 } } })
}

#[tokio::test]
async fn a_new_branch_takes_over_the_history_of_its_start_point() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let main = main_branch(&server, &bob).await;
        let more = json!({ "branch": "dev", "start_point": { "branch": "main", "hash": hash('b') }, "thresholds": percentage() });
        let report = server.file(&bob, 40.0, more).await;
        assert_eq!(boundary(&report)["baseline"], 15.0, "of a and b, not of c");
        let head = &report["branch"]["head"];
        assert_eq!(head["version"], json!({ "number": 2 }));
        let start =
            json!({ "branch": main["uuid"], "head": main["head"]["uuid"], "version": { "number": 1, "hash": hash('b') } });
        assert_eq!(head["start_point"], start);

        // What is measured of main later is not of dev, even of a commit that both have; and the other way round.
        server.file(&bob, 1000.0, json!({ "branch": "main", "hash": hash('d') })).await;
        let again = server.file(&bob, 20.0, json!({ "branch": "dev", "hash": hash('a') })).await;
        assert_eq!(again["branch"]["head"]["version"], json!({ "number": 0, "hash": hash('a') }));
        let of_main = server.file(&bob, 10.0, json!({ "branch": "main", "hash": hash('e'), "thresholds": percentage() })).await;
        assert_eq!(boundary(&of_main)["baseline"], 265.0);
        assert_eq!(of_main["branch"]["head"]["version"]["number"], 4);

        // And on from there.
        let more = json!({ "branch": "fix", "start_point": { "branch": "dev" }, "thresholds": percentage() });
        assert_eq!(boundary(&server.file(&bob, 1.0, more).await)["baseline"], 22.5, "a, b, and both of dev");
    })
    .await;
}

/// The latencies of `sort` that the line of a branch shows.
async fn line(server: &TestServer, user: &TestUser, branch: &Value) -> Vec<f64> {
    let uuid = async |path: &str| text(&server.found(&format!("{PROJECT}/{path}"), user).await, "uuid");
    let (testbed, benchmark, measure) =
        (uuid("testbeds/box").await, uuid("benchmarks/sort").await, uuid("measures/latency").await);
    let branch = text(branch, "uuid");
    let query = format!("?branches={branch}&testbeds={testbed}&benchmarks={benchmark}&measures={measure}");
    let perf = server.found(&format!("{PROJECT}/perf{query}"), user).await;
    let points = perf["results"][0]["metrics"].as_array().cloned().unwrap_or_default();
    points.iter().map(|point| point["metric"]["value"].as_f64().unwrap()).collect()
}

#[tokio::test]
async fn the_line_of_a_branch_is_what_its_thresholds_look_back_on() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let main = main_branch(&server, &bob).await;
        let start = json!({ "branch": "main", "hash": hash('b') });
        for (branch, latency) in [("dev", 40.0), ("fix", 50.0)] {
            server.file(&bob, latency, json!({ "branch": branch, "start_point": start })).await;
        }
        // Of a commit that all three have, but measured for one of them.
        server.file(&bob, 12.0, json!({ "branch": "dev", "hash": hash('a') })).await;
        server.file(&bob, 33.0, json!({ "branch": "main", "hash": hash('d') })).await;
        let [dev, fix] = ["dev", "fix"].map(|name| format!("{PROJECT}/branches/{name}"));
        let (dev, fix) = (server.found(&dev, &bob).await, server.found(&fix, &bob).await);
        assert_eq!(line(&server, &bob, &main).await, [10.0, 20.0, 30.0, 33.0]);
        assert_eq!(line(&server, &bob, &dev).await, [10.0, 12.0, 20.0, 40.0]);
        assert_eq!(line(&server, &bob, &fix).await, [10.0, 20.0, 50.0]);
        let checked = server.file(&bob, 21.0, json!({ "branch": "dev", "thresholds": percentage() })).await;
        assert_eq!(boundary(&checked)["baseline"], (10.0 + 12.0 + 20.0 + 40.0) / 4.0);
    })
    .await;
}

#[tokio::test]
async fn a_branch_keeps_its_head_until_its_start_point_is_another() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        main_branch(&server, &bob).await;
        let filed = async |start_point: Value| {
            let report = server.file(&bob, 1.0, json!({ "branch": "dev", "start_point": start_point })).await;
            let head = &report["branch"]["head"];
            (text(head, "uuid"), head["version"]["number"].as_u64().unwrap())
        };
        let (first, number) = filed(json!({ "branch": "main" })).await;
        assert_eq!(number, 3);
        assert_eq!(filed(json!({ "branch": "main" })).await, (first.clone(), 4));
        assert_eq!(filed(json!({ "branch": "main", "hash": hash('c') })).await, (first.clone(), 5));
        assert_eq!(filed(json!({ "max_versions": 255 })).await, (first.clone(), 6));
        let (second, number) = filed(json!({ "branch": "main", "hash": hash('a') })).await;
        assert_eq!((second != first, number), (true, 1), "another commit");
        let (third, number) = filed(json!({ "branch": "main", "hash": hash('a'), "reset": true })).await;
        assert_eq!((third != second, number), (true, 1), "asked for");
        let (fourth, number) = filed(json!({ "reset": true })).await;
        assert_eq!((fourth != third, number), (true, 0), "empty");

        let path = format!("{PROJECT}/branches/dev");
        let current = server.found(&path, &bob).await;
        assert_eq!((&current["head"]["uuid"], current["head"].get("replaced")), (&json!(fourth), None));
        let old = server.found(&format!("{path}?head={first}"), &bob).await;
        assert_eq!((&old["head"]["uuid"], old["head"]["replaced"].is_string()), (&json!(first), true));
        assert_eq!((&old["head"]["version"]["number"], &old["uuid"]), (&json!(6), &current["uuid"]));
        let main = server.found(&format!("{PROJECT}/branches/main"), &bob).await;
        refused(server.get(&format!("{path}?head={}", text(&main["head"], "uuid")), &bob).await, 404, "Head");
        assert_eq!(server.list(&format!("{PROJECT}/reports?branch=dev"), None, "uuid").await.1, 7, "no report is lost");
    })
    .await;
}

#[tokio::test]
async fn a_branch_is_made_and_changed_with_a_start_point() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let branches = format!("{PROJECT}/branches");
        server.create(&branches, &bob, json!({ "name": "empty" })).await;
        let main = main_branch(&server, &bob).await;
        let more = json!({ "branch": "main", "hash": hash('c'), "thresholds": percentage() });
        server.file(&bob, 30.0, more).await;
        let new = json!({ "name": "dev", "start_point": { "branch": "main", "max_versions": 2, "clone_thresholds": true } });
        let dev = server.create(&branches, &bob, new).await;
        assert_eq!(dev["head"]["start_point"]["head"], main["head"]["uuid"]);
        assert_eq!(dev["head"]["version"], json!({ "number": 2, "hash": hash('c') }));
        let report = server.file(&bob, 99.0, json!({ "branch": "dev" })).await;
        assert_eq!(boundary(&report)["baseline"].as_f64(), Some(80.0 / 3.0), "b, c and c again");
        assert_eq!(report["alerts"][0]["status"], "active");

        let changed = json!({ "start_point": { "branch": "main", "hash": hash('a') } });
        let (status, changed) = server.patch(&format!("{branches}/dev"), &bob, changed).await;
        assert_eq!((status, &changed["head"]["version"]), (StatusCode::OK, &json!({ "number": 0, "hash": hash('a') })));
        let alert = format!("{PROJECT}/alerts/{}", text(&report["alerts"][0], "uuid"));
        assert_eq!(server.found(&alert, &bob).await["status"], "silenced", "that history is past");
        let (_, renamed) = server.patch(&format!("{branches}/dev"), &bob, json!({ "name": "Dev" })).await;
        assert_eq!(renamed["head"], changed["head"]);

        let (_, onto_empty) =
            server.patch(&format!("{branches}/dev"), &bob, json!({ "start_point": { "branch": "empty" } })).await;
        assert_eq!(onto_empty["head"], changed["head"], "there is nothing to start from");
        for (start_point, status, part) in [
            (json!({ "branch": "none" }), 404, "Branch (none)"),
            (json!({ "branch": "main", "hash": hash('f') }), 400, "no version of the commit ffff"),
            (json!({ "hash": hash('a') }), 400, "no branch"),
        ] {
            let update = json!({ "name": "lost", "start_point": start_point });
            refused(server.patch(&format!("{branches}/dev"), &bob, update.clone()).await, status, part);
            refused(server.post(&branches, &bob, update).await, status, part);
        }
        refused(server.get(&format!("{branches}/lost"), &bob).await, 404, "lost");
    })
    .await;
}

#[tokio::test]
async fn a_start_point_that_is_gone_leaves_the_branch_its_own_history() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let base = server.file(&bob, 10.0, json!({ "branch": "base" })).await;
        let more = json!({ "branch": "dev", "start_point": { "branch": "base" }, "thresholds": percentage() });
        assert_eq!(boundary(&server.file(&bob, 20.0, more).await)["baseline"], 10.0);
        server.delete(&format!("{PROJECT}/reports/{}", text(&base, "uuid")), &bob).await;
        assert_eq!(server.delete(&format!("{PROJECT}/branches/base"), &bob).await.0, StatusCode::NO_CONTENT);
        let report = server.file(&bob, 20.0, json!({ "branch": "dev" })).await;
        assert_eq!((&boundary(&report)["baseline"], report["branch"]["head"].get("start_point")), (&json!(20.0), None));
        assert_eq!(report["branch"]["head"]["version"]["number"], 2);
    })
    .await;
}
