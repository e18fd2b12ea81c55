//! Whose signatures the images of a project carry: the keys that it trusts, and what is attached to an image.
//!
//! Verifying is the work of maintained libraries; here is what has to be true besides. Whether a job runs an image is decided where jobs
//! are (`run::image::signed`).

pub mod judge;
pub mod key;

use bencher_types::{
    DateTime,
    wire::signature::{NewSigningKey, SigningKey, SigningPolicy, UpdateSigningPolicy},
};

use self::key::{InvalidKey, Key};
use crate::{
    app::App,
    limits,
    store::{StoreError, oci::signing::SigningRow, project::ProjectRow},
};

/// A policy that is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error(
        "the policy names no key: name one at least, so that something can be signed, or remove the policy, so that jobs run anything"
    )]
    NoKeys,
    #[error("the policy names {found} keys: expected {} at most", limits::MAX_SIGNING_KEYS)]
    TooManyKeys { found: usize },
    #[error("key {number}{}: {problem}", named(.name.as_deref()))]
    Key { number: usize, name: Option<String>, problem: InvalidKey },
    #[error("the key {0} is given twice")]
    Twice(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn named(name: Option<&str>) -> String {
    name.map(|name| format!(" ({name})")).unwrap_or_default()
}

/// What a project says of signatures.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Whether jobs run nothing that is not signed.
    pub required: bool,
    pub keys: Vec<Key>,
    pub modified: Option<DateTime>,
}

impl Policy {
    fn of(row: &SigningRow) -> Result<Self, StoreError> {
        let corrupt = || StoreError::corrupt("oci_signing.keys");
        let keys: Vec<NewSigningKey> = serde_json::from_str(&row.keys).map_err(|_| corrupt())?;
        let keys = keys.iter().map(|key| Key::of(key).map_err(|_| corrupt())).collect::<Result<_, _>>()?;
        Ok(Self { required: row.is_required(), keys, modified: Some(row.modified.0) })
    }

    fn into_json(self) -> SigningPolicy {
        let key = |key: Key| SigningKey {
            public_key: key.to_pem(),
            algorithm: key.algorithm().to_owned(),
            fingerprint: key.fingerprint().clone(),
            name: key.name,
        };
        SigningPolicy { required: self.required, keys: self.keys.into_iter().map(key).collect(), modified: self.modified }
    }
}

/// The policy of a project; one without keys where it has none.
///
/// # Errors
/// The database failed.
pub async fn policy(app: &App, project: i64) -> Result<Policy, StoreError> {
    app.store.oci_signing(project).await?.as_ref().map_or_else(|| Ok(Policy::default()), Policy::of)
}

/// The policy of a project, as it is shown.
///
/// # Errors
/// The database failed.
pub async fn view(app: &App, project: &ProjectRow) -> Result<SigningPolicy, StoreError> {
    Ok(policy(app, project.id).await?.into_json())
}

/// Sets the policy of a project.
///
/// # Errors
/// A key is not usable, or the database failed.
pub async fn set(app: &App, project: &ProjectRow, update: &UpdateSigningPolicy) -> Result<(), PolicyError> {
    let keys = trusted(&update.keys)?;
    // Written anew: what else was in the text is no business of ours, and may be a secret.
    let kept = keys.into_iter().map(|key| NewSigningKey { public_key: key.to_pem(), name: key.name });
    let json = serde_json::to_string(&kept.collect::<Vec<_>>()).expect("texts are plain JSON");
    Ok(app.store.set_oci_signing(project.id, update.required.unwrap_or(true), &json, app.clock.now()).await?)
}

fn trusted(given: &[NewSigningKey]) -> Result<Vec<Key>, PolicyError> {
    match given.len() {
        0 => return Err(PolicyError::NoKeys),
        found if found > limits::MAX_SIGNING_KEYS => return Err(PolicyError::TooManyKeys { found }),
        _ => {}
    }
    let mut keys: Vec<Key> = Vec::with_capacity(given.len());
    for (index, new) in given.iter().enumerate() {
        let failed = |problem| {
            let name = new.name.as_ref().map(ToString::to_string);
            PolicyError::Key { number: index + 1, name, problem }
        };
        let key = Key::of(new).map_err(failed)?;
        if keys.iter().any(|other| other.fingerprint() == key.fingerprint()) {
            return Err(PolicyError::Twice(key.to_string()));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// Lets a project's jobs run anything again.
///
/// # Errors
/// The database failed.
pub async fn remove(app: &App, project: &ProjectRow) -> Result<(), StoreError> {
    app.store.remove_oci_signing(project.id).await
}
