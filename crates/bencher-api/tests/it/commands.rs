//! The program's commands beside serving, as an admin types them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use bencher_api::config::Config;
use serde_json::json;

use crate::support::TestServer;

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bencher-api"));
    for name in ["BENCHER_CONFIG", "BENCHER_CONFIG_PATH", "BENCHER_LOG"] {
        command.env_remove(name);
    }
    command.args(arguments).output().expect("the program starts")
}

#[track_caller]
fn says(output: &Output, succeeded: bool, part: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), succeeded, "{text}");
    assert!(text.contains(part), "expected `{part}` in: {text}");
}

fn write(config: &Config, file: &Path) -> String {
    std::fs::write(file, serde_json::to_string(config).unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_admin_moves_an_installation_and_restores_a_backup() {
    let server = TestServer::start().await;
    let ada = server.sign_up("Ada").await;
    let backup = server.create("/v0/server/backup", &ada, json!({})).await["file"].as_str().unwrap().to_owned();
    server.app.store.close().await;

    let folder = tempfile::tempdir().unwrap();
    let mut target = server.app.config.clone();
    target.database.file = Some(folder.path().join("new/bencher.db"));
    target.plus.get_or_insert_default().registry.get_or_insert_default().folder = Some(folder.path().join("new/blobs"));
    let from = write(&server.app.config, &folder.path().join("from.json"));
    let to = write(&target, &folder.path().join("to.json"));
    says(&run(&["migrate", "--from", &from, "--to", &to]), true, "moved the installation");
    says(&run(&["migrate", "--from", &from, "--to", &to]), false, "the database is not empty");
    says(&run(&["migrate", "--from", &from]), false, "--to <CONFIG>");

    says(&run(&["--config", &to, "restore", &backup]), true, "restored the backup");
    let kept = std::fs::read_dir(folder.path().join("new")).unwrap();
    let kept: Vec<PathBuf> =
        kept.map(|entry| entry.unwrap().path()).filter(|path| path.to_string_lossy().contains(".before-")).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let nowhere = folder.path().join("nowhere.json");
    says(&run(&["--config", nowhere.to_str().unwrap(), "restore", &backup]), false, "there is no configuration file");
    assert!(!nowhere.exists());
}
