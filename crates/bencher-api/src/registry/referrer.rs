//! What refers to a manifest: signatures and the like, listed in pages.

use std::collections::BTreeMap;

use bencher_types::Digest;
use serde::{Deserialize, Serialize};

use super::access::Access;
use crate::{
    app::App,
    limits,
    store::{StoreError, oci::referrer::Wanted},
};

/// A manifest as an index lists it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    media_type: String,
    digest: Digest,
    size: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
}

/// A part of the list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub referrers: Vec<Referrer>,
    /// After which one the next page begins, where there is one.
    pub next: Option<Digest>,
}

/// The manifests whose subject is this digest, those of one artifact type only where that is given, after `last`.
///
/// A page is as long as its documents, whose annotations it repeats, are together no larger than one manifest may be.
///
/// # Errors
/// The database failed.
pub async fn list(
    app: &App,
    access: &Access,
    subject: &Digest,
    artifact_type: Option<&str>,
    last: &str,
) -> Result<Page, StoreError> {
    let wanted = Wanted { repository: &access.place.repository, subject, artifact_type, after: last };
    // One more than fits tells whether there is another page.
    let rows = app.store.oci_referrers(wanted, i64::from(limits::REFERRERS_PER_PAGE) + 1).await?;
    let fitting = fitting(rows.iter().map(|row| row.size));
    let next = (fitting < rows.len()).then(|| rows[fitting - 1].digest.0.clone());
    let Some(through) = rows.get(fitting.wrapping_sub(1)).map(|row| row.digest.0.to_string()) else {
        return Ok(Page::default());
    };
    let mut documents = app.store.oci_referrer_documents(wanted, &through).await?;
    let referrers = rows.into_iter().take(fitting).map(|row| {
        // Deleted meanwhile, or with odd annotations, which were accepted with the document: they are only not listed.
        let annotations = documents.remove(&row.digest.0).and_then(|document| annotations(&document));
        Referrer {
            media_type: row.media_type,
            digest: row.digest.0,
            size: row.size,
            artifact_type: row.artifact_type,
            annotations,
        }
    });
    Ok(Page { referrers: referrers.collect(), next })
}

/// How many of these sizes make a page: as many as a page may have of entries and bytes, and one at least.
fn fitting(sizes: impl Iterator<Item = i64>) -> usize {
    let most = usize::try_from(limits::REFERRERS_PER_PAGE).unwrap_or(usize::MAX);
    let limit = i64::try_from(limits::MAX_MANIFEST_BYTES).unwrap_or(i64::MAX);
    let sums = sizes.scan(0_i64, |sum, size| {
        *sum = sum.saturating_add(size);
        Some(*sum)
    });
    sums.take(most).enumerate().take_while(|&(number, sum)| number == 0 || sum <= limit).count()
}

fn annotations(document: &[u8]) -> Option<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Annotated {
        annotations: Option<BTreeMap<String, String>>,
    }
    serde_json::from_slice(document).ok().and_then(|document: Annotated| document.annotations)
}

#[cfg(test)]
mod tests;
