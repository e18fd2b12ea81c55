//! The server's end of the runner channel against transcripts: `tests/contract/channel/*.txt`, replayed line by line over a
//! real WebSocket. What the lines mean is in CONTRIBUTING.md, "The contract".

mod client;
mod transcript;

use std::path::{Path, PathBuf};

use crate::support::{Backend, TestServer};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/channel")
}

/// Every transcript, or the one that `BENCHER_TRANSCRIPT` names.
fn transcripts() -> Vec<PathBuf> {
    let wanted = std::env::var("BENCHER_TRANSCRIPT").ok();
    let entries = std::fs::read_dir(folder()).expect("the folder of transcripts");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| wanted.as_deref().is_none_or(|wanted| file.file_stem().is_some_and(|stem| stem == wanted)));
    files.sort();
    assert!(!files.is_empty(), "there is no such transcript in {}", folder().display());
    files
}

#[tokio::test]
async fn the_channel_answers_every_transcript_as_it_says() {
    // Each has a server of its own, and some of them wait for a time to pass; all at once, they would wait for the database.
    const AT_ONCE: usize = 4;
    let turns = std::sync::Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let mut replays = tokio::task::JoinSet::new();
    for file in transcripts() {
        let text = std::fs::read_to_string(&file).expect("a transcript");
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        for backend in [Backend::Sqlite, Backend::Postgres] {
            let (name, text, turns) = (format!("{name} on {backend:?}"), text.clone(), turns.clone());
            replays.spawn(async move {
                let _turn = turns.acquire().await.expect("nobody closes it");
                let server = TestServer::start_with(backend, |config| transcript::configure(config, &text)).await;
                if let Some(server) = server {
                    transcript::replay(&server, &name, &text).await;
                }
            });
        }
    }
    // A replay that fails panics; joining passes that on.
    while let Some(replayed) = replays.join_next().await {
        replayed.unwrap();
    }
}
