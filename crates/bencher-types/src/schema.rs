//! OpenAPI schemas of types that are texts on the wire and something richer in memory.

/// Describes types as plain strings in the OpenAPI document.
macro_rules! string_schema {
    ($($type:ty = $name:literal),+ $(,)?) => {$(
        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String).into()
            }
        }

        impl utoipa::ToSchema for $type {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed($name)
            }
        }
    )+};
}

string_schema! {
    crate::iterations::Iterations = "Iterations",
    crate::name::ResourceId = "ResourceId",
    crate::name::NameId = "NameId",
    crate::oci::digest::Digest = "ImageDigest",
    crate::oci::reference::ImageRef = "ImageReference",
}
