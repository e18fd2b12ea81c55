//! What systemd hears of the server.

use std::{os::unix::net::UnixDatagram, time::Duration};

use crate::support::{PATIENCE, binary, child::Child};

/// Waits until this is said to the service manager.
async fn hears(manager: &UnixDatagram, wanted: &'static str) -> String {
    let manager = manager.try_clone().expect("a socket can be shared");
    let heard = tokio::task::spawn_blocking(move || {
        loop {
            let mut buffer = [0; 4096];
            let read = manager.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted}: {error}"));
            let said = String::from_utf8_lossy(&buffer[..read]).into_owned();
            if said.lines().any(|line| line == wanted) {
                return said;
            }
        }
    });
    heard.await.expect("it is heard")
}

#[tokio::test]
async fn systemd_hears_that_the_server_listens_lives_and_stops() {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a bound");
    // Signs of life are asked of one process by its number, which a shell knows before it becomes that process.
    let script = "WATCHDOG_PID=$$ exec \"$@\"";
    let server = Child::spawn("sh".as_ref(), &dir.path().join("server.log"), |command| {
        command.args(["-c", script, "sh"]).arg(binary("bencher-api")).arg("--config").arg(dir.path().join("server.json"));
        command.env("BENCHER_BIND_ADDRESS", "127.0.0.1:0").env("NOTIFY_SOCKET", &socket);
        command.env("WATCHDOG_USEC", Duration::from_millis(300).as_micros().to_string());
    });
    let ready = hears(&manager, "READY=1").await;
    assert!(ready.contains("STATUS=listening at 127.0.0.1:"), "{ready}");
    hears(&manager, "WATCHDOG=1").await;
    hears(&manager, "WATCHDOG=1").await;
    let (stopping, ()) = tokio::join!(hears(&manager, "STOPPING=1"), server.terminate());
    assert!(stopping.contains("STATUS="), "{stopping}");
}
