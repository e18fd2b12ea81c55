//! What signing tools attach to images: signatures as cosign makes them, DSSE envelopes, and sigstore bundles.
//!
//! Reads what is claimed, and which bytes are signed. Knows no keys: nothing that is read here is to be believed before somebody who has
//! them has checked [`Signed::signatures`] against [`Signed::message`].

use std::collections::BTreeMap;

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, de::IgnoredAny};

use super::digest::{Algorithm, Digest};

/// What cosign signs for an image.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// A statement with its signatures.
pub const DSSE: &str = "application/vnd.dsse.envelope.v1+json";
/// What media types of sigstore bundles begin with; a version follows.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// The annotation in which cosign keeps the signature of what it signs for an image.
pub const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE_ANNOTATION: &str = "dev.sigstore.cosign/certificate";
/// What a statement is about that says no more than that somebody signs an image.
pub const SIGNATURE_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

const SIMPLE_TYPE: &str = "cosign container image signature";
const IN_TOTO: &str = "application/vnd.in-toto+json";
const STATEMENTS: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

/// Signatures that one envelope may have, and parts that are looked at of one manifest.
pub const MAX_SIGNATURES: usize = 16;
/// Characters of a foreign text that are shown.
const MAX_SHOWN: usize = 255;

/// What cannot be read as a signature.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSignature {
    #[error("the {what} is not valid JSON of its kind")]
    Json {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("the {0} is not base64")]
    Base64(&'static str),
    #[error("{0}")]
    Rule(String),
}

/// How something is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A payload of cosign's, and its signature beside it.
    Simple,
    /// A DSSE envelope.
    Envelope,
    /// A sigstore bundle.
    Bundle,
}

impl Format {
    fn of(media_type: &str) -> Option<Self> {
        match media_type {
            SIMPLE_SIGNING => Some(Self::Simple),
            DSSE => Some(Self::Envelope),
            other if other.starts_with(BUNDLE) => Some(Self::Bundle),
            _ => None,
        }
    }
}

/// A blob of an attached manifest that holds signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub format: Format,
    pub digest: Digest,
    /// Bytes, as the manifest says.
    pub size: u64,
    /// The signature of the blob, where it is beside it, in base64.
    pub signature: Option<String>,
    /// Whether a certificate comes with it.
    pub has_certificate: bool,
}

/// The parts of an attached manifest that hold signatures, so many at most; none where it is something else.
#[must_use]
pub fn parts(manifest: &[u8]) -> Vec<Part> {
    #[derive(Deserialize)]
    struct Manifest {
        layers: Option<Vec<Layer>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Layer {
        media_type: String,
        digest: Digest,
        size: u64,
        annotations: Option<BTreeMap<String, String>>,
    }

    let layers = serde_json::from_slice::<Manifest>(manifest).ok().and_then(|manifest| manifest.layers).unwrap_or_default();
    let part = |layer: Layer| {
        let mut annotations = layer.annotations.unwrap_or_default();
        Some(Part {
            format: Format::of(&layer.media_type)?,
            digest: layer.digest,
            size: layer.size,
            signature: annotations.remove(SIGNATURE_ANNOTATION),
            has_certificate: annotations.remove(CERTIFICATE_ANNOTATION).is_some_and(|text| !text.is_empty()),
        })
    };
    layers.into_iter().filter_map(part).take(MAX_SIGNATURES).collect()
}

/// What a signature is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// That somebody stands for the image.
    Signature,
    /// Something about the image: where it is from, what is in it, what was found in it.
    Attestation,
}

/// What is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub purpose: Purpose,
    /// What it is about: digests of manifests.
    pub subjects: Vec<Digest>,
    /// What a statement is about; shown, and cut where it is long.
    pub predicate_type: Option<String>,
    /// The name of the image as its signer knows it; shown, and cut where it is long.
    pub reference: Option<String>,
}

/// The bytes that are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Bytes(Vec<u8>),
    /// The manifest of the image itself.
    Subject,
}

/// Something with signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub claim: Claim,
    pub message: Message,
    /// Any of them will do.
    pub signatures: Vec<Vec<u8>>,
    /// Whether a certificate comes with it.
    pub has_certificate: bool,
}

/// Reads a part.
///
/// # Errors
/// It is not of its format, or of a form of it that says nothing of an image.
pub fn read(part: &Part, content: &[u8]) -> Result<Signed, InvalidSignature> {
    let signed = match part.format {
        Format::Simple => simple(part.signature.as_deref(), content),
        Format::Envelope => envelope(json("envelope", content)?),
        Format::Bundle => bundle(content),
    }?;
    Ok(Signed { has_certificate: signed.has_certificate || part.has_certificate, ..signed })
}

fn simple(signature: Option<&str>, content: &[u8]) -> Result<Signed, InvalidSignature> {
    // Nothing besides: who signs the bytes of a manifest, as bundles may, must not have signed what somebody put into that manifest.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Payload {
        critical: Critical,
        #[serde(rename = "optional")]
        _optional: Option<IgnoredAny>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Critical {
        #[serde(rename = "type")]
        kind: String,
        identity: Identity,
        image: Image,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Identity {
        docker_reference: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Image {
        docker_manifest_digest: Digest,
    }

    let Payload { critical, .. } = json("payload", content)?;
    if critical.kind != SIMPLE_TYPE {
        return Err(rule(format!("the payload is a `{}`: expected a `{SIMPLE_TYPE}`", shown(&critical.kind))));
    }
    let signature = signature.ok_or_else(|| rule(format!("the annotation `{SIGNATURE_ANNOTATION}` is missing")))?;
    Ok(Signed {
        claim: Claim {
            purpose: Purpose::Signature,
            subjects: vec![critical.image.docker_manifest_digest],
            predicate_type: None,
            reference: Some(shown(&critical.identity.docker_reference)).filter(|text| !text.is_empty()),
        },
        message: Message::Bytes(content.to_vec()),
        signatures: vec![base64("signature", signature)?],
        has_certificate: false,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

fn envelope(envelope: Envelope) -> Result<Signed, InvalidSignature> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statement {
        #[serde(rename = "_type")]
        kind: String,
        subject: Vec<Subject>,
        predicate_type: String,
    }
    #[derive(Deserialize)]
    struct Subject {
        #[serde(default)]
        digest: BTreeMap<String, String>,
    }

    if envelope.payload_type != IN_TOTO {
        return Err(rule(format!("the envelope holds `{}`: expected `{IN_TOTO}`", shown(&envelope.payload_type))));
    }
    if envelope.signatures.len() > MAX_SIGNATURES {
        return Err(rule(format!(
            "the envelope has {} signatures: expected {MAX_SIGNATURES} at most",
            envelope.signatures.len()
        )));
    }
    let payload = base64("envelope's payload", &envelope.payload)?;
    let statement: Statement = json("statement", &payload)?;
    if !STATEMENTS.contains(&statement.kind.as_str()) {
        return Err(rule(format!("the statement is a `{}`: expected a `{}`", shown(&statement.kind), STATEMENTS[0])));
    }
    let digests = statement.subject.into_iter().flat_map(|subject| subject.digest);
    let is_signature = statement.predicate_type == SIGNATURE_PREDICATE;
    let signatures = envelope.signatures.iter().map(|signature| base64("signature", &signature.sig));
    Ok(Signed {
        claim: Claim {
            purpose: if is_signature { Purpose::Signature } else { Purpose::Attestation },
            // Those of other algorithms are of things that are no manifests.
            subjects: digests.filter_map(|(algorithm, hex)| format!("{algorithm}:{hex}").parse().ok()).collect(),
            predicate_type: Some(shown(&statement.predicate_type)),
            reference: None,
        },
        message: Message::Bytes(pre_authentication(&envelope.payload_type, &payload)),
        signatures: signatures.collect::<Result<_, _>>()?,
        has_certificate: false,
    })
}

/// What is signed of an envelope (DSSE's PAE): its type and its payload, each after its length.
fn pre_authentication(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

fn bundle(content: &[u8]) -> Result<Signed, InvalidSignature> {
    // What is in a certificate is of no interest here, only whether there is one.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Bundle {
        media_type: String,
        verification_material: Option<Material>,
        dsse_envelope: Option<Envelope>,
        message_signature: Option<MessageSignature>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Material {
        certificate: Option<IgnoredAny>,
        x509_certificate_chain: Option<IgnoredAny>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct MessageSignature {
        message_digest: MessageDigest,
        signature: String,
    }
    #[derive(Deserialize)]
    struct MessageDigest {
        algorithm: String,
        digest: String,
    }

    let bundle: Bundle = json("bundle", content)?;
    if Format::of(&bundle.media_type) != Some(Format::Bundle) {
        return Err(rule(format!("the bundle says that it is a `{}`: expected `{BUNDLE}…`", shown(&bundle.media_type))));
    }
    let has_certificate =
        bundle.verification_material.is_some_and(|material| material.certificate.or(material.x509_certificate_chain).is_some());
    let signed = match (bundle.dsse_envelope, bundle.message_signature) {
        (Some(enveloped), None) => envelope(enveloped)?,
        (None, Some(MessageSignature { message_digest, signature })) => Signed {
            claim: Claim {
                purpose: Purpose::Signature,
                subjects: vec![digest_of(&message_digest.algorithm, &base64("message digest", &message_digest.digest)?)?],
                predicate_type: None,
                reference: None,
            },
            message: Message::Subject,
            signatures: vec![base64("signature", &signature)?],
            has_certificate: false,
        },
        _ => return Err(rule("the bundle has to have either an envelope or the signature of a message".to_owned())),
    };
    Ok(Signed { has_certificate, ..signed })
}

/// A digest as a bundle gives it.
fn digest_of(algorithm: &str, hash: &[u8]) -> Result<Digest, InvalidSignature> {
    let (algorithm, length) = match algorithm {
        "SHA2_256" => (Algorithm::Sha256, 32),
        "SHA2_512" => (Algorithm::Sha512, 64),
        other => return Err(rule(format!("the message's digest is of `{}`: expected SHA2_256 or SHA2_512", shown(other)))),
    };
    if hash.len() != length {
        return Err(rule(format!("the message's digest has {} bytes: expected {length}", hash.len())));
    }
    Ok(Digest::from_hash(algorithm, hash))
}

fn json<'de, T: Deserialize<'de>>(what: &'static str, content: &'de [u8]) -> Result<T, InvalidSignature> {
    serde_json::from_slice(content).map_err(|source| InvalidSignature::Json { what, source })
}

/// Tools write either alphabet, with or without what fills up the end.
fn base64(what: &'static str, text: &str) -> Result<Vec<u8>, InvalidSignature> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text = text.trim_ascii();
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, LENIENT).decode(text).map_err(|_| InvalidSignature::Base64(what))
}

const fn rule(text: String) -> InvalidSignature {
    InvalidSignature::Rule(text)
}

/// The beginning of a foreign text.
fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests;
