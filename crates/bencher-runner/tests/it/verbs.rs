//! The verbs beside `up`, as a person or a script calls them.

use std::{path::Path, process::Stdio};

use serde_json::Value;
use tokio::process::Command;

use crate::{binary::NO_CONFIG, world::PATIENCE};

/// What a verb said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a verb in an environment of nothing but the data folder.
pub(crate) async fn verb(data: &Path, args: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
    command.args(args).env_clear().env("BENCHER_RUNNER_DATA_DIR", data).env("BENCHER_RUNNER_CONFIG", NO_CONFIG);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it says text");
    Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[tokio::test]
async fn status_and_stop_say_that_no_runner_uses_the_folder() {
    let data = tempfile::tempdir().unwrap();
    let said = verb(data.path(), &["status"]).await;
    assert_eq!(said.code, Some(5), "{said:?}");
    assert!(said.stdout.contains("not running"), "{said:?}");
    let said = verb(data.path(), &["status", "--format", "json"]).await;
    assert_eq!((said.code, &said.json()["running"], &said.json()["state"]), (Some(5), &false.into(), &"stopped".into()));
    let said = verb(data.path(), &["stop"]).await;
    assert_eq!(said.code, Some(5));
    assert!(said.stderr.contains("no runner uses") && said.stdout.is_empty(), "{said:?}");
}

#[tokio::test]
async fn the_cache_verbs_work_on_a_folder_without_images() {
    let data = tempfile::tempdir().unwrap();
    for (args, key) in [(&["cache", "list"][..], "images"), (&["cache", "clear"], "bytes"), (&["cache", "verify"], "damaged")] {
        let said = verb(data.path(), args).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(!said.stdout.is_empty());
        let json = verb(data.path(), &[args, &["--format", "json"]].concat()).await.json();
        assert!(json.get(key).is_some(), "{json}");
    }
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "looking creates nothing");
}

#[tokio::test]
async fn the_doctor_names_what_is_missing_and_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    // Nobody listens at port 1.
    let said = verb(data.path(), &["doctor", "--host", "http://127.0.0.1:1", "--key", "none", "--format", "json"]).await;
    assert_eq!(said.code, Some(7), "{said:?}");
    let json = said.json();
    let checks = json["checks"].as_array().unwrap();
    for check in checks {
        assert!(check["found"].as_str().is_some_and(|found| !found.is_empty()), "{check}");
        assert_eq!(check["result"] == "ok", check.get("do").is_none(), "{check}");
    }
    let of = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {json}"));
    assert_eq!((&of("server")["result"], &of("runner key")["result"]), (&"fail".into(), &"fail".into()));
    for name in [
        "kernel",
        "processors",
        "memory",
        "cgroups",
        "namespaces",
        "overlayfs",
        "loop devices",
        "KVM",
        "crun",
        "microVM",
        "sandbox",
        "reflink",
        "disk",
    ] {
        of(name);
    }
    let table = verb(data.path(), &["doctor", "--host", "http://127.0.0.1:1"]).await;
    assert!(table.stdout.contains("FAIL") && table.stdout.contains("server: check --host"), "{}", table.stdout);
}

#[tokio::test]
async fn start_says_how_where_there_is_no_systemd() {
    if Path::new("/run/systemd/system").exists() {
        // Here it would start the machine's own runner.
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let said = verb(data.path(), &["start"]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("runner up"), "{said:?}");
}
