//! What a server says of itself.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use url::Url;

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
