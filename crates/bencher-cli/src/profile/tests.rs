use std::{fs, os::unix::fs::PermissionsExt as _};

use bencher_types::Secret;
use tempfile::TempDir;

use super::{Profile, ProfileFile};

fn file(dir: &TempDir) -> ProfileFile {
    ProfileFile::new(Some(dir.path().join("bencher/config.toml")))
}

fn profile(host: &str) -> Profile {
    Profile { host: Some(host.parse().unwrap()), ..Profile::default() }
}

#[test]
fn the_first_profile_is_the_default_until_another_one_is_used() {
    let dir = TempDir::new().unwrap();
    let file = file(&dir);
    assert!(file.select(None).unwrap().is_none());
    file.set("home", &profile("http://localhost:6610")).unwrap();
    file.set("work", &profile("https://bench.example.com")).unwrap();
    assert_eq!(file.select(None).unwrap().unwrap().0, "home");
    file.set_default("work").unwrap();
    assert_eq!(file.select(None).unwrap().unwrap().0, "work");
    assert_eq!(file.select(Some("home")).unwrap().unwrap().1.host.unwrap().as_str(), "http://localhost:6610/");
    file.delete("work").unwrap();
    assert!(file.select(None).unwrap().is_none());
}

#[test]
fn a_new_credential_takes_the_place_of_the_old_one_and_comments_stay() {
    let dir = TempDir::new().unwrap();
    let file = file(&dir);
    fs::create_dir_all(dir.path().join("bencher")).unwrap();
    fs::write(file.path().unwrap(), "# ours\n[profile.work]\nhost = \"https://a.example/\" # the rack\ntoken = \"a.b.c\"\n")
        .unwrap();
    let key = Profile { key: Some(Secret::new("bencher_user_x")), ..Profile::default() };
    file.set("work", &key).unwrap();
    let text = fs::read_to_string(file.path().unwrap()).unwrap();
    assert!(text.contains("# ours") && text.contains("# the rack") && text.contains("bencher_user_x"), "{text}");
    assert!(!text.contains("a.b.c"), "{text}");
}

#[test]
fn only_its_owner_can_read_the_file() {
    let dir = TempDir::new().unwrap();
    let file = file(&dir);
    file.set("home", &profile("http://localhost:6610")).unwrap();
    assert!(!file.is_open_to_others());
    fs::set_permissions(file.path().unwrap(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(file.is_open_to_others());
    file.set("home", &profile("http://localhost:6611")).unwrap();
    assert!(!file.is_open_to_others());
}

#[test]
fn what_is_wrong_is_said_with_what_there_is() {
    let dir = TempDir::new().unwrap();
    let file = file(&dir);
    file.set("home", &profile("http://localhost:6610")).unwrap();
    let error = file.select(Some("hom")).unwrap_err().to_string();
    assert!(error.starts_with("there is no profile `hom` in ") && error.ends_with("there are: home"), "{error}");
    assert!(file.set("a b", &profile("http://x")).unwrap_err().to_string().contains("not `a b`"));
    assert!(file.set("home", &Profile::default()).unwrap_err().to_string().starts_with("nothing to set"));
    fs::write(file.path().unwrap(), "[profile.home]\nhots = \"http://x\"\n").unwrap();
    assert!(file.read().unwrap_err().to_string().ends_with("is not a file of profiles"));
    assert!(ProfileFile::new(None).set("home", &profile("http://x")).unwrap_err().to_string().contains("no place"));
}
