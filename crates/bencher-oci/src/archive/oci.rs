//! An archive of an OCI image layout.

use std::fs;

use bencher_types::Digest;
use oci_spec::image::{ImageIndex, OciLayout};

use super::{ArchiveError, Member, Members};
use crate::{
    document::DocumentError,
    error::IoError,
    layout::{INDEX_FILE, Layout, LayoutError, VERSION},
    limits::Limits,
};

pub(super) use crate::layout::LAYOUT_FILE;

/// The digest that a member's name promises, where it is a blob's.
pub(super) fn digest_of_name(name: &[u8]) -> Option<Digest> {
    let name = std::str::from_utf8(name).ok()?.strip_prefix("blobs/")?;
    let (algorithm, hex) = name.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

pub(super) fn sort_out(members: &Members, layout: &Layout, limits: &Limits) -> Result<(), ArchiveError> {
    let malformed = |source| DocumentError::Malformed { what: "`oci-layout` of the archive", source };
    let marker: OciLayout = serde_json::from_slice(&members.document(LAYOUT_FILE, limits.manifest_bytes)?).map_err(malformed)?;
    if marker.image_layout_version() != VERSION {
        let found = marker.image_layout_version().clone();
        return Err(LayoutError::Version { dir: layout.dir().to_owned(), found }.into());
    }
    let index = members.document(INDEX_FILE, limits.manifest_bytes)?;
    let malformed = |source| DocumentError::Malformed { what: "index of the archive", source };
    serde_json::from_slice::<ImageIndex>(&index).map_err(malformed)?;
    for (name, member) in &members.by_name {
        let (Some(expected), Member::File(aside)) = (digest_of_name(name), member) else { continue };
        if aside.digest != expected {
            return Err(ArchiveError::Digest { expected, found: aside.digest.clone() });
        }
        let place = layout.place_for(&expected)?;
        fs::rename(&aside.path, &place).map_err(IoError::on("put in place", &place))?;
    }
    layout.replace_index(&index)?;
    // An archive that was cut short between two members looks like a whole one until something is looked for.
    let lost = layout.reachable(limits)?.into_iter().find(|digest| !layout.blob_path(digest).exists());
    lost.map_or(Ok(()), |digest| Err(ArchiveError::Missing(digest.to_string())))
}
