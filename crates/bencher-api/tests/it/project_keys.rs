//! `/v0/projects/{project}/keys`, and what a key is good for.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

const KEYS: &str = "/v0/projects/bank/keys";

fn run() -> Value {
    let results = json!({ "sort": { "latency": { "value": 1 } } }).to_string();
    json!({ "results": [results], "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z" })
}

fn named(project: &str) -> Value {
    let mut run = run();
    run["project"] = json!(project);
    run
}

/// An admin who is nowhere a member, and a user with the private projects `bank` and `vault` and the public project `shop`.
async fn bank(server: &TestServer) -> (TestUser, TestUser) {
    let admin = server.sign_up("Ada").await;
    let bob = server.sign_up("Bob").await;
    server.project(&bob, "Bank", "private").await;
    server.project(&bob, "Vault", "private").await;
    server.project(&bob, "Shop", "public").await;
    (admin, bob)
}

async fn key(server: &TestServer, user: &TestUser) -> (String, String) {
    let created = server.create(KEYS, user, json!({ "name": "ci" })).await;
    let text = |field: &str| created[field].as_str().unwrap().to_owned();
    (text("key"), format!("{KEYS}/{}", text("uuid")))
}

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked_or_expires() {
    on_each_database(async |server| {
        let (_, bob) = bank(&server).await;
        let created = server.create(KEYS, &bob, json!({ "name": "ci" })).await;
        let key = created["key"].as_str().unwrap();
        assert!(key.starts_with("bencher_run_"));
        let path = format!("{KEYS}/{}", created["uuid"].as_str().unwrap());
        let (_, shown) = server.get(&path, &bob).await;
        assert_eq!((shown.get("key"), &shown["creator"], &shown["project"]), (None, &json!(bob.uuid), &created["project"]));
        assert_eq!(shown["expiration"], created["expiration"]);
        assert_eq!(server.patch(&path, &bob, json!({ "name": "nightly" })).await.1["name"], "nightly");
        assert_eq!(server.list(KEYS, Some(&bob), "name").await, (vec!["nightly".to_owned()], 1));
        assert_eq!(server.send(Method::GET, "/v0/projects/bank", Some(key), None).await.0, StatusCode::OK);

        assert_eq!(server.delete(&path, &bob).await.0, StatusCode::NO_CONTENT);
        refused(server.send(Method::GET, "/v0/projects/bank", Some(key), None).await, 401, "revoked");
        // Not even what everybody may see: who sends it should learn that it is no good.
        refused(server.send(Method::GET, "/v0/projects/shop", Some(key), None).await, 401, "revoked");
        refused(server.send(Method::POST, "/v0/run", Some(key), Some(run())).await, 401, "revoked");
        assert_eq!(server.list(KEYS, Some(&bob), "name").await.1, 0);
        assert_eq!(server.list(&format!("{KEYS}?revoked=true"), Some(&bob), "name").await.1, 1);

        let expired = server.create(KEYS, &bob, json!({ "name": "short", "ttl": 0 })).await;
        let key = expired["key"].as_str();
        refused(server.send(Method::GET, "/v0/projects/bank", key, None).await, 401, "expired");
        let unknown = format!("bencher_run_{}", "x".repeat(30));
        refused(server.send(Method::GET, "/v0/projects/bank", Some(&unknown), None).await, 401, "belongs to nobody");
        refused(server.send(Method::GET, "/v0/projects/bank", Some("bencher_run_short"), None).await, 401, "project key");
    })
    .await;
}

#[tokio::test]
async fn members_see_the_records_of_keys_and_leaders_make_them() {
    on_each_database(async |server| {
        let (admin, bob) = bank(&server).await;
        let (secret, path) = key(&server, &bob).await;
        let eve = server.sign_up("Eve").await;
        for (method, path, body) in [
            (Method::GET, KEYS, None),
            (Method::GET, &*path, None),
            (Method::POST, KEYS, Some(json!({ "name": "mine" }))),
            (Method::PATCH, &path, Some(json!({ "name": "mine" }))),
            (Method::DELETE, &path, None),
        ] {
            refused(server.send(method.clone(), path, Some(&eve.token), body.clone()).await, 404, "Project (bank) not found");
            let open = path.replace("bank", "shop");
            refused(server.send(method.clone(), &open, Some(&eve.token), body.clone()).await, 403, "may not");
            refused(server.send(method.clone(), path, None, body.clone()).await, 400, "log-in");
            // A key does not make or show keys.
            refused(server.send(method, path, Some(&secret), body).await, 401, "this needs a user");
        }
        assert_eq!(server.get(&path, &admin).await.0, StatusCode::OK);
        // A key of one project is none of another.
        refused(server.get(&path.replace("bank", "vault"), &bob).await, 404, "Project key");
        refused(server.delete(&path.replace("bank", "vault"), &bob).await, 404, "Project key");
        assert_eq!(server.send(Method::GET, "/v0/projects/bank", Some(&secret), None).await.0, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn a_key_does_what_a_ci_job_does() {
    on_each_database(async |server| {
        let (_, bob) = bank(&server).await;
        let (key, _) = key(&server, &bob).await;
        let send = async |method: Method, path: &str, body: Option<Value>| server.send(method, path, Some(&key), body).await;

        let (status, report) = send(Method::POST, "/v0/run", Some(run())).await;
        assert_eq!(
            (status, &report["project"]["slug"], report.get("user")),
            (StatusCode::CREATED, &json!("bank"), None),
            "{report}"
        );
        assert_eq!(send(Method::POST, "/v0/run", Some(named("bank"))).await.0, StatusCode::CREATED);
        let more = json!({ "branch": "main", "testbed": "localhost", "results": run()["results"],
            "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z" });
        assert_eq!(send(Method::POST, "/v0/projects/bank/reports", Some(more)).await.0, StatusCode::CREATED);
        let (_, identity) = send(Method::GET, "/v0/auth/identity", None).await;
        assert_eq!((identity.get("user"), &identity["project"]["slug"]), (None, &json!("bank")));
        for path in ["reports", "branches", "testbeds", "benchmarks", "measures", "jobs"] {
            assert_eq!(send(Method::GET, &format!("/v0/projects/bank/{path}"), None).await.0, StatusCode::OK, "{path}");
        }
        for (path, body) in [
            ("branches", json!({ "name": "dev" })),
            ("testbeds", json!({ "name": "box" })),
            ("benchmarks", json!({ "name": "find" })),
            ("measures", json!({ "name": "size", "units": "B" })),
        ] {
            let path = format!("/v0/projects/bank/{path}");
            let (status, made) = send(Method::POST, &path, Some(body)).await;
            assert_eq!(status, StatusCode::CREATED, "{made}");
            let path = format!("{path}/{}", made["uuid"].as_str().unwrap());
            assert_eq!(send(Method::PATCH, &path, Some(json!({ "archived": true }))).await.0, StatusCode::OK);
            refused(send(Method::DELETE, &path, None).await, 403, "a project key may not delete");
        }
        let report = format!("/v0/projects/bank/reports/{}", report["uuid"].as_str().unwrap());
        refused(send(Method::DELETE, &report, None).await, 403, "a project key may not delete");
        refused(send(Method::PATCH, "/v0/projects/bank", Some(json!({ "name": "Mine" }))).await, 401, "this needs a user");
    })
    .await;
}

#[tokio::test]
async fn a_key_is_nobody_outside_of_its_project() {
    on_each_database(async |server| {
        let (_, bob) = bank(&server).await;
        let (key, _) = key(&server, &bob).await;
        let send = async |method: Method, path: &str, body: Option<Value>| server.send(method, path, Some(&key), body).await;

        assert_eq!(send(Method::GET, "/v0/projects/shop", None).await.0, StatusCode::OK);
        assert_eq!(send(Method::GET, "/v0/projects/shop/reports", None).await.0, StatusCode::OK);
        refused(send(Method::POST, "/v0/projects/shop/branches", Some(json!({ "name": "x" }))).await, 401, "another project");
        refused(send(Method::POST, "/v0/run", Some(named("shop"))).await, 401, "another project");

        // A private project of the same organization is as one that does not exist.
        let mut answers = Vec::new();
        for project in ["vault", "none"] {
            for (method, path, body) in [
                (Method::GET, String::new(), None),
                (Method::GET, "/reports".to_owned(), None),
                (Method::POST, "/branches".to_owned(), Some(json!({ "name": "x" }))),
            ] {
                answers.push(send(method, &format!("/v0/projects/{project}{path}"), body).await);
            }
            answers.push(send(Method::POST, "/v0/run", Some(named(project))).await);
        }
        let answers: Vec<_> = answers
            .into_iter()
            .map(|(status, mut body)| {
                body["request_id"] = json!("ID");
                (status, body.to_string().replace("vault", "PROJECT").replace("none", "PROJECT"))
            })
            .collect();
        assert!(answers.iter().all(|(status, _)| *status == StatusCode::NOT_FOUND), "{answers:?}");
        assert_eq!(answers[..4], answers[4..]);

        let listed = server.list("/v0/projects", Some(&TestUser { token: key.clone(), ..bob.clone() }), "slug").await;
        assert_eq!(listed, (vec!["bank".to_owned(), "shop".to_owned()], 2));
        for path in [
            "/v0/users",
            "/v0/organizations",
            "/v0/organizations/bob",
            "/v0/runners",
            "/v0/specs",
            &format!("/v0/users/{}", bob.uuid),
        ] {
            refused(send(Method::GET, path, None).await, 401, "this needs a user");
        }
        refused(
            send(Method::POST, "/v0/organizations/bob/projects", Some(json!({ "name": "x" }))).await,
            401,
            "this needs a user",
        );
    })
    .await;
}

#[tokio::test]
async fn a_key_works_on_without_its_maker_but_not_without_its_project() {
    on_each_database(async |server| {
        let (admin, bob) = bank(&server).await;
        let (key, _) = key(&server, &bob).await;
        server.patch(&format!("/v0/users/{}", bob.uuid), &admin, json!({ "locked": true })).await;
        assert_eq!(server.send(Method::GET, "/v0/projects/bank", Some(&key), None).await.0, StatusCode::OK);

        let mut tx = server.app.store.begin().await.unwrap();
        use bencher_api::{store::Queries as _, values};
        tx.execute("UPDATE project SET deleted = 1 WHERE slug = 'bank'", values![]).await.unwrap();
        tx.commit().await.unwrap();
        refused(server.send(Method::GET, "/v0/projects/shop", Some(&key), None).await, 401, "belongs to nobody");
    })
    .await;
}
