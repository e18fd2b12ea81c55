//! Reading what a guest delivers: streams and files, within the bounds of the plan.
//!
//! What is announced is checked before anything is read, memory grows only with what has really come, and every digest is
//! computed again here.

use std::collections::BTreeMap;

use bencher_init::{
    delivery::{FileEntry, FileOutcome, FilesHeader, Sha256, SkippedFor, StreamHeader},
    frame::{self, FrameError, LENGTH_BYTES},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use sha2::Digest as _;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{error::Lie, limits};
use crate::sandbox::{CapturedStream, CollectedFile, ExecutionPlan, FileContents, OutputBounds, SkipReason, SkippedFile};

/// Bytes of one read.
const CHUNK: usize = 64 * 1024;

/// One complete delivery.
#[derive(Debug)]
pub(super) enum Parcel {
    Stdout(CapturedStream),
    Stderr(CapturedStream),
    Files(Files),
}

/// What became of the files that were asked for.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) files: BTreeMap<String, CollectedFile>,
    pub(super) skipped: Vec<SkippedFile>,
}

/// What the plan wants delivered.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    paths: Vec<String>,
    contents: FileContents,
    bounds: OutputBounds,
}

impl Wanted {
    pub(super) fn of(plan: &ExecutionPlan) -> Self {
        Self { paths: plan.file_paths.clone(), contents: plan.file_contents, bounds: plan.output }
    }

    /// A path that is asked for, or that some pattern may stand for.
    fn asks_for(&self, path: &str) -> bool {
        self.paths.iter().any(|asked| asked == path || asked.contains(['*', '?', '[']))
    }
}

/// Reads one frame. `None` where the connection ended before it.
pub(super) async fn read_frame<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<T>, FrameError> {
    let mut announced = [0; LENGTH_BYTES];
    let mut have = 0;
    while have < LENGTH_BYTES {
        match from.read(&mut announced[have..]).await.map_err(FrameError::Io)? {
            0 if have == 0 => return Ok(None),
            0 => return Err(FrameError::Truncated),
            read => have += read,
        }
    }
    let length = frame::length(announced)?;
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes).await.map_err(FrameError::Io)?;
    if bytes.len() < length {
        return Err(FrameError::Truncated);
    }
    frame::decode(&bytes).map(Some)
}

async fn must_read<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> Result<T, Lie> {
    Ok(read_frame(from).await?.ok_or(FrameError::Truncated)?)
}

/// Reads a stream's delivery, after its opening, to the end of the connection.
pub(super) async fn stream(
    from: &mut (impl AsyncRead + Unpin),
    what: &'static str,
    wanted: &Wanted,
) -> Result<CapturedStream, Lie> {
    let StreamHeader { total, kept, sha256 } = must_read(from).await?;
    let max = wanted.bounds.max_output_size;
    if kept > max {
        return Err(Lie::TooMuch { what, announced: kept, max });
    }
    if kept > total {
        return Err(Lie::KeptMoreThanAll { kept, total });
    }
    let bytes = content(from, what, kept, sha256).await?;
    end(from, what).await?;
    Ok(CapturedStream { bytes, total })
}

/// Reads the delivery of the files, after its opening, to the end of the connection.
pub(super) async fn files(from: &mut (impl AsyncRead + Unpin), wanted: &Wanted) -> Result<Files, Lie> {
    let FilesHeader { count } = must_read(from).await?;
    // A pattern stands for no more paths than files are wanted, and one that says there would be more.
    let max = (wanted.bounds.max_file_count as u64).saturating_add(1).saturating_mul(wanted.paths.len() as u64);
    if u64::from(count) > max {
        return Err(Lie::TooMuch { what: "files", announced: count.into(), max });
    }
    let mut files = Files::default();
    let mut room = wanted.bounds.max_files_size;
    let mut room_for_paths = limits::MAX_PATHS;
    for _ in 0..count {
        let FileEntry { path, outcome } = must_read(from).await?;
        let length = path.0.len() as u64;
        if length > limits::MAX_PATH.min(room_for_paths) {
            return Err(Lie::TooMuch { what: "paths", announced: length, max: limits::MAX_PATH.min(room_for_paths) });
        }
        room_for_paths -= length;
        // Results are listed by text. A name that is none is written so that two of them never look the same.
        let path = String::from_utf8(path.0).unwrap_or_else(|error| error.as_bytes().escape_ascii().to_string());
        if !wanted.asks_for(&path) {
            return Err(Lie::NotAskedFor { path });
        }
        let file = match outcome {
            FileOutcome::Skipped { reason } => {
                files.skipped.push(SkippedFile { path, reason: skip_reason(reason) });
                continue;
            }
            FileOutcome::Size { size } => CollectedFile { size, bytes: Bytes::new() },
            FileOutcome::Contents { size, sha256 } => {
                let max = if wanted.contents == FileContents::Read { wanted.bounds.max_output_size.min(room) } else { 0 };
                if size > max {
                    return Err(Lie::TooMuch { what: "a file's bytes", announced: size, max });
                }
                room -= size;
                CollectedFile { size, bytes: content(from, "a file", size, sha256).await? }
            }
        };
        if files.files.len() >= wanted.bounds.max_file_count {
            return Err(Lie::TooMuch { what: "files", announced: count.into(), max: wanted.bounds.max_file_count as u64 });
        }
        if files.files.insert(path.clone(), file).is_some() {
            return Err(Lie::Twice { path });
        }
    }
    end(from, "the files").await?;
    Ok(files)
}

/// Exactly `size` bytes with that digest.
async fn content(from: &mut (impl AsyncRead + Unpin), what: &'static str, size: u64, sha256: Sha256) -> Result<Bytes, Lie> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK.min(usize::try_from(size).unwrap_or(CHUNK)).max(1)];
    let mut digest = sha2::Sha256::new();
    while (bytes.len() as u64) < size {
        let room = usize::try_from(size - bytes.len() as u64).unwrap_or(CHUNK).min(chunk.len());
        let read = from.read(&mut chunk[..room]).await.map_err(FrameError::Io)?;
        if read == 0 {
            return Err(Lie::Short { what });
        }
        digest.update(&chunk[..read]);
        bytes.extend_from_slice(&chunk[..read]);
    }
    if Sha256(digest.finalize().into()) != sha256 {
        return Err(Lie::Digest { what });
    }
    Ok(bytes.into())
}

async fn end(from: &mut (impl AsyncRead + Unpin), what: &'static str) -> Result<(), Lie> {
    match from.read(&mut [0]).await {
        // The whole delivery is here and has its digest; how the guest hangs up does not matter.
        Ok(0) | Err(_) => Ok(()),
        Ok(_) => Err(Lie::Long { what }),
    }
}

fn skip_reason(reason: SkippedFor) -> SkipReason {
    match reason {
        SkippedFor::Missing => SkipReason::Missing,
        SkippedFor::NotRegular => SkipReason::NotRegular,
        SkippedFor::TooManySymlinks { max } => SkipReason::TooManySymlinks { max },
        SkippedFor::TooLarge { size, max } => SkipReason::TooLarge { size, max },
        SkippedFor::TogetherTooLarge { max } => SkipReason::TogetherTooLarge { max },
        SkippedFor::TooMany { max } => SkipReason::TooMany { max: max as usize },
        SkippedFor::Unreadable { errno } => SkipReason::Unreadable(std::io::Error::from_raw_os_error(errno).kind()),
    }
}

#[cfg(test)]
mod tests;
