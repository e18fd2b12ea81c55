//! The other end of the control channel: finding the runner of a data folder and asking it.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    process::{Pid, PidfdFlags, pidfd_open},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use super::{Address, Ask, MAX_REPLY, Reply, Request, VERSION, status::Status};

/// How long a healthy runner may take for the first line of an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a process may take to end once it has closed the channel.
const LAST_STEPS: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Why a runner cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("could not look into {path}; run this as the runner's user or as root, or name the runner's folder with --data-dir")]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "a runner (process {pid}) has {path} but does not answer: it is just starting or stopping, hangs, or cannot open its \
         control channel; its log says more"
    )]
    Silent { path: PathBuf, pid: u32 },
    #[error("the connection to the runner broke")]
    Broken(#[source] io::Error),
    #[error("the runner did not answer within {} seconds", ANSWER_TIMEOUT.as_secs())]
    Timeout,
    #[error("the runner's answer cannot be read: is it of another version?")]
    Unreadable(#[source] serde_json::Error),
    #[error("the runner refused: {0}")]
    Refused(String),
}

/// A connection to a runner that lives.
#[derive(Debug)]
pub struct Peer {
    lines: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    /// Readable once the process has ended. Absent where it is not visible from here.
    process: Option<OwnedFd>,
}

/// Finds the runner that uses a folder; `None` where there is none.
///
/// # Errors
/// The folder is closed to this user, or its runner does not take connections.
pub async fn find(data_dir: &Path) -> Result<Option<Peer>, AskError> {
    let closed = |source| AskError::Folder { path: data_dir.to_owned(), source };
    let address = match Address::of(data_dir) {
        Ok(address) => address,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(closed(error)),
    };
    match UnixStream::connect(&address.path).await {
        Ok(stream) => Ok(Some(Peer::new(stream))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => match holder(data_dir) {
            Some(pid) => Err(AskError::Silent { path: data_dir.to_owned(), pid }),
            None => Ok(None),
        },
        Err(error) => Err(closed(error)),
    }
}

/// The process that holds the folder's lock, found without touching the lock: a runner may be about to take it.
fn holder(data_dir: &Path) -> Option<u32> {
    let path = data_dir.join("lock");
    let inode = fs::metadata(&path).ok()?.ino().to_string();
    let pid: u32 = fs::read_to_string(&path).ok()?.trim().parse().ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().any(|line| is_lock_of(line, pid, &inode)).then_some(pid)
}

/// A line such as `1: FLOCK  ADVISORY  WRITE 4242 fe:01:1234 0 EOF`.
fn is_lock_of(line: &str, pid: u32, inode: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "FLOCK", _, _, of, file, ..] = words.as_slice() else { return false };
    *of == pid.to_string() && file.rsplit(':').next() == Some(inode)
}

impl Peer {
    fn new(stream: UnixStream) -> Self {
        let pid = stream.peer_cred().ok().and_then(|peer| peer.pid()).and_then(Pid::from_raw);
        let process = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let (read, write) = stream.into_split();
        Self { lines: BufReader::new(read), write, process }
    }

    /// Asks and returns the first line of the answer.
    ///
    /// # Errors
    /// The runner does not answer, or refuses.
    pub async fn ask(&mut self, ask: Ask) -> Result<Status, AskError> {
        let mut line = serde_json::to_vec(&Request { version: VERSION, ask }).map_err(AskError::Unreadable)?;
        line.push(b'\n');
        let asked = async {
            self.write.write_all(&line).await.map_err(AskError::Broken)?;
            self.next().await
        };
        let gone = || AskError::Broken(ErrorKind::UnexpectedEof.into());
        timeout(ANSWER_TIMEOUT, asked).await.map_err(|_| AskError::Timeout)??.ok_or_else(gone)
    }

    /// The next line of an answer, as late as it comes; `None` once the runner has closed the channel.
    ///
    /// # Errors
    /// The line cannot be read.
    pub async fn next(&mut self) -> Result<Option<Status>, AskError> {
        let mut line = String::new();
        match (&mut self.lines).take(MAX_REPLY).read_line(&mut line).await {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(AskError::Broken(error)),
        }
        let reply: Reply = serde_json::from_str(&line).map_err(AskError::Unreadable)?;
        match (reply.status, reply.error) {
            (Some(status), None) => Ok(Some(status)),
            (_, problem) => Err(AskError::Refused(problem.unwrap_or_else(|| "it says nothing".to_owned()))),
        }
    }

    /// Waits for the end of a process that has closed the channel, where it can be seen from here.
    pub async fn ended(&mut self) {
        let Some(process) = self.process.take() else { return };
        let watch = move || poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&LAST_STEPS));
        // An error says that it cannot be watched, which is no reason to wait on.
        let _ = tokio::task::spawn_blocking(watch).await;
    }
}

#[cfg(test)]
mod tests;
