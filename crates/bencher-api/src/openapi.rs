//! The OpenAPI document, generated from the handlers.

use bencher_types::{
    JobStatus, Permission,
    wire::{error::ErrorBody, plot::XAxis},
};
use serde_json::Value;
use utoipa::{
    ToSchema as _,
    openapi::{
        ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, Object, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
        ResponseBuilder, Schema,
    },
};

use crate::{
    chart::Format,
    http::{
        alerts::AlertSort, change_points::ChangePointSort, images::ImageSort, invitations::InvitationSort, jobs::JobSort,
        plots::PlotsSort, reports::ReportSort, thresholds::ThresholdSort,
    },
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
        // What only query strings and paths are made of, and the body of every failure.
        .components(Some(
            ComponentsBuilder::new()
                .schema_from::<Direction>()
                .schema_from::<NameSort>()
                .schema_from::<ReportSort>()
                .schema_from::<ImageSort>()
                .schema_from::<ThresholdSort>()
                .schema_from::<AlertSort>()
                .schema_from::<ChangePointSort>()
                .schema_from::<InvitationSort>()
                .schema_from::<JobSort>()
                .schema_from::<PlotsSort>()
                .schema_from::<Format>()
                .schema_from::<XAxis>()
                .schema_from::<JobStatus>()
                .schema_from::<ErrorBody>()
                .schema_from::<Permission>()
                .build(),
        ))
        .build()
}

/// The whole document.
#[must_use]
pub fn document() -> Value {
    let mut document = crate::http::api().split_for_parts().1;
    describe_failures(&mut document);
    spell_formats(&document)
}

/// Whatever is not a success has the same body everywhere, except where the protocol of image registries has its own.
fn describe_failures(document: &mut OpenApi) {
    let failure = |schema: RefOr<Schema>| -> RefOr<Response> {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        ResponseBuilder::new().description("Why the request was not served").content("application/json", content).build().into()
    };
    let (ours, registrys) = (failure(Ref::from_schema_name(ErrorBody::name()).into()), failure(Object::new().into()));
    for (path, item) in &mut document.paths.paths {
        let failure = if path.starts_with("/v0/auth/oci/") { &registrys } else { &ours };
        let methods = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in methods.into_iter().flatten() {
            operation.responses.responses.entry("default".to_owned()).or_insert_with(|| failure.clone());
        }
    }
}

/// Unsigned integers by the names of the OpenAPI format registry, `uint32`, which the generator writes as `u-int32`.
fn spell_formats(document: &OpenApi) -> Value {
    let text = serde_json::to_string(document).expect("a document is plain JSON");
    serde_json::from_str(&text.replace(r#""format":"u-int"#, r#""format":"uint"#)).expect("it was JSON before")
}
