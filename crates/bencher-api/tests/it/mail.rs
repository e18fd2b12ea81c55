//! Mails, to a real mail server: Debian's `python3-aiosmtpd`, with a certificate that `openssl` made.

use std::{process::Stdio, time::Duration};

use bencher_api::config::{Config, Smtp};
use bencher_types::Secret;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::support::{Backend, TestServer};

const PYTHON: &str = "/usr/bin/python3";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/mail/server.py");
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mail server of the test's own. Stops when it is dropped.
struct MailServer {
    _child: Child,
    events: Lines<BufReader<ChildStdout>>,
    _certificate: tempfile::TempDir,
}

/// Whether this machine has what it takes; fails where it must.
#[expect(clippy::print_stdout, reason = "whoever runs the tests should see why one did nothing")]
async fn is_possible() -> bool {
    let aiosmtpd = Command::new(PYTHON).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status().await;
    let openssl = Command::new("openssl").arg("version").stdout(Stdio::null()).status().await;
    if aiosmtpd.is_ok_and(|status| status.success()) && openssl.is_ok_and(|status| status.success()) {
        return true;
    }
    let missing = "the Debian packages python3-aiosmtpd and openssl are not there: `cargo xtask setup` installs them";
    assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none(), "{missing}");
    println!("{missing}");
    false
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl MailServer {
    async fn start(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-keyout", "key", "-out", "certificate", "-subj", "/CN=localhost"])
            .current_dir(&folder)
            .output()
            .await
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut child = Command::new(PYTHON)
            .args([SCRIPT, &port.to_string(), "certificate", "key"])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self { _child: child, events, _certificate: folder };
        server.until("ready").await;
        server
    }

    /// The next event of this kind, and what came before it.
    async fn until(&mut self, kind: &str) -> (Value, Vec<String>) {
        let mut before = Vec::new();
        loop {
            let line = tokio::time::timeout(PATIENCE, self.events.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("no {kind} in time, but {before:?}")).unwrap();
            let event: Value = serde_json::from_str(&line.expect("the mail server runs")).unwrap();
            if event["event"] == kind {
                return (event, before);
            }
            before.push(event["event"].as_str().unwrap().to_owned());
        }
    }

    /// The next mail as it was handed over, and what it says in plain text.
    async fn mail(&mut self) -> (Value, String) {
        let (mail, _) = self.until("mail").await;
        let content = mail["content"].as_str().unwrap().replace("\r\n", "\n");
        let part = content.split("Content-Type: text/plain").nth(1).expect("a plain part");
        let body = part.split_once("\n\n").unwrap().1.split("\n--").next().unwrap();
        // Quoted-printable: lines that end with `=` go on.
        (mail.clone(), body.replace("=\n", "").replace("=3D", "="))
    }
}

fn smtp(port: u16) -> Smtp {
    Smtp {
        hostname: "localhost".to_owned(),
        port: Some(port),
        insecure_host: Some(true),
        starttls: None,
        plaintext: None,
        username: Some("bench".to_owned()),
        secret: Some(Secret::new("hunter2")),
        from_name: "Bench, of \u{201c}Acme\u{201d}".to_owned(),
        from_email: "bench@example.com".parse().unwrap(),
    }
}

async fn server(smtp: Smtp, change: impl FnOnce(&mut Config)) -> TestServer {
    let configured = |config: &mut Config| {
        config.console.url = "https://bench.example.com".parse().unwrap();
        config.smtp = Some(smtp);
        change(config);
    };
    TestServer::start_with(Backend::Sqlite, configured).await.unwrap()
}

async fn sign_up(server: &TestServer, name: &str) {
    let signup = json!({ "name": name, "email": format!("{}@example.com", name.to_lowercase()), "i_agree": true });
    assert_eq!(server.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await.0, StatusCode::ACCEPTED);
}

/// What follows a text, up to the end of the line.
fn after<'a>(text: &'a str, marker: &str) -> &'a str {
    text.split(marker).nth(1).unwrap_or_else(|| panic!("{marker} in {text}")).lines().next().unwrap().trim()
}

#[tokio::test]
async fn people_get_in_and_together_by_mail() {
    if !is_possible().await {
        return;
    }
    let port = free_port();
    let mut mails = MailServer::start(port).await;
    let server = server(smtp(port), |_| {}).await;

    sign_up(&server, "Ada").await;
    let (mail, text) = mails.mail().await;
    assert_eq!((&mail["sender"], &mail["to"]), (&json!("bench@example.com"), &json!(["ada@example.com"])));
    assert_eq!((&mail["tls"], &mail["user"], &mail["hello"]), (&json!(true), &json!("bench"), &json!("bench.example.com")));
    let content = mail["content"].as_str().unwrap();
    for header in
        ["Subject: Confirm your new account at bench.example.com", "Auto-Submitted: auto-generated", "Date: ", "Message-ID: <"]
    {
        assert!(content.contains(header), "{header} in {content}");
    }
    assert!(content.contains("Content-Type: text/html"));
    let token = after(&text, "bencher auth confirm ");
    assert_eq!(after(&text, "https://bench.example.com/auth/confirm?token="), token);
    let (status, session) = server.send(Method::POST, "/v0/auth/confirm", None, Some(json!({ "token": token }))).await;
    assert_eq!(status, StatusCode::OK);
    let session = session["token"].as_str().unwrap();

    let invite = json!({ "name": "Bob", "email": "bob@example.com", "role": "developer" });
    let (status, _) = server.send(Method::POST, "/v0/organizations/ada/members", Some(session), Some(invite)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let (mail, text) = mails.mail().await;
    assert_eq!(mail["to"], json!(["bob@example.com"]));
    let token = after(&text, "https://bench.example.com/auth/signup?invite=");
    let signup = json!({ "name": "Bob", "email": "bob@example.com", "i_agree": true, "invite": token });
    assert_eq!(server.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await.0, StatusCode::ACCEPTED);
    let (_, member) = server.send(Method::GET, "/v0/organizations/ada/members/bob", Some(session), None).await;
    assert_eq!(member["role"], "developer");

    assert!(mails.mail().await.1.contains("an account was made with this address"));
    sign_up(&server, "Bob").await;
    assert!(mails.mail().await.1.contains("which has an account already"));
}

#[tokio::test]
async fn a_mail_waits_until_the_mail_server_is_up() {
    if !is_possible().await {
        return;
    }
    let port = free_port();
    let server = server(smtp(port), |_| {}).await;
    sign_up(&server, "Ada").await;
    let mut mails = MailServer::start(port).await;
    assert_eq!(mails.mail().await.0["to"], json!(["ada@example.com"]));
}

#[tokio::test]
async fn an_address_that_is_refused_holds_up_nobody_else() {
    if !is_possible().await {
        return;
    }
    let port = free_port();
    let mut mails = MailServer::start(port).await;
    let server = server(smtp(port), |_| {}).await;
    sign_up(&server, "Nobody").await;
    assert_eq!(mails.until("refused").await.0["to"], "nobody@example.com");
    sign_up(&server, "Ada").await;
    let (mail, before) = mails.until("mail").await;
    assert_eq!(
        (&mail["to"], before.contains(&"refused".to_owned())),
        (&json!(["ada@example.com"]), false),
        "it is not tried again"
    );
    tokio::time::timeout(PATIENCE, server.app.mail.finish()).await.expect("nothing waits");
}

#[tokio::test]
async fn a_wrong_password_sends_nothing() {
    if !is_possible().await {
        return;
    }
    let port = free_port();
    let mut mails = MailServer::start(port).await;
    let server = server(Smtp { secret: Some(Secret::new("hunter3")), ..smtp(port) }, |_| {}).await;
    sign_up(&server, "Ada").await;
    let (_, before) = mails.until("denied").await;
    assert_eq!(before, ["connected"]);
}

#[tokio::test]
async fn a_mail_server_with_a_certificate_of_nobody_gets_nothing() {
    if !is_possible().await {
        return;
    }
    let port = free_port();
    let mut mails = MailServer::start(port).await;
    let server = server(Smtp { insecure_host: None, ..smtp(port) }, |_| {}).await;
    sign_up(&server, "Ada").await;
    // It comes again, because it got nowhere: neither logged in nor sent anything.
    assert_eq!(mails.until("connected").await.1, [""; 0]);
    assert_eq!(mails.until("connected").await.1, [""; 0]);
}

#[tokio::test]
async fn the_log_says_what_became_of_a_mail_and_not_what_is_in_it() {
    if !is_possible().await {
        return;
    }
    let port = free_port();
    let mut mails = MailServer::start(port).await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path(), "127.0.0.1:0".parse().unwrap(), Secret::new("a secret key for tests only"));
    config.smtp = Some(smtp(port));
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bencher-api"))
        .env("BENCHER_CONFIG", serde_json::to_string(&config).unwrap())
        .env("BENCHER_LOG", "trace")
        .env("NO_COLOR", "1")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut seen = String::new();
    let mut until = async |marker: &str| loop {
        let line = tokio::time::timeout(PATIENCE, log.next_line()).await.expect("a line in time").unwrap();
        let line = line.expect("the server runs");
        seen.push_str(&line);
        if line.contains(marker) {
            return (line, seen.clone());
        }
    };
    let (line, _) = until("listening").await;
    let address = line.split("address=").nth(1).unwrap().split(' ').next().unwrap();
    let signup = json!({ "name": "Ada", "email": "ada@example.com", "i_agree": true });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.post(format!("http://{address}/v0/auth/signup")).json(&signup).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let (_, text) = mails.mail().await;
    let token = after(&text, "bencher auth confirm ").to_owned();
    let (line, log) = until("the mail server took a mail").await;
    assert!(line.contains("mail.to=ada@example.com") && line.contains("mail.kind=\"signup\""), "{line}");
    assert!(!log.contains(&token) && !log.contains("hunter2"));
}
