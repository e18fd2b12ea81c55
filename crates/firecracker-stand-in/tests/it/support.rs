//! One stand-in at a time: started, asked, and gone at the end.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub(crate) const FIRECRACKER: &str = env!("CARGO_BIN_EXE_firecracker-stand-in");
pub(crate) const JAILER: &str = env!("CARGO_BIN_EXE_jailer-stand-in");
pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_guest-probe");
pub(crate) const KERNEL: &str = "/usr/bin/linux.uml";

/// For anything that ends by itself; a machine under load takes its time.
pub(crate) const LONG: Duration = Duration::from_secs(100);

/// What a guest needs beyond what Cargo built.
#[expect(clippy::print_stderr, reason = "a skipped test says why on its own output")]
pub(crate) fn has_guests() -> bool {
    let built = Path::new(FIRECRACKER);
    let tools = firecracker_stand_in::tools::Tools::beside(built, env::var_os("PATH").as_deref());
    let missing = match tools {
        _ if !Path::new(KERNEL).exists() => format!("{KERNEL} is missing: install the Debian package user-mode-linux"),
        Err(error) => error.to_string(),
        Ok(_) => return true,
    };
    assert!(env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "{missing}");
    eprintln!("skipped: {missing}");
    false
}

#[expect(clippy::print_stderr, reason = "a skipped test says why on its own output")]
pub(crate) fn is_root() -> bool {
    let root = nix::unistd::Uid::effective().is_root();
    assert!(root || env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "this test needs root");
    if !root {
        eprintln!("skipped: this test needs root");
    }
    root
}

/// Waits for a condition; the pauses are only there to leave the processor to others.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Everything before the body, as it came.
    pub(crate) head: String,
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// One request on a connection of its own.
pub(crate) fn request(socket: &Path, method: &str, path: &str, body: Option<&str>) -> Answer {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let length = body.map(|body| format!("Content-Length: {}\r\n", body.len())).unwrap_or_default();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n{}", body.unwrap_or_default()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "the connection ended within {head:?}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { head, status, body: String::from_utf8(body).unwrap() }
}

/// A stand-in with its socket in a folder of its own.
pub(crate) struct StandIn {
    pub(crate) dir: TempDir,
    pub(crate) child: Child,
}

impl StandIn {
    pub(crate) fn start() -> Self {
        Self::with(tempfile::tempdir().unwrap(), &[])
    }

    /// Its standard output goes to `out` in the folder.
    pub(crate) fn with(dir: TempDir, arguments: &[&str]) -> Self {
        let out = fs::File::create(dir.path().join("out")).unwrap();
        let child = Command::new(FIRECRACKER)
            .arg("--api-sock")
            .arg(dir.path().join("api"))
            .arg("--log-path")
            .arg(dir.path().join("log"))
            .args(arguments)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stand_in = Self { dir, child };
        eventually("the socket", || UnixStream::connect(stand_in.path("api")).is_ok());
        stand_in
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        request(&self.path("api"), method, path, (!body.is_empty()).then_some(body))
    }

    pub(crate) fn put(&self, path: &str, body: &serde_json::Value) {
        let answer = self.request("PUT", path, &body.to_string());
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "PUT {path}");
    }

    /// A guest whose root is this machine's file system, read-only, and whose first process is the probe.
    pub(crate) fn boot(&self, arguments: &str) {
        let arguments = format!(
            "console=ttyS0 reboot=k quiet loglevel=1 root=/dev/root rootfstype=hostfs rootflags=/ ro init={PROBE} {arguments}"
        );
        self.put("/boot-source", &serde_json::json!({ "kernel_image_path": KERNEL, "boot_args": arguments }));
        self.put("/actions", &serde_json::json!({ "action_type": "InstanceStart" }));
    }

    pub(crate) fn vsock(&self) {
        self.put("/vsock", &serde_json::json!({ "guest_cid": 3, "uds_path": self.path("v") }));
    }

    /// What the guest wrote to its serial port so far.
    pub(crate) fn serial(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("out")).unwrap()).into_owned()
    }

    pub(crate) fn wait_for_serial(&self, text: &str) {
        eventually(text, || self.serial().contains(text));
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the end of the process", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Processes of this machine that were started with a path of this stand-in's folder.
    pub(crate) fn processes(&self) -> Vec<String> {
        processes_of(self.dir.path())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Their command lines. A process that ended and waits for its parent has none.
pub(crate) fn processes_of(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap();
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(dir)).collect()
}
