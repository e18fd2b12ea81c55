//! The registries that are measured: ours as it is installed, and Debian's `docker-registry`, which asks nobody who he is.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::line::Line;
use crate::{
    images,
    processes::{Server, free_address, given},
};

/// Where everything is pushed to.
const REPOSITORY: &str = "bench";
const PATIENCE: Duration = Duration::from_secs(30);

/// A registry that runs.
pub(super) struct Registry {
    pub(super) name: &'static str,
    address: SocketAddr,
    pub(super) pid: u32,
    /// Ours, which asks for tokens.
    ours: Option<Server>,
    /// Another one's process, which is killed when it is dropped, and its folder.
    _other: Option<(Child, TempDir)>,
}

/// How to reach a registry, from any thread.
#[derive(Clone, Debug)]
pub(super) struct Way {
    address: SocketAddr,
    authorization: Option<String>,
}

impl Way {
    pub(super) fn line(&self) -> Result<Line> {
        Line::connect(self.address, self.authorization.clone())
    }
}

/// The path of something in the repository.
pub(super) fn path(rest: &str) -> String {
    format!("/v2/{REPOSITORY}/{rest}")
}

impl Registry {
    pub(super) async fn ours() -> Result<Self> {
        let server = Server::start().await?;
        server.prepare().await?;
        let address = server.url.trim_start_matches("http://").parse()?;
        Ok(Self { name: "ours", address, pid: server.pid()?, ours: Some(server), _other: None })
    }

    pub(super) async fn debians() -> Result<Self> {
        let program =
            given("BENCH_DOCKER_REGISTRY").context("BENCH_DOCKER_REGISTRY names no program: `cargo xtask bench` sets it")?;
        let (folder, address) = (tempfile::tempdir()?, free_address()?);
        let config = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nhttp: {{ addr: \"{address}\" }}\n\
             storage: {{ filesystem: {{ rootdirectory: \"{}\" }}, delete: {{ enabled: true }} }}\n",
            folder.path().join("registry").display()
        );
        let file = folder.path().join("config.yml");
        std::fs::write(&file, config)?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut command = Command::new(program);
        command.arg("serve").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        // As it sets itself up, it sends traces to a collector that is not there.
        let child = command.env("OTEL_TRACES_EXPORTER", "none").spawn()?;
        let pid = child.id().context("the registry has ended")?;
        let begun = std::time::Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            ensure!(begun.elapsed() < PATIENCE, "docker-registry did not start");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Self { name: "Debian's docker-registry", address, pid, ours: None, _other: Some((child, folder)) })
    }

    /// A way that is open for some minutes.
    pub(super) async fn way(&self) -> Result<Way> {
        let authorization = match &self.ours {
            Some(server) => Some(format!("Bearer {}", images::token(server, REPOSITORY, "pull,push").await?)),
            None => None,
        };
        Ok(Way { address: self.address, authorization })
    }
}
