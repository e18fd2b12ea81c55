//! What makes a signature count, on what a tool of sigstore's signed.

use bencher_types::{oci::signature::Claim, wire::signature::NewSigningKey};

use super::*;

const IMAGE: &[u8] = include_bytes!("../../../../tests/signed/image.json");

fn key(pem: &str) -> Key {
    Key::of(&NewSigningKey { name: None, public_key: pem.to_owned() }).unwrap()
}

fn ours() -> Key {
    key(include_str!("../../../../tests/signed/keys/p256.pub"))
}

fn another() -> Key {
    key(include_str!("../../../../tests/signed/keys/p384.pub"))
}

fn bundle(manifest: &[u8], content: &[u8]) -> Signed {
    signature::read(&signature::parts(manifest)[0], content).unwrap()
}

fn statement() -> Signed {
    bundle(
        include_bytes!("../../../../tests/signed/signature.manifest.json"),
        include_bytes!("../../../../tests/signed/signature.bundle.json"),
    )
}

fn of_manifest() -> Signed {
    bundle(
        include_bytes!("../../../../tests/signed/message.manifest.json"),
        include_bytes!("../../../../tests/signed/message.bundle.json"),
    )
}

/// What is decided of it where the image's manifest is `manifest`.
fn judged(signed: &Signed, manifest: &[u8], keys: &[Key]) -> Judgement {
    let message = match &signed.message {
        Message::Bytes(bytes) => bytes.as_slice(),
        Message::Subject => manifest,
    };
    decide(signed, message, &Digest::sha256(manifest), keys)
}

fn check(signed: &Signed, manifest: &[u8], keys: &[Key], expected: (SignatureState, &str)) {
    let judgement = judged(signed, manifest, keys);
    let problem = judgement.problem.unwrap_or_default();
    assert!(judgement.state == expected.0 && problem.contains(expected.1), "{:?}: {problem}", judgement.state);
    assert_eq!(judgement.key, None);
}

#[test]
fn a_signature_of_the_image_by_a_key_of_the_project_counts() {
    for signed in [statement(), of_manifest()] {
        let judgement = judged(&signed, IMAGE, &[another(), ours()]);
        let key = Some(ours().fingerprint().to_string());
        assert_eq!(judgement, Judgement { state: SignatureState::Valid, key, problem: None });
    }
}

#[test]
fn a_signature_of_another_key_does_not_count() {
    for signed in [statement(), of_manifest()] {
        check(&signed, IMAGE, &[another()], (SignatureState::Untrusted, "no key of the project made it"));
        check(&signed, IMAGE, &[], (SignatureState::Untrusted, "has no keys"));
        let keyless = Signed { has_certificate: true, ..signed };
        check(&keyless, IMAGE, &[another()], (SignatureState::Untrusted, "certificate"));
    }
}

#[test]
fn a_signature_of_another_image_does_not_count() {
    for signed in [statement(), of_manifest()] {
        let named = format!("of another image, {}", Digest::sha256(IMAGE));
        check(&signed, b"another", &[ours()], (SignatureState::Mismatch, &named));
        let of_nothing = Signed { claim: Claim { subjects: Vec::new(), ..signed.claim.clone() }, ..signed };
        check(&of_nothing, IMAGE, &[ours()], (SignatureState::Mismatch, "no image at all"));
    }
}

#[test]
fn what_is_signed_cannot_be_changed() {
    // To name another image, and be attached to it.
    for mut signed in [statement(), of_manifest()] {
        signed.claim.subjects = vec![Digest::sha256(b"another")];
        if let Message::Bytes(bytes) = &mut signed.message {
            bytes.push(b' ');
        }
        check(&signed, b"another", &[ours()], (SignatureState::Untrusted, "or what it signs was changed"));
    }
}
