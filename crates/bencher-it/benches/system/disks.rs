//! An image's way from a compressed layer to a disk: ours in one process, `tar` and `mke2fs` as people do it by hand, and the
//! least any way can take.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bencher_oci::{
    BlobRef, Limits,
    document::LayerRef,
    merge::{self, LayerInput},
    sink::{
        TreeSink as _,
        ext4::{DiskSize, Ext4Options, Ext4Sink},
    },
};
use bencher_types::{Digest, oci::digest::Algorithm};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::figures::Figure;

const RUNS: usize = 5;
/// Bytes of all files together.
const CONTENT: u64 = 300 << 20;
/// Files of a system are small, but for a few.
const SIZES: [usize; 8] = [300, 1_200, 4_000, 9_000, 20_000, 70_000, 300_000, 1_500_000];

/// Builds a disk from a 300 MB image in each way.
#[expect(clippy::unused_async, reason = "called like every other measurement")]
pub(crate) async fn disks() -> Result<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let layer = Layer::new(dir.path())?;
    let (mut floor, mut merged, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 0..=RUNS {
        let samples = (layer.floor()?, layer.ours(dir.path())?, layer.theirs(dir.path())?);
        if run > 0 {
            floor.push(samples.0);
            merged.push(samples.1.0);
            ours.push(samples.1.1);
            theirs.push(samples.2);
        }
    }
    Ok(vec![
        Figure::durations("a gzip layer of 300 MiB of files, decompressed, both digests computed", floor),
        Figure::durations("the same, read and merged", merged),
        Figure::durations("the same, to an ext4 disk", ours),
        Figure::durations("the same, by `tar -x` and `mke2fs -d`, no digests", theirs),
    ])
}

struct Layer {
    input: LayerInput,
    path: std::path::PathBuf,
}

impl Layer {
    fn new(dir: &Path) -> Result<Self> {
        let path = dir.join("layer.tar.gz");
        let mut tar = tar::Builder::new(GzEncoder::new(File::create(&path)?, Compression::default()));
        let mut text = Text(1);
        let mut left = CONTENT;
        let mut number = 0_usize;
        while left > 0 {
            let size = u64::try_from(SIZES[number % SIZES.len()])?.min(left);
            let mut header = tar::Header::new_ustar();
            header.set_size(size);
            header.set_mode(0o644);
            header.set_mtime(1_700_000_000);
            header.set_cksum();
            let name = format!("usr/{}/{}/file-{number}", number % 40, number % 13);
            tar.append_data(&mut header, name, io::Read::by_ref(&mut text).take(size))?;
            left -= size;
            number += 1;
        }
        tar.into_inner()?.finish()?.flush()?;
        let mut compressed = Sha256::new();
        let size = io::copy(&mut File::open(&path)?, &mut compressed)?;
        let mut plain = Sha256::new();
        io::copy(&mut GzDecoder::new(File::open(&path)?), &mut plain)?;
        let blob = BlobRef {
            digest: Digest::from_hash(Algorithm::Sha256, &compressed.finalize()),
            size,
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
        };
        let layer = LayerRef { blob, diff_id: Digest::from_hash(Algorithm::Sha256, &plain.finalize()) };
        Ok(Self { input: LayerInput { layer, file: Arc::new(File::open(&path)?) }, path })
    }

    /// What no way can be faster than on one processor: reading, decompressing and hashing.
    fn floor(&self) -> Result<Duration> {
        let begun = Instant::now();
        let mut plain = Sha256::new();
        let mut reader = GzDecoder::new(Hashed { inner: File::open(&self.path)?, hash: Sha256::new() });
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                length => plain.update(&buffer[..length]),
            }
        }
        std::hint::black_box((plain.finalize(), reader.into_inner().hash.finalize()));
        Ok(begun.elapsed())
    }

    /// Until the tree is there, and until the disk is.
    fn ours(&self, dir: &Path) -> Result<(Duration, Duration)> {
        let disk = dir.join("ours");
        let begun = Instant::now();
        let cancel = CancellationToken::new();
        let tree = merge::merge(std::slice::from_ref(&self.input), &Limits::default(), dir, &cancel)?;
        let merged = begun.elapsed();
        Ext4Sink::new(&disk, Ext4Options::of_size(DiskSize::Bytes(4 << 30))).write(&tree, &cancel)?;
        let took = begun.elapsed();
        fs::remove_file(&disk)?;
        Ok((merged, took))
    }

    fn theirs(&self, dir: &Path) -> Result<Duration> {
        let (folder, disk) = (dir.join("folder"), dir.join("theirs"));
        fs::create_dir(&folder)?;
        let begun = Instant::now();
        run(Command::new("tar").arg("-xzpf").arg(&self.path).arg("-C").arg(&folder))?;
        File::create(&disk)?.set_len(4 << 30)?;
        run(Command::new("mke2fs").args(["-q", "-t", "ext4", "-O", "^has_journal", "-d"]).args([&folder, &disk]))?;
        let took = begun.elapsed();
        fs::remove_dir_all(&folder)?;
        fs::remove_file(&disk)?;
        Ok(took)
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// A reader that hashes what passes.
struct Hashed {
    inner: File,
    hash: Sha256,
}

impl io::Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}

/// Bytes that compress to about a third, as programs and text do.
struct Text(u64);

impl io::Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for bytes in buffer.chunks_mut(8) {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = (self.0 >> 24).to_le_bytes();
            let word = [b'w', b'o', b'r', b'd', random[0] & 63 | 32, random[1] & 31 | 64, random[2], b' '];
            bytes.copy_from_slice(&word[..bytes.len()]);
        }
        Ok(buffer.len())
    }
}
