//! What tools really attach, and what is wrong with what they do not.

use super::*;

/// Made by @sigstore/sign 4.1.1 and @sigstore/oci 0.6.0 of npm with a plain P-256 key.
macro_rules! attached {
    ($name:literal) => {
        (
            include_bytes!(concat!("../../../../bencher-api/tests/signed/", $name, ".manifest.json")).as_slice(),
            include_bytes!(concat!("../../../../bencher-api/tests/signed/", $name, ".bundle.json")).as_slice(),
        )
    };
}

const IMAGE: &[u8] = include_bytes!("../../../../bencher-api/tests/signed/image.json");

fn part(format: Format, signature: Option<&str>) -> Part {
    Part { format, digest: Digest::sha256(b""), size: 0, signature: signature.map(str::to_owned), has_certificate: false }
}

fn only_part((manifest, content): (&[u8], &[u8])) -> Signed {
    let parts = parts(manifest);
    let [part] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!((part.format, &part.digest, part.size), (Format::Bundle, &Digest::sha256(content), content.len() as u64));
    read(part, content).unwrap()
}

#[test]
fn bundles_of_sigstore_say_what_is_signed() {
    let image = Digest::sha256(IMAGE);
    for (attached, purpose, predicate) in [
        (attached!("signature"), Purpose::Signature, Some(SIGNATURE_PREDICATE)),
        (attached!("provenance"), Purpose::Attestation, Some("https://slsa.dev/provenance/v1")),
        (attached!("message"), Purpose::Signature, None),
    ] {
        let signed = only_part(attached);
        assert_eq!(signed.claim.purpose, purpose);
        assert_eq!(signed.claim.subjects, std::slice::from_ref(&image));
        assert_eq!(signed.claim.predicate_type.as_deref(), predicate);
        assert_eq!((signed.signatures.len(), signed.has_certificate), (1, false));
        match signed.message {
            Message::Subject => assert_eq!(predicate, None),
            Message::Bytes(bytes) => assert!(bytes.starts_with(b"DSSEv1 28 application/vnd.in-toto+json ")),
        }
    }
}

fn payload(kind: &str, digest: &str) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"h/shop"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{kind}"}},"optional":null}}"#
    )
}

#[test]
fn a_payload_of_cosigns_is_signed_byte_for_byte() {
    let digest = Digest::sha256(b"image");
    let content = payload(SIMPLE_TYPE, &digest.to_string());
    let signed = read(&part(Format::Simple, Some("c2lnbmF0dXJl")), content.as_bytes()).unwrap();
    assert_eq!(signed.claim.subjects, [digest]);
    assert_eq!(signed.claim.reference.as_deref(), Some("h/shop"));
    assert_eq!((signed.message, signed.signatures), (Message::Bytes(content.into_bytes()), vec![b"signature".to_vec()]));
}

/// DSSE's own example of what is signed.
#[test]
fn what_is_signed_of_an_envelope_has_its_lengths() {
    let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
    assert_eq!(pre_authentication("http://example.com/HelloWorld", b"hello world"), expected);
}

#[test]
fn tools_write_base64_as_they_like() {
    for text in ["-_8=", "-_8", "+/8=", "+/8", " +/8=\n"] {
        assert_eq!(base64("text", text).unwrap(), [0xfb, 0xff], "{text}");
    }
    assert!(base64("text", "+/-_").is_err());
}

fn check(format: Format, signature: Option<&str>, content: &str, expected: &str) {
    let error = read(&part(format, signature), content.as_bytes()).unwrap_err().to_string();
    assert!(error.contains(expected), "expected `{expected}` in: {error}");
}

#[test]
fn what_is_no_signature_of_an_image_says_why() {
    let digest = Digest::sha256(b"image").to_string();
    let good = payload(SIMPLE_TYPE, &digest);
    check(Format::Simple, Some("AA"), "{", "the payload is not valid JSON");
    check(Format::Simple, Some("AA"), &payload(SIMPLE_TYPE, "sha256:12"), "the payload is not valid JSON of its kind");
    check(Format::Simple, Some("AA"), &payload("atomic container signature", &digest), "is a `atomic container signature`");
    check(Format::Simple, None, &good, "is missing");
    check(Format::Simple, Some("?"), &good, "the signature is not base64");
    // A manifest that was signed as it is, and has a payload in it.
    check(Format::Simple, Some("AA"), &good.replacen('{', r#"{"schemaVersion":2,"#, 1), "not valid JSON of its kind");
    // Which of the two would count, no two readers agree on.
    check(Format::Simple, Some("AA"), &good.replace(r#","optional""#, r#","critical":{},"optional""#), "not valid JSON");

    let envelope = |kind: &str, statement: &str, signatures: usize| {
        let payload = base64_of(statement);
        let signatures = vec![r#"{"sig":"AA"}"#; signatures].join(",");
        format!(r#"{{"payloadType":"{kind}","payload":"{payload}","signatures":[{signatures}]}}"#)
    };
    let statement = format!(
        r#"{{"_type":"{}","subject":[{{"digest":{{"sha1":"00","sha256":"{}"}}}}],"predicateType":"x"}}"#,
        STATEMENTS[1],
        &digest[7..]
    );
    let read_one = read(&part(Format::Envelope, None), envelope(IN_TOTO, &statement, 2).as_bytes()).unwrap();
    assert_eq!((read_one.claim.subjects.len(), read_one.signatures.len()), (1, 2));
    check(Format::Envelope, None, &envelope("text/plain", &statement, 1), "the envelope holds `text/plain`");
    check(Format::Envelope, None, &envelope(IN_TOTO, &statement, MAX_SIGNATURES + 1), "17 signatures");
    check(Format::Envelope, None, &envelope(IN_TOTO, &statement.replace("v0.1", "v9"), 1), "the statement is a");
    check(Format::Envelope, None, &envelope(IN_TOTO, "[]", 1), "the statement is not valid JSON");

    check(Format::Bundle, None, r#"{"mediaType":"text/plain"}"#, "the bundle says that it is a `text/plain`");
    let bundle = |rest: &str| format!(r#"{{"mediaType":"{BUNDLE}.v0.3+json"{rest}}}"#);
    check(Format::Bundle, None, &bundle(""), "either an envelope or the signature");
    let message = |algorithm: &str, digest: &str| {
        bundle(&format!(
            r#","messageSignature":{{"messageDigest":{{"algorithm":"{algorithm}","digest":"{digest}"}},"signature":"AA"}}"#
        ))
    };
    check(Format::Bundle, None, &message("MD5", "AAAA"), "is of `MD5`");
    check(Format::Bundle, None, &message("SHA2_256", "AAAA"), "has 3 bytes: expected 32");
}

fn base64_of(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn a_certificate_is_noticed_wherever_it_is() {
    let manifest = format!(
        r#"{{"layers":[{{"mediaType":"text/plain","digest":"{0}","size":1}},{{"mediaType":"{SIMPLE_SIGNING}","digest":"{0}","size":1,
        "annotations":{{"{SIGNATURE_ANNOTATION}":"AA","{CERTIFICATE_ANNOTATION}":"-----BEGIN"}}}}]}}"#,
        Digest::sha256(b"")
    );
    let found = parts(manifest.as_bytes());
    assert_eq!(found.len(), 1);
    assert!(found[0].has_certificate && found[0].signature.as_deref() == Some("AA"));
    let (_, content) = attached!("message");
    let content = String::from_utf8(content.to_vec()).unwrap();
    let with = content.replace(r#""publicKey""#, r#""x509CertificateChain":{"certificates":[]},"publicKey""#);
    assert!(read(&part(Format::Bundle, None), with.as_bytes()).unwrap().has_certificate);
    assert!(!read(&part(Format::Bundle, None), content.as_bytes()).unwrap().has_certificate);
}
