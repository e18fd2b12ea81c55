//! What a server that was killed left of job output that it was writing: files beside the one that was meant, which nothing refers to.
//!
//! The folder of blobs writes a file under its own name with `#` and a number behind it, and then renames it. Uploads to the registry are
//! not written so; those that rest are forgotten by `registry::upload`.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bencher_types::DateTime;
use jiff::Timestamp;

use crate::{app::App, chain::chain, limits, store::DatabaseLocation};

/// Where the folder has what jobs delivered.
const OUTPUT: &str = "jobs";

/// Removes what there is at the start, and then once a day, for as long as the server runs.
pub async fn keep_swept(app: Arc<App>) {
    let folder = app.config.blob_folder().join(OUTPUT);
    // With SQLite nobody else writes there, and what is older than this process is nobody's any more.
    let is_alone = matches!(app.config.database(), Ok(DatabaseLocation::Sqlite(_)));
    let mut age = if is_alone { limits::SCRAP_AGE_ALONE } else { limits::SCRAP_AGE };
    loop {
        let (folder, before) = (folder.clone(), earlier(app.clock.now(), age));
        match tokio::task::spawn_blocking(move || sweep(&folder, before)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(removed)) => tracing::info!(removed, "removed what was left of unfinished job output"),
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "could not look for unfinished job output"),
            Err(panic) => tracing::error!(%panic, "looking for unfinished job output panicked"),
        }
        tokio::time::sleep(limits::SCRAP_INTERVAL).await;
        age = limits::SCRAP_AGE;
    }
}

fn earlier(now: DateTime, by: Duration) -> DateTime {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    DateTime::from_micros(now.as_micros().saturating_sub(micros)).unwrap_or(now)
}

/// Removes unfinished files that were last written before then; how many.
fn sweep(output: &Path, before: DateTime) -> io::Result<usize> {
    let mut removed = 0;
    for job in entries(output)? {
        for file in entries(&job)?.into_iter().filter(|file| is_unfinished(file)) {
            let Ok(written) = file.metadata().and_then(|metadata| metadata.modified()) else { continue };
            let is_old = Timestamp::try_from(written).is_ok_and(|written| DateTime::from(written) < before);
            if is_old && std::fs::remove_file(&file).is_ok() {
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// What is in a folder; nothing where it is none, or gone meanwhile.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// No finished output has a `#` in its name.
fn is_unfinished(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.rsplit_once('#').is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
