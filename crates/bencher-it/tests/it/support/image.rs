//! Small images, made by hand and pushed over HTTP, so that a test of something else does not depend on a build tool.

use bencher_types::{Digest, oci::digest::Algorithm};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::Digest as _;

use super::{EMAIL, PROJECT, World, text};

/// Statically linked: it runs alone in an empty image.
pub(crate) const BUSYBOX: &str = "/bin/busybox";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// This machine's architecture as images call it.
pub(crate) fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// A layer with busybox in it, `/tmp`, and a file of `filler` bytes that do not compress.
fn layer(filler: usize) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for folder in ["bin", "tmp"] {
        let mut header = header(0o755, 0);
        header.set_entry_type(tar::EntryType::Directory);
        tar.append_data(&mut header, folder, std::io::empty()).expect("a tar in memory");
    }
    tar.append_path_with_name(BUSYBOX, "bin/busybox").expect("busybox is read");
    if filler > 0 {
        let mut header = header(0o644, filler as u64);
        let random = std::fs::File::open("/dev/urandom").expect("randomness");
        tar.append_data(&mut header, "filler", std::io::Read::take(random, filler as u64)).expect("a tar in memory");
    }
    tar.into_inner().expect("a tar in memory")
}

fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_hash(Algorithm::Sha256, &sha2::Sha256::digest(bytes))
}

impl World {
    /// Pushes an image with busybox as `shop/NAME:v1` and returns that reference.
    pub(crate) async fn push_busybox(&self, name: &str) -> String {
        self.push(name, architecture(), 0).await
    }

    /// Pushes an image for an architecture, with so many random bytes in it.
    pub(crate) async fn push(&self, name: &str, architecture: &str, filler: usize) -> String {
        let layer = layer(filler);
        let config = json!({
            "architecture": architecture, "os": "linux", "config": { "Cmd": [BUSYBOX, "true"] },
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(&config), "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(&layer), "size": layer.len(),
            }],
        });
        let repository = format!("{PROJECT}/{name}");
        let token = self.registry_token(&repository).await;
        self.push_blob(&repository, &token, layer).await;
        self.push_blob(&repository, &token, config).await;
        let url = format!("{}/v2/{repository}/manifests/v1", self.url);
        let request = self.http.put(url).bearer_auth(&token).header(header::CONTENT_TYPE, MANIFEST).body(manifest.to_string());
        let answer = request.send().await.expect("the registry answers");
        assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.text().await);
        format!("{repository}:v1")
    }

    async fn push_blob(&self, repository: &str, token: &str, bytes: Vec<u8>) {
        let url = format!("{}/v2/{repository}/blobs/uploads/", self.url);
        let begun = self.http.request(Method::POST, url).bearer_auth(token).send().await.expect("the registry answers");
        assert_eq!(begun.status(), StatusCode::ACCEPTED);
        let location = begun.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).expect("a location");
        let mut url = url::Url::parse(&self.url).and_then(|base| base.join(location)).expect("a location is a URL");
        url.query_pairs_mut().append_pair("digest", &digest(&bytes).to_string());
        let answer = self.http.put(url).bearer_auth(token).body(bytes).send().await.expect("the registry answers");
        assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.text().await);
    }

    async fn registry_token(&self, repository: &str) -> String {
        let url = format!("{}/v0/auth/oci/token?service=tests&scope=repository:{repository}:pull,push", self.url);
        let answer = self.http.get(url).basic_auth(EMAIL, Some(&self.key)).send().await.expect("the registry answers");
        assert_eq!(answer.status(), StatusCode::OK);
        text(&answer.json::<Value>().await.expect("a token is JSON"), "token")
    }
}
