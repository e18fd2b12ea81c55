//! A registry that misbehaves on order. It stands for the world outside; our own server has its own tests.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bencher_oci::{Credentials, RegistryClient, TransferLimits};
use bencher_types::Digest;
use bytes::Bytes;
use futures::StreamExt as _;

/// What happens to one request whose path contains a text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The connection ends after so many bytes of the body.
    CutAfter(usize),
    Status(u16, Option<u64>),
    /// The answer never goes on.
    Hang,
    /// The whole content, whatever range was asked for.
    IgnoreRange,
    /// Other bytes of the same length.
    WrongBytes,
    /// Of an upload only so many bytes are taken, and then nothing more.
    TakeOnly(usize),
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Login {
    #[default]
    Open,
    Bearer(&'static str),
    Basic(&'static str, &'static str),
    /// A token service; without user and password it gives tokens to everybody.
    Token(Option<(&'static str, &'static str)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) range: Option<String>,
}

#[derive(Default)]
pub(crate) struct Content {
    pub(crate) blobs: HashMap<String, Bytes>,
    pub(crate) manifests: HashMap<String, (String, Bytes)>,
    /// What there is of uploads, by the last part of their path.
    pub(crate) uploads: HashMap<String, Vec<u8>>,
    /// How many were ever begun.
    begun: usize,
    pub(crate) tags: Vec<String>,
    /// Digests that another repository of this registry has.
    pub(crate) elsewhere: Vec<String>,
    pub(crate) faults: VecDeque<(&'static str, Fault)>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) login: Login,
    url: String,
}

#[derive(Clone)]
pub(crate) struct Registry {
    pub(crate) content: Arc<Mutex<Content>>,
    pub(crate) url: url::Url,
}

impl Registry {
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let content = Arc::new(Mutex::new(Content { url: url.clone(), ..Content::default() }));
        let app = Router::new().fallback(handle).with_state(Arc::clone(&content));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { content, url: url.parse().unwrap() }
    }

    /// A client that loses no time between attempts.
    pub(crate) fn client(&self, credentials: Credentials) -> RegistryClient {
        let transfer = TransferLimits {
            response: Duration::from_millis(400),
            no_progress: Duration::from_millis(400),
            backoff_min: Duration::from_millis(1),
            backoff_max: Duration::from_millis(5),
            retry_after_max: Duration::from_secs(1),
            ..TransferLimits::default()
        };
        RegistryClient::new(self.url.clone(), credentials).unwrap().transfer_limits(transfer)
    }

    pub(crate) fn add_blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        self.content.lock().unwrap().blobs.insert(digest.to_string(), Bytes::copy_from_slice(bytes));
        digest
    }

    pub(crate) fn add_manifest(&self, tag: &str, media_type: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        let entry = (media_type.to_owned(), Bytes::copy_from_slice(bytes));
        let mut content = self.content.lock().unwrap();
        content.manifests.insert(tag.to_owned(), entry.clone());
        content.manifests.insert(digest.to_string(), entry);
        digest
    }

    /// An image of these tar archives, gzip compressed.
    pub(crate) fn add_image(&self, tag: &str, architecture: &str, tars: &[Vec<u8>]) -> Digest {
        let blobs: Vec<_> = tars.iter().map(|tar| super::gzip(tar)).collect();
        let config = serde_json::json!({
            "os": "linux", "architecture": architecture,
            "config": { "Entrypoint": ["/bin/bench"], "Env": ["A=b"], "WorkingDir": "/w", "User": "1:2" },
            "rootfs": { "type": "layers", "diff_ids": tars.iter().map(|tar| Digest::sha256(tar)).collect::<Vec<_>>() },
        })
        .to_string();
        let layers: Vec<_> = blobs
            .iter()
            .map(|blob| {
                serde_json::json!({
                    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": self.add_blob(blob), "size": blob.len(),
                })
            })
            .collect();
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": self.add_blob(config.as_bytes()), "size": config.len(),
            },
            "layers": layers,
        });
        self.add_manifest(tag, MANIFEST, manifest.to_string().as_bytes())
    }

    /// The next request whose path contains `path` has this happen to it.
    pub(crate) fn fault(&self, path: &'static str, fault: Fault) {
        self.content.lock().unwrap().faults.push_back((path, fault));
    }

    pub(crate) fn login(&self, login: Login) {
        self.content.lock().unwrap().login = login;
    }

    /// Requests since the last call.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.content.lock().unwrap().seen)
    }
}

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

async fn handle(State(state): State<Arc<Mutex<Content>>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let range = request.headers().get(header::RANGE).map(|value| value.to_str().unwrap().to_owned());
    let fault = {
        let mut content = state.lock().unwrap();
        let (method, range) = (request.method().to_string(), range.clone());
        content.seen.push(Seen { method, path: path.clone(), query: query.clone(), range });
        if let Some(refusal) = authorize(&content, &path, request.headers()) {
            return refusal;
        }
        let at = content.faults.iter().position(|(part, _)| path.contains(part));
        at.and_then(|at| content.faults.remove(at)).map(|(_, fault)| fault)
    };
    match fault {
        Some(Fault::Status(status, retry_after)) => {
            let mut response = answer(status, r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"not now"}]}"#);
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            return response;
        }
        Some(Fault::Hang) => return std::future::pending().await,
        _ => {}
    }
    let tail = path.rsplit('/').next().unwrap_or_default().to_owned();
    let method = request.method().clone();
    if path.contains("/uploads/") {
        let range = request.headers().get(header::CONTENT_RANGE).map(|value| value.to_str().unwrap().to_owned());
        return upload(&state, (&path, &query), range, request, fault).await;
    }
    if path.ends_with("/tags/list") {
        return tags(&state.lock().unwrap(), &path, &query);
    }
    if path.contains("/manifests/") {
        return manifest(&state, &method, &tail, request).await;
    }
    let blob = state.lock().unwrap().blobs.get(&tail).cloned();
    match (blob, method) {
        (None, _) => answer(404, r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"no such blob"}]}"#),
        (Some(blob), Method::HEAD) => Response::builder().header(header::CONTENT_LENGTH, blob.len()).body(Body::empty()).unwrap(),
        (Some(blob), _) => send_blob(blob, range, fault),
    }
}

fn send_blob(blob: Bytes, range: Option<String>, fault: Option<Fault>) -> Response {
    let blob = match fault {
        Some(Fault::WrongBytes) => blob.iter().map(|byte| byte ^ 1).collect(),
        _ => blob,
    };
    let start = match (range, fault) {
        (Some(range), fault) if !matches!(fault, Some(Fault::IgnoreRange)) => {
            range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')).unwrap().parse().unwrap()
        }
        _ => 0,
    };
    if start >= blob.len() && start > 0 {
        return answer(416, "");
    }
    let rest = blob.slice(start..);
    let mut response = Response::builder().header(header::CONTENT_LENGTH, rest.len());
    if start > 0 {
        let range = format!("bytes {start}-{}/{}", blob.len() - 1, blob.len());
        response = response.status(206).header(header::CONTENT_RANGE, range);
    }
    match fault {
        Some(Fault::CutAfter(bytes)) => {
            let first = rest.slice(..bytes.min(rest.len()));
            // The pause lets the client take the first part before it sees the end.
            let parts = futures::stream::once(async move { Ok(first) }).chain(futures::stream::once(async {
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut"))
            }));
            response.body(Body::from_stream(parts)).unwrap()
        }
        _ => response.body(Body::from(rest)).unwrap(),
    }
}

async fn upload(
    state: &Mutex<Content>,
    (path, query): (&str, &str),
    range: Option<String>,
    request: Request,
    fault: Option<Fault>,
) -> Response {
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(decoded);
    let session = path.rsplit('/').next().unwrap_or_default().to_owned();
    let under_way = |status: u16, session: &str, have: usize| {
        // Relative, with a parameter of its own, as some registries do.
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        Response::builder()
            .status(status)
            .header(header::LOCATION, format!("{folder}/{session}?state=x"))
            .header(header::RANGE, format!("0-{}", have.saturating_sub(1)))
            .body(Body::empty())
            .unwrap()
    };
    let method = request.method().clone();
    if method == Method::POST {
        let mut content = state.lock().unwrap();
        if let Some(digest) = parameter("mount").filter(|digest| content.elsewhere.contains(digest)) {
            content.blobs.insert(digest, Bytes::new());
            return answer(201, "");
        }
        content.begun += 1;
        let session = format!("session-{}", content.begun);
        content.uploads.insert(session.clone(), Vec::new());
        return under_way(202, &session, 0);
    }
    if method == Method::GET {
        let have = state.lock().unwrap().uploads.get(&session).map(Vec::len);
        return have.map_or_else(|| answer(404, ""), |have| under_way(204, &session, have));
    }
    if method == Method::DELETE {
        state.lock().unwrap().uploads.remove(&session);
        return answer(204, "");
    }
    let bytes = axum::body::to_bytes(request.into_body(), 1 << 30).await.unwrap();
    let mut content = state.lock().unwrap();
    let Some(have) = content.uploads.get_mut(&session) else { return answer(404, "") };
    if let Some(start) = range.and_then(|range| range.split_once('-')?.0.parse::<usize>().ok())
        && start != have.len()
    {
        return answer(416, "");
    }
    if let Some(Fault::TakeOnly(taken)) = fault {
        have.extend_from_slice(&bytes[..taken]);
        return answer(503, "");
    }
    have.extend_from_slice(&bytes);
    let have = have.clone();
    if method == Method::PATCH {
        return under_way(202, &session, have.len());
    }
    let digest = parameter("digest").unwrap();
    if !query.contains("state=x") || Digest::sha256(&have).to_string() != digest {
        return answer(400, r#"{"errors":[{"code":"DIGEST_INVALID","message":"not what the digest says"}]}"#);
    }
    content.uploads.remove(&session);
    content.blobs.insert(digest, have.into());
    answer(201, "")
}

fn decoded(text: &str) -> String {
    text.replace("%3A", ":").replace("%2F", "/")
}

/// Two at a time, whatever was asked for, with a link to the rest.
fn tags(content: &Content, path: &str, query: &str) -> Response {
    let last = query.split('&').find_map(|pair| pair.strip_prefix("last=")).unwrap_or_default();
    let rest: Vec<&String> = content.tags.iter().filter(|tag| tag.as_str() > last).collect();
    let page = &rest[..rest.len().min(2)];
    let mut response = Response::builder();
    if rest.len() > page.len() {
        response = response.header(header::LINK, format!("<{path}?n=2&last={}>; rel=\"next\"", page[1]));
    }
    response.body(Body::from(serde_json::json!({ "name": "p/r", "tags": page }).to_string())).unwrap()
}

async fn manifest(state: &Mutex<Content>, method: &Method, tail: &str, request: Request) -> Response {
    if method == Method::PUT {
        let media_type = request.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let bytes = axum::body::to_bytes(request.into_body(), 1 << 22).await.unwrap();
        let mut content = state.lock().unwrap();
        content.manifests.insert(Digest::sha256(&bytes).to_string(), (media_type.clone(), bytes.clone()));
        content.manifests.insert(tail.to_owned(), (media_type, bytes));
        return answer(201, "");
    }
    match state.lock().unwrap().manifests.get(tail).cloned() {
        Some((media_type, bytes)) => {
            Response::builder().header(header::CONTENT_TYPE, media_type).body(Body::from(bytes)).unwrap()
        }
        None => answer(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such manifest"}]}"#),
    }
}

/// A refusal, the token service's answer, or nothing.
fn authorize(content: &Content, path: &str, headers: &HeaderMap) -> Option<Response> {
    let given = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let basic = |user: &str, password: &str| format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
    let (expected, challenge) = match &content.login {
        Login::Open => return None,
        Login::Bearer(token) => (format!("Bearer {token}"), format!(r#"Bearer realm="{}token""#, content.url)),
        Login::Basic(user, password) => (basic(user, password), r#"Basic realm="registry""#.to_owned()),
        Login::Token(user) => {
            if path == "/token" {
                let expected = user.map(|(user, password)| basic(user, password));
                return Some(if given == expected { answer(200, r#"{"token":"fresh"}"#) } else { answer(401, "who?") });
            }
            let challenge = format!(r#"Bearer realm="{}token",service="reg",scope="repository:p/r:pull""#, content.url);
            ("Bearer fresh".to_owned(), challenge)
        }
    };
    if given.as_deref() == Some(&expected) {
        return None;
    }
    let mut response = answer(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"log in first"}]}"#);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
    Some(response)
}

fn answer(status: u16, body: &'static str) -> Response {
    Response::builder().status(StatusCode::from_u16(status).unwrap()).body(Body::from(body)).unwrap()
}
