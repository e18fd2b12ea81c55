//! An OCI image layout: a folder with `oci-layout`, `index.json` and `blobs/ALGORITHM/HEX`, as other tools read and write
//! it (OCI image specification, "Image Layout"). Knows nothing of registries.

mod reach;

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use bencher_types::Digest;
use oci_spec::image::{
    ANNOTATION_REF_NAME, Descriptor, DescriptorBuilder, ImageIndex, ImageIndexBuilder, MediaType, OciLayout, OciLayoutBuilder,
    PlatformBuilder,
};

use crate::{
    document::{self, BlobRef, Document, DocumentError, INDEX, ResolvedImage},
    error::IoError,
    hash::{Hasher, digest_like, file_is},
    limits::{CHUNK, Limits, MAX_INDEX_DEPTH},
    platform::Platform,
};

pub(crate) const LAYOUT_FILE: &str = "oci-layout";
pub(crate) const INDEX_FILE: &str = "index.json";
pub(crate) const VERSION: &str = "1.0.0";

/// Why a layout cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    #[error("{} is not an OCI image layout: it has no valid `oci-layout` file", dir.display())]
    NotALayout { dir: PathBuf },
    #[error("{} has the layout version {found}, expected {VERSION}", dir.display())]
    Version { dir: PathBuf, found: String },
    #[error("there is no image `{wanted}` in {}; it has {found}", dir.display())]
    NoSuchImage { dir: PathBuf, wanted: String, found: String },
    #[error("{} has several images; name one of {found}", dir.display())]
    SeveralImages { dir: PathBuf, found: String },
    #[error("{} has an index where one image is expected; copy the image of one platform out of it first", dir.display())]
    Index { dir: PathBuf },
    #[error("the blob {digest} of {} is missing", dir.display())]
    MissingBlob { dir: PathBuf, digest: Digest },
    #[error("the blob {expected} of {} has the digest {found}; build or copy the image again", dir.display())]
    Corrupt { dir: PathBuf, expected: Digest, found: Digest },
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error(transparent)]
    Io(#[from] IoError),
}

/// A layout folder.
#[derive(Clone, Debug)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// Opens an existing layout.
    ///
    /// # Errors
    /// The folder is no layout of the known version.
    pub fn open(dir: &Path) -> Result<Self, LayoutError> {
        let not_a_layout = || LayoutError::NotALayout { dir: dir.to_owned() };
        let bytes = match read_bounded(&dir.join(LAYOUT_FILE), CHUNK as u64) {
            Ok(bytes) => bytes.ok_or_else(not_a_layout)?,
            Err(_) => return Err(not_a_layout()),
        };
        let layout: OciLayout = serde_json::from_slice(&bytes).map_err(|_| not_a_layout())?;
        if layout.image_layout_version() != VERSION {
            let found = layout.image_layout_version().clone();
            return Err(LayoutError::Version { dir: dir.to_owned(), found });
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// Opens a layout, or makes an empty one where there is none.
    ///
    /// # Errors
    /// The folder cannot be created, or holds something that is no layout.
    pub fn create(dir: &Path) -> Result<Self, LayoutError> {
        if dir.join(LAYOUT_FILE).exists() {
            return Self::open(dir);
        }
        let blobs = dir.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(IoError::on("create the folder", &blobs))?;
        let layout = Self { dir: dir.to_owned() };
        let marker = OciLayoutBuilder::default().image_layout_version(VERSION).build().map_err(invalid)?;
        if !dir.join(INDEX_FILE).exists() {
            layout.write_index(Vec::new())?;
        }
        // Last, for it is what makes the folder a layout.
        layout.replace(LAYOUT_FILE, &json(&marker)?)?;
        Ok(layout)
    }

    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.dir.join("blobs").join(digest.algorithm().as_str()).join(digest.hex())
    }

    /// The manifest or index with a name (`org.opencontainers.image.ref.name`) or digest; without one, the only image.
    ///
    /// # Errors
    /// There is none, or it is not clear which.
    pub fn find(&self, reference: Option<&str>) -> Result<BlobRef, LayoutError> {
        let manifests = self.index()?;
        let names: Vec<String> = manifests.iter().map(|descriptor| name_of(descriptor).to_owned()).collect();
        let found = || if names.is_empty() { "no image".to_owned() } else { names.join(", ") };
        let chosen = match (reference, manifests.as_slice()) {
            (None, [only]) => Some(only),
            (None, [_, _, ..]) => {
                return Err(LayoutError::SeveralImages { dir: self.dir.clone(), found: found() });
            }
            (None, []) => None,
            // A later entry of one name is the newer one with tools that append.
            (Some(name), all) => all.iter().rev().find(|d| name_of(d) == name || d.digest().as_ref() == name),
        };
        let Some(chosen) = chosen else {
            let wanted = reference.unwrap_or("(any)").to_owned();
            return Err(LayoutError::NoSuchImage { dir: self.dir.clone(), wanted, found: found() });
        };
        Ok(BlobRef::of("index", chosen)?)
    }

    fn index(&self) -> Result<Vec<Descriptor>, LayoutError> {
        let path = self.dir.join(INDEX_FILE);
        let limit = Limits::default().manifest_bytes;
        let Some(bytes) = read_bounded(&path, limit).map_err(IoError::on("read", &path))? else {
            return Err(DocumentError::TooLarge { what: "index", found: limit + 1, limit }.into());
        };
        let index: ImageIndex =
            serde_json::from_slice(&bytes).map_err(|source| DocumentError::Malformed { what: "index", source })?;
        Ok(index.manifests().clone())
    }

    /// Reads and verifies a small blob.
    ///
    /// # Errors
    /// It is missing, larger than `limit` bytes, or not what its digest says.
    pub fn read_document(&self, blob: &BlobRef, limit: u64) -> Result<Vec<u8>, LayoutError> {
        let path = self.blob_path(&blob.digest);
        let bytes = match read_bounded(&path, limit) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                return Err(DocumentError::TooLarge { what: "document", found: limit.saturating_add(1), limit }.into());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LayoutError::MissingBlob { dir: self.dir.clone(), digest: blob.digest.clone() });
            }
            Err(error) => return Err(IoError::on("read", &path)(error).into()),
        };
        let found = digest_like(&blob.digest, &bytes);
        if found != blob.digest {
            return Err(LayoutError::Corrupt { dir: self.dir.clone(), expected: blob.digest.clone(), found });
        }
        Ok(bytes)
    }

    /// Opens a blob to be read; its content is verified by whoever reads it.
    ///
    /// # Errors
    /// It is missing or cannot be opened.
    pub fn open_blob(&self, digest: &Digest) -> Result<File, LayoutError> {
        let path = self.blob_path(digest);
        File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LayoutError::MissingBlob { dir: self.dir.clone(), digest: digest.clone() },
            _ => IoError::on("open", &path)(error).into(),
        })
    }

    /// Reads and checks all documents of an image.
    ///
    /// # Errors
    /// As [`Layout::find`]; or the image is damaged, not for `platform`, or exceeds a limit.
    pub fn resolve(&self, reference: Option<&str>, platform: &Platform, limits: &Limits) -> Result<ResolvedImage, LayoutError> {
        let mut root = self.find(reference)?;
        for _ in 0..MAX_INDEX_DEPTH {
            let bytes = self.read_document(&root, limits.manifest_bytes)?;
            match Document::parse(&bytes)? {
                Document::Index(index) => root = document::select_platform(&index, platform)?,
                Document::Manifest(manifest) => {
                    let config = document::check_manifest(&manifest, limits)?;
                    let config_bytes = self.read_document(&config, limits.config_bytes)?;
                    return Ok(ResolvedImage::new(root.digest, *manifest, config_bytes, platform)?);
                }
            }
        }
        Err(DocumentError::IndexTooDeep(MAX_INDEX_DEPTH).into())
    }

    /// Everything that has a name or stands alone: how the layout calls it, and what it is.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn names(&self) -> Result<Vec<(String, BlobRef)>, LayoutError> {
        let named = |descriptor: &Descriptor| Ok((name_of(descriptor).to_owned(), BlobRef::of("index", descriptor)?));
        self.index()?.iter().map(named).collect()
    }

    /// Whether a blob is here, and is what its digest says. Reads all of it.
    ///
    /// # Errors
    /// It is here and cannot be read.
    pub fn has_blob(&self, blob: &BlobRef) -> Result<bool, LayoutError> {
        let path = self.blob_path(&blob.digest);
        Ok(file_is(blob, &path).map_err(IoError::on("read", &path))?)
    }

    /// Where a blob of this digest belongs, in a folder that is there.
    pub(crate) fn place_for(&self, digest: &Digest) -> Result<PathBuf, LayoutError> {
        let path = self.blob_path(digest);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(IoError::on("create the folder", folder))?;
        }
        Ok(path)
    }

    /// Where unfinished transfers into this layout are kept, to go on. Other tools look past it.
    pub(crate) fn unfinished(&self) -> PathBuf {
        self.dir.join(".unfinished")
    }

    /// Begins a blob whose digest is known when it is written.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn begin_blob(&self) -> Result<BlobWriter<'_>, LayoutError> {
        let dir = self.dir.join("blobs/sha256");
        let temporary = tempfile::Builder::new()
            .prefix(".tmp-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(&dir)
            .map_err(IoError::on("create a file in", &dir))?;
        let hasher = Hasher::new(bencher_types::oci::digest::Algorithm::Sha256);
        Ok(BlobWriter { layout: self, temporary, hasher, size: 0 })
    }

    /// The same for a blob whose digest is known before.
    pub(crate) fn begin_known_blob(&self, blob: &BlobRef) -> Result<BlobWriter<'_>, LayoutError> {
        self.place_for(&blob.digest)?;
        Ok(BlobWriter { hasher: Hasher::like(&blob.digest), ..self.begin_blob()? })
    }

    /// Writes a document that has a digest already, as it is.
    pub(crate) fn put_document(&self, blob: &BlobRef, bytes: &[u8]) -> Result<(), LayoutError> {
        let mut writer = self.begin_known_blob(blob)?;
        writer.write_all(bytes).map_err(IoError::on("write", &self.dir))?;
        writer.finish_as(blob)
    }

    /// Writes a small blob.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write_document(&self, media_type: &str, bytes: &[u8]) -> Result<BlobRef, LayoutError> {
        let mut writer = self.begin_blob()?;
        writer.write_all(bytes).map_err(IoError::on("write", &self.dir))?;
        writer.finish(media_type)
    }

    /// Names an image of one platform. An image that had the name before loses it.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn tag(&self, manifest: &BlobRef, platform: &Platform, name: &str) -> Result<(), LayoutError> {
        self.list(descriptor(manifest, Some(platform))?, Some(name))
    }

    /// Names a manifest or an index of several platforms; without a name it is found by its digest.
    ///
    /// # Errors
    /// As [`Layout::tag`].
    pub fn name(&self, document: &BlobRef, name: Option<&str>) -> Result<(), LayoutError> {
        self.list(descriptor(document, None)?, name)
    }

    /// Takes a name, or the digest of what has none, out of the list. Its blobs stay.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn forget(&self, name: &str) -> Result<(), LayoutError> {
        let mut manifests = self.index()?;
        manifests.retain(|descriptor| name_of(descriptor) != name);
        self.write_index(manifests)
    }

    fn list(&self, mut descriptor: Descriptor, name: Option<&str>) -> Result<(), LayoutError> {
        let known_as = name.unwrap_or_else(|| descriptor.digest().as_ref()).to_owned();
        let mut manifests = self.index()?;
        manifests.retain(|other| name_of(other) != known_as);
        if let Some(name) = name {
            descriptor.set_annotations(Some([(ANNOTATION_REF_NAME.to_owned(), name.to_owned())].into()));
        }
        manifests.push(descriptor);
        self.write_index(manifests)
    }

    /// Replaces the list of what is in this layout.
    pub(crate) fn replace_index(&self, bytes: &[u8]) -> Result<(), LayoutError> {
        self.replace(INDEX_FILE, bytes)
    }

    fn write_index(&self, manifests: Vec<Descriptor>) -> Result<(), LayoutError> {
        let index = ImageIndexBuilder::default()
            .schema_version(2_u32)
            .media_type(MediaType::from(INDEX))
            .manifests(manifests)
            .build()
            .map_err(invalid)?;
        self.replace(INDEX_FILE, &json(&index)?)
    }

    /// Replaces a file of the layout as a whole.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), LayoutError> {
        let path = self.dir.join(name);
        let on_write = IoError::on("write", &path);
        let mut temporary = tempfile::Builder::new()
            .prefix(".tmp-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(&self.dir)
            .map_err(&on_write)?;
        temporary.write_all(bytes).and_then(|()| temporary.as_file().sync_all()).map_err(&on_write)?;
        temporary.persist(&path).map_err(|error| on_write(error.error))?;
        Ok(())
    }
}

/// A blob that is being written.
pub struct BlobWriter<'a> {
    layout: &'a Layout,
    temporary: tempfile::NamedTempFile,
    hasher: Hasher,
    size: u64,
}

impl BlobWriter<'_> {
    /// Puts the blob in its place.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish(self, media_type: &str) -> Result<BlobRef, LayoutError> {
        let (layout, (digest, size, temporary)) = (self.layout, (self.hasher.finish(), self.size, self.temporary));
        place(layout, temporary, &digest)?;
        Ok(BlobRef { digest, size, media_type: media_type.to_owned() })
    }

    /// Puts the blob in its place if it is the one that is meant; else nothing of it stays.
    ///
    /// # Errors
    /// It is another one, or the disk refuses.
    pub(crate) fn finish_as(self, expected: &BlobRef) -> Result<(), LayoutError> {
        let found = self.hasher.finish();
        if found != expected.digest {
            return Err(LayoutError::Corrupt { dir: self.layout.dir.clone(), expected: expected.digest.clone(), found });
        }
        place(self.layout, self.temporary, &found)
    }
}

fn place(layout: &Layout, temporary: tempfile::NamedTempFile, digest: &Digest) -> Result<(), LayoutError> {
    let path = layout.blob_path(digest);
    temporary.as_file().sync_all().map_err(IoError::on("sync", &path))?;
    temporary.persist(&path).map_err(|error| IoError::on("write", &path)(error.error))?;
    Ok(())
}

impl io::Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.temporary.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

/// What points to a blob.
pub(crate) fn descriptor(blob: &BlobRef, platform: Option<&Platform>) -> Result<Descriptor, LayoutError> {
    let digest: oci_spec::image::Digest = blob.digest.to_string().parse().map_err(invalid)?;
    let builder =
        DescriptorBuilder::default().media_type(MediaType::from(blob.media_type.as_str())).digest(digest).size(blob.size);
    let builder = match platform {
        Some(platform) => {
            let platform = PlatformBuilder::default()
                .os(platform.os.as_str())
                .architecture(platform.architecture.as_str())
                .build()
                .map_err(invalid)?;
            builder.platform(platform)
        }
        None => builder,
    };
    builder.build().map_err(invalid)
}

fn name_of(descriptor: &Descriptor) -> &str {
    let name = descriptor.annotations().as_ref().and_then(|all| all.get(ANNOTATION_REF_NAME));
    name.map_or_else(|| descriptor.digest().as_ref(), String::as_str)
}

/// A whole file, or `None` where it is longer than `limit` bytes.
fn read_bounded(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

pub(crate) fn json(document: &impl serde::Serialize) -> Result<Vec<u8>, LayoutError> {
    // Sorted, since the document types keep labels in hash maps: the same document has the same bytes and digest.
    serde_json::to_value(document)
        .and_then(|mut value| {
            value.sort_all_objects();
            serde_json::to_vec(&value)
        })
        .map_err(|source| DocumentError::Malformed { what: "document", source }.into())
}

/// The builders of the document types fail only on missing fields or malformed digests.
pub(crate) fn invalid(error: impl std::fmt::Display) -> LayoutError {
    let source = <serde_json::Error as serde::ser::Error>::custom(error);
    DocumentError::Malformed { what: "document", source }.into()
}

#[cfg(test)]
mod tests;
