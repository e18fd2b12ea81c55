//! OCI terms that travel on our own wire: digests and image references. Documents (manifests, configs) are `oci-spec`'s.

pub mod digest;
pub mod reference;
