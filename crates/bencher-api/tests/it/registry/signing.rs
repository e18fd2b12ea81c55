//! Signed images, and projects whose jobs run nothing else. Signatures are those of openssl, in the form that cosign gives them, and what
//! tools of sigstore attached (`tests/signed`).

use std::process::{Command, Stdio};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bencher_api::queue;
use bencher_types::{Digest, RunnerKey, oci::signature::SIMPLE_SIGNING};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{OCI_INDEX, OCI_MANIFEST, descriptor, keeper, sha256, tools::is_installed};
use crate::{
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

const POLICY: &str = "/v0/projects/shop/registry/signing";
const P256: &str = include_str!("../../signed/keys/p256.pub");

/// Somebody with a key of openssl's.
struct Signer {
    folder: tempfile::TempDir,
    public_key: String,
}

impl Signer {
    /// `None` where openssl is not installed and nobody insists.
    fn new() -> Option<Self> {
        if !is_installed("openssl") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut signer = Self { folder, public_key: String::new() };
        signer.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"]);
        signer.public_key = String::from_utf8(signer.openssl(&["pkey", "-in", "key.pem", "-pubout"])).unwrap();
        Some(signer)
    }

    fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("openssl");
        let output = command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn sign(&self, payload: &str) -> String {
        std::fs::write(self.folder.path().join("payload"), payload).unwrap();
        STANDARD.encode(self.openssl(&["dgst", "-sha256", "-sign", "key.pem", "payload"]))
    }
}

/// What cosign signs for an image.
fn payload(digest: &Digest) -> String {
    json!({
        "critical": {
            "identity": { "docker-reference": "localhost:6610/shop" },
            "image": { "docker-manifest-digest": digest },
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string()
}

/// The tag under which cosign looks for the signatures of an image.
fn tag_of(digest: &Digest) -> String {
    format!("sha256-{}.sig", digest.hex())
}

/// Attaches a signature to an image as cosign does: under a tag, or with the image as its subject.
async fn attach(server: &TestServer, user: &TestUser, to: &Digest, (payload, signature): (&str, &str), by_tag: bool) -> Digest {
    let config = br#"{"rootfs":{"type":"layers","diff_ids":[]}}"#;
    server.push_blob("shop", user, config).await;
    server.push_blob("shop", user, payload.as_bytes()).await;
    let mut layer = descriptor(SIMPLE_SIGNING, payload.as_bytes());
    layer["annotations"] = json!({ "dev.cosignproject.cosign/signature": signature });
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [layer],
    });
    if !by_tag {
        manifest["artifactType"] = json!("application/vnd.dev.cosign.artifact.sig.v1+json");
        manifest["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": to, "size": 1 });
    }
    let digest = sha256(manifest.to_string().as_bytes());
    let reference = if by_tag { tag_of(to) } else { digest.to_string() };
    server.put_manifest("shop", user, &reference, &manifest).await.expect(201);
    digest
}

async fn set(server: &TestServer, user: &TestUser, policy: Value) -> (StatusCode, Value) {
    server.send(Method::PUT, POLICY, Some(&user.token), Some(policy)).await
}

async fn trust(server: &TestServer, user: &TestUser, name: &str, public_key: &str) {
    let (status, policy) = set(server, user, json!({ "keys": [{ "name": name, "public_key": public_key }] })).await;
    assert_eq!((status, &policy["required"]), (StatusCode::OK, &json!(true)), "{policy}");
}

async fn run(server: &TestServer, user: &TestUser, image: &str) -> (StatusCode, Value) {
    let now = "2026-01-01T00:00:00Z";
    let body = json!({ "project": "shop", "start_time": now, "end_time": now, "results": [], "job": { "image": image } });
    server.post("/v0/run", user, body).await
}

async fn runs(server: &TestServer, user: &TestUser, image: &str) -> String {
    let (status, report) = run(server, user, image).await;
    assert_eq!(status, StatusCode::CREATED, "{image}: {report}");
    report["job"].as_str().expect("a job").to_owned()
}

async fn signatures(server: &TestServer, user: &TestUser, image: &str) -> Value {
    let (status, found) = server.get(&format!("/v0/projects/shop/registry/signatures?image={image}"), user).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    found
}

/// A user with the project `shop`, and a spec to run on.
async fn owner(server: &TestServer) -> TestUser {
    let user = keeper(server).await;
    server.spec(&server.confirm("admin@example.com").await, "Small", true).await;
    user
}

#[tokio::test]
async fn a_job_runs_only_what_a_key_of_its_project_signed() {
    let Some((ours, theirs)) = Signer::new().zip(Signer::new()) else { return };
    on_each_database(async |server| {
        let user = owner(&server).await;
        let (_, digest) = server.push_image("shop", &user, "v1", 1).await;
        runs(&server, &user, "shop:v1").await;
        trust(&server, &user, "Release", &ours.public_key).await;

        let refusal = run(&server, &user, "shop:v1").await;
        for part in ["shop:v1", &digest.to_string(), "Release", "it has no signature", "cosign sign --key KEY"] {
            refused(refusal.clone(), 400, part);
        }
        refused(refusal, 400, &format!("/shop@{digest}, such as with"));

        // Of nobody here; ours, of another image; ours, and changed afterwards; nonsense.
        let good = payload(&digest);
        attach(&server, &user, &digest, (&good, &theirs.sign(&good)), true).await;
        refused(run(&server, &user, "shop:v1").await, 400, "(no key of the project made it");
        let other = payload(&sha256(b"another"));
        attach(&server, &user, &digest, (&other, &ours.sign(&other)), true).await;
        refused(run(&server, &user, "shop:v1").await, 400, &format!("(it is of another image, {})", sha256(b"another")));
        attach(&server, &user, &digest, (&good, &ours.sign(&other)), true).await;
        refused(run(&server, &user, "shop:v1").await, 400, "or what it signs was changed)");
        attach(&server, &user, &digest, ("not JSON", &ours.sign("not JSON")), true).await;
        refused(run(&server, &user, "shop:v1").await, 400, "(the payload is not valid JSON of its kind");

        for by_tag in [true, false] {
            let attached = attach(&server, &user, &digest, (&good, &ours.sign(&good)), by_tag).await;
            for image in ["shop:v1".to_owned(), format!("shop@{digest}")] {
                runs(&server, &user, &image).await;
            }
            let reference = if by_tag { tag_of(&digest) } else { attached.to_string() };
            let path = format!("shop/manifests/{reference}");
            super::Answer::of(server.oci(Method::DELETE, &path, &user)).await.expect(202);
        }
        refused(run(&server, &user, "shop:v1").await, 400, "it has no signature");

        // The signature is of the image, not of the tag.
        attach(&server, &user, &digest, (&good, &ours.sign(&good)), true).await;
        server.push_image("shop", &user, "v1", 2).await;
        refused(run(&server, &user, "shop:v1").await, 400, "it has no signature");
        runs(&server, &user, &format!("shop@{digest}")).await;

        let (status, _) = server.delete(POLICY, &user).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        runs(&server, &user, "shop:v1").await;
    })
    .await;
}

/// A server with the image and what tools of sigstore attached to it.
async fn sigstore(server: &TestServer, user: &TestUser, bundles: &[(&[u8], &[u8])]) -> Digest {
    let image = include_bytes!("../../signed/image.json");
    server.push_blob("shop/n", user, include_bytes!("../../signed/config.json")).await;
    server.push_blob("shop/n", user, b"{}").await;
    let put = async |reference: &str, manifest: &[u8]| {
        let request = server.oci(Method::PUT, &format!("shop/n/manifests/{reference}"), user);
        super::Answer::of(request.header("content-type", OCI_MANIFEST).body(manifest.to_vec())).await.expect(201);
    };
    put("v1", image).await;
    for (manifest, bundle) in bundles {
        server.push_blob("shop/n", user, bundle).await;
        put(&sha256(manifest).to_string(), manifest).await;
    }
    sha256(image)
}

macro_rules! bundle {
    ($name:literal) => {
        (
            include_bytes!(concat!("../../signed/", $name, ".manifest.json")).as_slice(),
            include_bytes!(concat!("../../signed/", $name, ".bundle.json")).as_slice(),
        )
    };
}

#[tokio::test]
async fn bundles_of_sigstore_count_as_signatures_and_provenance_does_not() {
    on_each_database(async |server| {
        let user = owner(&server).await;
        trust(&server, &user, "CI", P256).await;
        let digest = sigstore(&server, &user, &[bundle!("provenance")]).await;
        refused(run(&server, &user, "shop/n:v1").await, 400, "only attestations");
        let found = signatures(&server, &user, "shop/n:v1").await;
        assert_eq!((&found["signed"], &found["digest"]), (&json!(false), &json!(digest)));
        let attestation = &found["signatures"][0];
        let parts = ["kind", "state", "key", "predicate_type", "repository"].map(|part| attestation[part].as_str().unwrap());
        assert_eq!(parts, ["attestation", "valid", "CI", "https://slsa.dev/provenance/v1", "shop/n"]);

        for bundle in [bundle!("signature"), bundle!("message")] {
            sigstore(&server, &user, &[bundle]).await;
            runs(&server, &user, "shop/n:v1").await;
            let path = format!("shop/n/manifests/{}", sha256(bundle.0));
            super::Answer::of(server.oci(Method::DELETE, &path, &user)).await.expect(202);
        }
        refused(run(&server, &user, "shop/n:v1").await, 400, "only attestations");
    })
    .await;
}

#[tokio::test]
async fn a_signed_index_covers_what_it_lists_and_signed_images_their_index() {
    let Some(ours) = Signer::new() else { return };
    on_each_database(async |server| {
        let user = owner(&server).await;
        trust(&server, &user, "Release", &ours.public_key).await;
        let sign = async |digest: &Digest| {
            let payload = payload(digest);
            attach(&server, &user, digest, (&payload, &ours.sign(&payload)), true).await;
        };
        let unsign = async |digest: &Digest| {
            let path = format!("shop/manifests/{}", tag_of(digest));
            super::Answer::of(server.oci(Method::DELETE, &path, &user)).await.expect(202);
        };
        let (one, one_digest) = server.push_image("shop", &user, "one", 1).await;
        let (two, two_digest) = server.push_image("shop", &user, "two", 2).await;
        let (arm, _) = server.push_image("shop", &user, "arm", 3).await;
        let entry = |manifest: &Value, architecture: &str| {
            let mut entry = descriptor(OCI_MANIFEST, manifest.to_string().as_bytes());
            entry["platform"] = json!({ "os": "linux", "architecture": architecture });
            entry
        };
        let entries = [entry(&one, "amd64"), entry(&two, "amd64"), entry(&arm, "arm64")];
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
        server.put_manifest("shop", &user, "all", &index).await.expect(201);
        let index_digest = sha256(index.to_string().as_bytes());

        refused(run(&server, &user, "shop:all").await, 400, "it has no signature");
        sign(&index_digest).await;
        for image in ["shop:all", "shop:one", "shop:two"] {
            runs(&server, &user, image).await;
        }
        unsign(&index_digest).await;
        refused(run(&server, &user, "shop:one").await, 400, "it has no signature");

        // Of two images that the runner may take, both have to be.
        sign(&one_digest).await;
        refused(run(&server, &user, "shop:all").await, 400, &format!("{two_digest} is not"));
        sign(&two_digest).await;
        runs(&server, &user, "shop:all").await;
        // Somebody who looks at the index may have another machine in mind.
        let found = signatures(&server, &user, "shop:all").await;
        assert_eq!(found["signed"], json!(false));
        assert_eq!(found["signatures"].as_array().unwrap().len(), 2, "{found}");
    })
    .await;
}

#[tokio::test]
async fn a_job_that_waits_is_looked_at_again_when_it_is_handed_out() {
    let Some(ours) = Signer::new() else { return };
    on_each_database(async |server| {
        let user = owner(&server).await;
        let admin = server.confirm("admin@example.com").await;
        let made = server.create("/v0/runners", &admin, json!({ "name": "one" })).await;
        server.create("/v0/runners/one/specs", &admin, json!({ "spec": "small" })).await;
        let key: RunnerKey = made["key"].as_str().unwrap().parse().unwrap();
        let runner = server.app.store.runner_by_key(&key.hash()).await.unwrap().unwrap();
        let (_, digest) = server.push_image("shop", &user, "v1", 1).await;
        let job = runs(&server, &user, "shop:v1").await;
        trust(&server, &user, "Release", &ours.public_key).await;

        assert!(queue::claim(&server.app, &runner).await.unwrap().is_none());
        let (_, refused) = server.get(&format!("/v0/projects/shop/jobs/{job}"), &user).await;
        assert_eq!((&refused["status"], &refused["failure"]), (&json!("failed"), &json!("image")), "{refused}");
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains("shop:v1") && message.contains("it has no signature"), "{message}");

        let payload = payload(&digest);
        attach(&server, &user, &digest, (&payload, &ours.sign(&payload)), false).await;
        let (status, _) = server.post(&format!("/v0/projects/shop/jobs/{job}/retry"), &user, json!({})).await;
        assert_eq!(status, StatusCode::OK);
        let (held, _) = queue::claim(&server.app, &runner).await.unwrap().expect("a job");
        assert_eq!(held.job.to_string(), job);
    })
    .await;
}

#[tokio::test]
async fn a_policy_that_is_not_required_only_names_the_keys() {
    let Some((ours, theirs)) = Signer::new().zip(Signer::new()) else { return };
    on_each_database(async |server| {
        let user = owner(&server).await;
        let (_, digest) = server.push_image("shop", &user, "v1", 1).await;
        let none = signatures(&server, &user, "shop:v1").await;
        assert_eq!((&none["signed"], &none["required"], &none["signatures"]), (&json!(false), &json!(false), &json!([])));
        let keys = json!([{ "name": "Release", "public_key": ours.public_key }, { "public_key": theirs.public_key }]);
        let (status, policy) = set(&server, &user, json!({ "required": false, "keys": keys })).await;
        assert_eq!(status, StatusCode::OK, "{policy}");
        assert_eq!(policy["keys"][0]["algorithm"], json!("ECDSA P-256"));
        assert_eq!(policy["keys"][0]["public_key"], json!(ours.public_key));
        let fingerprint = policy["keys"][1]["fingerprint"].clone();

        let payload = payload(&digest);
        let attached = attach(&server, &user, &digest, (&payload, &theirs.sign(&payload)), true).await;
        let found = signatures(&server, &user, &format!("shop@{digest}")).await;
        assert_eq!((&found["signed"], &found["required"], &found["refusal"]), (&json!(true), &json!(false), &Value::Null));
        let signature = &found["signatures"][0];
        assert_eq!((&signature["key"], &signature["state"]), (&fingerprint, &json!("valid")));
        assert_eq!((&signature["digest"], &signature["subject"]), (&json!(attached), &json!(digest)));
        assert_eq!(signature["reference"], json!("localhost:6610/shop"));
        // Nothing is asked of what is not signed.
        server.push_image("shop", &user, "v2", 2).await;
        runs(&server, &user, "shop:v2").await;
        let path = "/v0/projects/shop/registry/signatures?image=shop:none";
        refused(server.get(path, &user).await, 404, "there is no image shop:none");
    })
    .await;
}

#[tokio::test]
async fn a_policy_without_usable_keys_is_refused() {
    let (server, user) = super::shop().await;
    let key = json!({ "public_key": P256 });
    let many = vec![key.clone(); 33];
    for (keys, expected) in [
        (json!([]), "names no key"),
        (json!([key, key]), "given twice"),
        (json!(many), "33 keys"),
        (json!([key, { "name": "Old", "public_key": "x" }]), "key 2 (Old): the text is no public key in PEM"),
        (json!([{ "public_key": include_str!("../../signed/keys/rsa1024.pub") }]), "shorter than 2048 bits"),
    ] {
        refused(set(&server, &user, json!({ "keys": keys })).await, 400, expected);
    }
    let (_, policy) = server.get(POLICY, &user).await;
    assert_eq!(policy, json!({ "required": false, "keys": [] }));
}

#[tokio::test]
async fn what_is_attached_may_be_of_any_size_and_is_not_all_read() {
    let Some(ours) = Signer::new() else { return };
    let (server, user) = super::shop().await;
    let (_, digest) = server.push_image("shop", &user, "v1", 1).await;
    trust(&server, &user, "Release", &ours.public_key).await;
    let large = format!("{}{}", payload(&digest), " ".repeat(1 << 20));
    attach(&server, &user, &digest, (&large, &ours.sign(&large)), true).await;
    // Named, and never pushed.
    let mut layer = descriptor(SIMPLE_SIGNING, b"never pushed");
    layer["annotations"] = json!({ "dev.cosignproject.cosign/signature": "AA==" });
    let subject = json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1 });
    let config = descriptor("application/vnd.oci.image.config.v1+json", br#"{"rootfs":{"type":"layers","diff_ids":[]}}"#);
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer], "subject": subject });
    server.put_manifest("shop", &user, &sha256(manifest.to_string().as_bytes()).to_string(), &manifest).await.expect(201);
    let found = signatures(&server, &user, "shop:v1").await;
    let problems: Vec<&str> =
        found["signatures"].as_array().unwrap().iter().filter_map(|signature| signature["problem"].as_str()).collect();
    assert!(problems.iter().any(|problem| problem.contains("1048576 at most are read")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("was never pushed")), "{problems:?}");
    assert_eq!(found["signed"], json!(false));
}
