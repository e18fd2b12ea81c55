//! What a registry holds, what it keeps, and how sound it is.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{DateTime, Digest};

/// What the registry holds for a project or an organization.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonRegistryUsage)]
pub struct RegistryUsage {
    /// Blobs, each counted once in a project; those of manifests and those that were pushed lately.
    pub blobs: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Bytes that it may hold; no bound where there is none.
    pub quota: Option<u64>,
}

/// How much the registry may hold.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateRegistryQuota)]
pub struct UpdateRegistryQuota {
    /// Bytes; what the server's configuration says when absent.
    pub bytes: Option<u64>,
}

/// Which images a project keeps. What none of the rules keeps goes; without any rule everything stays.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonRegistryRetention)]
pub struct RetentionRules {
    /// Keeps the tags of each repository that were pushed last, so many.
    pub keep_tags: Option<u32>,
    /// Keeps what was pushed in the last so many days.
    pub keep_days: Option<u32>,
    /// Keeps what jobs of the last so many days ran.
    pub keep_used_days: Option<u32>,
}

/// What rules would take from a project now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonRegistryRetentionPreview)]
pub struct RetentionPreview {
    pub tags: Vec<RetentionPreviewTag>,
    /// How many manifests no tag, index or job would need then.
    pub manifests: u64,
}

/// A tag that would go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonRegistryRetentionTag)]
pub struct RetentionPreviewTag {
    /// The whole repository, the project's slug first, such as `shop/http`.
    pub repository: String,
    pub tag: String,
    pub digest: Digest,
    pub modified: DateTime,
}

/// What a run of the garbage collection took away, or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonRegistryCollection)]
pub struct Collection {
    /// Nothing was changed.
    pub dry_run: bool,
    pub began: DateTime,
    pub ended: DateTime,
    /// Tags and manifests that no rule of their project keeps.
    pub tags: u64,
    pub manifests: u64,
    /// Blobs taken out of a repository in which nothing refers to them.
    pub released: u64,
    /// Blobs that no repository holds, and their bytes.
    pub blobs: u64,
    pub bytes: u64,
    /// Files of the blob store that belong to nothing, and their bytes.
    pub strays: u64,
    pub stray_bytes: u64,
}

impl Collection {
    /// Nothing is taken away yet.
    #[must_use]
    pub const fn begun(now: DateTime) -> Self {
        Self {
            dry_run: false,
            began: now,
            ended: now,
            tags: 0,
            manifests: 0,
            released: 0,
            blobs: 0,
            bytes: 0,
            strays: 0,
            stray_bytes: 0,
        }
    }
}

/// What is wrong with a blob at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RegistryDamage)]
pub enum Damage {
    Missing,
    /// It is shorter or longer than it was.
    Size,
    /// It is as long as it was, and has another digest.
    Content,
    /// The blob store does not give it. It is tried again, and not in quarantine.
    Unreadable,
}

/// A blob that is not served, until it is pushed again or put back.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonDamagedBlob)]
pub struct DamagedBlob {
    pub digest: Digest,
    /// Bytes that it should have.
    pub size: u64,
    /// When that was found.
    pub since: DateTime,
    /// Where it was just read.
    pub damage: Option<Damage>,
    /// Some repositories that hold it, the project's slug first.
    pub repositories: Vec<String>,
}

/// What a run that read blobs at rest found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonRegistryVerification)]
pub struct Verification {
    pub began: DateTime,
    pub ended: DateTime,
    /// Blobs that were read, and bytes.
    pub blobs: u64,
    pub bytes: u64,
    /// Blobs that were damaged and are served again.
    pub healed: u64,
    pub damaged: Vec<DamagedBlob>,
}

impl Verification {
    /// Nothing is read yet.
    #[must_use]
    pub const fn begun(now: DateTime) -> Self {
        Self { began: now, ended: now, blobs: 0, bytes: 0, healed: 0, damaged: Vec::new() }
    }
}

/// The registry as a whole.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonServerRegistry)]
pub struct ServerRegistry {
    /// Blobs of all projects, each counted once, and their bytes.
    pub blobs: u64,
    pub bytes: u64,
    /// Blobs that are not served, those that are damaged longest first.
    pub quarantined: Vec<DamagedBlob>,
    /// The last run of the garbage collection.
    pub collection: Option<Collection>,
    /// The last run that read blobs at rest.
    pub verification: Option<Verification>,
}
