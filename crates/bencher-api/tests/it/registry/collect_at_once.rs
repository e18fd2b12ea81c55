//! Pushes, deletions, mounts, pulls and collections at once, in an order that a seed says: whatever a tag names can be pulled whole, and
//! whatever nothing needs goes.
//!
//! Leases end at random meanwhile, as if hours had passed between two requests of a push: who pushes is then told what is missing, and
//! pushes that again. Only what is answered and what is there in the end counts; nothing depends on how fast anything is.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bencher_api::{
    registry::{
        collect::{self, CollectError},
        verify::{self, Pace},
    },
    store::Queries as _,
    values,
};
use bencher_types::Digest;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use reqwest::Method;
use serde_json::Value;

use super::{Answer, bytes, collect::server, image, keeper, sha256};
use crate::{
    bucket::Bucket,
    setup::TestUser,
    support::{Backend, TestServer},
};

const REPOSITORIES: [&str; 4] = ["shop", "shop/tools", "shop/a/b", "bakery"];
const TAGS: [&str; 3] = ["v1", "v2", "v3"];
const CONTENTS: u64 = 8;
const WORKERS: u64 = 4;
const STEPS: usize = 25;
/// How often who pushes is told that something is missing, before that is a defect. Each time a collection was faster.
const PATIENCE: usize = 200;

fn content(number: u64) -> Vec<u8> {
    bytes(200 + usize::try_from(number).unwrap(), number)
}

/// Who pushes, pulls and deletes.
struct Worker {
    server: Arc<TestServer>,
    user: TestUser,
    random: StdRng,
}

impl Worker {
    fn pick(&mut self) -> (&'static str, &'static str, u64) {
        let repository = REPOSITORIES.choose(&mut self.random).unwrap();
        let tag = TAGS.choose(&mut self.random).unwrap();
        (repository, tag, self.random.random_range(0..CONTENTS))
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Answer {
        Answer::of(self.server.oci(method, path, &self.user).body(body)).await
    }

    async fn step(&mut self) {
        let (repository, tag, number) = self.pick();
        match self.random.random_range(0..10) {
            0..4 => self.push(repository, tag, number).await,
            4 => {
                let answer = self.send(Method::DELETE, &format!("{repository}/manifests/{tag}"), Vec::new()).await;
                assert!([202, 404].contains(&answer.status.as_u16()), "{answer:?}");
            }
            5 => {
                let found = self.send(Method::GET, &format!("{repository}/manifests/{tag}"), Vec::new()).await;
                if found.status.is_success() {
                    let path = format!("{repository}/manifests/{}", found.header("docker-content-digest"));
                    let answer = self.send(Method::DELETE, &path, Vec::new()).await;
                    assert!([202, 404].contains(&answer.status.as_u16()), "{answer:?}");
                }
            }
            6 => {
                let from = REPOSITORIES.choose(&mut self.random).unwrap();
                let mount = format!("{repository}/blobs/uploads/?mount={}&from={from}", sha256(&content(number)));
                let answer = self.send(Method::POST, &mount, Vec::new()).await;
                assert!([201, 202].contains(&answer.status.as_u16()), "{answer:?}");
            }
            _ => self.pull(repository, tag).await,
        }
    }

    async fn push(&mut self, repository: &str, tag: &str, number: u64) {
        let layers = [content(number), content((number + 1) % CONTENTS)];
        let config = format!("{{\"number\":{number}}}").into_bytes();
        let manifest = image(&config, &[&layers[0], &layers[1]]);
        for _ in 0..PATIENCE {
            for blob in layers.iter().chain([&config]) {
                let digest = sha256(blob);
                let there = self.send(Method::HEAD, &format!("{repository}/blobs/{digest}"), Vec::new()).await;
                if there.status == 404 {
                    let path = format!("{repository}/blobs/uploads/?digest={digest}");
                    self.send(Method::POST, &path, blob.clone()).await.expect(201);
                } else {
                    there.expect(200);
                }
            }
            let answer = self.server.put_manifest(repository, &self.user, tag, &manifest).await;
            if answer.status != 201 {
                assert_eq!(answer.code(), "MANIFEST_BLOB_UNKNOWN", "{answer:?}");
                continue;
            }
            // What it refers to is not collected any more, but may have been a moment ago, or with the manifest where that was deleted.
            let mut is_whole = true;
            for blob in layers.iter().chain([&config]) {
                let there = self.send(Method::HEAD, &format!("{repository}/blobs/{}", sha256(blob)), Vec::new()).await;
                is_whole &= there.status == 200;
            }
            if is_whole {
                return;
            }
        }
        panic!("a collection was faster {PATIENCE} times");
    }

    /// What is there is right; what is gone was deleted meanwhile.
    async fn pull(&self, repository: &str, tag: &str) {
        let found = self.send(Method::GET, &format!("{repository}/manifests/{tag}"), Vec::new()).await;
        if found.status == 404 {
            return;
        }
        for digest in blobs_of(&found.expect(200).json()) {
            let answer = self.send(Method::GET, &format!("{repository}/blobs/{digest}"), Vec::new()).await;
            match answer.status.as_u16() {
                200 => assert_eq!(sha256(&answer.body), digest),
                404 => {}
                _ => panic!("{answer:?}"),
            }
        }
    }
}

fn blobs_of(manifest: &Value) -> Vec<Digest> {
    let layers = manifest["layers"].as_array().unwrap().iter();
    layers.chain([&manifest["config"]]).map(|part| part["digest"].as_str().unwrap().parse().unwrap()).collect()
}

/// Collects, and ends leases at random, until everybody is done.
async fn collect_until(server: &TestServer, random: &mut StdRng, done: &AtomicBool) -> usize {
    let mut collections = 0;
    while !done.load(Ordering::SeqCst) {
        let digest = sha256(&content(random.random_range(0..CONTENTS)));
        let mut tx = server.app.store.begin().await.unwrap();
        let sql = "UPDATE oci_repository_blob SET leased_until = 0 WHERE digest = $1";
        tx.execute(sql, values![&digest]).await.unwrap();
        tx.commit().await.unwrap();
        match collect::collect(&server.app).await {
            Ok(_) => collections += 1,
            Err(CollectError::Busy) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    collections
}

#[derive(sqlx::FromRow)]
struct Usage {
    project_id: i64,
    blobs: i64,
    bytes: i64,
}

/// Whatever a tag names can be pulled, and nothing else is left.
async fn check(server: &TestServer, user: &TestUser) {
    let mut needed = std::collections::BTreeSet::new();
    for repository in REPOSITORIES {
        let listed = Answer::of(server.oci(Method::GET, &format!("{repository}/tags/list"), user)).await;
        for tag in listed.json()["tags"].as_array().into_iter().flatten() {
            let path = format!("{repository}/manifests/{}", tag.as_str().unwrap());
            let manifest = Answer::of(server.oci(Method::GET, &path, user)).await.expect(200).json();
            for digest in blobs_of(&manifest) {
                assert_eq!(sha256(&server.blob(repository, user, &digest).await.expect(200).body), digest);
                needed.insert(digest);
            }
        }
    }
    let verified = verify::verify(&server.app, Pace::AsFastAsItGoes).await.unwrap();
    assert_eq!((verified.damaged, verified.healed), (Vec::new(), 0), "no row is without its bytes");

    // What was tagged and is not any more is there by its digest; it goes with its manifests.
    server.sql("DELETE FROM oci_manifest WHERE id NOT IN (SELECT manifest_id FROM oci_tag)").await;
    server.end_leases().await;
    server.collect().await;
    let mut expected = Vec::new();
    for digest in &needed {
        expected.push(server.blob_key(digest).await);
    }
    expected.sort();
    assert_eq!(server.stored().await, expected);

    let mut conn = server.app.store.read().await.unwrap();
    let counted: Vec<Usage> =
        conn.all("SELECT project_id, blobs, bytes FROM oci_usage ORDER BY project_id", values![]).await.unwrap();
    for Usage { project_id, blobs, bytes } in counted {
        let sql = "SELECT CAST($1 AS BIGINT) AS project_id, COUNT(*) AS blobs, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes \
                   FROM oci_blob WHERE digest IN (SELECT digest FROM oci_repository_blob JOIN oci_repository \
                   ON oci_repository.id = oci_repository_blob.repository_id WHERE project_id = $1)";
        let summed: Usage = conn.one(sql, values![project_id]).await.unwrap();
        assert_eq!((blobs, bytes), (summed.blobs, summed.bytes), "what triggers counted is what there is");
    }
}

async fn at_once(server: TestServer, other: Option<TestServer>, seed: u64) {
    let user = keeper(&server).await;
    server.project(&user, "bakery", "public").await;
    let servers: Vec<Arc<TestServer>> = [Some(server), other].into_iter().flatten().map(Arc::new).collect();
    let done = Arc::new(AtomicBool::new(false));
    let collectors: Vec<_> = (0..)
        .zip(&servers)
        .map(|(number, server)| {
            let (server, done) = (server.clone(), done.clone());
            let mut random = StdRng::seed_from_u64(seed ^ (1000 + number));
            tokio::spawn(async move { collect_until(&server, &mut random, &done).await })
        })
        .collect();
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| {
            let server = servers[usize::try_from(number).unwrap() % servers.len()].clone();
            let mut worker = Worker { server, user: user.clone(), random: StdRng::seed_from_u64(seed + number) };
            tokio::spawn(async move {
                for _ in 0..STEPS {
                    worker.step().await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    for collector in collectors {
        assert!(collector.await.unwrap() > 0 || servers.len() > 1, "something was collected meanwhile");
    }
    check(&servers[0], &user).await;
}

const SEED: u64 = 20_261_122;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_needed_is_collected_with_sqlite() {
    at_once(server(Backend::Sqlite, 0, None).await.unwrap(), None, SEED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_needed_is_collected_by_two_servers_on_postgresql() {
    let Some(one) = server(Backend::Postgres, 0, None).await else { return };
    let other = one.beside().await;
    at_once(one, Some(other), SEED + 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_needed_is_collected_from_a_bucket() {
    let Some(bucket) = Bucket::start().await else { return };
    at_once(server(Backend::Sqlite, 0, Some(&bucket)).await.unwrap(), None, SEED + 2).await;
    drop(bucket);
    let Some(bucket) = Bucket::start().await else { return };
    if let Some(server) = server(Backend::Postgres, 0, Some(&bucket)).await {
        at_once(server, None, SEED + 3).await;
    }
}
