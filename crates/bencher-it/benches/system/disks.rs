//! An image's way from a compressed layer to a disk: ours in one process, `tar` and `mke2fs` as people do it by hand, and the
//! least any way can take.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Result;
use bencher_oci::{
    Limits,
    merge::{self, LayerInput},
    sink::{
        TreeSink as _,
        ext4::{DiskSize, Ext4Options, Ext4Sink},
    },
};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    figures::{Allowance, Figure},
    images::Layer,
    xfs::run,
};

/// Bytes of the disks that are made.
const DISK: u64 = 4 << 30;

/// Builds a disk from a layer in each way, alternately. `what` names the layer.
pub(crate) fn disks(what: &str, layer: &Layer, allowance: Allowance) -> Result<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let input = layer.input()?;
    let (mut floor, mut merged, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut of_floor, mut of_theirs) = (Vec::new(), Vec::new());
    for run in 0.. {
        if !allowance.allows(run) {
            break;
        }
        let samples = (least(layer)?, by_us(&input, dir.path())?, by_tools(layer, dir.path())?);
        if run > 0 {
            of_floor.push(samples.1.1.as_secs_f64() / samples.0.as_secs_f64());
            of_theirs.push(samples.2.as_secs_f64() / samples.1.1.as_secs_f64());
            floor.push(samples.0);
            merged.push(samples.1.0);
            ours.push(samples.1.1);
            theirs.push(samples.2);
        }
    }
    Ok(vec![
        Figure::durations(format!("{what}: decompressed and both digests computed, on one processor (the floor)"), floor),
        Figure::durations(format!("{what}: read and merged"), merged),
        Figure::durations(format!("{what}: build, that is read, merged and written as ext4"), ours),
        Figure::durations(format!("{what}: `tar -x` and `mke2fs -d`, no digests"), theirs),
        Figure::numbers(format!("{what}: build, of the floor"), of_floor, "times").aim("1.5 at most"),
        Figure::numbers(format!("{what}: `tar -x` and `mke2fs -d`, of our build"), of_theirs, "times").aim("2 at least"),
    ])
}

/// What no way can be faster than on one processor: reading, decompressing and hashing.
fn least(layer: &Layer) -> Result<Duration> {
    let begun = Instant::now();
    let mut plain = Sha256::new();
    let mut compressed = Hashed { inner: File::open(layer.path())?, hash: Sha256::new() };
    {
        let mut reader = layer.codec().reader(&mut compressed)?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                length => plain.update(&buffer[..length]),
            }
        }
    }
    std::hint::black_box((plain.finalize(), compressed.hash.finalize()));
    Ok(begun.elapsed())
}

/// Until the tree is there, and until the disk is.
fn by_us(input: &LayerInput, dir: &Path) -> Result<(Duration, Duration)> {
    let disk = dir.join("ours");
    let begun = Instant::now();
    let cancel = CancellationToken::new();
    let tree = merge::merge(std::slice::from_ref(input), &Limits::default(), dir, &cancel)?;
    let merged = begun.elapsed();
    Ext4Sink::new(&disk, Ext4Options::of_size(DiskSize::Bytes(DISK))).write(&tree, &cancel)?;
    let took = begun.elapsed();
    fs::remove_file(&disk)?;
    Ok((merged, took))
}

fn by_tools(layer: &Layer, dir: &Path) -> Result<Duration> {
    let (folder, disk) = (dir.join("folder"), dir.join("theirs"));
    fs::create_dir(&folder)?;
    let begun = Instant::now();
    // The archive has no name by which `tar` could tell how it is compressed; it looks at the content.
    run(Command::new("tar").arg("-xpf").arg(layer.path()).arg("-C").arg(&folder))?;
    File::create(&disk)?.set_len(DISK)?;
    run(Command::new("mke2fs").args(["-q", "-t", "ext4", "-O", "^has_journal", "-d"]).args([&folder, &disk]))?;
    let took = begun.elapsed();
    fs::remove_dir_all(&folder)?;
    fs::remove_file(&disk)?;
    Ok(took)
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
