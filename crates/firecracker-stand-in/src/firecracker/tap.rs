//! The host's end of a network interface. Firecracker opens it when it is configured, which makes one that is not there;
//! here that is only tried, for the guest's kernel opens it itself.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::AsRawFd as _,
};

use nix::libc;

/// A name with its terminator.
const NAME: usize = 16;
const NOT_A_NAME: &str = "Invalid interface name";

nix::ioctl_write_ptr_bad!(set_interface, libc::TUNSETIFF, libc::ifreq);

/// The interface exists as long as it is open, if it was not there before.
pub(crate) fn open(name: &str) -> io::Result<File> {
    if name.is_empty() || name.len() >= NAME {
        return Err(io::Error::other(NOT_A_NAME));
    }
    let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: a request of zeros is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    let flags = libc::IFF_TAP | libc::IFF_NO_PI;
    request.ifr_ifru.ifru_flags = i16::try_from(flags).map_err(io::Error::other)?;
    // SAFETY: the request is valid and outlives the call.
    unsafe { set_interface(file.as_raw_fd(), &raw const request) }?;
    Ok(file)
}
