//! Images made by hand, so that what is measured is the registry and not a build tool.

use std::{io::Write as _, path::Path, time::Instant};

use anyhow::{Result, ensure};
use bencher_types::Digest;
use reqwest::{Body, Method};
use serde_json::json;
use sha2::Digest as _;
use std::time::Duration;
use tokio_util::io::ReaderStream;

use crate::processes::Server;

/// A layer on disk.
pub(crate) struct Layer {
    file: tempfile::NamedTempFile,
    digest: Digest,
    size: u64,
}

impl Layer {
    /// A tar with a static binary at `/bin/busybox`, and a file of this many random bytes.
    pub(crate) fn new(filler: u64) -> Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        let mut tar = tar::Builder::new(std::io::BufWriter::new(file.as_file_mut()));
        tar.append_path_with_name("/bin/busybox", "bin/busybox")?;
        if filler > 0 {
            let mut header = tar::Header::new_gnu();
            header.set_size(filler);
            header.set_mode(0o644);
            header.set_cksum();
            let random = std::io::Read::take(std::fs::File::open("/dev/urandom")?, filler);
            tar.append_data(&mut header, "filler", random)?;
        }
        tar.into_inner()?.flush()?;
        let mut hash = sha2::Sha256::new();
        let size = std::io::copy(&mut file.reopen()?, &mut hash)?;
        let digest = Digest::from_hash(bencher_types::oci::digest::Algorithm::Sha256, &hash.finalize());
        Ok(Self { file, digest, size })
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }
}

/// Pushes an image of one layer and returns how long the layer took.
pub(crate) async fn push(server: &Server, tag: &str, layer: &Layer) -> Result<Duration> {
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }, "os": "linux",
        "config": { "Entrypoint": ["/bin/busybox"] }, "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
    })
    .to_string();
    let token = token(server, "pull,push").await?;
    let begun = Instant::now();
    let file = tokio::fs::File::open(layer.path()).await?;
    push_blob(server, &token, &layer.digest, layer.size, Body::wrap_stream(ReaderStream::with_capacity(file, 1 << 18))).await?;
    let took = begun.elapsed();
    let config_digest = Digest::sha256(config.as_bytes());
    let config_size = u64::try_from(config.len())?;
    push_blob(server, &token, &config_digest, config_size, config.into()).await?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config_size },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer.digest, "size": layer.size }],
    });
    let response = server
        .client
        .put(format!("{}/v2/bench/manifests/{tag}", server.url))
        .bearer_auth(&token)
        .header("content-type", "application/vnd.oci.image.manifest.v1+json")
        .body(manifest.to_string())
        .send()
        .await?;
    ensure!(response.status().is_success(), "the manifest was answered {}: {}", response.status(), response.text().await?);
    Ok(took)
}

/// Pulls a layer, counting its bytes, and returns how long it took.
pub(crate) async fn pull(server: &Server, layer: &Layer) -> Result<Duration> {
    use futures::StreamExt as _;

    let token = token(server, "pull,push").await?;
    let begun = Instant::now();
    let response = server.client.get(format!("{}/v2/bench/blobs/{}", server.url, layer.digest)).bearer_auth(token).send().await?;
    ensure!(response.status().is_success(), "the layer was answered {}", response.status());
    let mut stream = response.bytes_stream();
    let mut received = 0;
    while let Some(chunk) = stream.next().await {
        received += u64::try_from(chunk?.len())?;
    }
    ensure!(received == layer.size, "received {received} of {} bytes", layer.size);
    Ok(begun.elapsed())
}

async fn push_blob(server: &Server, token: &str, digest: &Digest, size: u64, body: Body) -> Result<()> {
    let upload = server.client.post(format!("{}/v2/bench/blobs/uploads/", server.url)).bearer_auth(token).send().await?;
    let location = upload.headers().get("location").map(|value| value.to_str().map(str::to_owned)).transpose()?;
    let location = location.ok_or_else(|| anyhow::anyhow!("an upload without a location: {}", upload.status()))?;
    let mut url = url::Url::parse(&server.url)?.join(&location)?;
    url.query_pairs_mut().append_pair("digest", &digest.to_string());
    let response = server.client.put(url).bearer_auth(token).header("content-length", size).body(body).send().await?;
    ensure!(response.status().is_success(), "the blob was answered {}: {}", response.status(), response.text().await?);
    Ok(())
}

async fn token(server: &Server, actions: &str) -> Result<String> {
    let key = server.user_key().await?;
    let url = format!("{}/v0/auth/oci/token?service=bench&scope=repository:bench:{actions}", server.url);
    let response = server.client.request(Method::GET, url).basic_auth("bench@example.com", Some(key)).send().await?;
    ensure!(response.status().is_success(), "the token was answered {}", response.status());
    let body: serde_json::Value = response.json().await?;
    crate::processes::text(&body, "token")
}
