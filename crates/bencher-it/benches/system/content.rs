//! Layers with what images really hold: files of this machine's own system.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, write::GzEncoder};

/// Where the files come from.
const SYSTEM: &str = "/usr/lib";
/// The compression that tools use where nothing is said.
const ZSTD_LEVEL: i32 = 3;

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    Gzip,
    Zstd,
}

impl Codec {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// Writes an archive with a shell at `/bin/busybox` and so many bytes of other files, compressed.
    pub(crate) fn write_system(self, bytes: u64, to: &mut File) -> Result<()> {
        let to = BufWriter::new(to);
        match self {
            Self::None => archive(bytes, to)?.flush()?,
            Self::Gzip => archive(bytes, GzEncoder::new(to, Compression::default()))?.finish()?.flush()?,
            Self::Zstd => archive(bytes, zstd::Encoder::new(to, ZSTD_LEVEL)?)?.finish()?.flush()?,
        }
        Ok(())
    }

    /// Reads what [`Self::write_system`] wrote.
    pub(crate) fn reader<'a, R: io::Read + 'a>(self, from: R) -> Result<Box<dyn io::Read + 'a>> {
        Ok(match self {
            Self::None => Box::new(from),
            Self::Gzip => Box::new(flate2::read::GzDecoder::new(from)),
            Self::Zstd => Box::new(zstd::Decoder::new(from)?),
        })
    }
}

fn archive<W: Write>(bytes: u64, to: W) -> Result<W> {
    let mut tar = tar::Builder::new(to);
    tar.mode(tar::HeaderMode::Deterministic);
    tar.append_path_with_name("/bin/busybox", "bin/busybox")?;
    if bytes > 0 {
        let mut left = bytes;
        // A small image is made of small files, a large one has a few large ones.
        add_folder(&mut tar, Path::new(SYSTEM), bytes / 10, &mut left)?;
        ensure!(left <= bytes / 10, "{SYSTEM} of this machine is too small for an image: {left} of {bytes} bytes are missing");
    }
    Ok(tar.into_inner()?)
}

fn add_folder<W: Write>(tar: &mut tar::Builder<W>, folder: &Path, largest: u64, left: &mut u64) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    paths.sort();
    for path in paths {
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            add_folder(tar, &path, largest, left)?;
        } else if metadata.is_file() && metadata.len() <= largest.min(*left) {
            tar.append_path_with_name(&path, path.strip_prefix("/")?)?;
            *left -= metadata.len();
        }
    }
    Ok(())
}
