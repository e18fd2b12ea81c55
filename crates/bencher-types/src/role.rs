//! Roles and what they allow, as data: the one table of it. Knows nobody and nothing that they apply to.

use serde::{Deserialize, Serialize};

/// Something that is done to an organization or project, or to what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrganizationPermission)]
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

    /// What a project's key allows within its project: what a CI job does. Nothing in any other project.
    pub const OF_PROJECT_KEY: &'static [Self] = &[Self::View, Self::Create, Self::Edit];

    /// What everybody may do to a public project.
    pub const OF_ANYBODY: &'static [Self] = &[Self::View];

    /// What everybody may do to a public project that nobody has claimed yet, by runs and pushes to its registry.
    pub const OF_ANYBODY_UNCLAIMED: &'static [Self] = &[Self::View, Self::Create];

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrganizationRole)]
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

    /// Whether the role allows all that the other one does: nobody gives or takes a role that theirs does not cover.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        other.permissions().iter().all(|permission| self.may(*permission))
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
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not a role: expected leader, developer or viewer"))
    }
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Permission {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|permission| permission.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not a permission: expected one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}
