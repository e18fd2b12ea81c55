//! `runner install-deps` as a person or a script calls it, against folders and servers of every kind.

use std::{
    env::consts::ARCH,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use axum::{
    Router,
    extract::{Path as UrlPath, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use bencher_types::Digest;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    verbs::{Said, verb},
    world::PATIENCE,
};

/// A place with files, and an empty one to install into.
struct Case {
    dir: tempfile::TempDir,
}

fn program(says: &str) -> Vec<u8> {
    format!("#!/bin/sh\necho '{says}'\n").into_bytes()
}

fn release(version: &str) -> (String, Vec<u8>) {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, title) in [("firecracker", "Firecracker"), ("jailer", "Jailer")] {
        let bytes = program(&format!("{title} v{version}"));
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let path = format!("release-v{version}-{ARCH}/{name}-v{version}-{ARCH}");
        tar.append_data(&mut header, path, bytes.as_slice()).unwrap();
    }
    (format!("firecracker-v{version}-{ARCH}.tgz"), tar.into_inner().unwrap().finish().unwrap())
}

/// The headers of a program of this machine, and the banner of a kernel.
fn kernel(version: &str) -> Vec<u8> {
    let mut elf = fs::read("/proc/self/exe").unwrap();
    elf.truncate(64);
    elf[56..58].fill(0);
    elf.extend(format!("Linux version {version} (somebody@somewhere)").bytes());
    elf
}

impl Case {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("from")).unwrap();
        Self { dir }
    }

    fn complete() -> Self {
        let case = Self::new();
        let (name, bytes) = release("1.16.1");
        case.file(&name, &bytes);
        case.file("vmlinux-6.1.141", &kernel("6.1.141"));
        case
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn from(&self) -> String {
        self.path("from").to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path("from").join(name), bytes).unwrap();
    }

    /// Pins of what the place has now.
    fn pins(&self, entries: &[(&str, &str, &str)]) -> String {
        let mut text = String::new();
        for (name, version, file) in entries {
            let digest = Digest::sha256(&fs::read(self.path("from").join(file)).unwrap());
            text.push_str(&format!(
                "[[pin]]\nname = \"{name}\"\nversion = \"{version}\"\nfile = \"{file}\"\nsha256 = \"{}\"\n",
                digest.hex()
            ));
        }
        let path = self.path("pins.toml");
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn all_pinned(&self) -> String {
        let release = format!("firecracker-v1.16.1-{ARCH}.tgz");
        self.pins(&[
            ("firecracker", "1.16.1", &release),
            ("jailer", "1.16.1", &release),
            ("kernel", "6.1.141", "vmlinux-6.1.141"),
        ])
    }

    fn args<'a>(&'a self, from: &'a str, to: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&["install-deps", "--from", from, "--to", to, "--format", "json"], more].concat()
    }

    async fn install(&self, from: &str, more: &[&str]) -> Said {
        let to = self.path("to");
        verb(&self.path("data"), &self.args(from, to.to_str().unwrap(), more)).await
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap().permissions().mode() & 0o7777
    }

    fn text(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(path)).unwrap()).into_owned()
    }

    fn sets(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("to/sets")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn failed(said: &Said, code: i32, part: &str) {
    assert_eq!(said.code, Some(code), "{said:?}");
    assert!(said.stderr.contains(part), "{part:?}: {said:?}");
    assert!(said.stdout.is_empty(), "{said:?}");
}

#[tokio::test]
async fn what_the_pins_say_is_installed_whole() {
    let case = Case::complete();
    let said = case.install(&case.from(), &["--pins", &case.all_pinned()]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let json = said.json();
    let versions: Vec<&Value> = json["files"].as_array().unwrap().iter().map(|file| &file["version"]).collect();
    assert_eq!(versions, ["1.16.1", "1.16.1", "6.1.141"]);
    assert_eq!(case.text("to/current/firecracker"), "#!/bin/sh\necho 'Firecracker v1.16.1'\n");
    assert_eq!(case.text("to/current/jailer"), "#!/bin/sh\necho 'Jailer v1.16.1'\n");
    let modes = ["firecracker", "jailer", "vmlinux", "pins.toml", ""].map(|name| case.mode(&format!("to/current/{name}")));
    assert_eq!(modes, [0o755, 0o755, 0o644, 0o644, 0o755]);
    assert_eq!(case.sets().len(), 1, "nothing else is left: {:?}", case.sets());
    // Again, from another place, with what was written down.
    let pins = case.path("to/current/pins.toml");
    let elsewhere = Case::new();
    let said = elsewhere.install(&case.from(), &["--pins", pins.to_str().unwrap()]).await;
    assert_eq!((said.code, elsewhere.text("to/current/pins.toml")), (Some(0), case.text("to/current/pins.toml")), "{said:?}");
}

#[tokio::test]
async fn another_file_than_was_confirmed_is_never_installed() {
    let case = Case::complete();
    let pins = case.all_pinned();
    case.file("vmlinux-6.1.141", &kernel("6.1.142"));
    let said = case.install(&case.from(), &["--pins", &pins, "--yes"]).await;
    failed(&said, 1, "it is another file than was confirmed");
    assert!(!case.path("to/current").exists() && case.sets().is_empty());
}

#[tokio::test]
async fn without_pins_hashes_are_shown_and_somebody_has_to_confirm_them() {
    let case = Case::complete();
    let hash = Digest::sha256(&kernel("6.1.141"));
    let said = case.install(&case.from(), &[]).await;
    failed(&said, 2, "--pins");
    assert!(said.stderr.contains(hash.hex()), "{said:?}");
    assert!(!case.path("to/current").exists());

    let said = case.install(&case.from(), &["--yes"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(case.text("to/current/pins.toml").contains(hash.hex()));
    // The same name with other contents is what pins are there to notice.
    case.file("vmlinux-6.1.141", &[kernel("6.1.141"), b"!".to_vec()].concat());
    failed(&case.install(&case.from(), &["--yes"]).await, 1, "current/pins.toml");
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let case = Case::complete();
    let said = case.install(&case.from(), &["--dry-run"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!((&said.json()["dry_run"], &said.json()["files"][2]["name"]), (&true.into(), &"kernel".into()));
    assert!(!case.path("to").exists());
}

#[tokio::test]
async fn what_is_not_supported_or_does_not_fit_leaves_what_was_installed() {
    let case = Case::complete();
    assert_eq!(case.install(&case.from(), &["--pins", &case.all_pinned()]).await.code, Some(0));
    let before = fs::read_link(case.path("to/current")).unwrap();
    case.file("old", &program("Firecracker v1.15.1"));
    case.file("new", &program("Firecracker v1.17.0"));
    case.file("bz", &{
        let mut compressed = vec![0; 0x400];
        compressed[0x202..0x206].copy_from_slice(b"HdrS");
        compressed
    });
    for (pins, part) in [
        (&[("firecracker", "1.15.1", "old")][..], "firecracker 1.15.1 is not supported: expected 1.16.1 or a later 1.x"),
        (&[("firecracker", "1.16.1", "new")], "new is firecracker 1.17.0, and was to be 1.16.1"),
        (&[("firecracker", "1.17.0", "new")], "jailer of 1.16.1: both have to be of one release"),
        (&[("kernel", "6.1.1", "bz")], "it is a compressed kernel"),
    ] {
        failed(&case.install(&case.from(), &["--pins", &case.pins(pins)]).await, 1, part);
        assert_eq!((fs::read_link(case.path("to/current")).unwrap(), case.sets().len()), (before.clone(), 1));
    }
}

#[tokio::test]
async fn a_new_kernel_alone_keeps_the_programs() {
    let case = Case::complete();
    assert_eq!(case.install(&case.from(), &["--pins", &case.all_pinned()]).await.code, Some(0));
    for version in ["6.1.142", "6.1.143"] {
        let file = format!("vmlinux-{version}");
        case.file(&file, &kernel(version));
        let said = case.install(&case.from(), &["--pins", &case.pins(&[("kernel", version, &file)])]).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(case.text("to/current/vmlinux").contains(version) && case.text("to/current/jailer").contains("Jailer v1.16.1"));
        assert_eq!(case.sets().len(), 2, "the one before stays for a runner that uses it");
    }
}

#[tokio::test]
async fn a_folder_that_others_may_change_is_no_place_for_programs_of_root() {
    let case = Case::complete();
    fs::create_dir(case.path("to")).unwrap();
    fs::set_permissions(case.path("to"), fs::Permissions::from_mode(0o777)).unwrap();
    failed(&case.install(&case.from(), &["--yes"]).await, 1, "chmod go-w");
}

#[tokio::test]
async fn mistakes_on_the_line_are_explained() {
    let case = Case::new();
    failed(&case.install("/nonexistent", &[]).await, 2, "neither a folder nor an address");
    failed(&case.install(&case.from(), &[]).await, 2, "nothing to install");
    failed(&case.install(&case.from(), &["--pins", "/nonexistent"]).await, 2, "could not read the pins file");
    failed(&case.install(&case.from(), &["--firecracker-version", "1.2.3"]).await, 2, "1.2.3 is not supported");
    failed(&case.install(&case.from(), &["--kernel", "../x"]).await, 2, "no name of a file");
    case.file("vmlinux-5.10.1", &kernel("5.10.1"));
    case.file("vmlinux-6.1.1", &kernel("6.1.1"));
    failed(&case.install(&case.from(), &[]).await, 2, "several kernels");
}

/// Serves the files of a folder, some of them elsewhere than where they are asked for.
async fn serve(folder: PathBuf) -> SocketAddr {
    async fn file(State(folder): State<Arc<PathBuf>>, UrlPath(path): UrlPath<String>, headers: HeaderMap) -> Response {
        assert!(headers.get(header::AUTHORIZATION).is_none(), "nobody is told who we are");
        if let Some(name) = path.strip_prefix("moved/") {
            return (StatusCode::FOUND, [(header::LOCATION, format!("/files/{name}?token=secret"))]).into_response();
        }
        if path.starts_with("round/") {
            return (StatusCode::FOUND, [(header::LOCATION, format!("/{path}"))]).into_response();
        }
        match fs::read(folder.join(path.trim_start_matches("files/"))) {
            Ok(bytes) => bytes.into_response(),
            Err(_) => StatusCode::NOT_FOUND.into_response(),
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let app = Router::new().route("/{*path}", get(file)).with_state(Arc::new(folder));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    addr
}

/// Answers every request with this, and then waits for the other side to go.
async fn answer(head: &'static str, close: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = connection.read(&mut request).await;
                let _ = connection.write_all(head.as_bytes()).await;
                if !close {
                    // Until the client has gone.
                    while connection.read(&mut request).await.is_ok_and(|read| read > 0) {}
                }
            });
        }
    });
    addr
}

#[tokio::test]
async fn files_come_from_a_server_that_sends_us_elsewhere() {
    let case = Case::complete();
    let addr = serve(case.path("from")).await;
    let said = case.install(&format!("http://{addr}/moved"), &["--pins", &case.all_pinned()]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(case.text("to/current/jailer").contains("v1.16.1") && !said.stderr.contains("secret"), "{said:?}");

    let case = Case::complete();
    let from = format!("http://ada:secret@{addr}/files?key=secret");
    let said = case.install(&from, &["--dry-run", "--kernel", "vmlinux-6.1.141"]).await;
    // The name and password of an address are for its server; here nobody asked for them.
    assert!(!said.stderr.contains("secret") && !said.stdout.contains("secret"), "{said:?}");
    failed(&case.install(&format!("http://{addr}/round/"), &["--dry-run"]).await, 1, "too often");
    failed(&case.install(&format!("http://{addr}/nowhere/"), &["--dry-run"]).await, 1, "status 404");
}

#[tokio::test]
async fn a_server_that_breaks_off_or_never_ends_installs_nothing() {
    let case = Case::complete();
    let pins = case.all_pinned();
    let cut = answer("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf of it", true).await;
    failed(&case.install(&format!("http://{cut}/"), &["--pins", &pins]).await, 1, "broke off after 10 bytes");
    let huge = answer("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx", false).await;
    failed(&case.install(&format!("http://{huge}/"), &["--pins", &pins]).await, 1, "which none of these files has");
    let downgrade = answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", true).await;
    failed(&case.install(&format!("http://{downgrade}/"), &["--pins", &pins]).await, 1, "another file than was confirmed");
    assert!(case.sets().is_empty() && !case.path("to/current").exists());
}

#[tokio::test]
async fn killed_in_the_middle_it_leaves_what_was_there_and_the_next_one_tidies_up() {
    let case = Case::complete();
    let pins = case.all_pinned();
    assert_eq!(case.install(&case.from(), &["--pins", &pins]).await.code, Some(0));
    let before = fs::read_link(case.path("to/current")).unwrap();

    let stalls = answer("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf of it", false).await;
    let (from, to) = (format!("http://{stalls}/"), case.path("to"));
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_runner"));
    command.args(case.args(&from, to.to_str().unwrap(), &["--pins", &pins])).env_clear().stdin(Stdio::null());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let half = async {
        loop {
            let downloads = case.sets().into_iter().filter(|set| set.starts_with(".new-"));
            let mut files = downloads.map(|set| to.join("sets").join(set).join("downloads/0"));
            if files.any(|file| fs::metadata(file).is_ok_and(|file| file.len() > 0)) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, half).await.expect("it fetches");
    // Meanwhile nobody else installs there.
    failed(&case.install(&case.from(), &["--pins", &pins]).await, 1, "another installation");
    child.kill().await.unwrap();
    assert_eq!((fs::read_link(to.join("current")).unwrap(), case.sets().len()), (before, 2));

    assert_eq!(case.install(&case.from(), &["--pins", &pins]).await.code, Some(0));
    assert!(case.sets().iter().all(|set| !set.starts_with(".new-")), "{:?}", case.sets());
    assert!(is_executable(&to.join("current/firecracker")));
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o111 == 0o111)
}
