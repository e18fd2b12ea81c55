//! The log of the real program at its most talkative, after a day's work: no secret is in it.

use std::collections::BTreeMap;

use base64::Engine as _;
use bencher_types::{Digest, RunnerKey, UserKey};
use futures::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use super::{PATIENCE, Program, until};

/// Everything that must not be in a log, by what it is.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn add(&mut self, what: &str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 8, "{what} is too short to be found: {secret}");
        self.0.push((what.to_owned(), secret.clone()));
        secret
    }

    /// A token, and the part of it that makes it valid.
    fn add_token(&mut self, what: &str, token: &Value) -> String {
        let token = token.as_str().expect("a token");
        self.add(&format!("the signature of {what}"), token.rsplit('.').next().expect("a signature"));
        self.add(what, token)
    }

    fn assert_none_in(&self, log: &str) {
        for (what, secret) in &self.0 {
            if let Some(line) = log.lines().find(|line| line.contains(secret.as_str())) {
                panic!("{what} is in the log: {line}");
            }
        }
    }
}

/// A client of the program.
struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    async fn create(&self, path: &str, token: &str, body: Value) -> Value {
        let (status, answer) = self.send(Method::POST, path, Some(token), Some(body)).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    async fn put(&self, path: &str, token: &str, media_type: &str, body: String) {
        let method = if path.contains("uploads") { Method::POST } else { Method::PUT };
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        let answer = request.header("content-type", media_type).body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::CREATED, "{path}");
    }
}

fn start(change: impl FnOnce(&mut Value)) -> Program {
    let folder = tempfile::tempdir().unwrap();
    Program::start(folder, "trace", |folder, config| {
        let file = json!({ "level": "info", "path": folder.join("server.log"), "if_exists": "fail" });
        config["logging"] = json!({ "name": "Bencher API", "format": "json", "log": { "file": file } });
        change(config);
    })
}

fn log(program: &Program) -> String {
    std::fs::read_to_string(program.path("server.log")).unwrap_or_default()
}

async fn client(program: &Program) -> Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    let url = format!("http://{}", program.address(log).await);
    Client { http: reqwest::Client::builder().no_proxy().build().unwrap(), url }
}

/// Signs up or logs in, and takes the confirmation from the log as a person would.
async fn session(client: &Client, program: &Program, secrets: &mut Secrets, path: &str, body: Value) -> String {
    let seen = log(program).matches("bencher auth confirm").count();
    let (status, _) = client.send(Method::POST, path, None, Some(body)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let confirmation = until("the confirmation is logged", async || {
        let log = log(program);
        let line = log.lines().filter(|line| line.contains("bencher auth confirm")).nth(seen)?;
        let line: Value = serde_json::from_str(line).ok()?;
        Some(line["message"].as_str()?.rsplit(' ').next()?.to_owned())
    })
    .await;
    let (status, body) = client.send(Method::POST, "/v0/auth/confirm", None, Some(json!({ "token": confirmation }))).await;
    assert_eq!(status, StatusCode::OK);
    secrets.add_token("a session", &body["token"])
}

#[tokio::test]
async fn no_secret_is_in_the_log_after_a_days_work() {
    let mut secrets = Secrets::default();
    let secret_key = secrets.add("the server's secret key", "correct horse battery staple");
    let program = start(|config| config["security"]["secret_key"] = json!(secret_key));
    let client = client(&program).await;

    let signup = json!({ "name": "Ada", "email": "ada@example.com", "i_agree": true });
    session(&client, &program, &mut secrets, "/v0/auth/signup", signup).await;
    let token = session(&client, &program, &mut secrets, "/v0/auth/login", json!({ "email": "ada@example.com" })).await;

    let (_, users) = client.send(Method::GET, "/v0/users", Some(&token), None).await;
    let user = users[0]["slug"].as_str().expect("a user").to_owned();
    let key = client.create(&format!("/v0/users/{user}/keys"), &token, json!({ "name": "laptop" })).await;
    let key = secrets.add("a user's key", key["key"].as_str().unwrap());
    let (_, organizations) = client.send(Method::GET, "/v0/organizations", Some(&key), None).await;
    let projects = format!("/v0/organizations/{}/projects", organizations[0]["slug"].as_str().unwrap());
    client.create(&projects, &key, json!({ "name": "Shop", "visibility": "private" })).await;

    wrong_credentials(&client, &mut secrets).await;
    let registry = log_in_to_the_registry(&client, &key, &mut secrets).await;
    push(&client, &registry).await;
    let runner_key = register_runner(&client, &key, &mut secrets).await;
    run_a_job(&client, &key, &runner_key, &mut secrets).await;

    let (_, body) = client.send(Method::GET, "/the/last/request", Some(&key), None).await;
    let last = body["request_id"].as_str().expect("a request id").to_owned();
    until("the last request is logged", async || log(&program).contains(&last).then_some(())).await;

    let log = log(&program);
    secrets.assert_none_in(&log);
    secrets.assert_none_in(&program.stderr());
    let told = log.lines().filter(|line| line.contains("bencher auth confirm"));
    assert!(told.clone().count() == 2, "without mail, confirmations are told here");
    for line in told {
        let line: Value = serde_json::from_str(line).unwrap();
        let confirmation = line["message"].as_str().unwrap().rsplit(' ').next().unwrap();
        let mut others = log.lines().filter(|line| line.contains(confirmation) && !line.contains("bencher auth confirm"));
        assert_eq!(others.next(), None, "and only there");
    }
    assert!(log.contains("DEBUG") && log.contains("sqlx::query"), "the log is as talkative as it can be");
    every_request_has_a_line(&log);
}

/// What an administrator finds in the log about a request.
fn every_request_has_a_line(log: &str) {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is an object"));
    let answered: Vec<Value> = lines.filter(|line| line["target"] == "bencher_api::access").collect();
    let of = |path: &str| {
        let found = answered.iter().find(|line| line["spans"][0]["path"] == path && line["user.uuid"].is_string());
        found.unwrap_or_else(|| panic!("nothing says that a user asked for {path}"))
    };
    let line = of("/v0/organizations");
    assert_eq!((&line["level"], &line["status"]), (&json!("INFO"), &json!(200)));
    assert!(line["ms"].is_f64(), "{line}");
    let span = &line["spans"][0];
    assert_eq!((&span["method"], &span["address"], &span["name"]), (&json!("GET"), &json!("127.0.0.1"), &json!("request")));
    assert!(span["id"].as_str().is_some_and(|id| id.len() == 36), "{span}");
    assert!(answered.iter().any(|line| line["status"] == 401), "refusals too");
}

/// Keys that were never valid, in every place where one could stand.
async fn wrong_credentials(client: &Client, secrets: &mut Secrets) {
    let wrong = secrets.add("a key of nobody", UserKey::generate().expose());
    let garbage = secrets.add("a key that is none", "bencher_user_too_short_to_be_one");
    let (_, forged) = ("", secrets.add("a forged token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.Zm9yZ2VkZm9yZ2Vk"));
    for credential in [&wrong, &garbage, &forged] {
        for path in ["/v0/projects", "/v0/users/ada/keys", "/v2/shop/tags/list", "/v0/runners/box/channel"] {
            let (status, _) = client.send(Method::GET, path, Some(credential), None).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        }
        let basic = client.http.get(format!("{}/v0/auth/oci/token", client.url)).basic_auth("ada", Some(credential));
        assert_eq!(basic.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("ada:{credential}"));
        secrets.add("basic credentials", encoded);
        // In the wrong place.
        client.send(Method::POST, "/v0/auth/confirm", None, Some(json!({ "token": credential }))).await;
        client.send(Method::POST, "/v0/auth/confirm", None, Some(json!({ "token": [credential] }))).await;
        client.send(Method::POST, "/v0/auth/login", None, Some(json!({ "email": credential }))).await;
        client.send(Method::POST, "/v0/auth/login", None, Some(json!(credential))).await;
        client.send(Method::GET, &format!("/v0/projects?token={credential}&page={credential}"), None, None).await;
        client.send(Method::GET, &format!("/v2/shop/tags/list?n={credential}"), None, None).await;
    }
}

async fn log_in_to_the_registry(client: &Client, key: &str, secrets: &mut Secrets) -> String {
    let url = format!("{}/v0/auth/oci/token", client.url);
    let scope = "repository:shop:pull,push";
    let basic = client.http.get(format!("{url}?service=x&scope={scope}")).basic_auth("ada@example.com", Some(key));
    let answer: Value = basic.send().await.unwrap().json().await.unwrap();
    secrets.add("basic credentials", base64::engine::general_purpose::STANDARD.encode(format!("ada@example.com:{key}")));
    let form = [("grant_type", "password"), ("service", "x"), ("username", "ada"), ("password", key), ("scope", scope)];
    let other: Value = client.http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
    secrets.add_token("a registry token by form", &other["access_token"]);
    secrets.add_token("a registry token", &answer["token"])
}

/// The image `shop:v1`.
async fn push(client: &Client, registry: &str) {
    let config = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let digest = Digest::sha256(config.as_bytes());
    let upload = format!("/v2/shop/blobs/uploads/?digest={digest}");
    client.put(&upload, registry, "application/octet-stream", config.to_owned()).await;
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len() });
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [] });
    client.put("/v2/shop/manifests/v1", registry, media_type, manifest.to_string()).await;
}

/// The runner `box` and its second key.
async fn register_runner(client: &Client, key: &str, secrets: &mut Secrets) -> String {
    let spec = json!({
        "name": "host", "os": "linux", "architecture": "x86_64", "cpu": 1, "memory": 1_u64 << 30, "disk": 1_u64 << 30, "fallback": true,
    });
    client.create("/v0/specs", key, spec).await;
    let first = client.create("/v0/runners", key, json!({ "name": "box" })).await;
    secrets.add("a runner's first key", first["key"].as_str().unwrap());
    client.create("/v0/runners/box/specs", key, json!({ "spec": "host" })).await;
    let second = client.create("/v0/runners/box/key", key, json!({})).await;
    let key = secrets.add("a runner's second key", second["key"].as_str().unwrap());
    assert!(key.starts_with(RunnerKey::PREFIX));
    key
}

/// A job with a secret in its environment, from the run to its result.
async fn run_a_job(client: &Client, key: &str, runner_key: &str, secrets: &mut Secrets) {
    let password = secrets.add("a variable of a job", "hunter2-in-the-environment");
    let output = secrets.add("the output of a job", "what-the-benchmark-printed");
    let time = "2026-01-01T00:00:00Z";
    let job = json!({ "image": "shop:v1", "env": { "PASSWORD": password }, "iter": 1, "timeout": 60 });
    let run = json!({ "project": "shop", "start_time": time, "end_time": time, "results": [], "job": job });
    client.create("/v0/run", key, run).await;

    let url = format!("{}/v0/runners/box/channel", client.url.replace("http://", "ws://"));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {runner_key}").parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let say = |message: Value| Message::text(message.to_string());
    socket.send(say(json!({ "event": "ready", "poll_timeout": 60 }))).await.unwrap();
    let frame = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame in time").unwrap().unwrap();
    let job: Value = serde_json::from_str(frame.to_text().unwrap()).unwrap();
    assert!(frame.to_text().unwrap().contains(&password), "the runner gets what the job needs");
    secrets.add_token("a runner's registry token", &job["oci_token"]);
    socket.send(say(json!({ "event": "running", "job": job["uuid"] }))).await.unwrap();
    let results =
        [json!({ "exit_code": 0, "stdout": output, "stderr": output, "output": BTreeMap::from([("a.json", &output)]) })];
    socket.send(say(json!({ "event": "completed", "job": job["uuid"], "results": results }))).await.unwrap();
    let frame = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame in time").unwrap().unwrap();
    assert!(frame.to_text().unwrap().contains("ack"), "{frame}");
    // What was printed is not what an adapter reads, and the problem quotes it.
    until("the results were looked at", async || {
        let path = format!("/v0/projects/shop/jobs/{}", job["uuid"].as_str()?);
        let (_, job) = client.send(Method::GET, &path, Some(key), None).await;
        (job["status"] == "failed" || job["status"] == "processed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_secret_of_the_configuration_is_in_the_log() {
    let mut secrets = Secrets::default();
    let [smtp, access, storage, tls] = ["mail-password", "storage-access-key", "storage-secret-key", "oauth-secret"]
        .map(|secret| secrets.add(secret, format!("{secret}-that-nobody-may-read")));
    let program = start(|config| {
        config["smtp"] = json!({
            "hostname": "localhost", "port": 1, "username": "ada", "secret": smtp,
            "from_name": "Bencher", "from_email": "bencher@example.com",
        });
        let store =
            json!({ "service": "aws_s3", "access_key_id": access, "secret_access_key": storage, "access_point": "bench" });
        config["database"]["data_store"] = store;
        config["plus"]["github"] = json!({ "client_id": "someone", "client_secret": tls });
    });
    let client = client(&program).await;
    assert_eq!(client.send(Method::GET, "/readyz", None, None).await.0, StatusCode::OK);
    let signup = json!({ "name": "Ada", "email": "ada@example.com", "i_agree": true });
    client.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await;
    secrets.assert_none_in(&log(&program));
    secrets.assert_none_in(&program.stderr());
}

#[tokio::test]
async fn a_log_file_that_is_there_already_is_treated_as_configured() {
    let start = |if_exists: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server.log"), "the log of yesterday\n").unwrap();
        Program::start(folder, "info", |folder, config| {
            let file = json!({ "level": "info", "path": folder.join("server.log"), "if_exists": if_exists });
            config["logging"] = json!({ "name": "Bencher API", "log": { "file": file } });
        })
    };
    let mut refused = start("fail");
    assert!(!refused.ended().await.success());
    assert!(refused.stderr().contains("could not open the log file"), "{}", refused.stderr());
    assert_eq!(log(&refused), "the log of yesterday\n");
    for (if_exists, keeps) in [("append", true), ("truncate", false)] {
        let program = start(if_exists);
        program.address(log).await;
        assert_eq!(log(&program).contains("the log of yesterday"), keeps, "{if_exists}");
    }
}
