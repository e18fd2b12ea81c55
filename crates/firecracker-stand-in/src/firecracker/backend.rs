//! The process behind the vsock device: it makes the socket for connections into the guest, and connects to `<socket>_<port>`
//! for those out of it.

use std::{
    io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{fault::Fault, resources::Vsock};

/// It is ready within some milliseconds; a machine under load gets a thousand times as many.
const READY: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

pub(crate) struct Backend {
    process: Child,
    /// Where the guest's kernel connects to it.
    pub(crate) device: PathBuf,
    uds_path: PathBuf,
}

impl Backend {
    /// Returns when both sockets are there.
    pub(crate) async fn start(program: &Path, run_dir: &Path, vsock: &Vsock, generation: u32) -> Result<Self, Fault> {
        let uds_path = PathBuf::from(&vsock.uds_path);
        if uds_path.symlink_metadata().is_ok() {
            return Err(Fault::VsockBind(io::Error::from_raw_os_error(nix::libc::EADDRINUSE)));
        }
        let device = run_dir.join(format!("vsock-{generation}"));
        let process = Command::new(program)
            .args(["--guest-cid", &vsock.guest_cid.to_string()])
            .arg("--socket")
            .arg(&device)
            .arg("--uds-path")
            .arg(&uds_path)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(Fault::VsockBind)?;
        let mut backend = Self { process, device, uds_path };
        let deadline = Instant::now() + READY;
        while !backend.is_ready() {
            if let Ok(Some(status)) = backend.process.try_wait() {
                return Err(Fault::VsockBind(io::Error::other(format!("the process behind the device ended with {status}"))));
            }
            if Instant::now() > deadline {
                return Err(Fault::VsockBind(io::ErrorKind::TimedOut.into()));
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(backend)
    }

    /// The device's own socket must not be connected to: it serves one client.
    fn is_ready(&self) -> bool {
        self.device.exists() && UnixStream::connect(&self.uds_path).is_ok()
    }

    /// Ends it, and removes the socket that a new one would find taken.
    pub(crate) async fn replace(mut self) {
        let _ = self.process.kill().await;
        let _ = std::fs::remove_file(&self.uds_path);
    }
}
