//! The body of every answer that is not a success.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    /// The id under which the server logged the request.
    pub request_id: String,
    pub error_code: Option<String>,
    /// What was wrong and what to do.
    pub message: String,
}
