//! Libraries with which other programs reach registries: the crate `oci-client`, and `oras` of PyPI.

use std::{path::PathBuf, process::Command};

use futures::TryStreamExt as _;
use oci_client::{
    Client, Reference, RegistryOperation,
    client::{BlobResponse, ClientConfig, ClientProtocol, Config, ImageLayer},
    manifest::{IMAGE_LAYER_MEDIA_TYPE, OciDescriptor},
    secrets::RegistryAuth,
};

use super::{
    bytes, keeper, sha256,
    tools::{say_skipped, succeeded},
};
use crate::support::TestServer;

#[tokio::test]
async fn the_crate_oci_client_pushes_pulls_mounts_resumes_and_lists() {
    let server = TestServer::start().await;
    let user = keeper(&server).await;
    let registry = server.url.strip_prefix("http://").unwrap();
    let auth = RegistryAuth::Basic("keeper".to_owned(), server.key(&user).await);
    let client = Client::new(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() });
    let image: Reference = format!("{registry}/shop/crate/deep:v1").parse().unwrap();
    // The crate's chunks are of 4 MiB.
    let layer = |len, seed| ImageLayer::new(bytes(len, seed), IMAGE_LAYER_MEDIA_TYPE.to_owned(), None);
    let layers = [layer(450_000, 1), layer(9_000_000, 2)];
    let config = Config::oci_v1(br#"{"os":"linux","architecture":"amd64"}"#.to_vec(), None);
    client.push(&image, &layers, config, &auth, None).await.unwrap();

    let (tags, digest) = (
        client.list_tags(&image, &auth, Some(10), None).await.unwrap().tags,
        client.fetch_manifest_digest(&image, &auth).await.unwrap(),
    );
    assert_eq!(tags, ["v1"]);
    let pulled = client.pull(&image, &auth, vec![IMAGE_LAYER_MEDIA_TYPE]).await.unwrap();
    assert_eq!(pulled.digest.as_deref(), Some(&*digest));
    let contents: Vec<_> = pulled.layers.iter().map(|layer| layer.data.clone()).collect();
    assert!(contents.iter().zip(&layers).all(|(pulled, pushed)| *pulled == pushed.data));

    // A download that broke after 400,000 bytes goes on there.
    let first = OciDescriptor { digest: sha256(&layers[0].data).to_string(), size: 450_000, ..OciDescriptor::default() };
    let rest = match client.pull_blob_stream_partial(&image, &first, 400_000, None).await.unwrap() {
        BlobResponse::Partial(rest) => rest.stream.try_collect::<Vec<_>>().await.unwrap().concat(),
        BlobResponse::Full(_) => panic!("the registry serves parts"),
    };
    assert!(rest == layers[0].data[400_000..]);

    let other: Reference = format!("{registry}/shop/other:v1").parse().unwrap();
    client.auth(&other, &auth, RegistryOperation::Push).await.unwrap();
    client.mount_blob(&other, &image, &first.digest).await.unwrap();
    assert!(client.blob_exists(&other, &first.digest).await.unwrap());
    let by_digest = image.clone_with_digest(digest);
    assert!(client.pull_referrers(&by_digest, None).await.unwrap().manifests.is_empty());
}

/// Beside the build, where `cargo xtask setup` puts it. `None` where it is not and need not be.
fn python_with_oras() -> Option<PathBuf> {
    let test = std::env::current_exe().expect("this program");
    let found = test.ancestors().map(|folder| folder.join("tools/oras/bin/python")).find(|file| file.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("BENCHER_TEST_REQUIRE").is_none(),
            "oras is not installed: `cargo xtask setup` puts it into target/tools/oras"
        );
        say_skipped("oras");
    }
    found
}

#[tokio::test]
async fn oras_pushes_whole_and_in_chunks_pulls_lists_and_deletes() {
    let Some(python) = python_with_oras() else { return };
    let server = TestServer::start().await;
    let user = keeper(&server).await;
    server.project(&user, "bank", "private").await;
    let key = server.key(&user).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.bin"), bytes(450_000, 1)).unwrap();
    let mut command = Command::new(python);
    let registry = server.url.strip_prefix("http://").unwrap();
    command.args(["-c", include_str!("oras.py"), registry, &key]);
    command.env("HOME", folder.path()).env("TMPDIR", folder.path()).current_dir(folder.path());
    let running = tokio::task::spawn_blocking(move || command.output().expect("python starts"));
    let output = tokio::time::timeout(std::time::Duration::from_secs(120), running).await.expect("oras ends").unwrap();
    assert_eq!(succeeded("oras", &["oras.py"], output), "done");
}
