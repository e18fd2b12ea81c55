//! The images of a project, as its registry has them.

use serde::{Deserialize, Serialize};

use crate::{DateTime, Digest};

/// A tag and what it names.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonImage)]
pub struct Image {
    /// The whole repository, the project's slug first, such as `shop/http`.
    pub repository: String,
    pub tag: String,
    pub digest: Digest,
    pub media_type: String,
    /// Bytes of everything that one platform pulls: the manifest, and the blobs that it names. Of an index, only itself.
    pub size: u64,
    pub created: DateTime,
    pub modified: DateTime,
}
