//! Images made by hand, so that what is measured is the registry and not a build tool.

use std::{
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bencher_oci::{BlobRef, document::LayerRef, merge::LayerInput};
use bencher_types::Digest;
use reqwest::{Body, Method};
use serde_json::json;
use sha2::Digest as _;
use tokio_util::io::ReaderStream;

use crate::{content::Codec, processes::Server};

/// A layer on disk.
pub(crate) struct Layer {
    file: tempfile::NamedTempFile,
    codec: Codec,
    digest: Digest,
    /// The digest of the archive as it is when it is not compressed.
    diff_id: Digest,
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
        Self::of(file, Codec::None)
    }

    /// The same binary, and this many bytes of files of this machine's system.
    pub(crate) fn of_system(bytes: u64, codec: Codec) -> Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        codec.write_system(bytes, file.as_file_mut())?;
        Self::of(file, codec)
    }

    fn of(file: tempfile::NamedTempFile, codec: Codec) -> Result<Self> {
        let (digest, size) = hashed(file.reopen()?)?;
        let (diff_id, _) = hashed(codec.reader(file.reopen()?)?)?;
        Ok(Self { file, codec, digest, diff_id, size })
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// Bytes as it is stored and transferred.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// As the merging of layers takes it.
    pub(crate) fn input(&self) -> Result<LayerInput> {
        let media_type = self.codec.media_type().to_owned();
        let blob = BlobRef { digest: self.digest.clone(), size: self.size, media_type };
        let layer = LayerRef { blob, diff_id: self.diff_id.clone() };
        Ok(LayerInput { layer, file: Arc::new(std::fs::File::open(self.path())?) })
    }
}

fn hashed(mut from: impl std::io::Read) -> Result<(Digest, u64)> {
    let mut hash = sha2::Sha256::new();
    let size = std::io::copy(&mut from, &mut hash)?;
    Ok((Digest::from_hash(bencher_types::oci::digest::Algorithm::Sha256, &hash.finalize()), size))
}

/// An image in the registry.
pub(crate) struct Pushed {
    /// How long its layer took.
    pub(crate) layer: Duration,
    /// The digest of its manifest.
    pub(crate) digest: Digest,
}

/// Pushes an image of one layer to the project that the other measurements are of.
pub(crate) async fn push(server: &Server, tag: &str, layer: &Layer) -> Result<Pushed> {
    push_to(server, "bench", tag, layer).await
}

/// Pushes an image of one layer.
pub(crate) async fn push_to(server: &Server, repository: &str, tag: &str, layer: &Layer) -> Result<Pushed> {
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }, "os": "linux",
        "config": { "Entrypoint": ["/bin/busybox"] }, "rootfs": { "type": "layers", "diff_ids": [layer.diff_id] },
    })
    .to_string();
    let token = token(server, repository, "pull,push").await?;
    let begun = Instant::now();
    let file = tokio::fs::File::open(layer.path()).await?;
    push_blob(
        server,
        (repository, &token),
        &layer.digest,
        layer.size,
        Body::wrap_stream(ReaderStream::with_capacity(file, 1 << 18)),
    )
    .await?;
    let took = begun.elapsed();
    let config_digest = Digest::sha256(config.as_bytes());
    let config_size = u64::try_from(config.len())?;
    push_blob(server, (repository, &token), &config_digest, config_size, config.into()).await?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config_size },
        "layers": [{ "mediaType": layer.codec.media_type(), "digest": layer.digest, "size": layer.size }],
    })
    .to_string();
    let digest = Digest::sha256(manifest.as_bytes());
    let response = server
        .client
        .put(format!("{}/v2/{repository}/manifests/{tag}", server.url))
        .bearer_auth(&token)
        .header("content-type", "application/vnd.oci.image.manifest.v1+json")
        .body(manifest)
        .send()
        .await?;
    ensure!(response.status().is_success(), "the manifest was answered {}: {}", response.status(), response.text().await?);
    Ok(Pushed { layer: took, digest })
}

/// Pulls a layer, counting its bytes, and returns how long it took.
pub(crate) async fn pull(server: &Server, layer: &Layer) -> Result<Duration> {
    use futures::StreamExt as _;

    let token = token(server, "bench", "pull,push").await?;
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

async fn push_blob(server: &Server, (repository, token): (&str, &str), digest: &Digest, size: u64, body: Body) -> Result<()> {
    let upload = server.client.post(format!("{}/v2/{repository}/blobs/uploads/", server.url)).bearer_auth(token).send().await?;
    let location = upload.headers().get("location").map(|value| value.to_str().map(str::to_owned)).transpose()?;
    let location = location.ok_or_else(|| anyhow::anyhow!("an upload without a location: {}", upload.status()))?;
    let mut url = url::Url::parse(&server.url)?.join(&location)?;
    url.query_pairs_mut().append_pair("digest", &digest.to_string());
    let response = server.client.put(url).bearer_auth(token).header("content-length", size).body(body).send().await?;
    ensure!(response.status().is_success(), "the blob was answered {}: {}", response.status(), response.text().await?);
    Ok(())
}

/// A token for the registry.
pub(crate) async fn token(server: &Server, repository: &str, actions: &str) -> Result<String> {
    let key = server.user_key().await?;
    let url = format!("{}/v0/auth/oci/token?service=bench&scope=repository:{repository}:{actions}", server.url);
    let response = server.client.request(Method::GET, url).basic_auth("bench@example.com", Some(key)).send().await?;
    ensure!(response.status().is_success(), "the token was answered {}", response.status());
    let body: serde_json::Value = response.json().await?;
    crate::processes::text(&body, "token")
}
