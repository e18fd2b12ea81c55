//! The OpenAPI document, generated from the handlers.

use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

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
        .build()
}

/// The whole document.
#[must_use]
pub fn document() -> OpenApi {
    crate::http::api().split_for_parts().1
}
