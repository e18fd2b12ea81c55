//! Who may do what to a project or an organization, and what a caller may know of it.

use bencher_types::{Permission, ResourceId, Role, wire::project::Visibility};

use crate::{
    app::App,
    auth::Principal,
    store::{StoreError, organization::OrganizationRow, project::ProjectRow},
};

/// Why somebody may not do something.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no such thing, or none that the caller may know of.
    #[error("{kind} ({id}) not found")]
    NotFound { kind: &'static str, id: ResourceId },
    /// A log-in might help.
    #[error("this needs a log-in: send the header `Authorization: Bearer` and a token or key")]
    LogIn,
    #[error("{role} may not {permission} here; ask a leader of the organization", role = role.map_or("who is no member", Role::as_str), permission = permission.as_str())]
    Denied { role: Option<Role>, permission: Permission },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The verdict on one request, before there are words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    Hidden,
    LogIn,
    Denied,
}

fn decide(principal: &Principal, role: Option<Role>, visibility: Visibility, wanted: Permission) -> Verdict {
    let admin = matches!(principal, Principal::User(user) if user.admin);
    if admin || role.is_some_and(|role| role.may(wanted)) {
        return Verdict::Allowed;
    }
    match (visibility, principal) {
        (Visibility::Public, _) if wanted == Permission::View => Verdict::Allowed,
        (Visibility::Private, _) if role.is_none() => Verdict::Hidden,
        (_, Principal::Anonymous) => Verdict::LogIn,
        (_, Principal::User(_)) => Verdict::Denied,
    }
}

fn enforce(
    verdict: Verdict,
    kind: &'static str,
    id: &ResourceId,
    role: Option<Role>,
    permission: Permission,
) -> Result<(), AccessError> {
    match verdict {
        Verdict::Allowed => Ok(()),
        Verdict::Hidden => Err(AccessError::NotFound { kind, id: id.clone() }),
        Verdict::LogIn => Err(AccessError::LogIn),
        Verdict::Denied => Err(AccessError::Denied { role, permission }),
    }
}

/// The project of this id, where the caller may do this to it. A private project does not exist for who is no member.
///
/// # Errors
/// It does not exist, or not for the caller; or the caller may not do this.
pub async fn project(
    app: &App,
    principal: &Principal,
    id: &ResourceId,
    permission: Permission,
) -> Result<ProjectRow, AccessError> {
    let found = app.store.project(id, principal.user_id()).await?;
    let project = found.ok_or_else(|| AccessError::NotFound { kind: "Project", id: id.clone() })?;
    let role = project.role.as_ref().map(|role| role.0);
    enforce(decide(principal, role, project.visibility.0, permission), "Project", id, role, permission)?;
    Ok(project)
}

/// The organization of this id, where the caller may do this to it. It exists for its members only.
///
/// # Errors
/// It does not exist, or not for the caller; or the caller may not do this.
pub async fn organization(
    app: &App,
    principal: &Principal,
    id: &ResourceId,
    permission: Permission,
) -> Result<OrganizationRow, AccessError> {
    let found = app.store.organization(id, principal.user_id()).await?;
    let organization = found.ok_or_else(|| AccessError::NotFound { kind: "Organization", id: id.clone() })?;
    let role = organization.role.as_ref().map(|role| role.0);
    enforce(decide(principal, role, Visibility::Private, permission), "Organization", id, role, permission)?;
    Ok(organization)
}

#[cfg(test)]
mod tests;
