//! Whether a project's jobs run an image: where its policy wants signatures, only what is signed by one of its keys.
//!
//! What counts: a signature of the manifest or index that the job names; of an index that lists it; or, of an index, of everything in it
//! that the runner may run.

use std::fmt;

use bencher_types::{
    Digest, ImageRef, ResourceId,
    wire::{
        job::JobConfig,
        signature::{ImageSignature, ImageSignatures, SignatureKind},
        spec::Architecture,
    },
};

use super::{Entry, ImageError, authority, by_digest, check_host, entries, find, may_run};
use crate::{
    app::App,
    limits,
    registry::signing::{self, Policy, judge::Judge},
    store::{StoreError, oci::full_name, project::ProjectRow},
};

/// What is told of what is wrong, and of keys.
const SHOWN: usize = 3;

/// An image that no key of its project signed.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "the image {image} ({digest}) may not run: the project {project} runs only what one of its keys signed ({keys}), and {found}. Sign \
     {place}, such as with `cosign sign --key KEY {place}`; `bencher image signatures {name}` shows what is attached to it"
)]
pub struct Refusal {
    /// As the run names it.
    image: String,
    digest: Digest,
    project: String,
    /// What was expected.
    keys: String,
    found: Found,
    /// Where it is for other tools, and for ours.
    place: String,
    name: String,
}

/// What is there in place of a good signature.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// Statements about it.
    OnlyAttestations,
    /// Signatures that do not count, and why.
    Bad(Vec<String>),
    /// Of an index, only some of what may run.
    Part(Digest),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("it has no signature"),
            Self::OnlyAttestations => f.write_str("it has no signature, only attestations, which say something else"),
            Self::Bad(problems) => {
                f.write_str("its signature does not count: ")?;
                f.write_str(&problems[..problems.len().min(SHOWN)].join("; "))?;
                if problems.len() > SHOWN {
                    write!(f, "; and {} more", problems.len() - SHOWN)?;
                }
                Ok(())
            }
            Self::Part(unsigned) => write!(f, "not everything in it that may run is signed: {unsigned} is not"),
        }
    }
}

/// Whether an image may run; `may_run` is what the runner may run of an index.
///
/// # Errors
/// It may not, or the database or the blob store failed.
pub(super) async fn check(
    app: &App,
    project: &ProjectRow,
    image: &ImageRef,
    digest: &Digest,
    may_run: &[&Digest],
) -> Result<(), ImageError> {
    let policy = signing::policy(app, project.id).await?;
    if !policy.required {
        return Ok(());
    }
    let mut judge = Judge::new(app, project, &policy.keys);
    match unsigned(&mut judge, digest, may_run).await? {
        None => Ok(()),
        Some(found) => Err(ImageError::NotSigned(Box::new(refusal(app, project, image, (digest, &policy, found)).await?))),
    }
}

/// The same of a job that is about to be handed out.
///
/// # Errors
/// As for [`check`].
pub(crate) async fn check_again(app: &App, job: &JobConfig, architecture: Architecture) -> Result<(), ImageError> {
    let project = app.store.project(&ResourceId::Uuid(job.project.as_uuid()), None).await?.ok_or(StoreError::Gone)?;
    let named = || format!("{}@{}", project.slug.0, job.digest).parse().map_err(|_| StoreError::corrupt("project.slug"));
    let image = job.image.clone().map_or_else(named, Ok)?;
    // A manifest that was deleted meanwhile lists nothing, and the runner will say that it is gone.
    let document = by_digest(app, &project, &job.digest).await?.map(|found| found.content).unwrap_or_default();
    let listed = entries(&document);
    check(app, &project, &image, &job.digest, &may_run(&listed, architecture)).await
}

/// What there is in place of a good signature; `None` where there is one.
async fn unsigned(judge: &mut Judge<'_>, digest: &Digest, may_run: &[&Digest]) -> Result<Option<Found>, ImageError> {
    if judge.covers(digest).await.map_err(ImageError::Signatures)? {
        return Ok(None);
    }
    let (mut has_signed, mut unsigned) = (false, None);
    for (number, entry) in may_run.iter().enumerate() {
        match number < limits::MAX_IMAGES_LOOKED_INTO && judge.covers(entry).await.map_err(ImageError::Signatures)? {
            true => has_signed = true,
            false => unsigned = unsigned.or(Some((*entry).clone())),
        }
    }
    Ok(match (has_signed, unsigned) {
        (true, None) => None,
        (true, Some(unsigned)) => Some(Found::Part(unsigned)),
        (false, _) => Some(Found::of(&judge.found)),
    })
}

impl Found {
    fn of(attached: &[ImageSignature]) -> Self {
        let is_signature = |found: &&ImageSignature| found.kind == SignatureKind::Signature;
        let words = |found: &ImageSignature| Some(format!("{} ({})", found.digest, found.problem.as_deref()?));
        let problems: Vec<String> = attached.iter().filter(is_signature).filter_map(words).collect();
        let has_attestations = attached.iter().any(|found| found.kind == SignatureKind::Attestation);
        match problems.is_empty() {
            false => Self::Bad(problems),
            true if has_attestations => Self::OnlyAttestations,
            true => Self::Nothing,
        }
    }
}

async fn refusal(
    app: &App,
    project: &ProjectRow,
    image: &ImageRef,
    (digest, policy, found): (&Digest, &Policy, Found),
) -> Result<Refusal, StoreError> {
    let slug = project.slug.0.as_str();
    let repository = app.store.oci_repository_with(project.id, digest).await?.unwrap_or_default();
    let name = format!("{}@{digest}", full_name(slug, &repository));
    let here = authority(&app.config.registry_url()).unwrap_or_default();
    let mut keys = policy.keys.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if policy.keys.len() > SHOWN {
        keys.push_str(&format!(" and {} more", policy.keys.len() - SHOWN));
    }
    Ok(Refusal {
        image: image.to_string(),
        digest: digest.clone(),
        project: slug.to_owned(),
        keys,
        found,
        place: format!("{here}/{name}"),
        name,
    })
}

/// What is attached to an image, to indexes that list it and to images that it lists, and whether jobs run it.
///
/// # Errors
/// There is no such image, or the database or the blob store failed.
pub(crate) async fn list(app: &App, project: &ProjectRow, image: &ImageRef) -> Result<ImageSignatures, ImageError> {
    check_host(app, image)?;
    let found = find(app, image, project).await?;
    let missing = || ImageError::Missing { image: image.to_string(), project: project.slug.0.to_string() };
    let found = found.ok_or_else(missing)?;
    let digest = found.row.digest.0;
    let policy = signing::policy(app, project.id).await?;
    let mut judge = Judge::new(app, project, &policy.keys);
    let listed = entries(&found.content);
    // On whatever machine: what builders attach to an index is for none.
    let images: Vec<&Digest> = listed.iter().filter(|entry| !entry.is_for_none()).map(|entry| &entry.digest).collect();
    let unsigned = unsigned(&mut judge, &digest, &images).await?;
    // Also what need not be looked at to know that it is signed.
    for entry in images.into_iter().take(limits::MAX_IMAGES_LOOKED_INTO) {
        judge.is_signed(entry).await.map_err(ImageError::Signatures)?;
    }
    let signatures = std::mem::take(&mut judge.found);
    let signed = unsigned.is_none();
    let refusal = match unsigned.filter(|_| policy.required) {
        Some(found) => Some(refusal(app, project, image, (&digest, &policy, found)).await?.to_string()),
        None => None,
    };
    Ok(ImageSignatures { image: image.to_string(), digest, required: policy.required, signed, refusal, signatures })
}

impl Entry {
    /// Whether it is for no machine, as what builders attach to an index.
    fn is_for_none(&self) -> bool {
        self.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
    }
}
