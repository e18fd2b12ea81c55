//! Registries that mean harm: to learn credentials, to fill the disk or the memory, or to keep the client for ever.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, http::header, response::Response};
use bencher_oci::{
    BlobRef, BlobStore, Credentials, DocumentError, Limits, Platform, RegistryClient, RegistryError, StoreLimits, TransferLimits,
    store::FinishError,
};
use bencher_types::{Digest, Secret};
use bytes::Bytes;
use futures::{StreamExt as _, stream};

use crate::support::registry::{INDEX, MANIFEST, Registry};

/// A server that answers as the test wants, and notes what it was told.
struct Trap {
    url: url::Url,
    seen: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Clone, Debug)]
struct Asked {
    path: String,
    authorization: Option<String>,
    range: Option<String>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let path = request.uri().path().to_owned();
        Self { path, authorization: header(header::AUTHORIZATION), range: header(header::RANGE) }
    }
}

impl Trap {
    async fn start(answer: impl Fn(Asked) -> Response + Clone + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let seen = Arc::<Mutex<Vec<Asked>>>::default();
        let noted = Arc::clone(&seen);
        let app = Router::new().fallback(move |request: Request| {
            let asked = Asked::of(&request);
            noted.lock().unwrap().push(asked.clone());
            std::future::ready(answer(asked))
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen }
    }

    fn client(&self) -> RegistryClient {
        client(&self.url, Credentials::None)
    }

    fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }
}

fn client(url: &url::Url, credentials: Credentials) -> RegistryClient {
    let transfer = TransferLimits {
        response: Duration::from_secs(20),
        no_progress: Duration::from_millis(400),
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(5),
        retry_after_max: Duration::from_secs(1),
        ..TransferLimits::default()
    };
    RegistryClient::new(url.clone(), credentials).unwrap().transfer_limits(transfer)
}

fn store(dir: &tempfile::TempDir) -> BlobStore {
    BlobStore::open(dir.path(), StoreLimits { bytes: 1 << 30 }).unwrap()
}

fn content() -> Vec<u8> {
    (0..100_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn blob(bytes: &[u8]) -> BlobRef {
    BlobRef { digest: Digest::sha256(bytes), size: bytes.len() as u64, media_type: String::new() }
}

fn status(status: u16) -> axum::http::response::Builder {
    Response::builder().status(status)
}

fn redirect(to: &str) -> Response {
    status(307).header(header::LOCATION, to).body(Body::empty()).unwrap()
}

/// A body that never ends, as fast as it is read.
fn endless() -> Body {
    Body::from_stream(stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[b'{'; 64 * 1024]))))
}

/// A beginning, and then nothing, but no end either.
fn stalled(beginning: Vec<u8>) -> Body {
    Body::from_stream(stream::once(async { Ok::<_, io::Error>(Bytes::from(beginning)) }).chain(stream::pending()))
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_host() {
    let bytes = content();
    let served = bytes.clone();
    let thief = Trap::start(move |_| status(200).body(Body::from(served.clone())).unwrap()).await;
    let elsewhere = thief.url.clone();
    let registry = Trap::start(move |asked| match asked.authorization {
        Some(_) => redirect(&format!("{elsewhere}blob")),
        None => status(401).header(header::WWW_AUTHENTICATE, "Basic realm=\"r\"").body(Body::empty()).unwrap(),
    })
    .await;
    let basic = Credentials::Basic { user: "ada".to_owned(), password: Secret::new("secret") };
    for credentials in [basic, Credentials::Bearer(Secret::new("job"))] {
        let dir = tempfile::tempdir().unwrap();
        let fetched = client(&registry.url, credentials).fetch_blob(&store(&dir), "p/r", &blob(&bytes)).await;
        assert_eq!(fetched.unwrap().size(), bytes.len() as u64);
    }
    let stolen = thief.seen();
    assert_eq!(stolen.len(), 2);
    assert!(stolen.iter().all(|asked| asked.authorization.is_none()), "{stolen:?}");
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let registry = Trap::start(|_| redirect("/v2/again")).await;
    let error = registry.client().manifest("p/r", "v1").await.unwrap_err();
    assert!(matches!(error, RegistryError::Send { .. }), "{error}");
    assert!(registry.seen().len() <= 20, "{} requests", registry.seen().len());
}

#[tokio::test]
async fn a_redirect_to_what_is_no_address_ends() {
    for to in ["file:///etc/passwd", "gopher://x/", "http://", ":::"] {
        let registry = Trap::start(move |_| redirect(to)).await;
        assert!(registry.client().manifest("p/r", "v1").await.is_err(), "{to}");
    }
}

#[tokio::test]
async fn a_manifest_without_an_end_is_not_read_to_it() {
    let registry = Trap::start(|_| status(200).body(endless()).unwrap()).await;
    let error = registry.client().manifest("p/r", "v1").await.unwrap_err();
    assert!(matches!(error, RegistryError::Document(DocumentError::TooLarge { .. })), "{error}");
}

#[tokio::test]
async fn a_blob_without_an_end_is_not_kept() {
    let registry = Trap::start(|_| status(200).body(endless()).unwrap()).await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir);
    let error = registry.client().fetch_blob(&store, "p/r", &blob(&content())).await.unwrap_err();
    assert!(matches!(error, RegistryError::Blob(FinishError::Size { .. })), "{error}");
    assert!(store.get(&blob(&content()).digest).unwrap().is_none());
}

#[tokio::test]
async fn an_error_without_an_end_is_cut() {
    let registry = Trap::start(|_| status(400).body(endless()).unwrap()).await;
    let error = registry.client().manifest("p/r", "v1").await.unwrap_err();
    assert!(error.to_string().len() < 1000, "{error}");
}

#[tokio::test]
async fn an_error_that_comes_drop_by_drop_is_not_waited_for() {
    let registry = Trap::start(|_| {
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, io::Error>(Bytes::from_static(b"x")), ()))
        });
        status(400).body(Body::from_stream(drops)).unwrap()
    })
    .await;
    let error = registry.client().manifest("p/r", "v1").await.unwrap_err();
    assert!(matches!(error, RegistryError::Status { .. }), "{error}");
}

#[tokio::test]
async fn a_token_without_an_end_is_not_read_to_it() {
    let registry = Trap::start(|asked| match asked.path.as_str() {
        "/token" => status(200).body(endless()).unwrap(),
        // The client knows its own address, so the realm can be a relative of it only by being written out.
        _ => status(401).header(header::WWW_AUTHENTICATE, "Bearer realm=\"REALM\"").body(Body::empty()).unwrap(),
    })
    .await;
    let error = registry.client().manifest("p/r", "v1").await.unwrap_err();
    assert!(matches!(error, RegistryError::Challenge(_)), "{error}");

    let token = format!("{}token", registry.url);
    let asking = Trap::start(move |_| {
        let challenge = format!("Bearer realm=\"{token}\"");
        status(401).header(header::WWW_AUTHENTICATE, challenge).body(Body::empty()).unwrap()
    })
    .await;
    let error = asking.client().manifest("p/r", "v1").await.unwrap_err();
    assert!(error.to_string().contains("answered without a token"), "{error}");
}

#[tokio::test]
async fn challenges_that_make_no_sense_are_refused() {
    for challenge in [
        "",
        "Bearer",
        "Bearer realm=",
        "Negotiate abc",
        "Bearer realm=\"not an address\"",
        "\u{e9}",
        "Digest realm=\"x\", nonce=\"y\"",
    ] {
        let registry = Trap::start(move |_| {
            let value = header::HeaderValue::from_bytes(challenge.as_bytes()).unwrap();
            status(401).header(header::WWW_AUTHENTICATE, value).body(Body::empty()).unwrap()
        })
        .await;
        let error = registry.client().manifest("p/r", "v1").await.unwrap_err();
        assert!(!error.is_transient(), "{challenge}: {error}");
    }
}

#[tokio::test]
async fn a_stalled_blob_is_resumed_where_it_stopped() {
    let bytes = content();
    let served = bytes.clone();
    let registry = Trap::start(move |asked| {
        let start = asked.range.as_deref().map_or(0, |range| range[6..range.len() - 1].parse::<usize>().unwrap());
        let total = served.len();
        let response = status(if start > 0 { 206 } else { 200 }).header(header::CONTENT_LENGTH, total - start);
        let response = response.header(header::CONTENT_RANGE, format!("bytes {start}-{}/{total}", total - 1));
        // A third of the rest, and then nothing; what is left is given at once when it is little.
        let part = if total - start > 100_000 { (total - start) / 3 } else { total - start };
        response.body(stalled(served[start..start + part].to_vec())).unwrap()
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let fetched = registry.client().fetch_blob(&store(&dir), "p/r", &blob(&bytes)).await;
    assert_eq!(fetched.unwrap().size(), bytes.len() as u64);
    let ranges: Vec<_> = registry.seen().into_iter().map(|asked| asked.range).collect();
    assert!(ranges.len() > 2 && ranges[0].is_none() && ranges[1..].iter().all(Option::is_some), "{ranges:?}");
}

#[tokio::test]
async fn a_blob_that_never_moves_is_given_up() {
    let registry = Trap::start(|_| status(200).body(stalled(Vec::new())).unwrap()).await;
    let dir = tempfile::tempdir().unwrap();
    let error = registry.client().fetch_blob(&store(&dir), "p/r", &blob(&content())).await.unwrap_err();
    assert!(matches!(error, RegistryError::Stalled { .. }), "{error}");
    assert_eq!(registry.seen().len(), 6);
}

#[tokio::test]
async fn ranges_that_are_not_the_wanted_ones_are_refused() {
    let bytes = content();
    for lie in ["bytes 5-9/10", "bytes */400000", "bytes -1-5/9", "bytes 99999999999999999999-1/2", "nothing", ""] {
        let served = bytes.clone();
        let registry = Trap::start(move |_| {
            let response = status(206).header(header::CONTENT_RANGE, lie);
            response.body(Body::from(served[1000..].to_vec())).unwrap()
        })
        .await;
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir);
        store.begin(&blob(&bytes)).unwrap().write(&bytes[..1000]).unwrap();
        let error = registry.client().fetch_blob(&store, "p/r", &blob(&bytes)).await.unwrap_err();
        assert!(matches!(error, RegistryError::Header { .. }), "{lie}: {error}");
    }
}

#[tokio::test]
async fn a_registry_that_denies_every_range_is_given_up() {
    let registry = Trap::start(|_| status(416).body(Body::empty()).unwrap()).await;
    let bytes = content();
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir);
    store.begin(&blob(&bytes)).unwrap().write(&bytes[..1000]).unwrap();
    let error = registry.client().fetch_blob(&store, "p/r", &blob(&bytes)).await.unwrap_err();
    assert!(matches!(error, RegistryError::Status { .. }), "{error}");
    assert_eq!(registry.seen().len(), 2);
}

#[tokio::test]
async fn waits_that_make_no_sense_are_not_obeyed() {
    for wait in ["-1", "tomorrow", "99999999999999999999999", "1e9", "", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let registry = Trap::start(move |_| status(429).header(header::RETRY_AFTER, wait).body(Body::empty()).unwrap()).await;
        let error = registry.client().manifest("p/r", "v1").await.unwrap_err();
        assert!(matches!(error, RegistryError::Status { .. }), "{wait}: {error}");
        assert!(registry.seen().len() <= 6, "{wait}: {} requests", registry.seen().len());
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_http_is_given_up() {
    for greeting in [b"SSH-2.0-OpenSSH_9.2\r\n".as_slice(), b"", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", &[0; 4096]] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, greeting).await;
            }
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let error = client(&url, Credentials::None).manifest("p/r", "v1").await.unwrap_err();
        assert!(matches!(error, RegistryError::Send { .. }), "{error}");
    }
}

#[tokio::test]
async fn headers_without_an_end_are_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let write = tokio::io::AsyncWriteExt::write_all;
                let mut sent = write(&mut stream, b"HTTP/1.1 200 OK\r\n").await;
                while sent.is_ok() {
                    sent = write(&mut stream, b"X-More: and more and more and more\r\n").await;
                }
            });
        }
    });
    let _ = rustls::crypto::ring::default_provider().install_default();
    let error = client(&url, Credentials::None).manifest("p/r", "v1").await.unwrap_err();
    assert!(matches!(error, RegistryError::Send { .. }), "{error}");
}

#[tokio::test]
async fn another_manifest_than_the_indexs_is_refused() {
    let registry = Registry::start().await;
    let promised = Digest::sha256(b"promised");
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [{
            "mediaType": MANIFEST, "digest": promised, "size": 8,
            "platform": { "os": "linux", "architecture": "amd64" },
        }],
    });
    registry.add_manifest("v1", INDEX, index.to_string().as_bytes());
    registry.add_manifest(&promised.to_string(), MANIFEST, b"{\"schemaVersion\":2}");
    let error = registry.client(Credentials::None).resolve("p/r", "v1", &Platform::new("linux", "amd64")).await.unwrap_err();
    assert!(matches!(error, RegistryError::ManifestDigest { .. }), "{error}");
}

#[tokio::test]
async fn indexes_in_indexes_end() {
    let registry = Registry::start().await;
    let mut digest = Digest::sha256(b"the end");
    for _ in 0..10 {
        let index = serde_json::json!({
            "schemaVersion": 2, "mediaType": INDEX,
            "manifests": [{ "mediaType": INDEX, "digest": digest, "size": 8 }],
        });
        digest = registry.add_manifest("v1", INDEX, index.to_string().as_bytes());
    }
    let error = registry.client(Credentials::None).resolve("p/r", "v1", &Platform::new("linux", "amd64")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Document(DocumentError::IndexTooDeep(_))), "{error}");
    assert!(registry.seen().len() <= 4);
}

#[tokio::test]
async fn a_configuration_longer_than_promised_is_not_read_to_its_end() {
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::sha256(b"{}"), "size": 2,
        },
    })
    .to_string();
    let registry = Trap::start(move |asked| {
        let body = if asked.path.contains("/manifests/") { Body::from(manifest.clone()) } else { endless() };
        status(200).body(body).unwrap()
    })
    .await;
    let error = registry.client().resolve("p/r", "v1", &Platform::new("linux", "amd64")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Blob(FinishError::Size { expected: 2, .. })), "{error}");
}

#[tokio::test]
async fn a_configuration_that_promises_too_much_is_not_asked_for() {
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::sha256(b"{}"), "size": 1_u64 << 40,
        },
    })
    .to_string();
    let registry = Trap::start(move |_| status(200).body(Body::from(manifest.clone())).unwrap()).await;
    let client = registry.client().limits(Limits::default());
    let error = client.resolve("p/r", "v1", &Platform::new("linux", "amd64")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Document(DocumentError::TooLarge { .. })), "{error}");
    assert_eq!(registry.seen().len(), 1);
}
