//! Requests that nobody would send on purpose: whatever they are, they are not the server's fault.

use proptest::{
    prelude::*,
    test_runner::{Config as ProptestConfig, RngSeed, TestRunner},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{keeper, sha256};
use crate::support::{Backend, TestServer};

/// What stands for something that is there, in a request that is made before it is known.
const THERE: &[&str] = &["{manifest}", "{blob}", "{upload}", "{new}"];

/// One request, as it goes over the line.
#[derive(Clone, Debug)]
struct Odd {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// One of some texts.
fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn segment() -> impl Strategy<Value = String> {
    const WORDS: &[&str] =
        &["shop", "web", "blobs", "uploads", "manifests", "tags", "list", "referrers", "_catalog", "v1", "none", "..", "."];
    prop_oneof![
        12 => one_of(WORDS),
        6 => one_of(THERE),
        2 => "sha(256|512|1):[0-9a-fA-F]{0,130}",
        2 => "[ -~]{1,20}".prop_map(|text| percent(text.as_bytes())),
        1 => prop::collection::vec(any::<u8>(), 0..12).prop_map(|bytes| percent(&bytes)),
        1 => "(%[0-9a-fA-F]{0,2}){0,4}",
        1 => (100_usize..400).prop_map(|length| "a".repeat(length)),
    ]
}

fn percent(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A path that is one of the API's, more often than not.
fn path() -> impl Strategy<Value = String> {
    const TAILS: &[&str] = &[
        "/tags/list",
        "/manifests/v1",
        "/manifests/{manifest}",
        "/manifests/{new}",
        "/blobs/{blob}",
        "/blobs/uploads/",
        "/blobs/uploads/{upload}",
        "/referrers/{manifest}",
        "/_catalog",
        "",
    ];
    prop_oneof![
        3 => (one_of(&["/shop", "/shop/web", "/none", ""]), one_of(TAILS))
            .prop_map(|(name, tail)| format!("/v2{name}{tail}")),
        2 => prop::collection::vec(segment(), 0..6).prop_map(|all| format!("/v2/{}", all.join("/"))),
        1 => Just("/v0/auth/oci/token".to_owned()),
    ]
}

fn query() -> impl Strategy<Value = String> {
    const NAMES: &[&str] =
        &["n", "last", "digest", "mount", "from", "tag", "artifactType", "digest-algorithm", "scope", "service", "account", "x"];
    let value = prop_oneof![
        3 => one_of(&["0", "1", "-1", "18446744073709551616", "v1", "shop", "shop/web", "sha512", "sha1", ""]),
        3 => one_of(THERE),
        2 => segment(),
        1 => Just("repository:shop:pull,push%20registry:catalog:*".to_owned()),
    ];
    let pair = (one_of(NAMES), value).prop_map(|(name, value)| format!("{name}={value}"));
    prop::collection::vec(pair, 0..4)
        .prop_map(|pairs| if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) })
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    const NAMES: &[&str] = &[
        "range",
        "content-range",
        "content-type",
        "accept",
        "if-match",
        "if-none-match",
        "if-range",
        "expect",
        "authorization",
        "content-encoding",
        "x-forwarded-for",
        "origin",
    ];
    const VALUES: &[&str] = &[
        "bytes=0-3",
        "bytes=-1",
        "bytes=5-2",
        "0-4",
        "5-9",
        "bytes 0-4/5",
        "0-18446744073709551615",
        "*",
        "\"sha256:x\"",
        "W/\"x\"",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "100-continue",
        "Basic Og==",
        "Basic !!!!",
        "Bearer x.y.z",
        "Digest x",
        "gzip",
        "text/plain;q=2",
    ];
    let value = prop_oneof![
        5 => one_of(VALUES).prop_map(String::into_bytes),
        1 => prop::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff], 0..30),
    ];
    (one_of(NAMES), value)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let json = prop_oneof![
        Just("{}".to_owned()),
        Just("null".to_owned()),
        Just("[[[[".to_owned()),
        Just(r#"{"schemaVersion":2,"config":null,"layers":null}"#.to_owned()),
        Just(r#"{"schemaVersion":2,"manifests":[],"artifactType":"\u0000","annotations":{"\u0000":"\u0000"}}"#.to_owned()),
        Just(r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#.to_owned()),
        (any::<i64>(), "[a-z]{0,6}/[ -~]{0,12}").prop_map(|(size, kind)| {
            let descriptor = serde_json::json!({ "mediaType": kind, "digest": sha256(b"{}"), "size": size });
            serde_json::json!({ "schemaVersion": 2, "config": descriptor, "layers": [descriptor], "subject": descriptor })
                .to_string()
        }),
        Just("grant_type=password&username=x&password=%00&scope=repository:%00:pull".to_owned()),
    ];
    prop_oneof![
        2 => Just(Vec::new()),
        3 => json.prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

fn odd() -> impl Strategy<Value = Odd> {
    const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"];
    (one_of(METHODS), path(), query(), prop::collection::vec(header(), 0..4), body())
        .prop_map(|(method, path, query, headers, body)| Odd { method, path, query, headers, body })
}

impl Odd {
    /// The request with what is there in the places of what stands for it.
    fn bytes(&self, there: &[(&str, String)], token: &str) -> Vec<u8> {
        let mut target = format!("{}{}", self.path, self.query);
        for (name, value) in there {
            target = target.replace(name, value);
        }
        let mut bytes = format!("{} {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n", self.method).into_bytes();
        if !self.headers.iter().any(|(name, _)| name == "authorization") {
            bytes.extend(format!("authorization: Bearer {token}\r\n").into_bytes());
        }
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: ").into_bytes());
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).into_bytes());
        bytes.extend(&self.body);
        bytes
    }
}

async fn send(server: &TestServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).await.expect("the server listens");
    // The server may have heard enough before it has heard everything, and reset the connection then.
    stream.write_all(bytes).await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8_lossy(&answer).into_owned()
}

/// What is wrong with an answer.
fn complaint(answer: &str, method: &str, is_registry: bool) -> Option<String> {
    let status: u16 = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    if !(100..500).contains(&status) {
        return Some(format!("status {status}"));
    }
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    // What HTTP itself forbids is refused without a body.
    if status < 400 || method == "HEAD" || body.is_empty() || !is_registry {
        return None;
    }
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    let code = json["errors"][0]["code"].as_str().unwrap_or_default();
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    (!is_code).then(|| "the error is not in the specification's shape".to_owned())
}

#[test]
fn no_request_is_too_odd_for_the_registry() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(server) = runtime.block_on(TestServer::start_on(backend)) else { continue };
        let (user, digest, blob) = runtime.block_on(async {
            let user = keeper(&server).await;
            let (manifest, digest) = server.push_image("shop", &user, "v1", 1).await;
            (user, digest, manifest["layers"][0]["digest"].as_str().unwrap().to_owned())
        });
        let config =
            ProptestConfig { cases: 600, failure_persistence: None, rng_seed: RngSeed::Random, ..ProptestConfig::default() };
        let run = TestRunner::new(config).run(&odd(), |odd| {
            let answer = runtime.block_on(async {
                let upload = server.begin_upload("shop", &user).await;
                let there = [
                    ("{manifest}", digest.to_string()),
                    ("{blob}", blob.clone()),
                    ("{upload}", upload.rsplit('/').next().unwrap_or_default().to_owned()),
                    ("{new}", sha256(&odd.body).to_string()),
                ];
                let answer = send(&server, &odd.bytes(&there, &user.token)).await;
                server.oci(reqwest::Method::DELETE, &upload, &user).send().await.expect("an answer");
                answer
            });
            let wrong = complaint(&answer, &odd.method, odd.path.starts_with("/v2/"));
            prop_assert!(wrong.is_none(), "{}: {answer}", wrong.unwrap_or_default());
            Ok(())
        });
        run.unwrap();
    }
}
