//! OCI terms: those that travel on our own wire, digests and image references, what a registry reads of foreign ones, what signing
//! tools attach to images, and what an image says of its benchmark. To a client, documents (manifests, configs) are `oci-spec`'s.

pub mod benchmark;
pub mod digest;
pub mod manifest;
pub mod range;
pub mod reference;
pub mod signature;
