//! Why a guest cannot have a network. What any part of this host may fail with is in [`InfrastructureError`].
//!
//! [`InfrastructureError`]: crate::sandbox::InfrastructureError

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// What is wrong with the settings of the network, or with the host for it.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error(
        "the pool {pool} for guests is not private; use a range of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10"
    )]
    PublicPool { pool: Ipv4Net },
    #[error("the pool {pool} for guests needs a prefix of {widest} to {narrowest} bits")]
    PoolSize { pool: Ipv4Net, widest: u8, narrowest: u8 },
    #[error("guests cannot be allowed {net}: {reserved} is never within their reach; take it off the list")]
    NeverAllowed { net: Ipv4Net, reserved: Ipv4Net },
    #[error("{address} cannot be a guest's name server: {reserved} means something else inside the guest; name one it can reach")]
    Nameserver { address: Ipv4Addr, reserved: Ipv4Net },
    #[error("a rate of 0 lets nothing through; set all rates of guests to at least 1, or give the spec no network")]
    NoRate,
    #[error("no range of {pool} is free: guests or routes of this host use all {ranges}; set another pool")]
    NoFreeRange { pool: Ipv4Net, ranges: u32 },
    #[error("could not start `{program}`: install it (the Debian package `{package}`)")]
    ToolMissing {
        program: &'static str,
        package: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("could not understand what `{program}` answered to `{step}`")]
    Answer {
        program: &'static str,
        step: &'static str,
        #[source]
        source: serde_json::Error,
    },
}
