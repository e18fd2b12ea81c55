//! What `docker save` and `podman save` write: `manifest.json`, configurations, and layers as plain archives.
//!
//! An image becomes an OCI image: its configuration stays byte for byte, its layers are compressed, for they are about to be sent.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Write as _},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use bencher_types::Digest;
use oci_spec::image::{ImageConfiguration, ImageManifestBuilder, MediaType};
use serde::Deserialize;

use super::{ArchiveError, Aside, Members};
use crate::{
    compress::{self, Compression, Encoder, MAGIC_LEN},
    document::{BlobRef, DocumentError, MANIFEST},
    error::IoError,
    hash::Hasher,
    layout::{BlobWriter, Layout, descriptor, invalid, json},
    limits::{CHUNK, Limits, MAX_MANIFESTS, PARALLEL_COPIES},
    platform::Platform,
};

pub(super) const MANIFEST_FILE: &str = "manifest.json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// One image of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    /// None, or `null`, where an image was saved by its id.
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

pub(super) fn sort_out(members: &Members, layout: &Layout, limits: &Limits) -> Result<(), ArchiveError> {
    let malformed = |source| DocumentError::Malformed { what: "`manifest.json` of the archive", source };
    let saved: Vec<Saved> =
        serde_json::from_slice(&members.document(MANIFEST_FILE, limits.manifest_bytes)?).map_err(malformed)?;
    if saved.len() > MAX_MANIFESTS {
        return Err(DocumentError::TooManyManifests(MAX_MANIFESTS).into());
    }
    for image in &saved {
        let (manifest, platform) = convert(members, image, layout, limits)?;
        match image.repo_tags.as_deref() {
            None | Some([]) => layout.tag(&manifest, &platform, &manifest.digest.to_string())?,
            Some(tags) => {
                for tag in tags {
                    layout.tag(&manifest, &platform, tag)?;
                }
            }
        }
    }
    Ok(())
}

fn convert(members: &Members, image: &Saved, layout: &Layout, limits: &Limits) -> Result<(BlobRef, Platform), ArchiveError> {
    let bytes = members.document(&image.config, limits.config_bytes)?;
    let malformed = |source| DocumentError::Malformed { what: "image configuration", source };
    let config: ImageConfiguration = serde_json::from_slice(&bytes).map_err(malformed)?;
    let diff_ids = config.rootfs().diff_ids();
    if diff_ids.len() != image.layers.len() {
        return Err(DocumentError::LayerMismatch { manifest: image.layers.len(), config: diff_ids.len() }.into());
    }
    if diff_ids.len() > limits.layers {
        return Err(DocumentError::TooManyLayers { found: diff_ids.len(), limit: limits.layers }.into());
    }
    let mut work = Vec::new();
    for (name, diff_id) in image.layers.iter().zip(diff_ids) {
        let aside = members.file(name.as_bytes()).ok_or_else(|| ArchiveError::Missing(name.clone()))?;
        let diff_id = diff_id.parse().map_err(|source| DocumentError::Digest { what: "image configuration", source })?;
        work.push(Layer { name, aside, diff_id });
    }
    let layers = compress_all(&work, layout, limits)?;
    let layers = layers.iter().map(|blob| descriptor(blob, None)).collect::<Result<Vec<_>, _>>()?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(&layout.write_document(CONFIG, &bytes)?, None)?)
        .layers(layers)
        .build()
        .map_err(invalid)?;
    let manifest = layout.write_document(MANIFEST, &json(&manifest)?)?;
    Ok((manifest, Platform::of(config.os(), config.architecture())))
}

struct Layer<'a> {
    name: &'a str,
    aside: &'a Aside,
    diff_id: Digest,
}

/// Every layer as a blob of the layout, several at once: compressing takes longer than everything else.
fn compress_all(layers: &[Layer<'_>], layout: &Layout, limits: &Limits) -> Result<Vec<BlobRef>, ArchiveError> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let worker = || {
        while let Some((at, layer)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, layers.get(at)?))) {
            let made = layer.compress(layout, limits);
            let failed = made.is_err();
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, made));
            if failed {
                // Nobody begins another one.
                next.store(layers.len(), Ordering::Relaxed);
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 0..cores.min(PARALLEL_COPIES).min(layers.len()) {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, made)| made).collect()
}

impl Layer<'_> {
    fn compress(&self, layout: &Layout, limits: &Limits) -> Result<BlobRef, ArchiveError> {
        let path = &self.aside.path;
        let on_read = IoError::on("read", path);
        let mut file = File::open(path).map_err(&on_read)?;
        let mut first = [0; MAGIC_LEN];
        let read = read_up_to(&mut file, &mut first).map_err(&on_read)?;
        let compression = Compression::of(&first[..read]);
        let plain = compress::decoder(BufReader::with_capacity(CHUNK, File::open(path).map_err(&on_read)?)).map_err(&on_read)?;
        if compression == Compression::None {
            let encoder = Encoder::new(layout.begin_blob()?, Compression::Gzip).map_err(IoError::on("write to", layout.dir()))?;
            return self.hash(plain, Some(encoder), layout, limits);
        }
        // It is compressed already: kept as it is.
        self.hash(plain, None, layout, limits)?;
        let place = layout.place_for(&self.aside.digest)?;
        fs::copy(path, &place).map_err(IoError::on("write", &place))?;
        let (digest, media_type) = (self.aside.digest.clone(), compression.media_type().to_owned());
        Ok(BlobRef { digest, size: self.aside.size, media_type })
    }

    /// Reads what the layer unpacks to, holds it against what the configuration says, and writes it where it is to be written.
    fn hash(
        &self,
        mut plain: impl Read,
        mut encoder: Option<Encoder<BlobWriter<'_>>>,
        layout: &Layout,
        limits: &Limits,
    ) -> Result<BlobRef, ArchiveError> {
        let on_write = IoError::on("write to", layout.dir());
        let (mut buffer, mut hasher, mut bytes) = (vec![0; CHUNK], Hasher::like(&self.diff_id), 0_u64);
        loop {
            let read = plain.read(&mut buffer).map_err(ArchiveError::Read)?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            if bytes > limits.image_bytes {
                return Err(DocumentError::ImageTooLarge { found: bytes, limit: limits.image_bytes }.into());
            }
            hasher.update(&buffer[..read]);
            if let Some(encoder) = &mut encoder {
                encoder.write_all(&buffer[..read]).map_err(&on_write)?;
            }
        }
        let found = hasher.finish();
        if found != self.diff_id {
            return Err(ArchiveError::DiffId { layer: self.name.to_owned(), expected: self.diff_id.clone(), found });
        }
        match encoder {
            Some(encoder) => Ok(encoder.finish().map_err(&on_write)?.finish(Compression::Gzip.media_type())?),
            None => Ok(BlobRef { digest: found, size: bytes, media_type: Compression::None.media_type().to_owned() }),
        }
    }
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
