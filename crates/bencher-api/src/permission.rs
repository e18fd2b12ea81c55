//! Who may do what: roles and permissions as data, and what a caller may know of a project or an organization.

use bencher_types::{ResourceId, wire::project::Visibility};

use crate::{
    app::App,
    auth::Principal,
    store::{StoreError, organization::OrganizationRow, project::ProjectRow},
};

/// Something that is done to an organization or project, or to what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    View,
    Create,
    Edit,
    Delete,
    Manage,
    ViewRole,
    CreateRole,
    EditRole,
    DeleteRole,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 9] = [
        Self::View,
        Self::Create,
        Self::Edit,
        Self::Delete,
        Self::Manage,
        Self::ViewRole,
        Self::CreateRole,
        Self::EditRole,
        Self::DeleteRole,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Create => "create",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Manage => "manage",
            Self::ViewRole => "view_role",
            Self::CreateRole => "create_role",
            Self::EditRole => "edit_role",
            Self::DeleteRole => "delete_role",
        }
    }
}

/// What a member of an organization is there, and so in its projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Does everything, members included.
    Leader,
    /// Adds and changes what is measured.
    Developer,
    /// Looks.
    Viewer,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Leader, Self::Developer, Self::Viewer];

    /// What the role allows: the one table of it.
    #[must_use]
    pub const fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Leader => &Permission::ALL,
            Self::Developer => &[Permission::View, Permission::Create, Permission::Edit, Permission::ViewRole],
            Self::Viewer => &[Permission::View, Permission::ViewRole],
        }
    }

    #[must_use]
    pub fn may(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| format!("`{text}` is not a role"))
    }
}

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
