//! A guest's end of a tap: a kernel's network stack in a namespace of its own, joined to the tap by a process that copies
//! frames, as a machine monitor does.

use std::{
    fs::File,
    io::{PipeWriter, Read, Write, pipe},
    net::Ipv4Addr,
    path::Path,
    thread::{self, JoinHandle},
};

use bencher_runner::sandbox::firecracker::network::Attached;
use nix::libc;
use rustix::event::{PollFd, PollFlags, poll};

use super::world::{Namespace, ip};

nix::ioctl_write_ptr_bad!(set_interface, libc::TUNSETIFF, libc::ifreq);

/// A guest that is plugged in.
pub(super) struct Guest {
    pub(super) namespace: Namespace,
    pub(super) address: Ipv4Addr,
    /// Closed, it ends the thread.
    stop: Option<PipeWriter>,
    cable: Option<JoinHandle<()>>,
}

impl Guest {
    /// What a guest does with its configuration, on the tap as the machine monitor's user opens it.
    pub(super) fn plug(attached: &Attached, uid: u32) -> Self {
        let namespace = Namespace::new();
        let tap = open_as(&attached.netns_path, &attached.tap_name, uid).unwrap();
        let guest = &attached.guest;
        let own = namespace.run(|| {
            let own = open_tap(&guest.interface).unwrap();
            ip(&[
                format!("link set dev {} address {} up", guest.interface, attached.mac),
                format!("address add {}/{} dev {}", guest.address, guest.prefix, guest.interface),
                format!("route add default via {}", guest.gateway),
            ]);
            own
        });
        let (stopped, stop) = pipe().unwrap();
        let cable = thread::spawn(move || copy(tap, own, &stopped));
        Self { namespace, address: guest.address, stop: Some(stop), cable: Some(cable) }
    }
}

impl Drop for Guest {
    /// The taps are closed when this returns, as those of a machine that is gone.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(cable) = self.cable.take() {
            let _ = cable.join();
        }
    }
}

/// Opens a tap as a user without any rights.
pub(super) fn open_as(netns: &Path, name: &str, uid: u32) -> std::io::Result<File> {
    Namespace::at(netns).run(|| {
        let tun = File::options().read(true).write(true).open("/dev/net/tun")?;
        // Of this thread alone, which ends with the closure.
        let uid = rustix::process::Uid::from_raw(uid);
        rustix::thread::set_thread_uid(uid)?;
        join_tap(tun, name)
    })
}

fn open_tap(name: &str) -> std::io::Result<File> {
    join_tap(File::options().read(true).write(true).open("/dev/net/tun")?, name)
}

fn join_tap(tun: File, name: &str) -> std::io::Result<File> {
    // SAFETY: all zeroes is a valid `ifreq`: numbers and characters only.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::try_from(from).unwrap();
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_TAP | libc::IFF_NO_PI).unwrap();
    // SAFETY: the descriptor is open and the request lives as long as the call.
    unsafe { set_interface(std::os::fd::AsRawFd::as_raw_fd(&tun), &raw const request) }?;
    Ok(tun)
}

fn copy(mut one: File, mut other: File, stopped: &std::io::PipeReader) {
    let mut frame = vec![0; 1 << 16];
    loop {
        let mut ready =
            [PollFd::new(&one, PollFlags::IN), PollFd::new(&other, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        poll(&mut ready, None).unwrap();
        let [from_one, from_other, end] = ready.map(|fd| !fd.revents().is_empty());
        if end {
            return;
        }
        // A tap whose interface is gone answers with an error for ever.
        if from_one && !pass(&mut one, &mut other, &mut frame) || from_other && !pass(&mut other, &mut one, &mut frame) {
            return;
        }
    }
}

fn pass(from: &mut File, to: &mut File, frame: &mut [u8]) -> bool {
    let Ok(length) = from.read(frame) else { return false };
    // An interface that is down takes nothing, as a guest that has not set it up.
    let _ = to.write(&frame[..length]);
    true
}
