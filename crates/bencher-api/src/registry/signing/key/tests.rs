//! Keys and signatures that openssl made.

use super::*;

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/signed/keys/", $name))
    };
}

const P256: &str = file!("p256.pub");

fn read(pem: &str) -> Result<Key, InvalidKey> {
    Key::of(&NewSigningKey { name: None, public_key: pem.to_owned() })
}

#[test]
fn a_key_knows_its_own_signatures_and_no_others() {
    let cases = [
        ("ECDSA P-256", P256, file!("p256.sig")),
        ("ECDSA P-384", file!("p384.pub"), file!("p384.sig")),
        ("Ed25519", file!("ed25519.pub"), file!("ed25519.sig")),
        ("RSA", file!("rsa2048.pub"), file!("rsa2048.sig")),
        ("RSA", file!("rsa2048.pub"), file!("rsapss.sig")),
    ];
    for (algorithm, pem, signature) in cases {
        let key = read(pem).unwrap();
        let signature = STANDARD.decode(signature.trim()).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert!(key.made(&signature, b"message"), "{algorithm}");
        assert!(!key.made(&signature, b"massage"), "{algorithm}");
        assert!(!key.made(&signature[1..], b"message") && !key.made(b"", b"message"), "{algorithm}");
        for (_, other, _) in cases.iter().filter(|(_, other, _)| *other != pem) {
            assert!(!read(other).unwrap().made(&signature, b"message"), "{algorithm}");
        }
    }
}

#[test]
fn a_key_is_written_as_it_was_read() {
    for pem in [P256, file!("p384.pub"), file!("ed25519.pub"), file!("rsa2048.pub")] {
        assert_eq!(read(pem).unwrap().to_pem(), pem);
    }
    let surrounded = format!("a comment\n{}\n", P256.replace('\n', "\r\n"));
    assert_eq!(read(&surrounded).unwrap().to_pem(), P256);
}

#[test]
fn a_key_is_called_by_its_name_or_its_fingerprint() {
    let key = read(P256).unwrap();
    assert_eq!(key.to_string(), key.fingerprint().to_string());
    let named = Key::of(&NewSigningKey { name: Some("Release".parse().unwrap()), public_key: P256.to_owned() });
    assert_eq!(named.unwrap().to_string(), "Release");
}

fn check(pem: &str, expected: &str) {
    let error = read(pem).unwrap_err().to_string();
    assert!(error.contains(expected), "expected `{expected}` in: {error}");
}

#[test]
fn what_is_no_key_to_trust_says_why() {
    check("", "no public key in PEM");
    check(&P256.replace("PUBLIC KEY", "PRIVATE KEY"), "no public key in PEM");
    check(&P256.replace("PUBLIC KEY", "CERTIFICATE"), "`openssl pkey -in KEY -pubout` prints");
    check(&format!("{P256}{P256}"), "more than one");
    check(&" ".repeat(limits::MAX_PUBLIC_KEY_LEN + 1), "4097 characters");
    check("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "is no public key");
    check(file!("p521.pub"), "(1.3.132.0.35) are not verified here");
    check(file!("rsa1024.pub"), "shorter than 2048 bits");
    check(file!("compressed.pub"), "compressed");
}
