//! A small image with busybox in it, made by hand and pushed over HTTP.

use anyhow::{Context as _, Result, ensure};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::client::{Client, text};

/// Statically linked: it runs alone in an empty image.
pub(crate) const BUSYBOX: &str = "/bin/busybox";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Pushes `REPOSITORY:v1`; `user` and `key` are who may.
pub(crate) async fn push(client: &Client, server: &str, user: &str, key: &str, repository: &str) -> Result<()> {
    let layer = layer()?;
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture, "os": "linux", "config": { "Cmd": [BUSYBOX, "true"] },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(&config), "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(&layer), "size": layer.len() }],
    });
    let url = format!("{server}/v0/auth/oci/token?service=chaos&scope=repository:{repository}:pull,push");
    let answer = client.http().get(url).basic_auth(user, Some(key)).send().await?;
    ensure!(answer.status() == StatusCode::OK, "no token for the registry: {}", answer.status());
    let token = text(&serde_json::from_str::<Value>(&answer.text().await?)?, "token")?;
    for blob in [layer, config] {
        push_blob(client, server, &token, repository, blob).await?;
    }
    let url = format!("{server}/v2/{repository}/manifests/v1");
    let request = client.http().put(url).bearer_auth(&token).header(header::CONTENT_TYPE, MANIFEST).body(manifest.to_string());
    let answer = request.send().await?;
    ensure!(answer.status() == StatusCode::CREATED, "the manifest was answered {}", answer.status());
    Ok(())
}

async fn push_blob(client: &Client, server: &str, token: &str, repository: &str, bytes: Vec<u8>) -> Result<()> {
    let url = format!("{server}/v2/{repository}/blobs/uploads/");
    let begun = client.http().post(url).bearer_auth(token).send().await?;
    ensure!(begun.status() == StatusCode::ACCEPTED, "an upload was answered {}", begun.status());
    let location = begun.headers().get(header::LOCATION).context("an upload has a location")?.to_str()?.to_owned();
    let base = reqwest::Url::parse(server)?;
    let mut url = base.join(&location)?;
    url.query_pairs_mut().append_pair("digest", &digest(&bytes));
    let answer = client.http().put(url).bearer_auth(token).body(bytes).send().await?;
    ensure!(answer.status() == StatusCode::CREATED, "a blob was answered {}", answer.status());
    Ok(())
}

fn layer() -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for folder in ["bin", "tmp"] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(0);
        header.set_entry_type(tar::EntryType::Directory);
        tar.append_data(&mut header, folder, std::io::empty())?;
    }
    tar.append_path_with_name(BUSYBOX, "bin/busybox")?;
    Ok(tar.into_inner()?)
}

fn digest(bytes: &[u8]) -> String {
    let hash = sha2::Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
