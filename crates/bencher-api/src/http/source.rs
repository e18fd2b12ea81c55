//! Where a request comes from: the other end of its connection, or whom a trusted proxy names.
//!
//! Each proxy appends the address that it was asked from. Read from the end, the first that is not a trusted proxy's is the client's:
//! what stands before it the client could have written itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{extract::FromRequestParts, http::request::Parts};
use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use super::AppState;
use crate::config::server::{ForwardedHeader, Server};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source(IpAddr);

impl Default for Source {
    /// Of requests that came over no connection.
    fn default() -> Self {
        Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

impl FromRequestParts<AppState> for Source {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or_default())
    }
}

impl Source {
    pub(crate) const fn address(self) -> IpAddr {
        self.0
    }

    /// `None` where the request came over no connection.
    pub(crate) fn known_address(self) -> Option<IpAddr> {
        (!self.0.is_unspecified()).then_some(self.0)
    }

    pub(super) fn of(peer: IpAddr, headers: &HeaderMap, server: &Server) -> Self {
        let mut source = peer.to_canonical();
        if !is_trusted(source, &server.trusted_proxies) {
            return Self(source);
        }
        let named = match server.forwarded_header {
            ForwardedHeader::XForwardedFor => backwards(headers, &X_FORWARDED_FOR, x_forwarded_for),
            ForwardedHeader::Forwarded => backwards(headers, &header::FORWARDED, forwarded_for),
        };
        for address in named {
            // Something that is no address was written by somebody who hides it, or is none of ours.
            let Some(address) = address else { break };
            source = address;
            if !is_trusted(source, &server.trusted_proxies) {
                break;
            }
        }
        Self(source)
    }
}

/// Whether a proxy at this address is believed.
pub(super) fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address.to_canonical()))
}

/// The addresses of a header that proxies append to, from the last one on.
fn backwards(headers: &HeaderMap, name: &HeaderName, read: fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let values: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    values.iter().rev().flat_map(|value| value.rsplit(',')).map(|element| read(element.trim())).collect()
}

fn x_forwarded_for(element: &str) -> Option<IpAddr> {
    address(element)
}

/// The `for` of one element of RFC 7239's header: `for=192.0.2.60;proto=http`, `For="[2001:db8::1]:4711"`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, node) = pairs.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    address(node.trim().trim_matches('"'))
}

/// An address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests;
