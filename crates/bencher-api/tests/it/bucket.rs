//! A real server that speaks S3's protocol: Garage, with a folder and a bucket of its own.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bencher_api::{
    blobs,
    config::{Config, DataStore, Registry, S3},
};
use bencher_types::Secret;

/// Until it serves; only a test that fails waits so long.
const START: Duration = Duration::from_secs(60);
/// Somebody else may take the free port that was found.
const TRIES: usize = 5;

const KEY: &str = "GK0123456789abcdef01234567";
const SECRET: &str = "5ec2e7000000000000000000000000000000000000000000000000005ec2e700";

/// A running server with the bucket `bench`. It ends, and its content goes, when this is dropped.
pub(crate) struct Bucket {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Bucket {
    /// `None` where Garage is not installed and nobody insists.
    pub(crate) async fn start() -> Option<Self> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let Some(program) = program() else {
            assert!(
                std::env::var_os("BENCHER_TEST_REQUIRE").is_none(),
                "garage is not installed: `cargo xtask test` puts it into target/tools/bin"
            );
            return None;
        };
        for _ in 0..TRIES {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let port =
                std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
            let process = spawn(&program, folder.path(), port);
            let mut bucket = Self { process, port, folder };
            if bucket.serves().await {
                return Some(bucket);
            }
        }
        panic!("garage did not start on any of {TRIES} ports");
    }

    /// Ends the server at once. What it has stored stays.
    pub(crate) fn stop(&mut self) {
        self.process.kill().ok();
        self.process.wait().expect("the process ends");
    }

    /// Starts it again on what it has stored.
    pub(crate) async fn start_again(&mut self) {
        self.process = spawn(&program().expect("it was there before"), self.folder.path(), self.port);
        assert!(self.serves().await, "the port was taken meanwhile");
    }

    /// How a configuration names the bucket, or a folder in it.
    pub(crate) fn s3(&self, access_point: &str) -> S3 {
        S3 {
            access_key_id: KEY.to_owned(),
            secret_access_key: Secret::new(SECRET),
            access_point: access_point.to_owned(),
            // The smallest, so that blobs of a test have several parts.
            chunk_size: Some(5 << 20),
            region: Some("garage".to_owned()),
            endpoint: Some(format!("http://127.0.0.1:{}", self.port).parse().expect("a URL")),
        }
    }

    /// Blobs go to the bucket.
    pub(crate) fn keep_blobs(&self, config: &mut Config) {
        let plus = config.plus.get_or_insert_default();
        plus.registry.get_or_insert_with(Registry::default).data_store = Some(DataStore::AwsS3(self.s3("bench/blobs-of/ours")));
    }

    /// Whether it serves; not where it ended, because the port was taken.
    async fn serves(&mut self) -> bool {
        let bucket = blobs::bucket(&self.s3("bench")).expect("a usable configuration");
        let until = Instant::now() + START;
        loop {
            if self.process.try_wait().expect("a process of ours").is_some() {
                return false;
            }
            match blobs::probe(bucket.as_ref()).await {
                Ok(()) => return true,
                Err(error) => assert!(Instant::now() < until, "garage does not serve: {error}"),
            }
        }
    }
}

/// Beside the build, where `cargo xtask setup` puts it, or on the path.
fn program() -> Option<PathBuf> {
    let test = std::env::current_exe().expect("this program");
    let installed = test.ancestors().map(|folder| folder.join("tools/bin/garage")).find(|file| file.is_file());
    installed.or_else(|| {
        let found = Command::new("garage").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        found.then(|| PathBuf::from("garage"))
    })
}

fn spawn(program: &std::path::Path, folder: &std::path::Path, port: u16) -> Child {
    let config = folder.join("garage.toml");
    let text = format!(
        "metadata_dir = '{0}/meta'\ndata_dir = '{0}/data'\ndb_engine = 'sqlite'\nmetadata_fsync = false\ndata_fsync = false\n\
         replication_factor = 1\nrpc_bind_addr = '127.0.0.1:0'\nrpc_public_addr = '127.0.0.1:3901'\nrpc_secret = '{SECRET}'\n\
         [s3_api]\ns3_region = 'garage'\napi_bind_addr = '127.0.0.1:{port}'\nroot_domain = '.s3.localhost'\n",
        folder.display()
    );
    std::fs::write(&config, text).expect("a configuration");
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("a log");
    let mut command = Command::new(program);
    command.arg("--config").arg(&config).args(["server", "--single-node", "--default-bucket"]);
    command.env("GARAGE_DEFAULT_ACCESS_KEY", KEY).env("GARAGE_DEFAULT_SECRET_KEY", SECRET).env("GARAGE_DEFAULT_BUCKET", "bench");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("garage starts")
}
