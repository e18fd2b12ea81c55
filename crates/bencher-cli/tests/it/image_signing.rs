//! `bencher image signatures` and `bencher image policy`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::World;

const KEY: &str = include_str!("../../../bencher-api/tests/signed/keys/p256.pub");

fn signature(kind: &str, state: &str, rest: Value) -> Value {
    let mut signature = json!({
        "kind": kind, "state": state, "repository": "shop", "created": "2026-01-02T03:04:05Z",
        "subject": format!("sha256:{}", "a".repeat(64)), "digest": format!("sha256:{}", "b".repeat(64)),
    });
    let members = rest.as_object().unwrap().clone();
    signature.as_object_mut().unwrap().extend(members);
    signature
}

#[test]
fn what_an_image_is_signed_with_is_a_table() {
    let found = json!({
        "image": "shop:v1", "digest": format!("sha256:{}", "a".repeat(64)), "required": true, "signed": false,
        "refusal": "the image shop:v1 may not run: it has no signature",
        "signatures": [
            signature("signature", "untrusted", json!({ "problem": "no key of the project made it" })),
            signature("attestation", "valid", json!({ "key": "CI", "predicate_type": "https://slsa.dev/provenance/v1" })),
        ],
    });
    let world = World::always(200, found.clone());
    let ended = world.bencher(&["image", "signatures", "shop:v1"]);
    assert_snapshot!(ended.all(), @r"
    exit 0
    == stdout
    image     shop:v1
    digest    sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    signed    no
    required  yes

    KIND         STATE      KEY  OF            WHAT                            MANIFEST
    signature    untrusted  -    aaaaaaaaaaaa  no key of the project made it   bbbbbbbbbbbb
    attestation  valid      CI   aaaaaaaaaaaa  https://slsa.dev/provenance/v1  bbbbbbbbbbbb

    the image shop:v1 may not run: it has no signature
    == stderr
    ");
    assert_eq!(world.bencher(&["image", "signatures", "shop:v1", "--format", "json"]).json(), found);
}

#[test]
fn a_policy_is_set_with_the_keys_of_files() {
    let fingerprint = format!("sha256:{}", "c".repeat(64));
    let key = json!({ "name": "Release", "algorithm": "ECDSA P-256", "fingerprint": fingerprint, "public_key": KEY });
    let policy = json!({ "required": false, "keys": [key], "modified": "2026-01-02T03:04:05Z" });
    let world = World::always(200, policy);
    std::fs::write(world.dir.path().join("release.pub"), KEY).unwrap();
    std::fs::write(world.dir.path().join("release.pem"), "-----BEGIN PRIVATE KEY-----").unwrap();
    let set = [
        "image",
        "policy",
        "set",
        "shop",
        "--not-required",
        "--public-key",
        "Release=release.pub",
        "--public-key",
        "release.pub",
    ];
    let ended = world.bencher(&set);
    assert_snapshot!(ended.all(), @r"
    exit 0
    == stdout
    jobs run  anything; these keys say whose signatures are
    since     2026-01-02 03:04:05Z

    KEY      ALGORITHM    FINGERPRINT
    Release  ECDSA P-256  sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
    == stderr
    ");
    let asked = world.all_asked();
    let asked = asked.iter().find(|asked| asked.method == "PUT").expect("it asks");
    assert_eq!(asked.path, "/v0/projects/shop/registry/signing");
    let keys = json!([{ "name": "Release", "public_key": KEY }, { "public_key": KEY }]);
    assert_eq!(asked.body, json!({ "required": false, "keys": keys }));

    let before = world.all_asked().len();
    let secret = world.bencher(&["image", "policy", "set", "shop", "--public-key", "release.pem"]);
    assert!(secret.stderr.contains("release.pem is a private key, which stays where it is"), "{}", secret.stderr);
    let missing = world.bencher(&["image", "policy", "set", "shop", "--public-key", "none.pub"]);
    assert!(missing.stderr.contains("none.pub"), "{}", missing.stderr);
    assert_eq!(world.all_asked().len(), before, "neither is sent anywhere");
}
