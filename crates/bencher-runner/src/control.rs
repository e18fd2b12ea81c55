//! The local control channel: how `runner status` and `runner stop` talk to the runner on the same machine.
//!
//! A Unix socket `control.sock` in the data folder, for the runner's own user and root. One connection carries one request, a
//! line of JSON, and its answer: a line of JSON, or for `stop` a line at each change until the runner has gone.
//!
//! ```text
//! → {"version":1,"request":"status"}
//! ← {"version":1,"status":{"state":"idle",…}}
//! → {"version":1,"request":"stop","cancel":false}
//! ← {"version":1,"status":{"state":"draining",…}}      …
//! ```
//!
//! The socket of a runner that was killed stays behind; nobody listens at it, and the next runner, which holds the folder's
//! lock, replaces it.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub mod client;
pub mod server;
pub mod status;

use status::Status;

/// The version of the protocol that this program speaks.
pub const VERSION: u32 = 1;
/// The socket's name in the data folder.
pub(crate) const SOCKET: &str = "control.sock";
/// Bound of a request in bytes.
pub(crate) const MAX_REQUEST: u64 = 4096;
/// Bound of an answer's line in bytes.
pub(crate) const MAX_REPLY: u64 = 64 * 1024;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Ask {
    Status,
    /// Take no further job, finish or cancel the running one, deliver, end.
    Stop {
        #[serde(default)]
        cancel: bool,
    },
}

/// A line to the runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub version: u32,
    #[serde(flatten)]
    pub ask: Ask,
}

/// A line from the runner: one of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    pub version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The socket's path by way of its open folder: the address of a socket has room for 108 bytes, a path may be longer.
struct Address {
    _folder: File,
    path: PathBuf,
}

impl Address {
    fn of(data_dir: &Path) -> io::Result<Self> {
        let folder = File::open(data_dir)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
        Ok(Self { _folder: folder, path })
    }
}
