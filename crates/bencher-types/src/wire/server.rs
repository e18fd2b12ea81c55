//! What a server says of itself.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use url::Url;

use crate::DateTime;

#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonApiVersion)]
pub struct ApiVersion {
    /// The version of the protocol, which clients compare with their own.
    pub version: String,
    /// The version of this product.
    pub product_version: Option<String>,
}

/// Where the console is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonConsole)]
pub struct Console {
    pub url: Url,
}

/// Body of `POST /v0/server/backup`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonBackup)]
pub struct Backup {
    /// Compress the copy.
    pub compress: Option<bool>,
    /// Copy it to the configured data store.
    pub data_store: Option<BackupDataStore>,
    /// Remove the local copy once it is in the data store.
    pub remove: Option<bool>,
}

/// Where a backup is copied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JsonDataStore)]
pub enum BackupDataStore {
    AwsS3,
}

/// A backup was made.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonBackupCreated)]
pub struct BackupCreated {
    pub created: DateTime,
    /// The local copy, as the server names it.
    pub file: Option<String>,
    /// The name of the copy in the data store.
    pub object: Option<String>,
}
