//! What a guest may reach, as rules for `nft`. Text only; it is loaded elsewhere.
//!
//! The rules stand on the host's side of the wire, not in the guest's namespace: they also hold for a machine monitor that
//! was taken over and speaks from the namespace itself.

use std::{fmt::Write as _, net::Ipv4Addr};

use ipnet::Ipv4Net;

use super::{
    Rates, limits,
    range::{INTERFACE_PREFIX, Pool, Range, TABLE_PREFIX},
};

const fn net(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// Out of reach whatever the owner allows: they mean this host, everybody, or the cloud's knowledge of this machine.
pub(super) const NEVER: [Ipv4Net; 8] = [
    net(0, 0, 0, 0, 8),
    // Metadata of Alibaba's cloud, of Azure's and of Oracle's are not where the others keep it.
    net(100, 100, 100, 200, 32),
    net(127, 0, 0, 0, 8),
    net(168, 63, 129, 16, 32),
    net(169, 254, 0, 0, 16),
    net(192, 0, 0, 0, 24),
    net(224, 0, 0, 0, 4),
    net(240, 0, 0, 0, 4),
];

/// Not the outside, so out of reach unless the owner allows it.
const INSIDE: [Ipv4Net; 9] = [
    net(10, 0, 0, 0, 8),
    net(100, 64, 0, 0, 10),
    net(172, 16, 0, 0, 12),
    net(192, 0, 2, 0, 24),
    net(192, 88, 99, 0, 24),
    net(192, 168, 0, 0, 16),
    net(198, 18, 0, 0, 15),
    net(198, 51, 100, 0, 24),
    net(203, 0, 113, 0, 24),
];

/// Whether a guest reaches `address` by the list of what is allowed and the ranges above.
pub(super) fn is_reachable(address: Ipv4Addr, allow: &[Ipv4Net]) -> bool {
    let within = |nets: &[Ipv4Net]| nets.iter().any(|net| net.contains(&address));
    !within(&NEVER) && (within(allow) || !within(&INSIDE))
}

/// What the rules of one guest depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy<'a> {
    pub(super) pool: Pool,
    pub(super) allow: &'a [Ipv4Net],
    /// Reachable on the port of name servers, wherever they are: the owner named them, or they are public.
    pub(super) nameservers: &'a [Ipv4Addr],
    pub(super) rates: Rates,
}

/// The table of one guest, replacing one of the same name. Loaded in one transaction, before the interface exists.
pub(super) fn guest_table(range: Range, policy: &Policy<'_>) -> String {
    let (table, interface, guest) = (range.table(), range.interface(), range.guest());
    let mut script = remove_table(&table);
    // Writing to a string cannot fail.
    let _ = write!(
        script,
        r#"table inet {table} {{
  ct timeout idle {{
    protocol tcp
    l3proto ip
    policy = {{ established : {idle} }}
  }}
  {never}
  {inside}
  {allowed}
  {nameservers}
  counter refused {{ }}
  counter over_rate {{ }}

  chain prerouting {{
    type filter hook prerouting priority raw; policy accept;
    iifname "{interface}" jump from_guest
  }}
  chain input {{
    type filter hook input priority filter - 5; policy accept;
    iifname "{interface}" jump to_host
  }}
  chain forward {{
    type filter hook forward priority filter - 5; policy accept;
    iifname "{interface}" jump to_outside
    oifname "{interface}" jump to_guest
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {guest} masquerade
  }}

  # Before any translation of addresses, so that a port of this host that another program forwards is this host's.
  chain from_guest {{
    meta nfproto != ipv4 drop
    ip saddr != {guest} drop
    limit rate over {packets}/second burst {packet_burst} packets counter name over_rate drop
    limit rate over {bytes} bytes/second burst {byte_burst} bytes counter name over_rate drop
    jump destination
  }}
  chain destination {{
    ip daddr @nameservers meta l4proto {{ tcp, udp }} th dport 53 return
    ip daddr @never goto refuse
    fib daddr type != unicast goto refuse
    ip daddr @allowed return
    ip daddr @inside goto refuse
  }}
  chain to_host {{
    ip daddr @nameservers meta l4proto {{ tcp, udp }} th dport 53 accept
    goto refuse
  }}
  # Once more, for what was translated on the way.
  chain to_outside {{
    jump destination
    ct state invalid drop
    ct state new ct count over {connections} counter name over_rate drop
    ct state new meta l4proto tcp ct timeout set "idle"
    tcp flags syn tcp option maxseg size set rt mtu
  }}
  chain to_guest {{
    ct state != {{ established, related }} drop
  }}
  # Said, not swallowed: a benchmark that tries shall fail at once, not wait.
  chain refuse {{
    counter name refused
    reject with icmpx type admin-prohibited
  }}
}}
"#,
        idle = limits::IDLE_CONNECTION.as_secs(),
        never = set("never", NEVER.iter().chain([&policy.pool.net()])),
        inside = set("inside", INSIDE),
        allowed = set("allowed", policy.allow),
        nameservers = set("nameservers", policy.nameservers),
        packets = policy.rates.packets_per_second.saturating_mul(limits::KERNEL_SLACK),
        packet_burst = burst(policy.rates.packets_per_second),
        bytes = policy.rates.bytes_per_second.saturating_mul(limits::KERNEL_SLACK),
        // At least one packet, however it was put together by the sender's segmentation.
        byte_burst = burst(policy.rates.bytes_per_second).max(1 << 17),
        connections = policy.rates.connections,
    );
    script
}

/// The table that keeps a host a host where forwarding was switched on for guests: nothing else is forwarded.
pub(super) fn forwarding_table(interfaces: &[String]) -> String {
    let table = forwarding_table_name();
    let names: Vec<String> = interfaces.iter().map(|name| format!("{name:?}")).collect();
    let mut script = remove_table(&table);
    let _ = write!(
        script,
        r#"table inet {table} {{
  chain forward {{
    type filter hook forward priority filter - 5; policy accept;
    meta nfproto ipv4 iifname {{ {names} }} oifname != "{INTERFACE_PREFIX}*" drop
  }}
}}
"#,
        names = names.join(", "),
    );
    script
}

pub(super) fn forwarding_table_name() -> String {
    format!("{TABLE_PREFIX}forwarding")
}

/// Removes a table, there or not.
pub(super) fn remove_table(table: &str) -> String {
    format!("add table inet {table}\ndelete table inet {table}\n")
}

/// A tenth of a second's worth.
fn burst(per_second: u64) -> u64 {
    (per_second / 10).clamp(1, u64::from(u32::MAX))
}

fn set<T: ToString>(name: &str, elements: impl IntoIterator<Item = T>) -> String {
    let elements: Vec<String> = elements.into_iter().map(|element| element.to_string()).collect();
    let elements = if elements.is_empty() { String::new() } else { format!("elements = {{ {} }}; ", elements.join(", ")) };
    format!("set {name} {{ type ipv4_addr; flags interval; auto-merge; {elements}}}")
}

#[cfg(test)]
mod tests;
