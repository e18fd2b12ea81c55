//! Connections to the host over vsock.

use std::{fs::File, io, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    net::{
        AddressFamily, SocketFlags, SocketType,
        addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque},
        connect, socket_with,
        sockopt::{Timeout, set_socket_timeout, socket_error},
    },
};

use crate::{
    clock::{self, Moment},
    limits,
};

/// The host, by the name it has in every guest.
const HOST: u32 = 2;

/// `struct sockaddr_vm`, which the crate for system calls does not know.
#[repr(C)]
struct HostAddress {
    family: u16,
    reserved: u16,
    port: u32,
    cid: u32,
    flags: u8,
    zero: [u8; 3],
}

impl HostAddress {
    const LENGTH: SocketAddrLen = 16;
}

const _: () = assert!(size_of::<HostAddress>() == 16, "the length of an address is that of its structure");

// SAFETY: the pointer is to the whole of a `sockaddr_vm`, alive for the call.
unsafe impl SocketAddrArg for HostAddress {
    unsafe fn with_sockaddr<R>(&self, f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R) -> R {
        f(std::ptr::from_ref(self).cast(), HostAddress::LENGTH)
    }
}

/// Connects to a port of the host, patiently. What is sent or read blocks for a bounded time.
pub(crate) fn connect_to_host(port: u32, patience: Duration) -> io::Result<File> {
    let deadline = Moment::now().after(patience);
    loop {
        match attempt(port) {
            Ok(connection) => return Ok(connection),
            // Without a driver there will be no connection, however long one waits.
            Err(error) if is_hopeless(&error) || Moment::now() >= deadline => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            Err(_) => clock::pause(limits::CONNECT_PAUSE),
        }
    }
}

fn attempt(port: u32) -> io::Result<File> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::VSOCK, SocketType::STREAM, flags, None)?;
    let address = HostAddress { family: AddressFamily::VSOCK.as_raw(), reserved: 0, port, cid: HOST, flags: 0, zero: [0; 3] };
    match connect(&socket, &address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS | Errno::INTR) => await_connection(&socket, limits::CONNECT_ATTEMPT)?,
        Err(error) => return Err(error.into()),
    }
    rustix::io::ioctl_fionbio(&socket, false)?;
    for timeout in [Timeout::Send, Timeout::Recv] {
        set_socket_timeout(&socket, timeout, Some(limits::HOST_WAIT))?;
    }
    Ok(File::from(socket))
}

fn is_hopeless(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

fn await_connection(socket: &impl std::os::fd::AsFd, bound: Duration) -> io::Result<()> {
    let mut polled = [PollFd::new(socket, PollFlags::OUT)];
    let ready = rustix::io::retry_on_intr(|| poll(&mut polled, Some(&clock::timespec(bound))))?;
    if ready == 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(socket_error(socket)??)
}
