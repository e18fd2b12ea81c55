//! Which name servers a guest is given.

use std::{fs, net::Ipv4Addr};

use ipnet::Ipv4Net;

use super::{limits, rules};

/// The host's own list, and the one behind the local server of systemd, best first.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// The owner's servers; else those of the host that a guest reaches. Empty where there are none: nobody's server is asked
/// whom the owner did not choose.
pub(super) fn nameservers(configured: &[Ipv4Addr], allow: &[Ipv4Net]) -> Vec<Ipv4Addr> {
    if !configured.is_empty() {
        return configured.to_vec();
    }
    let texts = FILES.iter().filter_map(|path| fs::read_to_string(path).ok());
    texts.map(|text| reachable(&text, allow)).find(|servers| !servers.is_empty()).unwrap_or_default()
}

/// The servers of a `resolv.conf` that a guest reaches.
fn reachable(text: &str, allow: &[Ipv4Net]) -> Vec<Ipv4Addr> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next())?
    });
    let addresses = servers.filter_map(|server| server.parse().ok());
    addresses.filter(|address| rules::is_reachable(*address, allow)).take(limits::MAX_NAMESERVERS).collect()
}

#[cfg(test)]
mod tests;
