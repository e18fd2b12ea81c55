//! OCI terms: those that travel on our own wire, digests and image references, and what a registry reads of foreign ones. To a client,
//! documents (manifests, configs) are `oci-spec`'s.

pub mod digest;
pub mod manifest;
pub mod range;
pub mod reference;
