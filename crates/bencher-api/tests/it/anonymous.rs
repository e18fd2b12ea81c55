//! Runs without a log-in, what bounds them, and how what they made gets an owner.

use std::{collections::HashSet, time::Duration};

use bencher_api::{
    config::{Config, rate_limiting::RateLimiting},
    schedule::Rules,
    store::{
        Queries as _,
        queue::{Ended, Ending},
    },
    values,
};
use bencher_types::{JobEvent, JobStatus};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    rows::{self, at},
    setup::refused,
    support::{Backend, TestServer, at_rest_on_each_database, on_each_database},
};

const LEASE: Duration = Duration::from_secs(90);

/// A run from a repository on a machine, as clients describe it.
fn run(hash: &str) -> Value {
    run_of(hash, &json!({ "sort": { "latency": { "value": 1 } } }))
}

fn run_of(hash: &str, results: &Value) -> Value {
    json!({
        "results": [results.to_string()], "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
        "context": {
            "bencher.dev/v0/repo/name": "My Tool", "bencher.dev/v0/repo/hash": hash,
            "bencher.dev/v0/testbed/fingerprint": "a1b2", "bencher.dev/v0/branch/ref/name": "dev",
        },
    })
}

impl TestServer {
    async fn anonymous(&self, body: Value) -> (StatusCode, Value) {
        self.send(Method::POST, "/v0/run", None, Some(body)).await
    }

    /// An anonymous run that is taken: its report.
    async fn taken(&self, body: Value) -> Value {
        let (status, report) = self.anonymous(body).await;
        assert_eq!(status, StatusCode::CREATED, "{report}");
        report
    }
}

async fn on_each_with(change: fn(&mut Config), test: impl AsyncFn(TestServer)) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if let Some(server) = TestServer::start_with(backend, change).await {
            test(server).await;
        }
    }
}

fn slug(report: &Value) -> String {
    report["project"]["slug"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_anonymous_run_makes_a_project_that_later_ones_find() {
    on_each_database(async |server| {
        let first = server.taken(run("aaa")).await;
        let project = &first["project"];
        assert_eq!(
            (&project["name"], &project["visibility"], project.get("claimed")),
            (&json!("My Tool"), &json!("public"), None)
        );
        assert!(slug(&first).starts_with("my-tool-"), "{project}");
        assert_eq!((&first["branch"]["name"], first.get("user")), (&json!("dev"), None));
        assert_eq!(&server.taken(run("aaa")).await["project"], project);
        assert_ne!(&server.taken(run("bbb")).await["project"], project);

        // By its name too.
        let mut named = run("");
        named["project"] = project["slug"].clone();
        assert_eq!(&server.taken(named).await["project"], project);
        let path = format!("/v0/projects/{}", slug(&first));
        assert_eq!(server.list(&format!("{path}/reports"), None, "uuid").await.1, 3);

        // That is all that anybody may do.
        refused(server.send(Method::POST, &format!("{path}/branches"), None, Some(json!({ "name": "x" }))).await, 400, "log-in");
        let eve = server.sign_up("Admin").await;
        assert_eq!(server.get(&path, &eve).await.0, StatusCode::OK);
        let eve = server.sign_up("Eve").await;
        refused(server.post(&format!("{path}/branches"), &eve, json!({ "name": "x" })).await, 403, "nobody has claimed");
        refused(server.patch(&path, &eve, json!({ "name": "Mine" })).await, 403, "nobody has claimed");
        refused(server.get(&format!("{path}/keys"), &eve).await, 403, "nobody has claimed");
        let organization = format!("/v0/organizations/{}", project["organization"].as_str().unwrap());
        refused(server.get(&organization, &eve).await, 404, "Organization");
    })
    .await;
}

#[tokio::test]
async fn first_runs_at_once_make_one_project() {
    on_each_database(async |server| {
        let reports = join_all((0..8).map(|_| server.taken(run("aaa")))).await;
        let projects: HashSet<String> = reports.iter().map(slug).collect();
        assert_eq!(projects.len(), 1);
        assert_eq!(server.list("/v0/projects", None, "slug").await.1, 1);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_says_too_little_of_itself_needs_a_login() {
    on_each_database(async |server| {
        let mut nameless = run("aaa");
        nameless["context"] = json!({ "bencher.dev/v0/repo/hash": "aaa" });
        refused(server.anonymous(nameless).await, 400, "names no project");
        let mut common = run("aaa");
        common["context"] = json!({ "bencher.dev/v0/repo/name": "tool" });
        refused(server.anonymous(common).await, 401, "log-in");
        let mut unknown = run("aaa");
        unknown["project"] = json!("none");
        refused(server.anonymous(unknown).await, 404, "Project (none) not found");
        assert_eq!(server.list("/v0/projects", None, "slug").await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_server_may_take_no_anonymous_runs() {
    on_each_with(
        |config| config.plus.as_mut().unwrap().anonymous_runs = Some(false),
        async |server| {
            refused(server.anonymous(run("aaa")).await, 401, "log-in");
            assert_eq!(server.list("/v0/projects", None, "slug").await.1, 0);
            // What came about before is closed too, but to users.
            server.app.store.create_unclaimed_project(&"Old".parse().unwrap(), &"old".parse().unwrap(), at(0)).await.unwrap();
            let mut old = run("aaa");
            old["project"] = json!("old");
            refused(server.anonymous(old.clone()).await, 401, "log-in");
            let ada = server.sign_up("Ada").await;
            assert!(server.create("/v0/run", &ada, old).await["project"]["claimed"].is_string());
        },
    )
    .await;
}

#[tokio::test]
async fn a_users_run_claims_what_nobody_has() {
    on_each_database(async |server| {
        server.sign_up("Admin").await;
        let (bob, eve) = (server.sign_up("Bob").await, server.sign_up("Eve").await);
        let first = server.taken(run("aaa")).await;
        // From the same place, without a word on the project.
        let report = server.create("/v0/run", &bob, run("aaa")).await;
        assert_eq!((&report["project"]["uuid"], &report["user"]["slug"]), (&first["project"]["uuid"], &json!("bob")));
        assert!(report["project"]["claimed"].is_string());
        let path = format!("/v0/projects/{}", slug(&first));
        assert_eq!(server.get(&path, &bob).await.1["claimed"], report["project"]["claimed"]);
        assert_eq!(server.list("/v0/organizations", Some(&bob), "uuid").await.1, 2);
        assert_eq!(server.patch(&path, &bob, json!({ "visibility": "private" })).await.0, StatusCode::OK);
        assert_eq!(server.create("/v0/run", &bob, run("aaa")).await["project"]["uuid"], first["project"]["uuid"]);

        // To everybody else it is closed, and says nothing.
        let hidden = server.anonymous(run("aaa")).await;
        refused(hidden.clone(), 401, "log-in");
        assert_eq!(server.patch(&path, &bob, json!({ "visibility": "public" })).await.0, StatusCode::OK);
        assert_eq!(server.anonymous(run("aaa")).await.1["message"], hidden.1["message"]);
        let others = server.create("/v0/run", &eve, run("aaa")).await;
        assert_ne!(others["project"]["uuid"], first["project"]["uuid"]);
    })
    .await;
}

#[tokio::test]
async fn of_many_claims_at_once_one_counts() {
    on_each_database(async |server| {
        server.sign_up("Admin").await;
        let users = join_all((0..6).map(|number| {
            let (server, name) = (&server, format!("User{number}"));
            async move { server.sign_up(&name).await }
        }))
        .await;
        let first = server.taken(run("aaa")).await;
        let mut named = run("aaa");
        named["project"] = first["project"]["slug"].clone();
        let organization = format!("/v0/organizations/{}/claim", first["project"]["organization"].as_str().unwrap());
        let answers = join_all(users.iter().enumerate().map(|(number, user)| {
            let (server, named, organization) = (&server, named.clone(), &organization);
            async move {
                // Twice each, in either way.
                let answers = join_all([0, 1].map(|_| async {
                    match number % 2 {
                        0 => server.post("/v0/run", user, named.clone()).await.0,
                        _ => server.post(organization, user, json!({})).await.0,
                    }
                }))
                .await;
                answers.contains(&StatusCode::CREATED)
            }
        }))
        .await;
        assert_eq!(answers.iter().filter(|&&won| won).count(), 1, "{answers:?}");
        let mut leaders = 0;
        for user in &users {
            leaders += server.list("/v0/organizations", Some(user), "uuid").await.1 - 1;
        }
        assert_eq!(leaders, 1);
    })
    .await;
}

#[tokio::test]
async fn an_organization_is_claimed_once() {
    on_each_database(async |server| {
        let admin = server.sign_up("Admin").await;
        let (bob, eve) = (server.sign_up("Bob").await, server.sign_up("Eve").await);
        let report = server.taken(run("aaa")).await;
        let uuid = report["project"]["organization"].as_str().unwrap();
        let claim = format!("/v0/organizations/{uuid}/claim");
        refused(server.send(Method::POST, &claim, None, Some(json!({}))).await, 400, "log-in");
        let claimed = server.create(&claim, &bob, json!({})).await;
        assert_eq!(claimed["uuid"], uuid);
        assert!(claimed["claimed"].is_string());
        refused(server.post(&claim, &bob, json!({})).await, 409, "claimed already");
        refused(server.post(&claim, &admin, json!({})).await, 409, "claimed already");
        // Others cannot tell it from one that does not exist.
        refused(server.post(&claim, &eve, json!({})).await, 404, &format!("Organization ({uuid}) not found"));
        let none = uuid::Uuid::new_v4();
        refused(
            server.post(&format!("/v0/organizations/{none}/claim"), &eve, json!({})).await,
            404,
            &format!("Organization ({none}) not found"),
        );
        refused(server.post("/v0/organizations/bob/claim", &eve, json!({})).await, 404, "Organization (bob) not found");
        assert_eq!(server.post(&format!("/v0/projects/{}/keys", slug(&report)), &bob, json!({ "name": "ci" })).await.0, 201);
    })
    .await;
}

#[tokio::test]
async fn somebody_signs_up_for_what_it_made() {
    on_each_database(async |server| {
        server.sign_up("Admin").await;
        let report = server.taken(run("aaa")).await;
        let claim = report["project"]["organization"].clone();
        let sign_up = async |name: &str, claim: &Value| {
            let email = format!("{name}@example.com");
            let body = json!({ "name": name, "email": email, "i_agree": true, "claim": claim });
            server.send(Method::POST, "/v0/auth/signup", None, Some(body)).await
        };
        assert_eq!(sign_up("bob", &claim).await.0, StatusCode::ACCEPTED);
        let bob = server.confirm("bob@example.com").await;
        assert_eq!(server.list("/v0/organizations", Some(&bob), "uuid").await, (vec![claim.as_str().unwrap().to_owned()], 1));
        assert_eq!(server.create("/v0/run", &bob, run("aaa")).await["project"]["uuid"], report["project"]["uuid"]);

        for claim in [claim, json!(uuid::Uuid::new_v4())] {
            refused(sign_up("eve", &claim).await, 400, "that nobody has claimed");
        }
        assert_eq!(
            server
                .send(Method::POST, "/v0/auth/confirm", None, Some(json!({ "token": server.confirmation("eve@example.com") })))
                .await
                .0,
            401
        );
    })
    .await;
}

#[tokio::test]
async fn only_so_much_is_created_in_a_project_that_nobody_has_claimed() {
    let change = |config: &mut Config| {
        let rates = RateLimiting { unclaimed_limit: Some(3), claimed_limit: Some(5), ..RateLimiting::default() };
        config.plus.as_mut().unwrap().rate_limiting = Some(rates);
    };
    on_each_with(change, async |server| {
        let benchmarks = |names: &[&str]| -> Value {
            names
                .iter()
                .map(|name| ((*name).to_owned(), json!({ "latency": { "value": 1 } })))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        server.sign_up("Admin").await;
        let first = server.taken(run_of("aaa", &benchmarks(&["a", "b", "c"]))).await;
        // What is there already is not created.
        server.taken(run_of("aaa", &benchmarks(&["a", "b", "c"]))).await;
        refused(server.anonymous(run_of("aaa", &benchmarks(&["a", "d"]))).await, 429, "benchmarks");
        let path = format!("/v0/projects/{}", slug(&first));
        assert_eq!(server.list(&format!("{path}/benchmarks"), None, "name").await.1, 3);
        assert_eq!(server.list(&format!("{path}/reports"), None, "uuid").await.1, 2);
        server.taken(run("aaa").tap(|run| run["results"] = json!([benchmarks(&["a"]).to_string()]))).await;
        refused(server.anonymous(run_of("aaa", &benchmarks(&["a"]))).await, 429, "reports");

        // Another project has a count of its own, and a claimed one may have more.
        server.taken(run_of("bbb", &benchmarks(&["x"]))).await;
        let bob = server.sign_up("Bob").await;
        server.create("/v0/run", &bob, run_of("aaa", &benchmarks(&["d", "e"]))).await;
        refused(server.post("/v0/run", &bob, run_of("aaa", &benchmarks(&["f"]))).await, 429, "ask an admin");
        let response = server.client.post(format!("{}{path}/benchmarks", server.url)).bearer_auth(&bob.token);
        let response = response.json(&json!({ "name": "f" })).send().await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"86400".parse().unwrap()));
        for number in 0..4 {
            server.create(&format!("{path}/branches"), &bob, json!({ "name": format!("b{number}") })).await;
        }
        refused(server.post(&format!("{path}/branches"), &bob, json!({ "name": "b4" })).await, 429, "branches");
    })
    .await;
}

/// Changes a value in passing.
trait Tap: Sized {
    fn tap(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Tap for Value {}

#[tokio::test]
async fn of_the_jobs_of_one_source_one_is_in_flight_however_many_runners_ask() {
    at_rest_on_each_database(async |server| {
        let store = server.app.store.clone();
        let spec = rows::spec(&store).await;
        let mut of_source = Vec::new();
        for second in 0..6 {
            let job = rows::job(&store, spec, 0, at(second)).await;
            let mut tx = store.begin().await.unwrap();
            tx.execute("UPDATE job SET source = '192.0.2.1' WHERE uuid = $1", values![job]).await.unwrap();
            tx.commit().await.unwrap();
            of_source.push(job);
        }
        let (other, owned) = (rows::job(&store, spec, 0, at(10)).await, rows::job(&store, spec, 0, at(11)).await);
        let mut tx = store.begin().await.unwrap();
        tx.execute("UPDATE job SET source = '192.0.2.2' WHERE uuid = $1", values![other]).await.unwrap();
        tx.commit().await.unwrap();

        let mut claims = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (store, runner) = (store.clone(), rows::runner(&store, spec).await);
            claims.spawn(async move {
                store.claim_job(runner.id, LEASE, at(20)).await.unwrap().map(|claimed| (runner.id, claimed.job.uuid.0))
            });
        }
        let claimed: Vec<_> = claims.join_all().await.into_iter().flatten().collect();
        let jobs: HashSet<_> = claimed.iter().map(|(_, job)| *job).collect();
        assert_eq!(jobs, HashSet::from([of_source[0], other, owned]));

        // The end of one makes room for the next.
        let (runner, job) = claimed.into_iter().find(|(_, job)| *job == of_source[0]).unwrap();
        assert!(store.frees_another(job, &Rules::default()).await.unwrap());
        assert!(!store.frees_another(owned, &Rules::default()).await.unwrap());
        let ending = Ending { event: JobEvent::Fail, output_key: None, message: None, failure: None };
        assert_eq!(store.finish_job(runner, job, &ending, at(21)).await.unwrap(), Ended::Now(JobStatus::Failed));
        let next = store.claim_job(runner, LEASE, at(22)).await.unwrap().unwrap();
        assert_eq!(next.job.uuid.0, of_source[1]);
    })
    .await;
}
