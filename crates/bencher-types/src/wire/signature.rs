//! Signatures of images, and whose of them a project's jobs need.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{DateTime, Digest, ResourceName};

/// Whose signatures a project's images carry, and whether its jobs run others. Without keys anything runs.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonSigningPolicy)]
pub struct SigningPolicy {
    /// A job runs only what one of the keys has signed. Else the keys only say whose the signatures are.
    pub required: bool,
    pub keys: Vec<SigningKey>,
    pub modified: Option<DateTime>,
}

/// A key that a project trusts.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonSigningKey)]
pub struct SigningKey {
    /// What people call it.
    pub name: Option<ResourceName>,
    /// Such as `ECDSA P-256`.
    pub algorithm: String,
    /// The SHA-256 of the key's DER form.
    pub fingerprint: Digest,
    /// PEM.
    pub public_key: String,
}

/// What a project's policy is to be, all of it.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateSigningPolicy)]
pub struct UpdateSigningPolicy {
    /// Jobs run only what one of the keys has signed; so it is when absent.
    pub required: Option<bool>,
    pub keys: Vec<NewSigningKey>,
}

/// A key to be trusted.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewSigningKey)]
pub struct NewSigningKey {
    /// What people call it.
    pub name: Option<ResourceName>,
    /// PEM, `-----BEGIN PUBLIC KEY-----`: ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 bits at least.
    pub public_key: String,
}

/// What something is that refers to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImageSignatureKind)]
pub enum SignatureKind {
    /// Somebody stands for the image.
    Signature,
    /// A signed statement about it, such as where it is from.
    Attestation,
    /// Anything else.
    Other,
}

impl SignatureKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Attestation => "attestation",
            Self::Other => "other",
        }
    }
}

/// What came of looking at a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImageSignatureState)]
pub enum SignatureState {
    /// A key of the project made it, and it is of this image.
    Valid,
    /// No key of the project made it, or what it signs was changed.
    Untrusted,
    /// It is of another image.
    Mismatch,
    /// It cannot be read.
    Broken,
    /// It is not signed at all.
    Unsigned,
}

impl SignatureState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Untrusted => "untrusted",
            Self::Mismatch => "mismatch",
            Self::Broken => "broken",
            Self::Unsigned => "unsigned",
        }
    }
}

/// Something that refers to an image.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonImageSignature)]
pub struct ImageSignature {
    pub kind: SignatureKind,
    pub state: SignatureState,
    /// The name or the fingerprint of the project's key that made it.
    pub key: Option<String>,
    /// Why it does not count.
    pub problem: Option<String>,
    /// The manifest that it refers to: the image's, that of an index which lists it, or of an image that the index lists.
    pub subject: Digest,
    /// The manifest that holds it.
    pub digest: Digest,
    /// The whole repository, the project's slug first.
    pub repository: String,
    pub artifact_type: Option<String>,
    /// What a signed statement is about.
    pub predicate_type: Option<String>,
    /// What its signer calls the image.
    pub reference: Option<String>,
    pub created: DateTime,
}

/// What refers to an image, and whether jobs run it.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonImageSignatures)]
pub struct ImageSignatures {
    pub image: String,
    pub digest: Digest,
    /// Whether the project's jobs run only what is signed.
    pub required: bool,
    /// Whether a key of the project signed it: itself, an index that lists it, or every image that it lists.
    pub signed: bool,
    /// Why jobs do not run it, where they do not.
    pub refusal: Option<String>,
    /// The newest first.
    pub signatures: Vec<ImageSignature>,
}
