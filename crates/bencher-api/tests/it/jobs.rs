//! Jobs: made by a run, listed, viewed, canceled.

use bencher_api::{
    queue::{self, Delivered, Terminal},
    store::{Queries as _, oci::blob::CopyId, queue::Ended},
    values,
};
use bencher_types::{
    Digest, JobStatus, RunnerKey,
    wire::{
        channel::{IterationOutput, Timings},
        job::JobOutput,
    },
};
use object_store::{ObjectStoreExt as _, PutPayload, path::Path};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused, unmarked},
    support::{TestServer, on_each_database},
};

const JOBS: &str = "/v0/projects/shop/jobs";
const MANIFEST: &str = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;

#[derive(sqlx::FromRow)]
struct Id {
    id: i64,
}

#[derive(sqlx::FromRow)]
struct Stored {
    config: String,
    env_sealed: Option<Vec<u8>>,
    priority: i64,
}

/// Puts a manifest into the registry's tables, as a push would.
async fn push(server: &TestServer, project: &str, repository: &str, tag: &str, manifest: &str) -> Digest {
    let digest = Digest::sha256(manifest.as_bytes());
    let mut tx = server.app.store.begin().await.unwrap();
    let project: Id = tx.one("SELECT id FROM project WHERE slug = $1", values![project]).await.unwrap();
    let repository: Id = tx
        .one(
            "INSERT INTO oci_repository (project_id, name, created) VALUES ($1, $2, 0) RETURNING id",
            values![project.id, repository],
        )
        .await
        .unwrap();
    let manifest: Id = tx
        .one(
            "INSERT INTO oci_manifest (repository_id, digest, media_type, size, content, created) VALUES ($1, $2, 'm', 1, $3, 0) RETURNING id",
            values![repository.id, &digest, manifest.as_bytes().to_vec()],
        )
        .await
        .unwrap();
    let sql = "INSERT INTO oci_tag (repository_id, name, manifest_id, created, modified) VALUES ($1, $2, $3, 0, 0)";
    tx.execute(sql, values![repository.id, tag, manifest.id]).await.unwrap();
    tx.commit().await.unwrap();
    digest
}

/// An admin with the public project `shop`, the image `shop:v1` and the fallback spec `small`.
async fn shop(server: &TestServer) -> (TestUser, Digest) {
    let ada = server.sign_up("Ada").await;
    server.project(&ada, "Shop", "public").await;
    server.spec(&ada, "Small", true).await;
    let digest = push(server, "shop", "", "v1", MANIFEST).await;
    (ada, digest)
}

fn run(job: Value) -> Value {
    json!({ "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z", "results": [], "job": job })
}

async fn stored(server: &TestServer, job: &Value) -> Stored {
    let mut conn = server.app.store.read().await.unwrap();
    let uuid = job.as_str().unwrap().to_owned();
    conn.one("SELECT config, env_sealed, priority FROM job WHERE uuid = $1", values![uuid]).await.unwrap()
}

#[tokio::test]
async fn a_job_is_queued_with_what_its_runner_needs() {
    on_each_database(async |server| {
        let (ada, digest) = shop(&server).await;
        let job = json!({ "image": "shop:v1", "cmd": ["bench"], "env": { "TOKEN": "hunter2" }, "iter": 3, "timeout": 30, "file_paths": ["a.json"] });
        let report = server.create("/v0/run", &ada, run(job)).await;
        assert_eq!((&report["results"], &report["testbed"]["name"]), (&json!([]), &json!("Small")));
        assert_eq!(report["testbed"]["spec"]["slug"], "small");

        let stored = stored(&server, &report["job"]).await;
        let config: Value = serde_json::from_str(&stored.config).unwrap();
        assert_eq!((&config["digest"], &config["project"]), (&json!(digest.to_string()), &report["project"]["uuid"]));
        assert_eq!((&config["timeout"], &config["iter"], config.get("env")), (&json!(30), &json!(3), None));
        assert!(config.get("warmup_runs").is_none() && config.get("reuse_vm").is_none(), "old runners see nothing new");
        assert_eq!(stored.priority, 100);
        let sealed = stored.env_sealed.unwrap();
        let uuid = report["job"].as_str().unwrap().parse().unwrap();
        let env = bencher_api::run::job::open_env(&server.app.sealer, uuid, &sealed).unwrap();
        assert_eq!(env["TOKEN"], "hunter2");

        let path = format!("{JOBS}/{}", report["job"].as_str().unwrap());
        let (_, shown) = server.send(Method::GET, &path, None, None).await;
        assert_eq!((&shown["status"], &shown["report"], &shown["attempt"]), (&json!("pending"), &report["uuid"], &json!(0)));
        assert_eq!(shown["message"], "no runner serves the spec small; an admin can add it to one");
        assert!(shown.get("config").is_none() && shown.get("output").is_none());
        server.create("/v0/runners", &ada, json!({ "name": "box" })).await;
        server.create("/v0/runners/box/specs", &ada, json!({ "spec": "small" })).await;
        assert_eq!(server.get(&path, &ada).await.1["message"], "the 1 runner of the spec small is offline");
    })
    .await;
}

#[tokio::test]
async fn a_job_that_is_sent_again_is_the_same_one_even_where_its_image_is_gone() {
    on_each_database(async |server| {
        let (ada, _) = shop(&server).await;
        let mut run = run(json!({ "image": "shop:v1" }));
        run["idempotency_key"] = json!(uuid::Uuid::new_v4());
        let report = server.create("/v0/run", &ada, run.clone()).await;
        let path = format!("/v0/projects/shop/reports/{}", report["uuid"].as_str().unwrap());
        assert_eq!(server.get(&path, &ada).await.1, report, "what was answered is what is there");
        let mut tx = server.app.store.begin().await.unwrap();
        tx.execute("DELETE FROM oci_tag", values![]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(unmarked(server.create("/v0/run", &ada, run.clone()).await), (report, true));
        run["idempotency_key"] = json!(uuid::Uuid::new_v4());
        refused(server.post("/v0/run", &ada, run).await, 400, "v1");
        assert_eq!(server.list(JOBS, None, "uuid").await.1, 1);
    })
    .await;
}

#[tokio::test]
async fn warm_up_runs_lengthen_the_bound_and_are_shown_but_not_measured() {
    on_each_database(async |server| {
        let (ada, _) = shop(&server).await;
        let of = async |more: Value| {
            let mut job = json!({ "image": "shop:v1", "iter": 2, "timeout": 30, "warmup_runs": 0, "reuse_vm": false });
            for (key, value) in more.as_object().unwrap() {
                job[key] = value.clone();
            }
            server.create("/v0/run", &ada, run(job)).await["job"].clone()
        };
        let (plain, warm) = (of(json!({})).await, of(json!({ "warmup_runs": 3, "reuse_vm": true })).await);
        let config: Value = serde_json::from_str(&stored(&server, &plain).await.config).unwrap();
        assert!(config.get("warmup_runs").is_none() && config.get("reuse_vm").is_none());

        let runner = server.create("/v0/runners", &ada, json!({ "name": "box" })).await;
        server.create("/v0/runners/box/specs", &ada, json!({ "spec": "small" })).await;
        let key: RunnerKey = runner["key"].as_str().unwrap().parse().unwrap();
        let runner = server.app.store.runner_by_key(&key.hash()).await.unwrap().unwrap();
        let (first, _) = queue::claim(&server.app, &runner).await.unwrap().unwrap();
        let ended = queue::finish(&server.app, &runner, first.job, Terminal::Canceled(Delivered::default())).await.unwrap();
        assert_eq!(ended, Ended::Now(JobStatus::Canceled));
        let (second, claimed) = queue::claim(&server.app, &runner).await.unwrap().unwrap();
        assert_eq!((claimed.config.warmup_runs, claimed.config.reuse_vm), (Some(3), Some(true)));
        let iteration = claimed.timeout.duration() + server.app.config.job_timeout_grace_period();
        let longer = second.must_end.since(first.must_end);
        // The claims themselves lie a moment apart.
        assert!(longer >= iteration * 3 && longer < iteration * 4, "{longer:?}");

        let printed = |value: f64| IterationOutput {
            stdout: Some(json!({ "bench": { "latency": { "value": value } } }).to_string()),
            timings: Some(Timings { boot_ns: Some(7), ..Timings::default() }),
            ..IterationOutput::default()
        };
        let delivered = Delivered { results: vec![printed(1.0), printed(2.0)], warmups: Some(vec![printed(99.0)]) };
        let ended = queue::finish(&server.app, &runner, second.job, Terminal::Completed(delivered)).await.unwrap();
        assert_eq!(ended, Ended::Now(JobStatus::Completed));
        let path = format!("{JOBS}/{}", warm.as_str().unwrap());
        let shown = server.get(&path, &ada).await.1;
        assert_eq!(shown["output"]["results"][1]["timings"], json!({ "boot_ns": 7 }));
        assert!(shown["output"]["warmups"][0]["stdout"].as_str().unwrap().contains("99"));
        let texts =
            bencher_api::report::texts_of_job(&serde_json::from_value::<JobOutput>(shown["output"].clone()).unwrap().results);
        assert_eq!(texts.len(), 2, "the warm-up run is no result");
    })
    .await;
}

#[tokio::test]
async fn what_a_canceled_job_printed_until_then_is_kept_once_and_never_measured() {
    on_each_database(async |server| {
        let (ada, _) = shop(&server).await;
        let runner = server.create("/v0/runners", &ada, json!({ "name": "box" })).await;
        server.create("/v0/runners/box/specs", &ada, json!({ "spec": "small" })).await;
        let key: RunnerKey = runner["key"].as_str().unwrap().parse().unwrap();
        let runner = server.app.store.runner_by_key(&key.hash()).await.unwrap().unwrap();
        let printed = |text: &str| {
            let stdout = Some(json!({ text: { "latency": { "value": 1 } } }).to_string());
            Delivered::from(vec![IterationOutput { stdout, ..IterationOutput::default() }])
        };
        // As our runners answer a cancel, as those of v0.6 do, and one whose benchmark was quicker.
        for late in [
            Terminal::Canceled(printed("late")),
            Terminal::Failed(printed("late"), "canceled".to_owned(), None),
            Terminal::Completed(printed("late")),
        ] {
            let report = server.create("/v0/run", &ada, run(json!({ "image": "shop:v1" }))).await;
            let path = format!("{JOBS}/{}", report["job"].as_str().unwrap());
            let (held, _) = queue::claim(&server.app, &runner).await.unwrap().unwrap();
            assert_eq!(server.post(&format!("{path}/cancel"), &ada, json!(null)).await.0, StatusCode::OK);
            let nothing = Terminal::Canceled(Delivered::default());
            assert_eq!(queue::finish(&server.app, &runner, held.job, nothing).await.unwrap(), Ended::Unchanged);
            assert_eq!(queue::finish(&server.app, &runner, held.job, late.clone()).await.unwrap(), Ended::Kept);
            assert_eq!(queue::finish(&server.app, &runner, held.job, late).await.unwrap(), Ended::Unchanged);
            let again = Terminal::Completed(printed("again"));
            assert_eq!(queue::finish(&server.app, &runner, held.job, again).await.unwrap(), Ended::Unchanged);
            let shown = server.get(&path, &ada).await.1;
            assert_eq!((&shown["status"], &shown["attempt"]), (&json!("canceled"), &json!(1)));
            assert_eq!(shown["message"], format!("canceled by user {}", ada.uuid));
            assert!(shown["output"]["results"][0]["stdout"].as_str().unwrap().contains("late"), "{shown}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_job_may_leave_out_what_has_a_default() {
    on_each_database(async |server| {
        let (ada, _) = shop(&server).await;
        let report = server.create("/v0/run", &ada, run(json!({ "image": "shop:v1" }))).await;
        let stored = stored(&server, &report["job"]).await;
        let config: Value = serde_json::from_str(&stored.config).unwrap();
        assert_eq!((&config["timeout"], stored.env_sealed), (&json!(3600), None));
    })
    .await;
}

#[tokio::test]
async fn an_image_is_found_by_tag_or_digest_under_every_name_of_this_server() {
    on_each_database(async |server| {
        let (ada, digest) = shop(&server).await;
        push(&server, "shop", "tools/bench", "latest", MANIFEST).await;
        let project = server.get("/v0/projects/shop", &ada).await.1["uuid"].as_str().unwrap().to_owned();
        let host = server.url.trim_start_matches("http://").to_owned();
        let port = host.rsplit(':').next().unwrap();
        for image in [
            format!("shop@{digest}"),
            format!("{project}:v1"),
            format!("{host}/shop:v1"),
            format!("localhost:{port}/shop:v1"),
            "shop/tools/bench".to_owned(),
        ] {
            server.create("/v0/run", &ada, run(json!({ "image": image }))).await;
        }
        for image in ["tools/bench", "whatever:v1"] {
            let mut sent = run(json!({ "image": image }));
            sent["project"] = json!("shop");
            server.create("/v0/run", &ada, sent).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_image_that_cannot_run_is_refused() {
    on_each_database(async |server| {
        let (ada, _) = shop(&server).await;
        let image = format!("sha256:{}", "1".repeat(64));
        let arm =
            json!({ "manifests": [{ "digest": image, "platform": { "os": "linux", "architecture": "arm64" } }] }).to_string();
        push(&server, "shop", "arm", "v1", &arm).await;
        let config = r#"{"os":"linux","architecture":"riscv64"}"#;
        let digest = Digest::sha256(config.as_bytes());
        let key = bencher_api::registry::blob::key(&digest, CopyId::FIRST);
        let mut tx = server.app.store.begin().await.unwrap();
        tx.execute("INSERT INTO oci_blob (digest, size, created) VALUES ($1, 1, 0)", values![&digest]).await.unwrap();
        tx.commit().await.unwrap();
        server.app.blobs.put(&key, PutPayload::from(config.to_owned())).await.unwrap();
        let manifest = json!({ "config": { "digest": digest, "size": config.len() }, "layers": [] }).to_string();
        push(&server, "shop", "riscv", "v1", &manifest).await;
        let other = format!("shop@sha256:{}", "0".repeat(64));
        for (image, part) in [
            ("shop:v2", "there is no image shop:v2 in the project shop"),
            ("shop/none:v1", "there is no image"),
            (other.as_str(), "there is no image"),
            ("docker.io/library/debian", "push it here first"),
            ("shop/arm:v1", "is for linux/arm64, and the spec small needs linux/amd64"),
            ("shop/riscv:v1", "is for linux/riscv64, and"),
            ("Shop:v1", "not an image reference"),
        ] {
            refused(server.post("/v0/run", &ada, run(json!({ "image": image }))).await, 400, part);
        }
        refused(server.post("/v0/run", &ada, run(json!({ "image": "none:v1" }))).await, 404, "Project (none)");
        assert_eq!(server.list(JOBS, None, "uuid").await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_spec_is_named_or_the_testbeds_or_the_fallback() {
    on_each_database(async |server| {
        let (ada, _) = shop(&server).await;
        server.spec(&ada, "Large", false).await;
        let spec_of = |report: &Value| report["testbed"]["spec"]["slug"].clone();
        let mut sent = run(json!({ "image": "shop:v1", "spec": "large" }));
        sent["testbed"] = json!("rack");
        let report = server.create("/v0/run", &ada, sent.clone()).await;
        assert_eq!((spec_of(&report), &report["testbed"]["name"]), (json!("large"), &json!("rack")));
        sent["job"] = json!({ "image": "shop:v1" });
        assert_eq!(spec_of(&server.create("/v0/run", &ada, sent.clone()).await), json!("large"));
        sent["testbed"] = json!("elsewhere");
        assert_eq!(spec_of(&server.create("/v0/run", &ada, sent.clone()).await), json!("small"));

        server.patch("/v0/specs/small", &ada, json!({ "archived": true })).await;
        let named = |spec: &str| run(json!({ "image": "shop:v1", "spec": spec }));
        refused(server.post("/v0/run", &ada, named("small")).await, 400, "archived");
        refused(server.post("/v0/run", &ada, named("none")).await, 400, "there is no spec none");
        refused(server.post("/v0/run", &ada, run(json!({ "image": "shop:v1" }))).await, 400, "no fallback");

        // Local results leave a testbed's spec alone, unless they say so.
        let mut local = json!({ "project": "shop", "testbed": "rack", "results": [r#"{"a":{"latency":{"value":1}}}"#],
            "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z" });
        assert_eq!(server.create("/v0/run", &ada, local.clone()).await["testbed"].get("spec"), None);
        assert_eq!(server.get("/v0/projects/shop/testbeds/rack", &ada).await.1["spec"]["slug"], "large");
        local["spec_reset"] = json!(true);
        server.create("/v0/run", &ada, local).await;
        assert_eq!(server.get("/v0/projects/shop/testbeds/rack", &ada).await.1.get("spec"), None);
    })
    .await;
}

#[tokio::test]
async fn a_job_has_bounds() {
    on_each_database(async |server| {
        let (ada, _) = shop(&server).await;
        let many = |count: usize| vec!["x"; count];
        let env: serde_json::Map<String, Value> = (0..256).map(|number| (format!("V{number}"), json!("x"))).collect();
        for (more, part) in [
            (json!({ "cmd": many(65) }), "65 command arguments: at most 64"),
            (json!({ "entrypoint": many(65) }), "at most 64"),
            (json!({ "file_paths": many(256) }), "256 files: at most 255"),
            (json!({ "env": env }), "256 environment variables"),
            (json!({ "env": { "A=B": "x" } }), "A=B"),
            (json!({ "cmd": ["a\0b"] }), "NUL"),
            (json!({ "iter": 0 }), "at least 1"),
            (json!({ "timeout": 0 }), "timeout"),
        ] {
            let mut job = json!({ "image": "shop:v1" });
            for (key, value) in more.as_object().unwrap() {
                job[key] = value.clone();
            }
            refused(server.post("/v0/run", &ada, run(job)).await, 400, part);
        }
        let mut both = run(json!({ "image": "shop:v1" }));
        both["results"] = json!(["x"]);
        refused(server.post("/v0/run", &ada, both).await, 400, "results beside a job");
    })
    .await;
}

#[tokio::test]
async fn jobs_are_listed_newest_first_by_status() {
    on_each_database(async |server| {
        let (ada, _) = shop(&server).await;
        let mut jobs = Vec::new();
        for _ in 0..3 {
            let report = server.create("/v0/run", &ada, run(json!({ "image": "shop:v1" }))).await;
            jobs.push(report["job"].as_str().unwrap().to_owned());
        }
        assert_eq!(server.post(&format!("{JOBS}/{}/cancel", jobs[1]), &ada, json!(null)).await.0, StatusCode::OK);
        let newest_first: Vec<String> = jobs.iter().rev().cloned().collect();
        assert_eq!(server.list(JOBS, None, "uuid").await, (newest_first, 3));
        assert_eq!(server.list(&format!("{JOBS}?status=canceled"), None, "uuid").await, (vec![jobs[1].clone()], 1));
        assert_eq!(
            server.list(&format!("{JOBS}?status=pending&per_page=1&page=2"), None, "uuid").await,
            (vec![jobs[0].clone()], 2)
        );
        refused(server.get(&format!("{JOBS}?status=lost"), &ada).await, 400, "lost");
    })
    .await;
}

#[tokio::test]
async fn canceling_is_for_members_final_and_repeatable() {
    on_each_database(async |server| {
        let (ada, _) = shop(&server).await;
        let eve = server.sign_up("Eve").await;
        let report = server.create("/v0/run", &ada, run(json!({ "image": "shop:v1" }))).await;
        let job = report["job"].as_str().unwrap();
        let cancel = format!("{JOBS}/{job}/cancel");
        refused(server.post(&cancel, &eve, json!(null)).await, 403, "no member");
        let report_path = format!("/v0/projects/shop/reports/{}", report["uuid"].as_str().unwrap());
        refused(server.delete(&report_path, &ada).await, 409, "cancel it first");

        for _ in 0..2 {
            let (status, shown) = server.post(&cancel, &ada, json!(null)).await;
            assert_eq!((status, &shown["status"]), (StatusCode::OK, &json!("canceled")));
            assert_eq!(shown["message"], format!("canceled by user {}", ada.uuid));
        }
        let unknown = format!("{JOBS}/{}/cancel", uuid::Uuid::new_v4());
        refused(server.post(&unknown, &ada, json!(null)).await, 404, "Job");
        assert_eq!(server.delete(&report_path, &ada).await.0, StatusCode::NO_CONTENT);
        refused(server.get(&format!("{JOBS}/{job}"), &ada).await, 404, "Job");

        let report = server.create("/v0/run", &ada, run(json!({ "image": "shop:v1" }))).await;
        let job = report["job"].as_str().unwrap().to_owned();
        let mut tx = server.app.store.begin().await.unwrap();
        tx.execute("UPDATE job SET status = 4 WHERE uuid = $1", values![job.clone()]).await.unwrap();
        tx.commit().await.unwrap();
        refused(server.post(&format!("{JOBS}/{job}/cancel"), &ada, json!(null)).await, 409, "processed already");
    })
    .await;
}

#[tokio::test]
async fn output_is_shown_to_users_once_the_job_has_run() {
    on_each_database(async |server| {
        let (ada, _) = shop(&server).await;
        let report = server.create("/v0/run", &ada, run(json!({ "image": "shop:v1" }))).await;
        let job = report["job"].as_str().unwrap().to_owned();
        let output = json!({ "results": [{ "exit_code": 1, "stdout": "hello" }], "error": "exit code 1" });
        server.app.blobs.put(&Path::from("jobs/x.json"), PutPayload::from(output.to_string())).await.unwrap();
        for (status, user, shown) in [(2, Some(&ada), false), (5, None, false), (5, Some(&ada), true)] {
            let mut tx = server.app.store.begin().await.unwrap();
            tx.execute(
                "UPDATE job SET status = $2, output_key = 'jobs/x.json' WHERE uuid = $1",
                values![job.clone(), i64::from(status)],
            )
            .await
            .unwrap();
            tx.commit().await.unwrap();
            let token = user.map(|user| user.token.as_str());
            let (_, found) = server.send(Method::GET, &format!("{JOBS}/{job}"), token, None).await;
            assert_eq!(found.get("output"), shown.then_some(&output), "{status}");
        }
        assert!(server.get(JOBS, &ada).await.1[0].get("output").is_none());
    })
    .await;
}
