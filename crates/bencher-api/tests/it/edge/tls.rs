//! TLS with real clients: what people, runners and registry tools use.

use std::{path::Path, sync::Arc};

use bencher_api::{
    app::{App, StartError},
    clock::Clock,
    config::Config,
    tls::Reload,
};
use bencher_types::{Secret, wire::channel::FromRunner};
use futures::{SinkExt as _, StreamExt as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::StatusCode;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_tungstenite::{
    Connector,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use super::{PATIENCE, Program, address, from_json, raw, server, until, until_closed};
use crate::{
    rows::{self, at},
    support::TestServer,
};

/// An authority and a certificate of it for this machine.
struct Pki {
    authority: String,
    certificate: String,
    key: String,
}

fn pki() -> Pki {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    Pki { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

impl Pki {
    fn write(&self, folder: &Path) {
        for (name, content) in [("cert.pem", &self.certificate), ("key.pem", &self.key)] {
            std::fs::write(folder.join("new"), content).unwrap();
            std::fs::rename(folder.join("new"), folder.join(name)).unwrap();
        }
    }

    /// A client that knows this authority and no other.
    fn client(&self) -> reqwest::Client {
        rustls::crypto::ring::default_provider().install_default().ok();
        let authority = reqwest::Certificate::from_pem(self.authority.as_bytes()).unwrap();
        reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap()
    }

    fn connector(&self) -> Connector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap()).unwrap();
        Connector::Rustls(Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
    }
}

fn tls(folder: &Path) -> serde_json::Value {
    json!({ "type": "as_file", "cert_file": folder.join("cert.pem"), "key_file": folder.join("key.pem") })
}

/// A server with TLS, and a client that trusts it.
async fn secure(pki: &Pki, folder: &Path) -> TestServer {
    pki.write(folder);
    let mut server = server(|config| {
        config.server.tls = Some(from_json(tls(folder)));
        let url = format!("https://{}/", config.server.bind_address).parse().unwrap();
        config.plus.get_or_insert_default().registry.get_or_insert_default().url = Some(url);
    })
    .await;
    server.url = server.url.replace("http://", "https://");
    server.client = pki.client();
    server
}

#[tokio::test]
async fn the_api_is_served_over_tls() {
    let (pki, folder) = (pki(), tempfile::tempdir().unwrap());
    let server = secure(&pki, folder.path()).await;
    let ada = server.sign_up("Ada").await;
    assert_eq!(server.get("/v0/users", &ada).await.0, StatusCode::OK);
    let answer = server.client.get(format!("{}/v0/server/version", server.url)).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_11);
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    let stranger = self::pki().client().get(format!("{}/healthz", server.url)).send().await;
    assert!(stranger.is_err(), "a client that does not know the authority does not talk to it");
}

#[tokio::test]
async fn a_runner_opens_its_channel_over_tls() {
    let (pki, folder) = (pki(), tempfile::tempdir().unwrap());
    let server = secure(&pki, folder.path()).await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let job = rows::job(store, spec, 0, at(0)).await;
    let url = format!("{}/v0/runners/{}/channel", server.url.replace("https://", "wss://"), runner.uuid);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", runner.key.expose()).parse().unwrap());
    let (mut socket, _) =
        tokio_tungstenite::connect_async_tls_with_config(request, None, false, Some(pki.connector())).await.unwrap();
    let ready = FromRunner::Ready { poll_timeout: Some(900), runner: None };
    socket.send(Message::text(serde_json::to_string(&ready).unwrap())).await.unwrap();
    let frame = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame in time").unwrap().unwrap();
    assert!(frame.to_text().unwrap().contains(&job.to_string()), "{frame}");
}

#[tokio::test]
async fn skopeo_pushes_and_pulls_over_tls() {
    if std::process::Command::new("skopeo").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("BENCHER_TEST_REQUIRE").is_none(),
            "skopeo is not installed: `cargo xtask test` installs it (Debian package skopeo)"
        );
        return;
    }
    let (pki, folder) = (pki(), tempfile::tempdir().unwrap());
    let server = secure(&pki, folder.path()).await;
    let ada = server.sign_up("Ada").await;
    server.project(&ada, "Shop", "private").await;
    let key = server.create(&format!("/v0/users/{}/keys", ada.uuid), &ada, json!({ "name": "for tools" })).await;
    let creds = format!("ada@example.com:{}", key["key"].as_str().unwrap());

    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("trusted")).unwrap();
    std::fs::write(path("trusted/ca.crt"), &pki.authority).unwrap();
    std::fs::write(path("policy.json"), r#"{"default":[{"type":"insecureAcceptAnything"}]}"#).unwrap();
    write_layout(Path::new(&path("layout")));
    let image = format!("docker://{}/shop:v1", address(&server));
    let skopeo = async |arguments: Vec<String>| {
        let mut command = std::process::Command::new("skopeo");
        command.env("HOME", folder.path()).args(["--policy", &path("policy.json")]).args(arguments);
        let running = tokio::task::spawn_blocking(move || command.output().expect("skopeo starts"));
        let output = tokio::time::timeout(PATIENCE, running).await.expect("skopeo ends").unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let text = str::to_owned;
    let layout = format!("oci:{}:v1", path("layout"));
    skopeo(vec![
        text("copy"),
        text("--dest-cert-dir"),
        path("trusted"),
        text("--dest-creds"),
        creds.clone(),
        layout,
        image.clone(),
    ])
    .await;
    let back = format!("oci:{}:v1", path("back"));
    skopeo(vec![text("copy"), text("--src-cert-dir"), path("trusted"), text("--src-creds"), creds, image, back]).await;
    assert!(Path::new(&path("back/index.json")).exists());
}

/// The smallest image: a configuration and no layers.
fn write_layout(folder: &Path) {
    use bencher_types::Digest;
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let put = |content: String, media_type: &str| {
        let digest = Digest::sha256(content.as_bytes());
        std::fs::write(blobs.join(digest.to_string().trim_start_matches("sha256:")), &content).unwrap();
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    };
    let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] } });
    let config = put(config.to_string(), "application/vnd.oci.image.config.v1+json");
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [] });
    let mut manifest = put(manifest.to_string(), media_type);
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": "v1" });
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

#[tokio::test]
async fn who_does_not_speak_tls_is_told_or_cut_off() {
    let (pki, folder) = (pki(), tempfile::tempdir().unwrap());
    let server = secure(&pki, folder.path()).await;
    let answer = raw(&server, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("https://"), "{answer}");
    for garbage in [b"\x16\x03\x01\xff\xff".as_slice(), b"\x16garbage garbage garbage", b"\x00\x00\x00"] {
        let mut stream = TcpStream::connect(address(&server)).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.ok();
        let answer = until_closed(&mut stream).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    assert!(server.client.get(format!("{}/healthz", server.url)).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_restart() {
    let (old, new, folder) = (pki(), pki(), tempfile::tempdir().unwrap());
    let server = secure(&old, folder.path()).await;
    let healthz = format!("{}/healthz", server.url);
    let certificates = server.app.certificates.as_ref().expect("the server has TLS");
    assert!(old.client().get(&healthz).send().await.is_ok());

    std::fs::write(folder.path().join("cert.pem"), &new.certificate).unwrap();
    assert!(matches!(certificates.reload_if_changed(), Reload::Refused(_)), "the key is still the old one");
    assert!(old.client().get(&healthz).send().await.is_ok(), "the old pair is served on");

    // A connection that is there stays.
    assert!(server.client.get(&healthz).send().await.is_ok());
    new.write(folder.path());
    assert!(matches!(certificates.reload_if_changed(), Reload::Replaced));
    assert!(new.client().get(&healthz).send().await.is_ok());
    assert!(old.client().get(&healthz).send().await.is_err());
    assert!(server.client.get(&healthz).send().await.is_ok());
}

#[tokio::test]
async fn a_server_does_not_start_with_a_pair_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    pki().write(folder.path());
    std::fs::write(folder.path().join("key.pem"), pki().key).unwrap();
    let mut config = Config::new(folder.path(), "127.0.0.1:0".parse().unwrap(), Secret::new("a key"));
    config.server.tls = Some(from_json(tls(folder.path())));
    let error = App::open(config, Clock::System).await.expect_err("no pair");
    assert!(matches!(&error, StartError::Tls(_)));

    let mut program = Program::start(folder, "info", |folder, config| config["server"]["tls"] = tls(folder));
    assert!(!program.ended().await.success());
    let log = program.stderr();
    assert!(log.contains("could not set up TLS") && log.contains("does not belong to the first certificate"), "{log}");
}

#[tokio::test]
async fn a_hangup_makes_the_server_read_its_certificate_again() {
    let (old, new, folder) = (pki(), pki(), tempfile::tempdir().unwrap());
    old.write(folder.path());
    let program = Program::start(folder, "info", |folder, config| config["server"]["tls"] = tls(folder));
    let url = format!("https://{}/healthz", program.address(Program::stderr).await);
    until("the old certificate is served", async || old.client().get(&url).send().await.ok()).await;
    assert!(program.stderr().contains("the TLS certificate is valid"), "{}", program.stderr());
    new.write(program.folder.path());
    program.signal("-HUP");
    until("the new certificate is served", async || new.client().get(&url).send().await.ok()).await;
    assert!(program.stderr().contains("took over a new TLS certificate"), "{}", program.stderr());
}
