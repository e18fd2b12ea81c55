//! A host in a namespace, with an uplink to the outside and another interface to its neighbours.
//!
//! ```text
//!   guests ─ host 93.184.216.1  ─ eth0 ─ outside 93.184.216.34, metadata 169.254.169.254
//!                 192.168.77.1  ─ eth1 ─ neighbour 192.168.77.10
//! ```

use std::{
    fs::{self, File},
    future::Future,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use bencher_runner::sandbox::firecracker::network::{Network, NetworkConfig};
use nix::sched::{CloneFlags, setns, unshare};
use tempfile::TempDir;

pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(93, 184, 216, 1);
pub(super) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(93, 184, 216, 34);
pub(super) const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
pub(super) const HOST_INSIDE: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
pub(super) const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 10);

/// The uid of a machine monitor.
pub(super) const UID: u32 = 61_000;

/// How long a connection may take that shall succeed, or that shall be refused. Only a failing test waits so long.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// How long a connection is tried that must be swallowed. Too short for a slow machine makes no test fail.
pub(super) const SHORT: Duration = Duration::from_millis(1500);

/// A network namespace that lives as long as this and what is in it.
pub(super) struct Namespace(OwnedFd);

impl Namespace {
    pub(super) fn new() -> Self {
        let made = || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            let namespace = Self::at(Path::new("/proc/thread-self/ns/net"));
            ip(&["link set dev lo up".to_owned()]);
            namespace
        };
        thread::scope(|scope| scope.spawn(made).join()).unwrap()
    }

    pub(super) fn at(path: &Path) -> Self {
        Self(File::open(path).unwrap().into())
    }

    /// Where another process finds it.
    fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }

    /// Does something on a thread in the namespace.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        };
        thread::scope(|scope| scope.spawn(inside).join()).unwrap()
    }

    /// A service that tells every client the address it comes from. Ends with the test's process.
    pub(super) fn serve(&self, address: Ipv4Addr, port: u16) -> SocketAddr {
        let listener = self.run(|| TcpListener::bind((address, port)).unwrap());
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let peer = stream.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default();
                let _ = (&stream).write_all(peer.as_bytes());
            }
        });
        address
    }

    /// What the service there says, within [`LONG`].
    pub(super) fn ask(&self, service: SocketAddr) -> io::Result<String> {
        let mut stream = self.connect(service, LONG)?;
        stream.set_read_timeout(Some(LONG))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    pub(super) fn connect(&self, service: SocketAddr, within: Duration) -> io::Result<TcpStream> {
        self.run(|| TcpStream::connect_timeout(&service, within))
    }
}

/// The surroundings of a runner. The test's own thread is in the host.
pub(super) struct World {
    dir: TempDir,
    pub(super) host: Namespace,
    pub(super) outside: Namespace,
    pub(super) neighbour: Namespace,
}

/// Runs a test on a thread that is in the host's namespace, and looks afterwards that nothing is left.
#[expect(clippy::print_stderr, reason = "a skipped test says why on its own output")]
pub(super) fn in_world<F: Future<Output = ()>>(test: impl FnOnce(World) -> F + Send) {
    if let Some(missing) = missing_requirement() {
        assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "{missing}");
        eprintln!("skipped: {missing}");
        return;
    }
    let on_host = || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let world = World::build();
        let state_dir = world.config().state_dir;
        let dir = world.dir.path().to_owned();
        // All on this thread: programs and threads started from it are in its namespace.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(world));
        drop(runtime);
        assert!(!dir.exists(), "{state_dir:?} outlived the test");
    };
    thread::scope(|scope| scope.spawn(on_host).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn missing_requirement() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("these tests need root".to_owned());
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("/dev/net/tun is missing: load the kernel module tun".to_owned());
    }
    for (program, package) in [("/usr/sbin/nft", "nftables"), ("/usr/sbin/ip", "iproute2")] {
        if !Path::new(program).exists() && !Path::new(program.trim_start_matches("/usr")).exists() {
            return Some(format!("{program} is missing: install the Debian package {package}"));
        }
    }
    None
}

impl World {
    fn build() -> Self {
        let host = Namespace::at(Path::new("/proc/thread-self/ns/net"));
        let (outside, neighbour) = (Namespace::new(), Namespace::new());
        // A namespace copies these from the machine it is made on.
        fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
        fs::write("/proc/sys/net/ipv4/conf/default/forwarding", "0").unwrap();
        ip(&[
            "link set dev lo up".to_owned(),
            format!("link add name eth0 type veth peer name eth0 netns {}", outside.path().display()),
            format!("link add name eth1 type veth peer name eth0 netns {}", neighbour.path().display()),
            format!("address add {HOST}/24 dev eth0"),
            format!("address add {HOST_INSIDE}/24 dev eth1"),
            "link set dev eth0 up".to_owned(),
            "link set dev eth1 up".to_owned(),
        ]);
        outside.run(|| {
            ip(&[
                format!("address add {OUTSIDE}/24 dev eth0"),
                format!("address add {METADATA}/32 dev lo"),
                "link set dev eth0 up".to_owned(),
                // Somebody who knows where guests are, and tries.
                format!("route add 10.207.0.0/16 via {HOST}"),
                format!("route add 192.168.77.0/24 via {HOST}"),
            ]);
        });
        neighbour.run(|| {
            ip(&[
                format!("address add {NEIGHBOUR}/24 dev eth0"),
                "link set dev eth0 up".to_owned(),
                format!("route add default via {HOST_INSIDE}"),
            ]);
        });
        ip(&[format!("route add default via {OUTSIDE}"), format!("route add {METADATA}/32 via {OUTSIDE}")]);
        Self { dir: tempfile::Builder::new().prefix("network-test-").tempdir().unwrap(), host, outside, neighbour }
    }

    pub(super) fn config(&self) -> NetworkConfig {
        NetworkConfig { state_dir: self.dir.path().join("network"), ..NetworkConfig::default() }
    }

    pub(super) fn network(&self) -> Network {
        Network::open(self.config()).unwrap()
    }

    /// A network whose owner has changed something.
    pub(super) fn network_with(&self, change: impl FnOnce(&mut NetworkConfig)) -> Network {
        let mut config = self.config();
        change(&mut config);
        Network::open(config).unwrap()
    }

    pub(super) fn interfaces(&self) -> Vec<String> {
        let text = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let names = text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()));
        names.filter(|name| name.starts_with("bencher")).collect()
    }

    pub(super) fn tables(&self) -> Vec<String> {
        let listed = output("nft", &["list", "tables"]);
        listed.lines().filter(|line| line.contains("bencher")).map(str::to_owned).collect()
    }

    /// Whether the host forwards what comes in on an interface.
    pub(super) fn forwards(&self, interface: &str) -> bool {
        fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{interface}/forwarding")).unwrap().trim() == "1"
    }

    /// Nothing of any guest is left on the host, and the host is as it was.
    pub(super) fn assert_clean(&self) {
        assert_eq!(self.interfaces(), Vec::<String>::new());
        assert_eq!(self.tables(), Vec::<String>::new());
        let state_dir = self.config().state_dir;
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        assert!(!mounts.contains(state_dir.to_str().unwrap()), "{mounts}");
        let mut files: Vec<_> = fs::read_dir(state_dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, ["lock", "next"]);
        assert!(!self.forwards("eth0") && !self.forwards("eth1"));
    }
}

/// Whether a firewall said no, at once.
#[track_caller]
pub(super) fn assert_refused(answer: io::Result<String>) {
    let error = answer.expect_err("it was reached");
    assert_eq!(error.kind(), io::ErrorKind::HostUnreachable, "{error}");
}

pub(super) fn at(address: impl Into<IpAddr>, service: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.into(), service.port())
}

/// Runs lines of `ip` commands in the calling thread's namespace.
pub(super) fn ip(lines: &[String]) {
    let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{}\n", lines.join("\n")).as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{lines:?}");
}

/// Loads rules as another program would.
pub(super) fn load(rules: &str) {
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

pub(super) fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
