//! Arguments of `organization`, `member` and `project`.

use bencher_types::{Email, Permission, ResourceId, ResourceName, Role, Slug, Tier, Timeout, UserName};
use clap::{Args, Subcommand, ValueEnum};
use url::Url;
use uuid::Uuid;

use super::{
    Filter, Moment, Page, Sure,
    registry::{OrganizationRegistry, ProjectRegistry},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Organization {
    /// List organizations
    #[command(alias = "ls")]
    List {
        /// Only deleted ones; for admins of the server
        #[arg(long)]
        deleted: bool,
        #[command(flatten)]
        filter: Filter,
    },
    /// Create an organization
    #[command(alias = "add")]
    Create {
        /// Its name
        #[arg(long)]
        name: ResourceName,
        /// Its name in URLs; made from the name if absent
        #[arg(long)]
        slug: Option<Slug>,
    },
    /// Show an organization
    #[command(alias = "get")]
    View {
        /// The organization's slug or UUID
        organization: ResourceId,
    },
    /// Rename an organization, or set its tier
    #[command(alias = "edit")]
    Update {
        /// The organization's slug or UUID
        organization: ResourceId,
        /// A new name
        #[arg(long)]
        name: Option<ResourceName>,
        /// A new name in URLs
        #[arg(long)]
        slug: Option<Slug>,
        /// Its standing in the queue: free, plus or enterprise (server admins only)
        #[arg(long)]
        tier: Option<Tier>,
    },
    /// Delete an organization and everything in it
    #[command(alias = "rm")]
    Delete {
        /// The organization's slug or UUID
        organization: ResourceId,
        #[command(flatten)]
        removal: Removal,
    },
    /// Bring a deleted organization back, with the projects that went with it; for admins of the server
    Restore {
        /// The organization's UUID, which `organization list --deleted` shows
        organization: Uuid,
    },
    /// Take over an organization that belongs to nobody yet
    Claim {
        /// The organization's slug or UUID
        organization: ResourceId,
    },
    /// Say whether you may do something
    Allowed {
        /// The organization's slug or UUID
        organization: ResourceId,
        #[command(flatten)]
        what: AllowedWhat,
    },
    /// Show what was used since the month began, or within a time
    Usage {
        /// The organization's slug or UUID
        organization: ResourceId,
        /// From then on: RFC 3339, or seconds or milliseconds since 1970; the beginning of the month of --end-time if absent
        #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
        start_time: Option<Moment>,
        /// Until then; now if absent
        #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
        end_time: Option<Moment>,
    },
    /// Show how an organization is billed, or change that; for admins of the server
    Billing {
        /// The organization's slug or UUID
        organization: ResourceId,
        #[command(flatten)]
        change: BillingChange,
    },
    /// What the registry holds for an organization
    #[command(subcommand)]
    Registry(OrganizationRegistry),
}

/// Whom an organization is to be billed to.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub(crate) struct BillingChange {
    /// From now on to the customer whom the billing provider knows by this id, such as cus_…
    #[arg(long, value_name = "ID")]
    pub customer: Option<String>,
    /// To nobody any more
    #[arg(long)]
    pub nobody: bool,
}

/// How something is deleted.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Removal {
    /// For good: without this an admin can still bring it back
    #[arg(long)]
    pub hard: bool,
    #[command(flatten)]
    pub sure: Sure,
}

/// What one may or may not do.
#[derive(Clone, Copy, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct AllowedWhat {
    /// view, create, edit, delete, manage, view_role, create_role, edit_role or delete_role
    #[arg(value_name = "PERMISSION")]
    permission: Option<Permission>,
    /// The same
    #[arg(long, hide = true, value_name = "PERMISSION")]
    perm: Option<Permission>,
}

impl AllowedWhat {
    pub(crate) fn permission(self) -> Permission {
        self.permission.or(self.perm).unwrap_or(Permission::View)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Member {
    /// List members
    #[command(alias = "ls")]
    List {
        /// The organization's slug or UUID
        organization: ResourceId,
        #[command(flatten)]
        filter: Filter,
    },
    /// Invite somebody by mail
    #[command(alias = "add")]
    Invite {
        /// The organization's slug or UUID
        organization: ResourceId,
        /// Where the invitation goes
        #[arg(long)]
        email: Email,
        /// How it greets
        #[arg(long)]
        name: Option<UserName>,
        /// leader, developer or viewer
        #[arg(long)]
        role: Role,
    },
    /// List invitations that nobody has accepted yet
    Invitations {
        /// The organization's slug or UUID
        organization: ResourceId,
        #[command(flatten)]
        page: Page,
    },
    /// Take an invitation back
    Withdraw {
        /// The organization's slug or UUID
        organization: ResourceId,
        /// The invitation's UUID, or the address it was sent to
        invitation: String,
        #[command(flatten)]
        sure: Sure,
    },
    /// Show a member
    #[command(alias = "get")]
    View(MemberOf),
    /// Give a member another role
    #[command(alias = "edit")]
    Update {
        #[command(flatten)]
        of: MemberOf,
        /// leader, developer or viewer
        #[arg(long)]
        role: Option<Role>,
    },
    /// Take a member out of an organization
    #[command(visible_alias = "delete", alias = "rm")]
    Remove {
        #[command(flatten)]
        of: MemberOf,
        #[command(flatten)]
        sure: Sure,
    },
}

/// One member of one organization.
#[derive(Debug, Args)]
pub(crate) struct MemberOf {
    /// The organization's slug or UUID
    pub organization: ResourceId,
    /// The user's slug or UUID
    pub user: ResourceId,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Project {
    /// List projects
    #[command(alias = "ls")]
    List {
        /// Only those of this organization (slug or UUID)
        organization: Option<ResourceId>,
        /// Only deleted ones; for admins of the server
        #[arg(long)]
        deleted: bool,
        #[command(flatten)]
        filter: Filter,
    },
    /// Create a project
    #[command(alias = "add")]
    Create {
        /// The organization's slug or UUID
        organization: ResourceId,
        /// The project's name
        #[arg(long)]
        name: ResourceName,
        /// Its name in URLs and image references; made from the name if absent
        #[arg(long)]
        slug: Option<Slug>,
        /// Its web site
        #[arg(long)]
        url: Option<Url>,
        /// Who may see it
        #[arg(long, value_enum)]
        visibility: Option<Visibility>,
    },
    /// Show a project
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
    },
    /// Change a project
    #[command(alias = "edit")]
    Update(UpdateProject),
    /// Delete a project and everything in it
    #[command(alias = "rm")]
    Delete {
        /// The project's slug or UUID
        project: ResourceId,
        #[command(flatten)]
        removal: Removal,
    },
    /// Bring a deleted project back; for admins of the server
    Restore {
        /// The project's UUID, which `project list --deleted` shows
        project: Uuid,
    },
    /// Say whether you may do something
    Allowed {
        /// The project's slug or UUID
        project: ResourceId,
        #[command(flatten)]
        what: AllowedWhat,
    },
    /// A project's keys, for CI
    #[command(subcommand)]
    Key(ProjectKey),
    /// What the registry holds for a project, and which of its images it keeps
    #[command(subcommand)]
    Registry(ProjectRegistry),
}

#[derive(Debug, Args)]
pub(crate) struct UpdateProject {
    /// The project's slug or UUID
    pub project: ResourceId,
    /// A new name
    #[arg(long)]
    pub name: Option<ResourceName>,
    /// A new name in URLs and image references
    #[arg(long)]
    pub slug: Option<Slug>,
    /// Another web site
    #[arg(long, conflicts_with = "remove_url")]
    pub url: Option<Url>,
    /// It has no web site any more
    #[arg(long)]
    pub remove_url: bool,
    /// Who may see it
    #[arg(long, value_enum)]
    pub visibility: Option<Visibility>,
    /// How many of its jobs may run at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_jobs: Option<u32>,
    /// As many of its jobs may run at once as the organization's
    #[arg(long, conflicts_with = "max_jobs")]
    pub remove_max_jobs: bool,
    /// How many seconds one iteration of its jobs may take
    #[arg(long, value_name = "SECONDS")]
    pub max_timeout: Option<Timeout>,
    /// One iteration of its jobs may take as long as the organization's
    #[arg(long, conflicts_with = "max_timeout")]
    pub remove_max_timeout: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectKey {
    /// List keys
    #[command(alias = "ls")]
    List {
        /// The project's slug or UUID
        project: ResourceId,
        /// Only revoked keys
        #[arg(long)]
        revoked: bool,
        #[command(flatten)]
        filter: Filter,
    },
    /// Create a key; it is shown once
    #[command(alias = "add")]
    Create {
        /// The project's slug or UUID
        project: ResourceId,
        /// What the key is for
        #[arg(long)]
        name: ResourceName,
        /// Seconds until the key expires; the longest possible if absent
        #[arg(long, value_name = "SECONDS")]
        ttl: Option<u32>,
    },
    /// Show a key's record, without the key
    #[command(alias = "get")]
    View(ProjectKeyOf),
    /// Rename a key
    #[command(alias = "edit")]
    Update {
        #[command(flatten)]
        of: ProjectKeyOf,
        /// A new name
        #[arg(long)]
        name: Option<ResourceName>,
    },
    /// Make a key invalid for ever
    #[command(visible_alias = "delete", alias = "rm")]
    Revoke {
        #[command(flatten)]
        of: ProjectKeyOf,
        #[command(flatten)]
        sure: Sure,
    },
}

/// One key of one project.
#[derive(Debug, Args)]
pub(crate) struct ProjectKeyOf {
    /// The project's slug or UUID
    pub project: ResourceId,
    /// The key's name, where no other has it, or its UUID
    #[arg(id = "key-id", value_name = "KEY")]
    pub key: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Visibility {
    Public,
    Private,
}

impl From<Visibility> for bencher_types::wire::project::Visibility {
    fn from(visibility: Visibility) -> Self {
        match visibility {
            Visibility::Public => Self::Public,
            Visibility::Private => Self::Private,
        }
    }
}
