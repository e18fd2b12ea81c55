//! Arguments of `auth`, `user` and `token`.

use std::path::PathBuf;

use bencher_types::{Email, Jwt, OrganizationUuid, ResourceId, ResourceName, Slug, UserName};
use clap::{Args, Subcommand};

use super::{Filter, Sure};

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
    /// Accept an invitation to an organization
    Accept {
        /// The token from the invitation
        #[arg(value_name = "TOKEN")]
        invite: Jwt,
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
    /// An organization that belongs to nobody yet, to take over
    #[arg(long, value_name = "UUID")]
    pub claim: Option<OrganizationUuid>,
    /// You agree to the terms of whoever runs the server
    #[arg(long, required = true)]
    pub i_agree: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// List users (server admins only)
    #[command(alias = "ls")]
    List(Filter),
    /// Show a user
    #[command(alias = "get")]
    View {
        /// The user's slug or UUID
        user: ResourceId,
    },
    /// Change a user
    #[command(alias = "edit")]
    Update(UpdateUser),
    /// A user's keys
    #[command(subcommand)]
    Key(UserKey),
}

#[derive(Debug, Args)]
pub(crate) struct UpdateUser {
    /// The user's slug or UUID
    pub user: ResourceId,
    /// A new name
    #[arg(long)]
    pub name: Option<UserName>,
    /// A new name in URLs
    #[arg(long)]
    pub slug: Option<Slug>,
    /// A new e-mail address
    #[arg(long)]
    pub email: Option<Email>,
    /// Whether the user is an admin of the server
    #[arg(long, value_name = "BOOL")]
    pub admin: Option<bool>,
    /// Whether the user is locked out
    #[arg(long, value_name = "BOOL")]
    pub locked: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserKey {
    /// List keys
    #[command(alias = "ls")]
    List {
        /// The user's slug or UUID
        user: ResourceId,
        /// Only revoked keys
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
        /// The key's name, where no other has it, or its UUID
        #[arg(id = "key-id", value_name = "KEY")]
        key: String,
    },
    /// Rename a key
    #[command(alias = "edit")]
    Update {
        /// The user's slug or UUID
        user: ResourceId,
        /// The key's name, where no other has it, or its UUID
        #[arg(id = "key-id", value_name = "KEY")]
        key: String,
        /// A new name
        #[arg(long)]
        name: Option<ResourceName>,
    },
    /// Make a key invalid for ever
    #[command(visible_alias = "delete", alias = "rm")]
    Revoke {
        /// The user's slug or UUID
        user: ResourceId,
        /// The key's name, where no other has it, or its UUID
        #[arg(id = "key-id", value_name = "KEY")]
        key: String,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// List tokens
    #[command(alias = "ls")]
    List {
        /// The user's slug or UUID
        user: ResourceId,
        /// Only revoked tokens
        #[arg(long)]
        revoked: bool,
        #[command(flatten)]
        filter: Filter,
    },
    /// Create a token
    #[command(alias = "add")]
    Create {
        /// The user's slug or UUID
        user: ResourceId,
        /// What the token is for
        #[arg(long)]
        name: ResourceName,
        /// Seconds until the token expires; the longest possible if absent
        #[arg(long, value_name = "SECONDS")]
        ttl: Option<u32>,
    },
    /// Show a token
    #[command(alias = "get")]
    View {
        /// The user's slug or UUID
        user: ResourceId,
        /// The token's name, where no other has it, or its UUID
        #[arg(id = "token-id", value_name = "TOKEN")]
        token: String,
    },
    /// Rename a token
    #[command(alias = "edit")]
    Update {
        /// The user's slug or UUID
        user: ResourceId,
        /// The token's name, where no other has it, or its UUID
        #[arg(id = "token-id", value_name = "TOKEN")]
        token: String,
        /// A new name
        #[arg(long)]
        name: Option<ResourceName>,
    },
    /// Make a token invalid for ever
    #[command(visible_alias = "delete", alias = "rm")]
    Revoke {
        /// The user's slug or UUID
        user: ResourceId,
        /// The token's name, where no other has it, or its UUID
        #[arg(id = "token-id", value_name = "TOKEN")]
        token: String,
        #[command(flatten)]
        sure: Sure,
    },
}
