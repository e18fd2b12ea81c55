//! Claiming: what came without a log-in belongs to nobody, until a user works with it or asks for it.
//!
//! An organization is claimed once. Whoever does so is its leader, and it is closed to everybody else from then on.

use bencher_types::{Permission, ResourceId};

use crate::{
    app::App,
    auth::{Principal, User},
    permission::AccessError,
    store::{
        Micros, StoreError, Tx,
        organization::{self, OrganizationRow},
        project::ProjectRow,
    },
};

/// An organization that was not claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// There is none, or none that the caller may know of.
    #[error("organization ({0}) not found")]
    NotFound(ResourceId),
    #[error("the organization is claimed already")]
    Claimed,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a user the leader of an organization that nobody has claimed yet.
///
/// # Errors
/// It is claimed, which only its members learn, or it does not exist.
pub async fn claim(app: &App, user: &User, id: &ResourceId) -> Result<OrganizationRow, ClaimError> {
    let found = app.store.organization(id, Some(user.id)).await?;
    let found = found.ok_or_else(|| ClaimError::NotFound(id.clone()))?;
    if found.claimed.is_none()
        && let Some(claimed) = app.store.claim_organization(found.id, user.id, app.clock.now()).await?
    {
        tracing::info!(user.uuid = %user.uuid, organization.uuid = %claimed.uuid.0, "an organization was claimed");
        return Ok(claimed);
    }
    Err(if found.role.is_some() || user.admin { ClaimError::Claimed } else { ClaimError::NotFound(id.clone()) })
}

/// Brings what is known of a project up to date within the transaction that adds to it, and claims its organization for a user where
/// nobody has. What was decided before the transaction must still hold then.
///
/// # Errors
/// Somebody else has claimed it meanwhile, or the database failed.
pub(crate) async fn settle(
    tx: &mut Tx,
    principal: &Principal,
    project: &mut ProjectRow,
    now: bencher_types::DateTime,
) -> Result<(), AccessError> {
    if project.claimed.is_some() {
        return Ok(());
    }
    if let Principal::User(user) = principal
        && organization::claim(tx, project.organization_id, user.id, now).await?
    {
        tracing::info!(user.uuid = %user.uuid, project.uuid = %project.uuid.0, "a user's work claimed an organization");
        let organization = organization::by_id(tx, project.organization_id, None).await?;
        (project.claimed, project.priority) = (Some(Micros(now)), organization.priority);
        return Ok(());
    }
    let organization = organization::by_id(tx, project.organization_id, principal.user_id()).await?;
    (project.claimed, project.priority) = (organization.claimed, organization.priority);
    let role = organization.role.map(|role| role.0);
    match principal {
        _ if project.claimed.is_none() => Ok(()),
        Principal::Anonymous => Err(AccessError::LogIn),
        Principal::ProjectKey(_) => Ok(()),
        Principal::User(user) if user.admin || role.is_some_and(|role| role.may(Permission::Create)) => Ok(()),
        Principal::User(_) => Err(AccessError::Denied { who: "who is no member", permission: Permission::Create }),
    }
}
