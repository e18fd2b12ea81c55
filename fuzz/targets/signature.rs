//! Target `signature`: what signing tools attach, to its reader. The first byte says as what it is read: a manifest, or a part of it in
//! one of the formats. What is read is within its bounds, and says exactly which bytes are signed.

use bencher_types::{
    Digest,
    oci::signature::{self, Format, MAX_SIGNATURES, Message, Part, Purpose, SIGNATURE_PREDICATE},
};

pub(crate) fn run(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    match kind {
        b'm' => {
            let parts = signature::parts(bytes);
            assert!(parts.len() <= MAX_SIGNATURES);
            for part in parts {
                let _ = signature::read(&part, bytes);
            }
        }
        b's' => part(Format::Simple, bytes),
        b'e' => part(Format::Envelope, bytes),
        b'b' => part(Format::Bundle, bytes),
        _ => {}
    }
}

fn part(format: Format, content: &[u8]) {
    let (digest, size) = (Digest::sha256(content), content.len() as u64);
    for has_certificate in [false, true] {
        let part = Part { format, digest: digest.clone(), size, signature: Some("AAAA".to_owned()), has_certificate };
        let Ok(signed) = signature::read(&part, content) else { return };
        assert!(signed.signatures.len() <= MAX_SIGNATURES);
        assert!(signed.has_certificate || !has_certificate);
        let is_plain = signed.claim.predicate_type.as_deref().is_none_or(|kind| kind == SIGNATURE_PREDICATE);
        assert_eq!(signed.claim.purpose == Purpose::Signature, is_plain);
        match (format, &signed.message) {
            (Format::Simple, Message::Bytes(bytes)) => {
                assert_eq!(bytes, content, "what is signed is the payload, byte for byte");
                assert_eq!(signed.claim.subjects.len(), 1);
            }
            (Format::Simple | Format::Envelope, Message::Subject) => panic!("only a bundle signs the manifest itself"),
            (Format::Envelope | Format::Bundle, Message::Bytes(bytes)) => assert!(bytes.starts_with(b"DSSEv1 ")),
            (Format::Bundle, Message::Subject) => assert_eq!(signed.claim.subjects.len(), 1),
        }
        // With another signature beside it, a payload with its own says the same.
        let other = signature::read(&Part { signature: None, ..part }, content);
        assert_eq!(other.is_ok(), format != Format::Simple);
    }
}
