use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn config(folder: &Folder, port: u16) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.server_config(port).unwrap()).unwrap()).unwrap()
}

#[test]
fn the_servers_secret_outlives_a_change_of_the_port() {
    let base = tempfile::tempdir().unwrap();
    let folder = Folder::open(&base.path().join("new")).unwrap();
    let (first, second) = (config(&folder, 6610), config(&folder, 6611));
    assert_eq!(first["security"], second["security"]);
    assert_eq!(second["server"]["bind_address"], "127.0.0.1:6611");
    assert_eq!(second["plus"]["registry"]["url"], "http://127.0.0.1:6611");
}

#[test]
fn keys_are_kept_for_the_owner_only() {
    let base = tempfile::tempdir().unwrap();
    let folder = Folder::open(base.path()).unwrap();
    assert_eq!(folder.keys().unwrap(), Keys::default());
    let keys = Keys { signed_up: true, user: Some("bencher_user_x".to_owned()), runner: None };
    folder.keep(&keys).unwrap();
    assert_eq!(folder.keys().unwrap(), keys);
    let mode = fs::metadata(base.path().join("keys.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn two_demos_do_not_share_a_folder() {
    let base = tempfile::tempdir().unwrap();
    let _first = Folder::open(base.path()).unwrap();
    let error = Folder::open(base.path()).unwrap_err().to_string();
    assert!(error.contains("another demo runs on"), "{error}");
}
