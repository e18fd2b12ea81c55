//! Real guests: how they start, speak and end.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
};

use crate::support::{KERNEL, LONG, PROBE, StandIn, eventually, has_guests};

fn state(stand_in: &StandIn) -> String {
    let info: serde_json::Value = serde_json::from_str(&stand_in.request("GET", "/", "").body).unwrap();
    info["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_restart_of_the_guest_is_success() {
    if !has_guests() {
        return;
    }
    let mut stand_in = StandIn::start();
    stand_in.boot("probe=reboot");
    assert_eq!(stand_in.wait().code(), Some(0));
    assert!(stand_in.serial().contains("probe: begins"), "{}", stand_in.serial());
    assert_eq!(stand_in.processes(), Vec::<String>::new());
    assert!(stand_in.path("api").exists(), "the socket is left behind");
}

#[test]
fn a_panic_ends_the_process_where_the_kernel_restarts_after_it() {
    if !has_guests() {
        return;
    }
    let mut stand_in = StandIn::start();
    stand_in.boot("panic=1 probe=panic");
    assert_eq!(stand_in.wait().code(), Some(0), "as every end of a guest");
}

#[test]
fn a_guest_that_powers_off_or_panics_for_good_keeps_the_process() {
    if !has_guests() {
        return;
    }
    for (arguments, last_words) in [("panic=1 probe=poweroff", "Power down"), ("probe=panic", "Attempted to kill init")] {
        let mut stand_in = StandIn::start();
        // The kernel's last words are the sign that the guest has come to its end.
        stand_in.boot(&format!("{arguments} loglevel=7"));
        eventually(last_words, || {
            let serial = stand_in.serial();
            serial.contains(last_words) || serial.contains("System halted")
        });
        assert_eq!(state(&stand_in), "Running");
        assert!(stand_in.child.try_wait().unwrap().is_none());
        stand_in.child.kill().unwrap();
        stand_in.child.wait().unwrap();
        eventually("the end of every process", || stand_in.processes().is_empty());
    }
}

#[test]
fn a_guest_calls_the_host() {
    if !has_guests() {
        return;
    }
    let mut stand_in = StandIn::start();
    let listener = UnixListener::bind(stand_in.path("v_5000")).unwrap();
    stand_in.vsock();
    stand_in.boot("probe=call");
    let (mut caller, _) = listener.accept().unwrap();
    let mut said = [0; 21];
    caller.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"hello from the guest\n");
    caller.write_all(b"hello from the host").unwrap();
    assert_eq!(stand_in.wait().code(), Some(0));
    assert!(stand_in.serial().contains("the host said \"hello from the host\""), "{}", stand_in.serial());
    assert!(stand_in.path("v").exists(), "the socket is left behind");
}

#[test]
fn the_host_calls_a_guest() {
    if !has_guests() {
        return;
    }
    let mut stand_in = StandIn::start();
    stand_in.vsock();
    stand_in.boot("probe=listen");
    stand_in.wait_for_serial("probe: listens");
    let stream = UnixStream::connect(stand_in.path("v")).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(b"CONNECT 52\n").unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert!(line.starts_with("OK "), "{line:?}");
    stream.get_mut().write_all(b"ping").unwrap();
    let mut heard = [0; 4];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"ping");
    drop(stream);
    assert_eq!(stand_in.wait().code(), Some(0));
}

#[test]
fn keys_reach_a_guest_that_listens_for_them() {
    if !has_guests() {
        return;
    }
    let mut stand_in = StandIn::start();
    stand_in.boot("probe=keys");
    stand_in.wait_for_serial("probe: waits for keys");
    stand_in.put("/actions", &serde_json::json!({ "action_type": "SendCtrlAltDel" }));
    assert_eq!(stand_in.wait().code(), Some(0));
    assert!(stand_in.serial().contains("probe: keys"), "{}", stand_in.serial());
}

#[test]
fn a_guest_at_work_can_be_paused_and_resumed() {
    if !has_guests() {
        return;
    }
    let stand_in = StandIn::start();
    stand_in.boot("probe=spin");
    stand_in.wait_for_serial("probe: round 1");
    for _ in 0..3 {
        let pause = stand_in.request("PATCH", "/vm", r#"{"state":"Paused"}"#);
        assert_eq!((pause.status, state(&stand_in).as_str()), (204, "Paused"));
        let before = stand_in.serial();
        let resume = stand_in.request("PATCH", "/vm", r#"{"state":"Resumed"}"#);
        assert_eq!((resume.status, state(&stand_in).as_str()), (204, "Running"));
        eventually("a further round", || stand_in.serial().matches("round").count() > before.matches("round").count() + 1);
    }
}

#[test]
fn a_killed_stand_in_takes_its_guest_with_it() {
    if !has_guests() {
        return;
    }
    let mut stand_in = StandIn::start();
    stand_in.vsock();
    // Some of the kernel's processes can be told from others only by a path in their arguments.
    stand_in.boot(&format!("probe=spin mark={}", stand_in.dir.path().display()));
    stand_in.wait_for_serial("probe: round 1");
    let alive = stand_in.processes();
    assert!(alive.iter().filter(|line| line.contains("linux.uml")).count() > 1, "{alive:?}");
    stand_in.child.kill().unwrap();
    stand_in.child.wait().unwrap();
    eventually("the end of every process", || stand_in.processes().is_empty());
}

#[test]
fn a_file_holds_the_whole_configuration_and_starts_the_guest() {
    if !has_guests() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let serial = dir.path().join("serial");
    let arguments = format!("console=ttyS0 quiet rootfstype=hostfs rootflags=/ root=/dev/root ro init={PROBE} probe=reboot");
    let config = serde_json::json!({
        "boot-source": { "kernel_image_path": KERNEL, "boot_args": arguments },
        "drives": [],
        "machine-config": { "vcpu_count": 1, "mem_size_mib": 64 },
        "serial": { "serial_out_path": serial },
    });
    fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let status = std::process::Command::new(crate::support::FIRECRACKER)
        .args(["--no-api", "--config-file"])
        .arg(dir.path().join("config.json"))
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(fs::read_to_string(serial).unwrap().contains("probe: begins"));
}
