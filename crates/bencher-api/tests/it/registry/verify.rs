//! Blobs at rest that are not what they were.

use std::process::Command;

use bencher_api::{
    config::registry::Verification as Configured,
    registry::{
        blob,
        verify::{self, Pace},
    },
    store::oci::blob::CopyId,
};
use bencher_types::{Digest, wire::registry::Damage};
use object_store::ObjectStoreExt as _;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{Answer, bytes, collect::server, keeper};
use crate::{
    bucket::Bucket,
    setup::TestUser,
    support::{Backend, TestServer},
};

async fn write(server: &TestServer, digest: &Digest, content: Option<Vec<u8>>) {
    let key = server.blob_key(digest).await;
    match content {
        Some(content) => drop(server.app.blobs.put(&key, content.into()).await.unwrap()),
        None => server.app.blobs.delete(&key).await.unwrap(),
    }
}

/// One of the bits of each blob is another; one is cut off; one is gone; one is sound.
async fn damage(server: &TestServer, user: &TestUser) -> Vec<(Vec<u8>, Digest, Damage)> {
    let contents: Vec<Vec<u8>> = (1..=4).map(|seed| bytes(1000, seed)).collect();
    let mut damaged = Vec::new();
    for content in &contents {
        damaged.push(server.push_blob("shop", user, content).await);
    }
    let mut flipped = contents[0].clone();
    flipped[500] ^= 1;
    write(server, &damaged[0], Some(flipped)).await;
    write(server, &damaged[1], Some(contents[1][..999].to_vec())).await;
    write(server, &damaged[2], None).await;
    let kinds = [Damage::Content, Damage::Size, Damage::Missing];
    contents.into_iter().zip(damaged).zip(kinds).map(|((content, digest), damage)| (content, digest, damage)).collect()
}

async fn found_and_healed(server: TestServer) {
    let user = keeper(&server).await;
    let admin = server.confirm("admin@example.com").await;
    let damaged = damage(&server, &user).await;
    let verified = verify::verify(&server.app, Pace::AsFastAsItGoes).await.unwrap();
    assert_eq!(verified.blobs, 4);
    let mut found: Vec<(Digest, Option<Damage>)> =
        verified.damaged.iter().map(|blob| (blob.digest.clone(), blob.damage)).collect();
    let mut expected: Vec<(Digest, Option<Damage>)> =
        damaged.iter().map(|(_, digest, damage)| (digest.clone(), Some(*damage))).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(found, expected);
    assert_eq!(verified.damaged[0].repositories, ["shop"]);

    let (status, registry) = server.get("/v0/server/registry", &admin).await;
    assert_eq!((status, registry["quarantined"].as_array().unwrap().len()), (StatusCode::OK, 3), "{registry}");
    assert_eq!(registry["verification"]["damaged"].as_array().unwrap().len(), 3);
    for (content, digest, _) in &damaged {
        let path = format!("shop/blobs/{digest}");
        let answer = Answer::of(server.oci(Method::GET, &path, &user)).await.expect_error(404, "BLOB_UNKNOWN");
        assert!(String::from_utf8_lossy(&answer.body).contains("damaged or missing"), "the client is told why");
        Answer::of(server.oci(Method::HEAD, &path, &user)).await.expect(404);
        let mount = format!("shop/tools/blobs/uploads/?mount={digest}&from=shop");
        Answer::of(server.oci(Method::POST, &mount, &user)).await.expect(202);
        server.push_blob("shop", &user, content).await;
        assert_eq!(server.blob("shop", &user, digest).await.expect(200).body, *content);
    }
    assert!(verify::verify(&server.app, Pace::AsFastAsItGoes).await.unwrap().damaged.is_empty());
    assert_eq!(server.get("/v0/server/registry", &admin).await.1["quarantined"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_damaged_blob_is_not_served_until_it_is_pushed_again() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(server) = server(backend, 3600, None).await else { continue };
        found_and_healed(server).await;
    }
    let Some(bucket) = Bucket::start().await else { return };
    found_and_healed(server(Backend::Sqlite, 3600, Some(&bucket)).await.unwrap()).await;
}

#[tokio::test]
async fn a_manifest_is_not_taken_whose_config_is_in_quarantine() {
    let server = server(Backend::Sqlite, 3600, None).await.unwrap();
    let user = keeper(&server).await;
    let (manifest, _) = server.push_image("shop", &user, "v1", 1).await;
    let config: Digest = manifest["config"]["digest"].as_str().unwrap().parse().unwrap();
    write(&server, &config, None).await;
    verify::verify(&server.app, Pace::AsFastAsItGoes).await.unwrap();
    let refused = server.put_manifest("shop", &user, "v2", &manifest).await;
    assert_eq!(refused.code(), "MANIFEST_BLOB_UNKNOWN");
    server.push_image("shop", &user, "v2", 1).await;
}

#[tokio::test]
async fn another_sound_copy_takes_the_place_of_a_damaged_one() {
    let server = server(Backend::Sqlite, 3600, None).await.unwrap();
    let user = keeper(&server).await;
    let content = bytes(1000, 1);
    let digest = server.push_blob("shop", &user, &content).await;
    let spare = blob::key(&digest, CopyId::of_upload(uuid::Uuid::from_u128(7)));
    server.app.blobs.put(&spare, content.clone().into()).await.unwrap();
    let bad = blob::key(&digest, CopyId::of_upload(uuid::Uuid::from_u128(8)));
    server.app.blobs.put(&bad, b"bad".to_vec().into()).await.unwrap();
    write(&server, &digest, None).await;
    let verified = verify::verify(&server.app, Pace::AsFastAsItGoes).await.unwrap();
    assert_eq!((verified.healed, verified.damaged.len()), (1, 0));
    assert_eq!(server.blob_key(&digest).await, spare);
    assert_eq!(server.blob("shop", &user, &digest).await.expect(200).body, content);
}

#[tokio::test]
async fn a_server_reads_its_blobs_again_by_itself() {
    let server = TestServer::start_with(Backend::Sqlite, |config| {
        let registry = config.plus.get_or_insert_default().registry.get_or_insert_default();
        registry.verification = Some(Configured { enabled: None, interval: Some(1), bytes_per_second: Some(1 << 20) });
    });
    let server = server.await.unwrap();
    let user = keeper(&server).await;
    let admin = server.confirm("admin@example.com").await;
    let damaged = damage(&server, &user).await;
    loop {
        let (_, registry) = server.get("/v0/server/registry", &admin).await;
        if registry["quarantined"].as_array().unwrap().len() == damaged.len() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_admin_looks_after_the_registry_while_the_server_runs() {
    let server = server(Backend::Sqlite, 0, None).await.unwrap();
    let user = keeper(&server).await;
    let damaged = damage(&server, &user).await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("bencher.json");
    std::fs::write(&config, serde_json::to_string(&server.app.config).unwrap()).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bencher-api"));
        for name in ["BENCHER_CONFIG", "BENCHER_CONFIG_PATH", "BENCHER_LOG", "BENCHER_BIND_ADDRESS"] {
            command.env_remove(name);
        }
        let output = command.arg("--config").arg(&config).arg("registry").args(arguments).output().unwrap();
        let (text, log) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
        (output.status.code(), text, log)
    };

    let (code, text, log) = run(&["verify", "--format", "json"]);
    assert_eq!(code, Some(1), "{log}");
    let verified: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(verified["damaged"].as_array().unwrap().len(), 3);
    let (code, text, _) = run(&["verify"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("3 damaged") && text.contains("is missing; in shop"), "{text}");
    for (content, digest, _) in &damaged {
        // Put back, as from a backup of the folder.
        write(&server, digest, Some(content.clone())).await;
    }
    let (code, text, log) = run(&["verify", "--bytes-per-second", "100000000"]);
    assert_eq!(code, Some(0), "{log}");
    assert!(text.contains("0 damaged, 3 served again"), "{text}");
    Answer::of(server.oci(Method::GET, &format!("shop/blobs/{}", damaged[0].1), &user)).await.expect(200);

    server.end_leases().await;
    let (code, text, _) = run(&["gc", "--dry-run", "--format", "json"]);
    let preview: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &preview["blobs"], &preview["dry_run"]), (Some(0), &Value::from(4), &Value::from(true)));
    assert_eq!(server.stored().await.len(), 4);
    let (code, text, _) = run(&["gc"]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with("removed 0 tags, 0 manifests, 4 blobs of 4000 bytes"), "{text}");
    assert!(server.stored().await.is_empty());
    std::fs::remove_file(&config).unwrap();
    assert!(run(&["gc"]).2.contains("there is no configuration file"));
    assert!(!config.exists());
}
