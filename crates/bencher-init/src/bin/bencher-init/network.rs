//! The network: `lo` always, one more interface where the configuration has one.

mod netlink;

use std::{fmt::Write as _, fs, io, net::Ipv4Addr, path::Path};

use bencher_init::{config::GuestNetwork, control::GuestFailure};

use self::netlink::Netlink;
use crate::{clock, failure, limits};

/// Brings everything up that there is to be.
pub(crate) fn up(network: Option<&GuestNetwork>) -> Result<(), GuestFailure> {
    let mut netlink = Netlink::open().map_err(failure::system("talk to the kernel about the network"))?;
    netlink.interface("lo").and_then(|lo| netlink.up(lo)).map_err(failure::system("bring up lo"))?;
    network.map_or(Ok(()), |network| outside(&mut netlink, network))
}

fn outside(netlink: &mut Netlink, network: &GuestNetwork) -> Result<(), GuestFailure> {
    let name = &network.interface;
    let set_up = |action: &str| failure::system(format!("{action} {name}"));
    clock::wait_until(limits::DEVICE_WAIT, limits::DEVICE_POLL, || netlink.interface(name).is_ok());
    let interface = netlink.interface(name).map_err(set_up("find the interface"))?;
    netlink.address(interface, network.address, network.prefix).map_err(set_up("give an address to"))?;
    netlink.up(interface).map_err(set_up("bring up"))?;
    if network.gateway != Ipv4Addr::UNSPECIFIED {
        netlink.default_route(interface, network.gateway).map_err(set_up("route through"))?;
    }
    if network.nameservers.is_empty() {
        return Ok(());
    }
    write_resolver(Path::new("/etc/resolv.conf"), network).map_err(failure::system("write /etc/resolv.conf"))
}

/// Replaces what the image has, which may be a link to a place that only exists on a running system.
fn write_resolver(path: &Path, network: &GuestNetwork) -> io::Result<()> {
    let mut text = String::new();
    for nameserver in &network.nameservers {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "nameserver {nameserver}");
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::write(path, text)
}

#[cfg(test)]
mod tests;
