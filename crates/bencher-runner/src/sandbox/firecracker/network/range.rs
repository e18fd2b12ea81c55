//! Which addresses and names a guest gets. Arithmetic only.
//!
//! ```text
//!   10.207.0.0/30                      10.207.0.4/30
//!   .1 host ═══ veth ═══ .2 namespace .5 ═══ tap ═══ .6 guest
//! ```

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{error::NetworkError, limits};

/// How the interfaces on the host's side begin. What begins so is ours to remove.
pub(super) const INTERFACE_PREFIX: &str = "bencher-vm";

/// How the firewall's tables begin.
pub(super) const TABLE_PREFIX: &str = "bencher_";

const PRIVATE: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// The addresses guests of this host share out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pool(Ipv4Net);

impl Pool {
    pub(super) fn new(pool: Ipv4Net) -> Result<Self, NetworkError> {
        let (widest, narrowest) = (limits::WIDEST_POOL_PREFIX, limits::RANGE_PREFIX);
        if !(widest..=narrowest).contains(&pool.prefix_len()) {
            return Err(NetworkError::PoolSize { pool, widest, narrowest });
        }
        if !PRIVATE.iter().any(|private| private.contains(&pool)) {
            return Err(NetworkError::PublicPool { pool });
        }
        Ok(Self(pool.trunc()))
    }

    pub(super) fn net(self) -> Ipv4Net {
        self.0
    }

    /// How many guests there can be at once.
    pub(super) fn ranges(self) -> u32 {
        (1 << (limits::RANGE_PREFIX - self.0.prefix_len())).min(limits::MAX_RANGES)
    }

    /// The addresses of one guest; `index` counts from 0 and wraps around.
    pub(super) fn range(self, index: u32) -> Range {
        let index = index % self.ranges();
        Range { index, first: self.0.network().to_bits() + index * 8 }
    }
}

/// What one guest has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) index: u32,
    first: u32,
}

impl Range {
    /// Bits of the prefix of each of its two networks.
    pub(super) const PREFIX: u8 = 30;

    fn address(self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first + offset)
    }

    /// Both networks together.
    pub(super) fn net(self) -> Ipv4Net {
        Ipv4Net::new_assert(self.address(0), limits::RANGE_PREFIX)
    }

    /// The host's end of the wire to the namespace.
    pub(super) fn host(self) -> Ipv4Addr {
        self.address(1)
    }

    /// The namespace's end of it.
    pub(super) fn namespace(self) -> Ipv4Addr {
        self.address(2)
    }

    /// The network of the guest's own interface.
    pub(super) fn guest_net(self) -> Ipv4Net {
        Ipv4Net::new_assert(self.address(4), Self::PREFIX)
    }

    /// The namespace as the guest sees it.
    pub(super) fn gateway(self) -> Ipv4Addr {
        self.address(5)
    }

    pub(super) fn guest(self) -> Ipv4Addr {
        self.address(6)
    }

    /// Locally administered, and different for each guest of the pool.
    pub(super) fn mac(self) -> String {
        let [a, b, c, d] = self.guest().octets();
        format!("06:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
    }

    /// The host's interface.
    pub(super) fn interface(self) -> String {
        format!("{INTERFACE_PREFIX}{}", self.index)
    }

    /// The firewall's table for the guest.
    pub(super) fn table(self) -> String {
        format!("{TABLE_PREFIX}vm{}", self.index)
    }
}

#[cfg(test)]
mod tests;
