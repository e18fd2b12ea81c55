//! Arguments of `auth`, `user`, `organization` and `project`.

use std::path::PathBuf;

use bencher_types::{Email, Jwt, ResourceId, ResourceName, Slug, UserKeyUuid, UserName};
use clap::{Args, Subcommand, ValueEnum};
use url::Url;

use super::Filter;

#[derive(Debug, Subcommand)]
pub(crate) enum Auth {
    /// Create a user; the first one of a server is its admin
    Signup(Signup),
    /// Ask for a token to log in with
    Login {
        /// Your e-mail address
        email: Email,
        /// An invitation to an organization
        #[arg(long, value_name = "JWT")]
        invite: Option<Jwt>,
    },
    /// Turn the token from the confirmation mail (or the server's log) into a session token
    Confirm {
        /// The token
        #[arg(id = "confirmation", value_name = "TOKEN")]
        token: Jwt,
    },
    /// Log docker, podman, skopeo, buildah and oras in to the server's registry
    Docker(DockerLogin),
}

/// Log docker, podman, skopeo, buildah and oras in to the server's registry.
///
/// The credential that this command is given, best a key, is written where those tools look for log-ins.
#[derive(Debug, Args)]
pub(crate) struct DockerLogin {
    /// Where to write it; config.json in DOCKER_CONFIG or ~/.docker if absent
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Signup {
    /// Your name
    #[arg(long)]
    pub name: UserName,
    /// Your name in URLs; made from the name if absent
    #[arg(long)]
    pub slug: Option<Slug>,
    /// Your e-mail address
    pub email: Email,
    /// An invitation to an organization
    #[arg(long, value_name = "JWT")]
    pub invite: Option<Jwt>,
    /// You agree to the terms of whoever runs the server
    #[arg(long, required = true)]
    pub i_agree: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// A user's keys
    #[command(subcommand)]
    Key(UserKey),
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserKey {
    /// List keys
    #[command(alias = "ls")]
    List {
        /// The user's slug or UUID
        user: ResourceId,
        /// Revoked keys too
        #[arg(long)]
        revoked: bool,
        #[command(flatten)]
        filter: Filter,
    },
    /// Create a key; it is shown once
    #[command(alias = "add")]
    Create {
        /// The user's slug or UUID
        user: ResourceId,
        /// What the key is for
        #[arg(long)]
        name: ResourceName,
        /// Seconds until the key expires; the longest possible if absent
        #[arg(long, value_name = "SECONDS")]
        ttl: Option<u32>,
    },
    /// Show a key's record, without the key
    #[command(alias = "get")]
    View {
        /// The user's slug or UUID
        user: ResourceId,
        /// The key's UUID
        #[arg(id = "key-uuid", value_name = "KEY")]
        key: UserKeyUuid,
    },
    /// Make a key invalid for ever
    #[command(visible_alias = "delete", alias = "rm")]
    Revoke {
        /// The user's slug or UUID
        user: ResourceId,
        /// The key's UUID
        #[arg(id = "key-uuid", value_name = "KEY")]
        key: UserKeyUuid,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Organization {
    /// List organizations
    #[command(alias = "ls")]
    List(Filter),
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
}

#[derive(Debug, Subcommand)]
pub(crate) enum Project {
    /// List projects
    #[command(alias = "ls")]
    List {
        /// Only those of this organization (slug or UUID)
        organization: Option<ResourceId>,
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
