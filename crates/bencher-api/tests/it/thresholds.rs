//! Thresholds: as resources, and as a run brings them along.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    filing::{PROJECT, run, shop, sort, text},
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

const THRESHOLDS: &str = "/v0/projects/shop/thresholds";

/// The branch `main`, the testbed `box` and the measure `latency`.
async fn dimensions(server: &TestServer, user: &TestUser) {
    server.create(&format!("{PROJECT}/branches"), user, json!({ "name": "main" })).await;
    server.create(&format!("{PROJECT}/testbeds"), user, json!({ "name": "box" })).await;
    server.create(&format!("{PROJECT}/measures"), user, json!({ "name": "Latency", "units": "ns" })).await;
}

fn guarding(more: Value) -> Value {
    let mut threshold = json!({ "branch": "main", "testbed": "box", "measure": "latency" });
    for (key, value) in more.as_object().unwrap() {
        threshold[key] = value.clone();
    }
    threshold
}

#[tokio::test]
async fn a_threshold_has_one_model_at_a_time_and_keeps_the_others() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        dimensions(&server, &bob).await;
        let model = json!({
            "test": "t_test", "min_sample_size": 2, "max_sample_size": 64, "window": 3600,
            "lower_boundary": 0.95, "upper_boundary": 0.99,
        });
        let made = server.create(THRESHOLDS, &bob, guarding(model.clone())).await;
        for (key, value) in model.as_object().unwrap() {
            assert_eq!(&made["model"][key], value, "{key}");
        }
        assert_eq!((&made["branch"]["name"], &made["testbed"]["name"]), (&json!("main"), &json!("box")));
        assert_eq!((&made["measure"]["slug"], made["model"].get("replaced")), (&json!("latency"), None));
        let path = format!("{THRESHOLDS}/{}", text(&made, "uuid"));
        assert_eq!(server.found(&path, &bob).await, made);
        refused(server.post(THRESHOLDS, &bob, guarding(model)).await, 409, &text(&made, "uuid"));

        let (status, changed) = server.put(&path, &bob, json!({ "test": "static", "upper_boundary": 10 })).await;
        assert_eq!((status, &changed["model"]["test"]), (StatusCode::OK, &json!("static")));
        assert_eq!(changed["model"].get("max_sample_size"), None);
        let first = text(&made["model"], "uuid");
        let (_, older) = server.send(Method::GET, &format!("{path}?model={first}"), None, None).await;
        assert_eq!((&older["model"]["test"], older["model"]["replaced"].is_string()), (&json!("t_test"), true));
        refused(server.get(&format!("{path}?model={}", text(&made, "uuid")), &bob).await, 404, "Model");

        let (status, removed) = server.put(&path, &bob, json!({ "test": null })).await;
        assert_eq!((status, removed.get("model")), (StatusCode::OK, None));
        assert_eq!(server.found(&format!("{path}?model={first}"), &bob).await["model"]["uuid"], first);

        assert_eq!(server.delete(&path, &bob).await.0, StatusCode::NO_CONTENT);
        refused(server.get(&path, &bob).await, 404, "Threshold");
        refused(server.put(&path, &bob, json!({ "test": null })).await, 404, "Threshold");
        refused(server.delete(&path, &bob).await, 404, "Threshold");
    })
    .await;
}

#[tokio::test]
async fn a_threshold_that_cannot_be_is_refused_with_the_reason() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        dimensions(&server, &bob).await;
        for (model, part) in [
            (json!({ "test": "t_test" }), "needs a boundary"),
            (json!({ "test": "t_test", "upper_boundary": 1 }), "at least 0.5 and below 1"),
            (json!({ "test": "percentage", "lower_boundary": -0.5 }), "lower boundary of a percentage threshold is -0.5"),
            (json!({ "test": "static", "lower_boundary": 2, "upper_boundary": 1 }), "above its upper boundary"),
            (
                json!({ "test": "iqr", "upper_boundary": 1, "min_sample_size": 3, "max_sample_size": 2 }),
                "`min_sample_size` is 3 and `max_sample_size` is 2",
            ),
            (json!({ "test": "magic", "upper_boundary": 1 }), "magic"),
            (json!({ "test": "iqr", "upper_boundary": 1, "window": 0 }), "window"),
        ] {
            refused(server.post(THRESHOLDS, &bob, guarding(model.clone())).await, 400, part);
            let sent = run(&[sort(1.0)], json!({ "thresholds": { "models": { "latency": model } } }));
            refused(server.post("/v0/run", &bob, sent).await, 400, part);
        }
        let valid = json!({ "test": "static", "upper_boundary": 1 });
        for (kind, id) in [("branch", "Branch (none)"), ("testbed", "Testbed (none)"), ("measure", "Measure (none)")] {
            let mut threshold = guarding(valid.clone());
            threshold[kind] = json!("none");
            refused(server.post(THRESHOLDS, &bob, threshold).await, 404, id);
        }
        let made = server.create(THRESHOLDS, &bob, guarding(valid)).await;
        let path = format!("{THRESHOLDS}/{}", text(&made, "uuid"));
        refused(server.put(&path, &bob, json!({ "test": "z_score" })).await, 400, "needs a boundary");
        assert_eq!(server.found(&path, &bob).await, made);
    })
    .await;
}

#[tokio::test]
async fn thresholds_are_for_members_to_change_and_listed_by_what_they_guard() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let eve = server.sign_up("Eve").await;
        dimensions(&server, &bob).await;
        server.create(&format!("{PROJECT}/branches"), &bob, json!({ "name": "dev" })).await;
        let model = json!({ "test": "static", "upper_boundary": 1 });
        refused(server.post(THRESHOLDS, &eve, guarding(model.clone())).await, 403, "no member");
        let main = text(&server.create(THRESHOLDS, &bob, guarding(model.clone())).await, "uuid");
        let mut of_dev = guarding(model);
        of_dev["branch"] = json!("dev");
        let dev = text(&server.create(THRESHOLDS, &bob, of_dev).await, "uuid");
        refused(server.put(&format!("{THRESHOLDS}/{main}"), &eve, json!({ "test": null })).await, 403, "no member");
        refused(server.delete(&format!("{THRESHOLDS}/{main}"), &eve).await, 403, "no member");

        let listed = async |query: &str| server.list(&format!("{THRESHOLDS}{query}"), None, "uuid").await;
        assert_eq!(listed("").await, (vec![main.clone(), dev.clone()], 2));
        assert_eq!(listed("?sort=created&direction=desc&per_page=1").await, (vec![dev.clone()], 2));
        assert_eq!(listed("?branch=dev").await, (vec![dev.clone()], 1));
        assert_eq!(listed("?testbed=box&measure=Latency").await.1, 2);
        assert_eq!(listed("?measure=none").await.1, 0);
        server.put(&format!("{THRESHOLDS}/{main}"), &bob, json!({ "test": "static", "upper_boundary": 2 })).await;
        assert_eq!(listed("?sort=modified").await.0, [dev.clone(), main.clone()]);
        server.patch(&format!("{PROJECT}/branches/dev"), &bob, json!({ "archived": true })).await;
        assert_eq!(listed("").await, (vec![main], 1));
        assert_eq!(listed("?archived=true").await, (vec![dev], 1));
        refused(server.get(&format!("{THRESHOLDS}?sort=name"), &bob).await, 400, "sort");
    })
    .await;
}

#[tokio::test]
async fn a_run_brings_the_models_of_its_branch_and_testbed() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let filed = async |thresholds: Value| {
            server.file(&bob, 1.0, json!({ "branch": "main", "thresholds": thresholds })).await;
            server.found(&format!("{THRESHOLDS}?sort=created"), &bob).await
        };
        let (latency, size) = (json!({ "test": "static", "upper_boundary": 9 }), json!({ "test": "iqr", "upper_boundary": 2 }));
        let made = filed(json!({ "models": { "latency": latency, "File Size": size } })).await;
        assert_eq!(made.as_array().unwrap().len(), 2);
        // In the order of the names that the run gave them.
        assert_eq!((&made[0]["measure"]["slug"], &made[0]["measure"]["units"]), (&json!("file-size"), &json!("bytes (B)")));
        assert_eq!((&made[1]["measure"]["slug"], &made[1]["testbed"]["name"]), (&json!("latency"), &json!("box")));

        let again = filed(json!({ "models": { "latency": latency, "file-size": size } })).await;
        assert_eq!((&again[0]["model"], &again[1]["model"]), (&made[0]["model"], &made[1]["model"]), "nothing changed");
        let changed = filed(json!({ "models": { "latency": { "test": "static", "upper_boundary": 8 } } })).await;
        assert_eq!((&changed[0]["model"], &changed[1]["model"]["upper_boundary"]), (&again[0]["model"], &json!(8.0)));
        assert_ne!(changed[1]["model"]["uuid"], made[1]["model"]["uuid"]);

        let reset = filed(json!({ "models": { "latency": { "test": "static", "upper_boundary": 8 } }, "reset": true })).await;
        assert_eq!((reset[0].get("model"), &reset[1]["model"]), (None, &changed[1]["model"]));
        let back = filed(json!({ "models": { "file-size": size } })).await;
        assert_eq!((&back[0]["uuid"], &back[0]["model"]["test"]), (&made[0]["uuid"], &json!("iqr")));
        let none = filed(json!({ "reset": true })).await;
        assert!(none[0].get("model").is_none() && none[1].get("model").is_none());

        let reports = format!("{PROJECT}/reports");
        let mut sent = run(&[sort(1.0)], json!({ "branch": "main", "thresholds": { "models": { "latency": latency } } }));
        sent.as_object_mut().unwrap().remove("project");
        server.create(&reports, &bob, sent).await;
        assert_eq!(server.found(THRESHOLDS, &bob).await[1]["model"]["upper_boundary"], 9.0);
    })
    .await;
}

#[tokio::test]
async fn a_run_cannot_name_a_measure_twice_or_one_that_cannot_be() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let model = json!({ "test": "static", "upper_boundary": 9 });
        for (models, status, part) in [
            (json!({ "latency": model, "Latency": model }), 400, "named twice"),
            (json!({ uuid::Uuid::new_v4().to_string(): model }), 404, "Measure"),
            (json!({ "x".repeat(65): model }), 400, "1 to 64 bytes"),
            (json!({ "": model }), 400, "a name"),
            (json!({ "speed": { "test": "static" } }), 400, "the measure `speed` is not valid"),
        ] {
            let sent = run(&[sort(1.0)], json!({ "thresholds": { "models": models } }));
            refused(server.post("/v0/run", &bob, sent).await, status, part);
        }
        assert_eq!(server.list(THRESHOLDS, None, "uuid").await.1, 0);
        assert_eq!(server.list(&format!("{PROJECT}/measures"), None, "uuid").await.1, 0);
    })
    .await;
}
