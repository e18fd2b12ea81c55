//! A public key that a project trusts: read from PEM, and asked whether a signature is its own. The mathematics are *ring*'s, as TLS uses
//! it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bencher_types::{Digest, ResourceName, wire::signature::NewSigningKey};
use rustls::pki_types::{AlgorithmIdentifier, SubjectPublicKeyInfoDer, alg_id, pem::PemObject as _};
use x509_cert::{
    der::Decode as _,
    spki::{ObjectIdentifier, SubjectPublicKeyInfoRef},
};

use crate::limits;

/// Bytes of the modulus that an RSA key has at least; weaker ones verify nothing.
const MIN_RSA_BYTES: usize = 2048 / 8;
/// What an uncompressed point begins with; the library takes no others.
const UNCOMPRESSED: u8 = 4;
/// Characters on a line of PEM.
const PEM_LINE: usize = 64;

/// A text that is no key to trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error(
        "the text is no public key in PEM: expected one block that begins with `-----BEGIN PUBLIC KEY-----`, such as `cosign public-key` \
         or `openssl pkey -in KEY -pubout` prints"
    )]
    Pem,
    #[error("the text has more than one public key: give each by itself")]
    Several,
    #[error("the text has {found} characters: expected {} at most", limits::MAX_PUBLIC_KEY_LEN)]
    TooLong { found: usize },
    #[error("what is in the PEM block is no public key")]
    Der,
    #[error("keys of this kind ({found}) are not verified here: expected ECDSA on P-256 or P-384, Ed25519, or RSA")]
    Algorithm { found: String },
    #[error("the RSA key is shorter than 2048 bits: make a longer one")]
    Short,
    #[error("the point of the key is compressed: `openssl ec -pubin -conv_form uncompressed` writes it in full")]
    Compressed,
}

/// A kind of keys.
#[derive(Debug)]
struct Algorithm {
    name: &'static str,
    key: ObjectIdentifier,
    curve: Option<ObjectIdentifier>,
    id: AlgorithmIdentifier,
}

const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

static ALGORITHMS: [Algorithm; 4] = [
    Algorithm {
        name: "ECDSA P-256",
        key: ELLIPTIC,
        curve: Some(ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7")),
        id: alg_id::ECDSA_P256,
    },
    Algorithm {
        name: "ECDSA P-384",
        key: ELLIPTIC,
        curve: Some(ObjectIdentifier::new_unwrap("1.3.132.0.34")),
        id: alg_id::ECDSA_P384,
    },
    Algorithm { name: "Ed25519", key: ObjectIdentifier::new_unwrap("1.3.101.112"), curve: None, id: alg_id::ED25519 },
    Algorithm { name: "RSA", key: ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"), curve: None, id: alg_id::RSA_ENCRYPTION },
];

/// A key that a project trusts.
#[derive(Clone, Debug)]
pub struct Key {
    pub name: Option<ResourceName>,
    algorithm: &'static Algorithm,
    /// The whole `SubjectPublicKeyInfo`.
    der: Vec<u8>,
    /// What the algorithm takes.
    point: Vec<u8>,
    fingerprint: Digest,
}

/// By its name, or by its fingerprint where it has none.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => name.fmt(f),
            None => self.fingerprint.fmt(f),
        }
    }
}

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// It is none, or of a kind that is not verified.
    pub fn of(new: &NewSigningKey) -> Result<Self, InvalidKey> {
        let text = new.public_key.as_bytes();
        if text.len() > limits::MAX_PUBLIC_KEY_LEN {
            return Err(InvalidKey::TooLong { found: text.len() });
        }
        let mut blocks = SubjectPublicKeyInfoDer::pem_slice_iter(text);
        let Some(Ok(block)) = blocks.next() else { return Err(InvalidKey::Pem) };
        if blocks.next().is_some() {
            return Err(InvalidKey::Several);
        }
        let der = block.to_vec();
        let info = SubjectPublicKeyInfoRef::from_der(&der).map_err(|_| InvalidKey::Der)?;
        let kind = info.algorithm.oid;
        let (_, curve) = info.algorithm.oids().map_err(|_| InvalidKey::Algorithm { found: kind.to_string() })?;
        let algorithm = ALGORITHMS.iter().find(|known| (known.key, known.curve) == (kind, curve));
        let algorithm = algorithm.ok_or_else(|| InvalidKey::Algorithm { found: curve.unwrap_or(kind).to_string() })?;
        let point = info.subject_public_key.as_bytes().ok_or(InvalidKey::Der)?.to_vec();
        if algorithm.id == alg_id::RSA_ENCRYPTION && point.len() < MIN_RSA_BYTES {
            return Err(InvalidKey::Short);
        }
        if algorithm.curve.is_some() && point.first() != Some(&UNCOMPRESSED) {
            return Err(InvalidKey::Compressed);
        }
        Ok(Self { name: new.name.clone(), algorithm, fingerprint: Digest::sha256(&der), der, point })
    }

    /// Such as `ECDSA P-256`.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        self.algorithm.name
    }

    /// The SHA-256 of the key's DER form.
    #[must_use]
    pub const fn fingerprint(&self) -> &Digest {
        &self.fingerprint
    }

    /// The key as files have it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        let mut rest = STANDARD.encode(&self.der);
        while !rest.is_empty() {
            let next = rest.split_off(rest.len().min(PEM_LINE));
            pem.push_str(&rest);
            pem.push('\n');
            rest = next;
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        pem
    }

    /// Whether this key made a signature of a message.
    #[must_use]
    pub fn made(&self, signature: &[u8], message: &[u8]) -> bool {
        let provider = rustls::crypto::ring::default_provider();
        let of_this_kind = provider.signature_verification_algorithms.all.iter();
        // Those of one kind differ in the hash and the padding that the signer chose.
        of_this_kind
            .filter(|algorithm| algorithm.public_key_alg_id() == self.algorithm.id)
            .any(|algorithm| algorithm.verify_signature(&self.point, message, signature).is_ok())
    }
}

#[cfg(test)]
mod tests;
