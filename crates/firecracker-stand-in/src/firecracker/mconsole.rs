//! The management console of User Mode Linux: one datagram, one answer. It is how a key press reaches its guest.

use std::{io, path::Path, time::Duration};

use tokio::{net::UnixDatagram, time::timeout};

const MAGIC: u32 = 0xcafe_babe;
const VERSION: u32 = 2;
/// The room for text in a message of either side.
const DATA: usize = 512;
/// A guest that does not answer is not waited for, as nobody waits for a keyboard's interrupt.
const ANSWER: Duration = Duration::from_secs(2);

/// Presses Ctrl, Alt and Del.
pub(crate) async fn ctrl_alt_del(run_dir: &Path, console: &Path) -> io::Result<()> {
    let reply_to = run_dir.join("console-reply");
    let _ = std::fs::remove_file(&reply_to);
    let socket = UnixDatagram::bind(&reply_to)?;
    socket.send_to(&request("cad"), console).await?;
    let mut reply = [0; 12 + DATA];
    // Whether it was understood cannot be told to anybody.
    let _ = timeout(ANSWER, socket.recv(&mut reply)).await;
    std::fs::remove_file(&reply_to)
}

fn request(command: &str) -> Vec<u8> {
    let length = u32::try_from(command.len()).unwrap_or(0);
    let mut message = [MAGIC, VERSION, length].map(u32::to_ne_bytes).concat();
    message.extend_from_slice(command.as_bytes());
    message.resize(12 + DATA, 0);
    message
}
