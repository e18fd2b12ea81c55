//! The runner's end of the control channel.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tracing::{debug, info, warn};

use super::{Address, Ask, MAX_REQUEST, Reply, Request, SOCKET, VERSION, status::Status};
use crate::{daemon::Stop, data_dir::DataDir};

/// How long a request may take to come, and an answer to go.
const LINE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at once; each is one person or script.
const MAX_CONNECTIONS: usize = 16;
/// How long to wait before listening again after the system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The control channel cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("could not open the control channel {path}")]
pub struct OpenError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// An open control channel. Dropping it closes it.
#[derive(Debug)]
#[must_use = "the channel is closed when this is dropped"]
pub struct Control {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        if let Err(error) = fs::remove_file(&self.path) {
            debug!(%error, "could not remove the control socket");
        }
    }
}

/// Listens in the folder that this process has locked, in the place of a killed runner's socket.
///
/// # Errors
/// The folder takes no socket.
pub fn listen(data: &DataDir, status: watch::Receiver<Status>, stop: mpsc::Sender<Stop>) -> Result<Control, OpenError> {
    let path = data.as_ref().join(SOCKET);
    let listener = bind(data.as_ref(), &path).map_err(|source| OpenError { path: path.clone(), source })?;
    let task = tokio::spawn(serve(listener, status, stop));
    Ok(Control { path, task })
}

fn bind(data_dir: &Path, path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let address = Address::of(data_dir)?;
    let listener = UnixListener::bind(&address.path)?;
    // The folder is closed to others already, and each caller's user is looked at.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn serve(listener: UnixListener, status: watch::Receiver<Status>, stop: mpsc::Sender<Stop>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "could not take a connection on the control channel");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (status, stop) = (status.clone(), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = answer(stream, status, stop).await {
                debug!(%error, "a connection on the control channel ended early");
            }
        });
    }
}

async fn answer(stream: UnixStream, mut status: watch::Receiver<Status>, stop: mpsc::Sender<Stop>) -> io::Result<()> {
    let caller = stream.peer_cred()?;
    let own = rustix::process::geteuid();
    if caller.uid() != 0 && caller.uid() != own.as_raw() {
        warn!(uid = caller.uid(), "refused another user on the control channel");
        return Ok(());
    }
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(MAX_REQUEST));
    timeout(LINE_TIMEOUT, read.read_line(&mut line)).await??;
    let ask = match parse(&line) {
        Ok(ask) => ask,
        Err(problem) => return say(&mut write, &Reply { version: VERSION, status: None, error: Some(problem) }).await,
    };
    let now = |status: &mut watch::Receiver<Status>| {
        let status = status.borrow_and_update().clone();
        Reply { version: VERSION, status: Some(status), error: None }
    };
    let cancel = match ask {
        Ask::Status => return say(&mut write, &now(&mut status)).await,
        Ask::Stop { cancel } => cancel,
    };
    info!(cancel, "told to stop over the control channel");
    // Where it cannot be sent any more, the runner is leaving already.
    let _ = stop.send(if cancel { Stop::Cancel } else { Stop::Drain }).await;
    loop {
        say(&mut write, &now(&mut status)).await?;
        if status.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// The request of a line. The version is looked at first: another one's requests may look different.
fn parse(line: &str) -> Result<Ask, String> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let unreadable = |error: serde_json::Error| format!("the request cannot be read: {error}");
    let Versioned { version } = serde_json::from_str(line).map_err(unreadable)?;
    if version != VERSION {
        return Err(format!(
            "this runner (version {}) speaks version {VERSION} of the control protocol, not {version}: use its own `runner` program",
            env!("CARGO_PKG_VERSION")
        ));
    }
    Ok(serde_json::from_str::<Request>(line).map_err(unreadable)?.ask)
}

async fn say(write: &mut (impl tokio::io::AsyncWrite + Unpin), reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply).map_err(io::Error::other)?;
    line.push(b'\n');
    timeout(LINE_TIMEOUT, write.write_all(&line)).await?
}

#[cfg(test)]
mod tests;
