//! What nothing needs goes from the registry, after its time.

use bencher_api::{
    config::registry::GarbageCollection,
    registry::{blob, collect},
    store::{Queries as _, oci::blob::CopyId},
    values,
};
use bencher_types::{Digest, wire::registry::Collection};
use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _, path::Path};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{Answer, bytes, keeper, sha256};
use crate::{
    bucket::Bucket,
    setup::TestUser,
    support::{Backend, TestServer},
};

/// A server that collects only when it is told to, and how long it leaves things lying.
pub(super) async fn server(backend: Backend, grace_period: u64, bucket: Option<&Bucket>) -> Option<TestServer> {
    TestServer::start_with(backend, |config| {
        let registry = config.plus.get_or_insert_default().registry.get_or_insert_default();
        registry.garbage_collection =
            Some(GarbageCollection { enabled: Some(false), interval: None, grace_period: Some(grace_period) });
        if let Some(bucket) = bucket {
            bucket.keep_blobs(config);
        }
    })
    .await
}

impl TestServer {
    pub(super) async fn sql(&self, sql: &'static str) {
        let mut tx = self.app.store.begin().await.unwrap();
        tx.execute(sql, values![]).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// As if more time had passed than anything is leased for.
    pub(super) async fn end_leases(&self) {
        self.sql("UPDATE oci_repository_blob SET leased_until = 0").await;
    }

    /// Every image blob in the store.
    pub(super) async fn stored(&self) -> Vec<Path> {
        let folder = Path::from(blob::FOLDER);
        let mut names: Vec<Path> = self.app.blobs.list(Some(&folder)).map_ok(|meta| meta.location).try_collect().await.unwrap();
        names.sort();
        names
    }

    pub(super) async fn collect(&self) -> Collection {
        collect::collect(&self.app).await.unwrap()
    }
}

fn layer(manifest: &Value) -> Digest {
    manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap()
}

async fn gone(server: &TestServer, user: &TestUser, path: &str) {
    Answer::of(server.oci(Method::DELETE, path, user)).await.expect(202);
}

#[tokio::test]
async fn blobs_of_deleted_images_go_and_those_of_others_stay() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(server) = server(backend, 0, None).await else { continue };
        let user = keeper(&server).await;
        server.push_image("shop", &user, "v1", 1).await;
        let (manifest, digest) = server.push_image("shop/tools", &user, "v2", 2).await;
        server.push_image("shop", &user, "same", 2).await;
        server.end_leases().await;
        assert_eq!(server.collect().await.released, 0, "everything is referred to");

        gone(&server, &user, &format!("shop/tools/manifests/{digest}")).await;
        server.end_leases().await;
        let collected = server.collect().await;
        assert_eq!((collected.released, collected.blobs), (2, 0), "another repository holds them");
        Answer::of(server.oci(Method::GET, &format!("shop/tools/blobs/{}", layer(&manifest)), &user)).await.expect(404);
        assert_eq!(server.blob("shop", &user, &layer(&manifest)).await.expect(200).body.len(), 1000);

        gone(&server, &user, &format!("shop/manifests/{digest}")).await;
        server.end_leases().await;
        let preview = collect::preview(&server.app).await.unwrap();
        assert_eq!(server.stored().await.len(), 4, "a preview changes nothing");
        let collected = server.collect().await;
        assert_eq!((collected.released, collected.blobs, collected.bytes), (2, 2, 1010));
        assert_eq!(Collection { dry_run: false, began: collected.began, ended: collected.ended, ..preview }, collected);
        assert_eq!(server.stored().await.len(), 2);
        server.push_image("shop/tools", &user, "v2", 2).await;
        assert_eq!(server.blob("shop/tools", &user, &layer(&manifest)).await.expect(200).body.len(), 1000);
    }
}

#[tokio::test]
async fn what_nothing_needs_stays_for_the_grace_period_and_for_its_lease() {
    let server = server(Backend::Sqlite, 3600, None).await.unwrap();
    let user = keeper(&server).await;
    let digest = server.push_blob("shop", &user, b"alone").await;
    server.collect().await;
    assert_eq!(server.stored().await.len(), 1, "it is leased, and a manifest may come");

    server.end_leases().await;
    assert_eq!(server.collect().await.blobs, 0);
    server.sql("UPDATE oci_repository_blob SET unreferenced = unreferenced - 3500000000").await;
    assert_eq!(server.collect().await.blobs, 0, "it is within the grace period");
    // Who looks for it and may push is about to refer to it.
    Answer::of(server.oci(Method::HEAD, &format!("shop/blobs/{digest}"), &user)).await.expect(200);
    server.sql("UPDATE oci_repository_blob SET unreferenced = unreferenced - 3600000000").await;
    assert_eq!(server.collect().await.blobs, 0, "it is leased again");
    server.end_leases().await;
    assert_eq!(server.collect().await.blobs, 0, "its time begins again");
    server.sql("UPDATE oci_repository_blob SET unreferenced = unreferenced - 3600000000").await;
    assert_eq!(server.collect().await.blobs, 1);
    Answer::of(server.oci(Method::HEAD, &format!("shop/blobs/{digest}"), &user)).await.expect(404);
}

#[tokio::test]
async fn a_server_that_died_between_the_row_and_the_bytes_leaves_nothing_for_ever() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(server) = server(backend, 3600, None).await else { continue };
        let user = keeper(&server).await;
        let (content, beside) = (bytes(1000, 1), server.push_blob("shop", &user, b"beside").await);
        let digest = server.push_blob("shop", &user, &content).await;
        let left = server.blob_key(&digest).await;
        gone(&server, &user, &format!("shop/blobs/{digest}")).await;
        assert!(server.app.store.forget_oci_blob(&digest).await.unwrap().is_some());
        // Here it died, and was started again. Another one died in an upload whose bytes were in the store and whose row was not.
        let server = server.restart().await;
        let (lost, under_way) = (uuid::Uuid::new_v4(), server.begin_upload("shop", &user).await);
        let under_way: uuid::Uuid = under_way.rsplit('/').next().unwrap().parse().unwrap();
        let other = sha256(b"other");
        for upload in [lost, under_way] {
            let key = blob::key(&other, CopyId::of_upload(upload));
            server.app.blobs.put(&key, b"other".to_vec().into()).await.unwrap();
        }

        assert_eq!(server.push_blob("shop", &user, &content).await, digest);
        assert_ne!(server.blob_key(&digest).await, left, "what is left of the old copy is not in the way of the new one");
        assert_eq!(server.collect().await.strays, 0, "they may belong to a backup that is being restored");
        server.sql("UPDATE oci_stray SET seen = seen - 3600000000").await;
        let preview = collect::preview(&server.app).await.unwrap();
        assert_eq!((preview.strays, preview.stray_bytes), (2, 1005));
        let collected = server.collect().await;
        assert_eq!((collected.strays, collected.stray_bytes), (2, 1005));
        let mut expected =
            [server.blob_key(&digest).await, server.blob_key(&beside).await, blob::key(&other, CopyId::of_upload(under_way))];
        expected.sort();
        assert_eq!(server.stored().await, expected);
        assert_eq!(server.blob("shop", &user, &digest).await.expect(200).body, content);
        assert!(server.app.store.oci_strays().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_another_installation_has_in_the_same_place_is_left_alone() {
    let (one, other) = (server(Backend::Sqlite, 0, None).await.unwrap(), server(Backend::Sqlite, 0, None).await.unwrap());
    let user = keeper(&one).await;
    for seed in 1..=3 {
        one.push_image("shop", &user, &format!("v{seed}"), seed).await;
    }
    let folder = |server: &TestServer| server.app.config.blob_folder().join(blob::FOLDER);
    std::fs::remove_dir_all(folder(&other)).ok();
    std::os::unix::fs::symlink(folder(&one), folder(&other)).unwrap();
    // A mistake in its configuration: it has the blobs of the other one, and knows none of them.
    assert_eq!(collect::preview(&other.app).await.unwrap().strays, 0);
    assert_eq!(other.collect().await.strays, 0);
    assert_eq!(one.collect().await.strays, 0);
    assert_eq!(one.stored().await.len(), 6);
    // The other one is named there now, whatever there is.
    let named = one.app.config.blob_folder().join("installation");
    assert_eq!(std::fs::read_to_string(&named).unwrap(), one.app.server.to_string());
    std::fs::write(&named, other.app.server.to_string()).unwrap();
    let stray = blob::key(&sha256(b"x"), CopyId::FIRST);
    one.app.blobs.put(&stray, b"x".to_vec().into()).await.unwrap();
    assert_eq!(one.collect().await.strays, 0);
    std::fs::write(&named, format!("{}\n", one.app.server)).unwrap();
    assert_eq!(one.collect().await.strays, 1);
}

#[tokio::test]
async fn a_second_copy_of_the_same_blob_is_not_kept() {
    let server = server(Backend::Sqlite, 0, None).await.unwrap();
    let user = keeper(&server).await;
    let digest = server.push_blob("shop", &user, b"twice").await;
    let first = server.blob_key(&digest).await;
    server.push_blob("shop/tools", &user, b"twice").await;
    assert_eq!(server.stored().await, [first]);
}

#[tokio::test]
async fn one_server_at_a_time_collects_and_takes_over_from_one_that_died() {
    let Some((one, other)) = TestServer::two().await else { return };
    one.sql("UPDATE oci_care SET holder = 'somebody', held_until = 9000000000000000 WHERE name = 'collection'").await;
    one.sql(
        "INSERT INTO oci_care (name, holder, held_until, began) VALUES ('collection', 'somebody', 9000000000000000, 0) \
         ON CONFLICT (name) DO NOTHING",
    )
    .await;
    assert!(matches!(collect::collect(&other.app).await, Err(collect::CollectError::Busy)));
    one.sql("UPDATE oci_care SET held_until = 1").await;
    collect::collect(&other.app).await.unwrap();
    collect::collect(&one.app).await.unwrap();
}

#[tokio::test]
async fn a_server_collects_by_itself_and_says_what_came_of_it() {
    let server = TestServer::start_with(Backend::Sqlite, |config| {
        let registry = config.plus.get_or_insert_default().registry.get_or_insert_default();
        registry.garbage_collection = Some(GarbageCollection { enabled: None, interval: Some(1), grace_period: Some(0) });
    });
    let server = server.await.unwrap();
    let admin = server.sign_up("Ada").await;
    server.project(&admin, "Shop", "public").await;
    server.push_blob("shop", &admin, b"alone").await;
    server.end_leases().await;
    while !server.stored().await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    loop {
        let (status, registry) = server.get("/v0/server/registry", &admin).await;
        assert_eq!(status, StatusCode::OK);
        if registry["collection"]["ended"].is_string() {
            assert_eq!((&registry["blobs"], &registry["collection"]["dry_run"]), (&Value::from(0), &Value::from(false)));
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
