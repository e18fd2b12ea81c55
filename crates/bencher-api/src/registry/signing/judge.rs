//! What is attached to an image in a project, and what of it counts under the project's keys.
//!
//! What is attached refers to the image as its subject, or has a tag that is made of the image's digest. Whoever may push may attach what
//! they like: everything that is read is bounded.

use std::collections::{HashSet, VecDeque};

use bencher_types::{
    Digest,
    oci::signature::{self, Message, Part, Purpose, Signed},
    wire::signature::{ImageSignature, SignatureKind, SignatureState},
};
use object_store::ObjectStoreExt as _;

use super::key::Key;
use crate::{
    app::App,
    chain::chain,
    limits,
    registry::blob::{self, BlobError},
    store::{
        oci::{
            Place, Reach, RepositoryKey, full_name,
            manifest::{ManifestDocument, ManifestReference},
            signing::AttachedRow,
        },
        project::ProjectRow,
    },
};

/// Looks at one image, and at those that are one with it.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    app: &'a App,
    project: &'a ProjectRow,
    keys: &'a [Key],
    /// Bytes that may still be read.
    bytes_left: u64,
    /// Signatures that may still be tried with a key.
    tries_left: u32,
    seen: HashSet<Digest>,
    /// All that was found until now.
    pub(crate) found: Vec<ImageSignature>,
}

/// What came of looking at a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Judgement {
    state: SignatureState,
    key: Option<String>,
    problem: Option<String>,
}

impl Judgement {
    const fn without_key(state: SignatureState, problem: String) -> Self {
        Self { state, key: None, problem: Some(problem) }
    }
}

impl<'a> Judge<'a> {
    pub(crate) fn new(app: &'a App, project: &'a ProjectRow, keys: &'a [Key]) -> Self {
        Self {
            app,
            project,
            keys,
            bytes_left: limits::MAX_SIGNATURE_BYTES_PER_IMAGE,
            tries_left: limits::MAX_SIGNATURE_TRIES_PER_IMAGE,
            seen: HashSet::new(),
            found: Vec::new(),
        }
    }

    /// Whether somebody whom the project trusts signed a manifest, or an index that lists it: what an index lists is a part of what is
    /// signed.
    ///
    /// # Errors
    /// The database or the blob store failed.
    pub(crate) async fn covers(&mut self, digest: &Digest) -> Result<bool, BlobError> {
        let (mut looked_at, mut open) = (HashSet::from([digest.clone()]), VecDeque::from([digest.clone()]));
        let most = limits::MAX_INDEXES_LOOKED_AT;
        while let Some(next) = open.pop_front() {
            if self.is_signed(&next).await? {
                return Ok(true);
            }
            let limit = i64::try_from(most).unwrap_or(i64::MAX);
            for index in self.app.store.oci_indexes_of(self.project.id, &next, limit).await? {
                if looked_at.len() <= most && looked_at.insert(index.clone()) {
                    open.push_back(index);
                }
            }
        }
        Ok(false)
    }

    /// Whether somebody whom the project trusts signed this very manifest.
    ///
    /// # Errors
    /// The database or the blob store failed.
    pub(crate) async fn is_signed(&mut self, subject: &Digest) -> Result<bool, BlobError> {
        if self.seen.insert(subject.clone()) {
            let tags = ["sig", "att"].map(|kind| format!("{}-{}.{kind}", subject.algorithm().as_str(), subject.hex()));
            let limit = i64::from(limits::MAX_ATTACHED);
            let rows = self.app.store.oci_attached(self.project.id, subject, [&tags[0], &tags[1]], limit).await?;
            let mut attached = HashSet::new();
            for row in rows {
                // One manifest may be in several repositories.
                if attached.insert(row.digest.0.clone()) {
                    self.look_at(subject, &row).await?;
                }
            }
        }
        let counts = |found: &ImageSignature| {
            found.subject == *subject && found.kind == SignatureKind::Signature && found.state == SignatureState::Valid
        };
        Ok(self.found.iter().any(counts))
    }

    async fn look_at(&mut self, subject: &Digest, row: &AttachedRow) -> Result<(), BlobError> {
        let size = u64::try_from(row.size).unwrap_or(u64::MAX);
        if let Err(problem) = self.pay(size) {
            let judgement = Judgement::without_key(SignatureState::Broken, problem);
            self.found.push(self.entry(subject, row, SignatureKind::Other, judgement));
            return Ok(());
        }
        let document = self.document(&row.digest.0).await?.map(|document| document.content).unwrap_or_default();
        let parts = signature::parts(&document);
        if parts.is_empty() {
            let judgement = Judgement { state: SignatureState::Unsigned, key: None, problem: None };
            self.found.push(self.entry(subject, row, SignatureKind::Other, judgement));
        }
        for part in parts {
            let found = self.judge(subject, row, &part).await?;
            self.found.push(found);
        }
        Ok(())
    }

    async fn judge(&mut self, subject: &Digest, row: &AttachedRow, part: &Part) -> Result<ImageSignature, BlobError> {
        let broken = |problem| Judgement::without_key(SignatureState::Broken, problem);
        let content = match self.read(part).await? {
            Ok(content) => content,
            Err(problem) => return Ok(self.entry(subject, row, SignatureKind::Signature, broken(problem))),
        };
        let signed = match signature::read(part, &content) {
            Ok(signed) => signed,
            Err(invalid) => return Ok(self.entry(subject, row, SignatureKind::Signature, broken(chain(&invalid)))),
        };
        let kind = match signed.claim.purpose {
            Purpose::Signature => SignatureKind::Signature,
            Purpose::Attestation => SignatureKind::Attestation,
        };
        let tries = signed.signatures.len().saturating_mul(self.keys.len());
        let judgement = match self.tries_left.checked_sub(u32::try_from(tries).unwrap_or(u32::MAX)) {
            None => broken("more is attached to the image than is looked at".to_owned()),
            Some(left) => {
                self.tries_left = left;
                let of_subject = match &signed.message {
                    Message::Subject => self.document(subject).await?,
                    Message::Bytes(_) => None,
                };
                let message = match (&signed.message, &of_subject) {
                    (Message::Bytes(bytes), _) => bytes.as_slice(),
                    (Message::Subject, document) => document.as_ref().map_or(&[][..], |document| &document.content),
                };
                decide(&signed, message, subject, self.keys)
            }
        };
        let mut entry = self.entry(subject, row, kind, judgement);
        entry.predicate_type = signed.claim.predicate_type;
        entry.reference = signed.claim.reference;
        Ok(entry)
    }

    fn entry(&self, subject: &Digest, row: &AttachedRow, kind: SignatureKind, judgement: Judgement) -> ImageSignature {
        ImageSignature {
            kind,
            state: judgement.state,
            key: judgement.key,
            problem: judgement.problem,
            subject: subject.clone(),
            digest: row.digest.0.clone(),
            repository: full_name(self.project.slug.0.as_str(), &row.repository),
            artifact_type: row.artifact_type.clone(),
            predicate_type: None,
            reference: None,
            created: row.created.0,
        }
    }

    /// What a manifest of the project is.
    async fn document(&self, digest: &Digest) -> Result<Option<ManifestDocument>, BlobError> {
        let reference = ManifestReference::Digest(digest.clone());
        Ok(self.app.store.oci_manifest_document(&self.place(), &reference).await?)
    }

    /// A blob that holds a signature, or why it is not read. Only what the project itself holds: a manifest may name any digest.
    async fn read(&mut self, part: &Part) -> Result<Result<Vec<u8>, String>, BlobError> {
        let (digest, gone) = (&part.digest, |problem: &str| Ok(Err(format!("its content, {}, {problem}", part.digest))));
        let Some(content) = self.app.store.oci_blob(&self.place(), digest).await? else {
            return gone("was never pushed");
        };
        if content.quarantined.is_some() {
            return gone("is damaged in the blob store");
        }
        if let Err(problem) = self.pay(content.size) {
            return Ok(Err(problem));
        }
        match self.app.blobs.get(&blob::key(digest, content.copy)).await {
            Err(object_store::Error::NotFound { .. }) => gone("is gone from the blob store"),
            Err(source) => Err(BlobError::Read { digest: digest.clone(), source }),
            Ok(found) => match found.bytes().await {
                Ok(bytes) => Ok(Ok(bytes.to_vec())),
                Err(source) => Err(BlobError::Read { digest: digest.clone(), source }),
            },
        }
    }

    fn place(&self) -> Place {
        let repository = RepositoryKey { project_id: self.project.id, name: String::new() };
        Place { repository, reach: Reach::Project }
    }

    /// Takes from what may still be read, or says why not.
    fn pay(&mut self, size: u64) -> Result<(), String> {
        if size > limits::MAX_SIGNATURE_BYTES {
            return Err(format!("it has {size} bytes, and of a signature {} at most are read", limits::MAX_SIGNATURE_BYTES));
        }
        let left = self.bytes_left.checked_sub(size);
        self.bytes_left = left.ok_or("more is attached to the image than is looked at")?;
        Ok(())
    }
}

/// Whether a signature is of the subject, and whose it is.
fn decide(signed: &Signed, message: &[u8], subject: &Digest, keys: &[Key]) -> Judgement {
    if !signed.claim.subjects.contains(subject) {
        let other = match signed.claim.subjects.as_slice() {
            [] => "no image at all".to_owned(),
            [other, ..] => format!("another image, {other}"),
        };
        return Judgement::without_key(SignatureState::Mismatch, format!("it is of {other}"));
    }
    let made = |key: &&Key| signed.signatures.iter().any(|signature| key.made(signature, message));
    match keys.iter().find(made) {
        Some(key) => Judgement { state: SignatureState::Valid, key: Some(key.to_string()), problem: None },
        None => {
            let problem = match (keys.is_empty(), signed.has_certificate) {
                (true, _) => "the project has no keys to verify it with",
                (false, true) => "it comes with a certificate, and no key of the project made it: only keys count here",
                (false, false) => "no key of the project made it, or what it signs was changed",
            };
            Judgement::without_key(SignatureState::Untrusted, problem.to_owned())
        }
    }
}

#[cfg(test)]
mod tests;
