//! Reading what a harness printed: from a command, a file or a pipe, each up to a limit.

use std::{
    io::{self, Read as _, Write as _},
    path::Path,
};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::error::RunError;
use crate::limits;

/// Whether what is read is shown, too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tee {
    No,
    Stderr,
}

/// Reads to the end, up to the limit.
pub(super) async fn all(from: &mut (impl AsyncRead + Unpin), what: &str, tee: Tee) -> Result<Vec<u8>, RunError> {
    const CHUNK: usize = 64 << 10;
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).await.map_err(|source| RunError::File { path: what.to_owned(), source })?;
        let Some(read) = chunk.get(..read).filter(|read| !read.is_empty()) else { return Ok(bytes) };
        if tee == Tee::Stderr {
            // Nobody looking does not make the benchmark fail.
            let _ = io::stderr().lock().write_all(read);
        }
        bytes.extend_from_slice(read);
        if bytes.len() as u64 > limits::MAX_LOCAL_OUTPUT_BYTES {
            return Err(RunError::TooMuch { what: what.to_owned(), limit: limits::MAX_LOCAL_OUTPUT_BYTES });
        }
    }
}

/// Everything in a file, up to the limit.
pub(crate) async fn file(path: &Path) -> Result<String, RunError> {
    let name = path.display().to_string();
    let mut file = tokio::fs::File::open(path).await.map_err(|source| RunError::File { path: name.clone(), source })?;
    Ok(lossy(all(&mut file, &name, Tee::No).await?))
}

/// Everything on standard input, up to the limit.
pub(crate) async fn piped() -> Result<String, RunError> {
    let what = || "standard input".to_owned();
    let failed = |source| RunError::File { path: what(), source };
    let read = tokio::task::spawn_blocking(|| {
        let mut bytes = Vec::new();
        io::stdin().lock().take(limits::MAX_LOCAL_OUTPUT_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    let bytes = read.await.map_err(|error| failed(error.into()))?.map_err(failed)?;
    if bytes.len() as u64 > limits::MAX_LOCAL_OUTPUT_BYTES {
        return Err(RunError::TooMuch { what: what(), limit: limits::MAX_LOCAL_OUTPUT_BYTES });
    }
    Ok(lossy(bytes))
}

/// Text of foreign origin.
pub(super) fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
