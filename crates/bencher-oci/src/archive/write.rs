//! A layout as an archive. The same images give the same bytes.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufReader, Seek as _, Write},
};

use serde_json::json;
use tar::{Builder, EntryType, Header};

use super::ArchiveError;
use crate::{
    compress,
    document::{BlobRef, Document, DocumentError},
    error::IoError,
    layout::{INDEX_FILE, LAYOUT_FILE, Layout},
    limits::{CHUNK, Limits},
};

/// Writes everything that a layout names, as an OCI archive. Blocks.
///
/// # Errors
/// The layout is damaged, or what is written to refuses.
pub fn write_oci(layout: &Layout, limits: &Limits, out: impl Write) -> Result<(), ArchiveError> {
    let blobs = layout.reachable(limits)?;
    let mut archive = Builder::new(out);
    for name in [LAYOUT_FILE, INDEX_FILE] {
        add_file(&mut archive, name, &mut open(&layout.dir().join(name))?)?;
    }
    for digest in &blobs {
        let name = format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex());
        add_file(&mut archive, &name, &mut layout.open_blob(digest)?)?;
    }
    archive.into_inner().and_then(|mut out| out.flush()).map_err(ArchiveError::Write)
}

/// Writes one image, under names such as `shop:v1`, as `docker load` and `podman load` read it. Blocks.
///
/// # Errors
/// It is an index, the layout is damaged, or what is written to refuses.
pub fn write_docker(
    layout: &Layout,
    root: &BlobRef,
    names: &[String],
    limits: &Limits,
    out: impl Write,
) -> Result<(), ArchiveError> {
    let document = Document::parse(&layout.read_document(root, limits.manifest_bytes)?)?;
    let Document::Manifest(manifest) = document else { return Err(ArchiveError::SeveralPlatforms(root.digest.clone())) };
    let config = crate::document::check_manifest(&manifest, limits)?;
    let mut archive = Builder::new(out);
    let config_name = format!("{}.json", config.digest.hex());
    add_bytes(&mut archive, &config_name, &layout.read_document(&config, limits.config_bytes)?)?;
    let (mut layers, mut written) = (Vec::new(), HashSet::new());
    for layer in manifest.layers() {
        let layer = BlobRef::of("manifest", layer)?;
        let name = format!("{}.tar", layer.digest.hex());
        if written.insert(layer.digest.clone()) {
            add_file(&mut archive, &name, &mut unpacked(layout, &layer, limits)?)?;
        }
        layers.push(name);
    }
    let manifest = json!([{ "Config": config_name, "RepoTags": names, "Layers": layers }]);
    add_bytes(&mut archive, "manifest.json", manifest.to_string().as_bytes())?;
    archive.into_inner().and_then(|mut out| out.flush()).map_err(ArchiveError::Write)
}

/// A layer as the plain archive that it unpacks to: its length comes before its content.
fn unpacked(layout: &Layout, layer: &BlobRef, limits: &Limits) -> Result<File, ArchiveError> {
    if !layout.has_blob(layer)? {
        return Err(ArchiveError::Missing(layer.digest.to_string()));
    }
    let on_write = IoError::on("write to", layout.dir());
    let mut file = tempfile::tempfile_in(layout.dir()).map_err(&on_write)?;
    let packed = BufReader::with_capacity(CHUNK, layout.open_blob(&layer.digest)?);
    let plain = compress::decoder(packed).map_err(ArchiveError::Read)?;
    let found = io::copy(&mut io::Read::take(plain, limits.image_bytes + 1), &mut file).map_err(ArchiveError::Read)?;
    if found > limits.image_bytes {
        return Err(DocumentError::ImageTooLarge { found, limit: limits.image_bytes }.into());
    }
    file.rewind().map_err(&on_write)?;
    Ok(file)
}

fn open(path: &std::path::Path) -> Result<File, IoError> {
    File::open(path).map_err(IoError::on("open", path))
}

fn add_file<W: Write>(archive: &mut Builder<W>, name: &str, file: &mut File) -> Result<(), ArchiveError> {
    let size = file.metadata().map_err(ArchiveError::Write)?.len();
    archive.append_data(&mut header(size), name, file).map_err(ArchiveError::Write)
}

fn add_bytes<W: Write>(archive: &mut Builder<W>, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
    archive.append_data(&mut header(bytes.len() as u64), name, bytes).map_err(ArchiveError::Write)
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_size(size);
    header
}
