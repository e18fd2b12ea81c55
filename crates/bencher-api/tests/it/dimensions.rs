//! Branches, testbeds, benchmarks and measures: what they have in common, and what each has of its own.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

const KINDS: [&str; 4] = ["branches", "testbeds", "benchmarks", "measures"];

/// A user with the public project `shop`.
async fn shop(server: &TestServer) -> TestUser {
    server.sign_up("Ada").await;
    let bob = server.sign_up("Bob").await;
    server.project(&bob, "Shop", "public").await;
    bob
}

fn named(kind: &str, name: &str) -> Value {
    match kind {
        "measures" => json!({ "name": name, "units": "nanoseconds" }),
        _ => json!({ "name": name }),
    }
}

#[tokio::test]
async fn a_dimension_is_found_by_name_slug_and_uuid() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        for kind in KINDS {
            let path = format!("/v0/projects/shop/{kind}");
            let made = server.create(&path, &bob, named(kind, "Feature/One")).await;
            assert_eq!((&made["name"], &made["slug"]), (&json!("Feature/One"), &json!("feature-one")), "{kind}");
            for id in ["feature-one", "Feature%2FOne", made["uuid"].as_str().unwrap()] {
                let (status, found) = server.send(Method::GET, &format!("{path}/{id}"), None, None).await;
                assert_eq!((status, &found), (StatusCode::OK, &made), "{kind} {id}");
            }
            refused(server.get(&format!("{path}/none"), &bob).await, 404, "(none) not found");
            refused(server.post(&path, &bob, named(kind, "Feature/One")).await, 409, "name");
        }
    })
    .await;
}

#[tokio::test]
async fn archived_dimensions_are_listed_apart() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        for kind in KINDS {
            let path = format!("/v0/projects/shop/{kind}");
            for name in ["one", "two", "three"] {
                server.create(&path, &bob, named(kind, name)).await;
            }
            let (_, changed) = server.patch(&format!("{path}/two"), &bob, json!({ "archived": true })).await;
            assert!(changed["archived"].is_string(), "{kind}");
            assert_eq!(server.list(&path, None, "name").await, (vec!["one".into(), "three".into()], 2), "{kind}");
            assert_eq!(server.list(&format!("{path}?archived=true"), None, "name").await, (vec!["two".into()], 1), "{kind}");
            let (_, changed) = server.patch(&format!("{path}/two"), &bob, json!({ "archived": false, "name": "Second" })).await;
            assert!(changed.get("archived").is_none() && changed["slug"] == "two" && changed["name"] == "Second", "{kind}");
            let found = server.list(&format!("{path}?sort=created&direction=desc&per_page=2"), None, "name").await;
            assert_eq!(found, (vec!["three".into(), "Second".into()], 3), "{kind}");
            assert_eq!(server.list(&format!("{path}?search=SECO"), None, "slug").await, (vec!["two".into()], 1), "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn only_members_change_dimensions_and_only_what_is_unused_goes() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let eve = server.sign_up("Eve").await;
        for kind in KINDS {
            let path = format!("/v0/projects/shop/{kind}");
            refused(server.send(Method::POST, &path, None, Some(named(kind, "x"))).await, 400, "log-in");
            refused(server.post(&path, &eve, named(kind, "x")).await, 403, "no member");
            server.create(&path, &bob, named(kind, "x")).await;
            refused(server.patch(&format!("{path}/x"), &eve, json!({ "archived": true })).await, 403, "no member");
            refused(server.delete(&format!("{path}/x"), &eve).await, 403, "no member");
            assert_eq!(server.delete(&format!("{path}/x"), &bob).await.0, StatusCode::NO_CONTENT, "{kind}");
            refused(server.delete(&format!("{path}/x"), &bob).await, 404, "(x) not found");
        }

        let results = json!([r#"{"sort":{"latency":{"value":1}}}"#]);
        let run = json!({ "project": "shop", "branch": "x", "testbed": "x", "results": results,
            "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z" });
        server.create("/v0/run", &bob, run).await;
        for (kind, id) in [("branches", "x"), ("testbeds", "x"), ("benchmarks", "sort"), ("measures", "latency")] {
            refused(server.delete(&format!("/v0/projects/shop/{kind}/{id}"), &bob).await, 409, "archive it instead");
        }
    })
    .await;
}

#[tokio::test]
async fn a_testbed_has_a_spec_until_it_is_taken_away() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        server.project(&admin, "Shop", "public").await;
        let spec = server.spec(&admin, "Small", false).await;
        let path = "/v0/projects/shop/testbeds";
        let made = server.create(path, &admin, json!({ "name": "box", "spec": "small" })).await;
        assert_eq!(made["spec"], spec);
        assert_eq!(server.get(path, &admin).await.1[0]["spec"], spec);
        refused(server.post(path, &admin, json!({ "name": "other", "spec": "none" })).await, 404, "Spec (none)");

        let (_, changed) = server.patch(&format!("{path}/box"), &admin, json!({ "name": "Box" })).await;
        assert_eq!(changed["spec"], spec);
        let (_, changed) = server.patch(&format!("{path}/box"), &admin, json!({ "spec": null })).await;
        assert_eq!(changed.get("spec"), None);
        server.patch(&format!("{path}/box"), &admin, json!({ "spec": spec["uuid"] })).await;
        server.patch("/v0/specs/small", &admin, json!({ "archived": true })).await;
        assert_eq!(server.get(&format!("{path}/box"), &admin).await.1.get("spec"), None);
    })
    .await;
}

#[tokio::test]
async fn a_branch_begins_with_an_empty_head() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let made = server.create("/v0/projects/shop/branches", &bob, json!({ "name": "main", "start_point": {} })).await;
        assert!(made["head"]["uuid"].is_string() && made["head"].get("version").is_none());
        refused(server.post("/v0/projects/shop/branches", &bob, json!({ "name": "a..b" })).await, 400, "branch name");
    })
    .await;
}

#[tokio::test]
async fn a_measure_has_units() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let path = "/v0/projects/shop/measures";
        refused(server.post(path, &bob, json!({ "name": "speed" })).await, 400, "units");
        server.create(path, &bob, named("measures", "speed")).await;
        let (_, changed) = server.patch(&format!("{path}/speed"), &bob, json!({ "units": "m/s" })).await;
        assert_eq!((&changed["units"], &changed["name"]), (&json!("m/s"), &json!("speed")));
    })
    .await;
}

#[tokio::test]
async fn whatever_a_list_is_searched_for_is_no_failure() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        server.project(&ada, "Shop", "public").await;
        let long = "a".repeat(60_000);
        for query in ["search=%00", "name=%00", &format!("search={long}"), &format!("search={}", "%25".repeat(4000))] {
            let (found, total) = server.list(&format!("/v0/projects/shop/benchmarks?{query}"), Some(&ada), "name").await;
            assert_eq!((found.len(), total), (0, 0));
        }
        let answer = server.post("/v0/projects/shop/benchmarks", &ada, json!({ "name": "a\0b" })).await;
        refused(answer, 400, "none of them NUL");
    })
    .await;
}
