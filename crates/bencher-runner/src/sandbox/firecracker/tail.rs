//! The last words of a machine: its console, its log, its metrics. All of it is read, little of it is kept.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    task::JoinHandle,
};

use super::{error::Said, limits};

/// Bytes of one read: a pipe's whole capacity.
const CHUNK: usize = 64 * 1024;

/// A source of text that is read in the background for as long as this lives.
#[derive(Debug)]
pub(super) struct Tail {
    task: JoinHandle<()>,
    kept: Arc<Mutex<VecDeque<u8>>>,
}

impl Tail {
    pub(super) fn of(source: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let kept = Arc::<Mutex<VecDeque<u8>>>::default();
        let task = tokio::spawn(read_all(source, Arc::clone(&kept)));
        Self { task, kept }
    }

    /// The last of what was read until now, in printable characters.
    pub(super) fn text(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        text.chars().map(|c| if c == '\n' || !c.is_control() { c } else { ' ' }).collect()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The last lines of several sources, for an error.
pub(super) fn last_words(tails: &[&Tail]) -> Said {
    let quoted = tails.iter().flat_map(|tail| {
        let text = tail.text();
        let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
        let first = lines.len().saturating_sub(limits::QUOTED_LINES);
        lines.into_iter().skip(first)
    });
    Said(quoted.collect::<Vec<_>>().join(" | "))
}

async fn read_all(mut source: impl AsyncRead + Send + Unpin, kept: Arc<Mutex<VecDeque<u8>>>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match source.read(&mut chunk).await {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&chunk[..count]);
        let excess = kept.len().saturating_sub(limits::KEPT_TAIL);
        kept.drain(..excess);
    }
}

#[cfg(test)]
mod tests;
