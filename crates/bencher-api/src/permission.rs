//! Who may do what to a project or an organization, and what a caller may know of it.
//!
//! What a role or a key allows is data, in [`bencher_types::Role`] and [`Permission`]; here it is looked up.

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
    /// Other credentials might help.
    #[error("this key is for another project; use one of this project, or a user's")]
    OtherProject,
    #[error("{who} may not {permission} here; ask a leader of the organization", permission = permission.as_str())]
    Denied { who: &'static str, permission: Permission },
    /// There is no leader whom to ask.
    #[error("nobody has claimed this project yet; claim its organization first: POST /v0/organizations/ORGANIZATION/claim")]
    Unclaimed,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What somebody is to a project or organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Anonymous,
    /// Logged in, and no member.
    Stranger,
    /// Shows a key of another project.
    OtherKey,
    /// Shows a key of this project.
    Key,
    Member(Role),
    /// Of the server.
    Admin,
}

impl Standing {
    const fn of(principal: &Principal, role: Option<Role>, project_id: Option<i64>) -> Self {
        match principal {
            Principal::Anonymous => Self::Anonymous,
            Principal::ProjectKey(holder) => match project_id {
                Some(id) if holder.project_id == id => Self::Key,
                _ => Self::OtherKey,
            },
            Principal::User(user) if user.admin => Self::Admin,
            Principal::User(_) => match role {
                Some(role) => Self::Member(role),
                None => Self::Stranger,
            },
        }
    }

    /// What it allows, beyond what everybody may do.
    const fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Admin => &Permission::ALL,
            Self::Member(role) => role.permissions(),
            Self::Key => Permission::OF_PROJECT_KEY,
            Self::Anonymous | Self::Stranger | Self::OtherKey => &[],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "who is not logged in",
            Self::Stranger => "who is no member",
            Self::OtherKey => "a key of another project",
            Self::Key => "a project key",
            Self::Member(role) => role.as_str(),
            Self::Admin => "an admin",
        }
    }
}

/// The verdict on one request, before there are words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    Hidden,
    LogIn,
    OtherProject,
    Denied,
}

fn decide(standing: Standing, visibility: Visibility, wanted: Permission) -> Verdict {
    if standing.permissions().contains(&wanted) {
        return Verdict::Allowed;
    }
    match (visibility, standing) {
        (Visibility::Public, _) if Permission::OF_ANYBODY.contains(&wanted) => Verdict::Allowed,
        (Visibility::Private, Standing::Anonymous | Standing::Stranger | Standing::OtherKey) => Verdict::Hidden,
        (_, Standing::Anonymous) => Verdict::LogIn,
        (_, Standing::OtherKey) => Verdict::OtherProject,
        _ => Verdict::Denied,
    }
}

fn enforce(
    verdict: Verdict,
    kind: &'static str,
    id: &ResourceId,
    standing: Standing,
    permission: Permission,
) -> Result<(), AccessError> {
    match verdict {
        Verdict::Allowed => Ok(()),
        Verdict::Hidden => Err(AccessError::NotFound { kind, id: id.clone() }),
        Verdict::LogIn => Err(AccessError::LogIn),
        Verdict::OtherProject => Err(AccessError::OtherProject),
        Verdict::Denied => Err(AccessError::Denied { who: standing.name(), permission }),
    }
}

/// The project of this id, where the caller may do this to it. A private project does not exist for who has no part in it.
///
/// # Errors
/// It does not exist, or not for the caller; or the caller may not do this.
pub async fn project(
    app: &App,
    principal: &Principal,
    id: &ResourceId,
    permission: Permission,
) -> Result<ProjectRow, AccessError> {
    let (project, standing) = find(app, principal, id).await?;
    let verdict = decide(standing, project.visibility.0, permission);
    if verdict == Verdict::Denied && standing == Standing::Stranger && project.claimed.is_none() {
        return Err(AccessError::Unclaimed);
    }
    enforce(verdict, "Project", id, standing, permission)?;
    Ok(project)
}

/// As [`project`], for runs and pushes: where nobody has claimed the project yet, whoever sees it may also add to it.
///
/// # Errors
/// As for [`project`].
pub async fn project_to_file_under(
    app: &App,
    principal: &Principal,
    id: &ResourceId,
    permission: Permission,
) -> Result<ProjectRow, AccessError> {
    let (project, standing) = find(app, principal, id).await?;
    let verdict = decide(standing, project.visibility.0, permission);
    let is_open = project.claimed.is_none()
        && Permission::OF_ANYBODY_UNCLAIMED.contains(&permission)
        && match verdict {
            Verdict::LogIn => app.config.anonymous_runs(),
            Verdict::Denied => standing == Standing::Stranger,
            Verdict::Allowed | Verdict::Hidden | Verdict::OtherProject => false,
        };
    enforce(if is_open { Verdict::Allowed } else { verdict }, "Project", id, standing, permission)?;
    Ok(project)
}

async fn find(app: &App, principal: &Principal, id: &ResourceId) -> Result<(ProjectRow, Standing), AccessError> {
    let found = app.store.project(id, principal.user_id()).await?;
    let project = found.ok_or_else(|| AccessError::NotFound { kind: "Project", id: id.clone() })?;
    let standing = Standing::of(principal, project.role.as_ref().map(|role| role.0), Some(project.id));
    Ok((project, standing))
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
    let standing = Standing::of(principal, organization.role.as_ref().map(|role| role.0), None);
    enforce(decide(standing, Visibility::Private, permission), "Organization", id, standing, permission)?;
    Ok(organization)
}

#[cfg(test)]
mod tests;
