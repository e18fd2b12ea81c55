//! The OpenAPI document, generated from the handlers.

use bencher_types::{JobStatus, Permission};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use crate::{
    http::{jobs::JobSort, reports::ReportSort},
    store::{Direction, NameSort},
};

/// What the document says of the API as a whole.
pub(crate) fn base() -> OpenApi {
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Bencher API")
                .version(crate::config::DEFAULT_WIRE_VERSION)
                .description(Some("Self-hosted continuous benchmarking on the owner's own machines."))
                .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").build()))
                .build(),
        )
        // What only query strings and paths are made of.
        .components(Some(
            ComponentsBuilder::new()
                .schema_from::<Direction>()
                .schema_from::<NameSort>()
                .schema_from::<ReportSort>()
                .schema_from::<JobSort>()
                .schema_from::<JobStatus>()
                .schema_from::<Permission>()
                .build(),
        ))
        .build()
}

/// The whole document.
#[must_use]
pub fn document() -> OpenApi {
    crate::http::api().split_for_parts().1
}
