//! The four things the guest asks of the kernel's network, as `rtnetlink(7)` takes them.

use std::{io, net::Ipv4Addr, os::fd::OwnedFd};

use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, recv, send, socket_with,
    sockopt::{Timeout, set_socket_timeout},
};

use crate::limits;

const ERROR: u16 = 2;
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;

const REQUEST_WITH_ANSWER: u16 = 0x1 | 0x4;
const CREATE: u16 = 0x200 | 0x400;

/// The protocol `NETLINK_ROUTE`, whose number is 0: the one a socket has that names none.
const ROUTE: Option<Protocol> = None;

/// The address family.
const INET: u8 = 2;

/// Bytes of the head of every message.
const HEAD: usize = 16;

/// A connection to the kernel.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

/// The number of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interface(u32);

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, ROUTE)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(limits::NETLINK_WAIT))?;
        Ok(Self { socket, sequence: 0 })
    }

    pub(super) fn interface(&self, name: &str) -> io::Result<Interface> {
        Ok(Interface(netdevice::name_to_index(&self.socket, name)?))
    }

    pub(super) fn up(&mut self, interface: Interface) -> io::Result<()> {
        const UP: u32 = 1;
        let mut body = vec![0; 4];
        body.extend(interface.0.to_ne_bytes());
        // The flags, and which of them are meant.
        body.extend(UP.to_ne_bytes());
        body.extend(UP.to_ne_bytes());
        self.ask(NEW_LINK, 0, &body)
    }

    pub(super) fn address(&mut self, interface: Interface, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        const ADDRESS: u16 = 1;
        const LOCAL: u16 = 2;
        let mut body = vec![INET, prefix, 0, 0];
        body.extend(interface.0.to_ne_bytes());
        attribute(&mut body, LOCAL, address.octets());
        attribute(&mut body, ADDRESS, address.octets());
        self.ask(NEW_ADDRESS, CREATE, &body)
    }

    pub(super) fn default_route(&mut self, interface: Interface, gateway: Ipv4Addr) -> io::Result<()> {
        const OUTGOING: u16 = 4;
        const GATEWAY: u16 = 5;
        const MAIN_TABLE: u8 = 254;
        const BY_AN_ADMINISTRATOR: u8 = 4;
        const UNICAST: u8 = 1;
        let mut body = vec![INET, 0, 0, 0, MAIN_TABLE, BY_AN_ADMINISTRATOR, 0, UNICAST, 0, 0, 0, 0];
        attribute(&mut body, GATEWAY, gateway.octets());
        attribute(&mut body, OUTGOING, interface.0.to_ne_bytes());
        self.ask(NEW_ROUTE, CREATE, &body)
    }

    /// Sends one request and reads the kernel's answer to it.
    fn ask(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.sequence += 1;
        send(&self.socket, &message(kind, flags, self.sequence, body), SendFlags::empty())?;
        let mut answer = [0_u8; 4096];
        loop {
            let (_, length) = recv(&self.socket, &mut answer, RecvFlags::empty())?;
            if let Some(result) = outcome(&answer[..length.min(answer.len())], self.sequence) {
                return result;
            }
        }
    }
}

fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEAD + body.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((REQUEST_WITH_ANSWER | flags).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    // The kernel knows by itself who asks.
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes
}

/// All of ours have four bytes, which needs no padding.
fn attribute(body: &mut Vec<u8>, kind: u16, value: [u8; 4]) {
    body.extend(8_u16.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
}

/// What the answer to a request says. `None` where this is another's.
fn outcome(answer: &[u8], sequence: u32) -> Option<io::Result<()>> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let of = u32::from_ne_bytes(answer.get(8..12)?.try_into().ok()?);
    if kind != ERROR || of != sequence {
        return None;
    }
    let code = i32::from_ne_bytes(answer.get(HEAD..HEAD + 4)?.try_into().ok()?);
    Some(if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) })
}
