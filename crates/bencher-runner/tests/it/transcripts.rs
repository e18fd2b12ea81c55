//! The runner's end of the channel against transcripts: `tests/transcripts/*.txt`, each the server's side of a conversation,
//! played over a raw socket. What the lines mean is in CONTRIBUTING.md, "The contract".

mod script;
mod wire;

use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runner_does_with_every_server_as_its_transcript_says() {
    // Most of the time of each is waiting, so they are played at once.
    let mut plays = tokio::task::JoinSet::new();
    for file in transcripts() {
        let text = std::fs::read_to_string(&file).expect("a transcript");
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        plays.spawn(async move { script::play(&name, &text).await });
    }
    // A play that fails panics; joining passes that on.
    while let Some(played) = plays.join_next().await {
        played.unwrap();
    }
}
