//! The network of a guest whose spec has one: a namespace of its own, a wire to the host, and from there to the outside only.
//!
//! ```text
//!   host                    namespace of one guest           guest
//!   uplink ◀─ NAT ─ bencher-vm3 ═══ veth ═══ up0 ─ tap0 ═══ eth0
//!                └─ rules: metadata, private ranges, other guests and this host refused; rates bounded
//! ```
//!
//! For a guest without a network nothing of this exists, not even the folder. Knows nothing of machines and jobs. Programs do
//! the work (`ip`, `nft`), on threads of our own: a namespace belongs to a thread, and a drop cannot wait for a future.

mod claim;
mod error;
mod forwarding;
pub mod limits;
mod netns;
mod range;
mod resolver;
mod rules;
mod tool;

use std::{collections::BTreeSet, fs, net::Ipv4Addr, path::PathBuf, sync::Arc, thread};

use bencher_init::config::GuestNetwork;
use ipnet::Ipv4Net;
use serde::Serialize;
use tokio::{sync::oneshot, time::timeout};

pub use self::error::NetworkError;
use self::{
    claim::{Claim, Locked, StateDir},
    range::{INTERFACE_PREFIX, Pool, Range},
    rules::Policy,
};
use super::super::InfrastructureError;

/// The guest's end, in its namespace.
const TAP: &str = "tap0";

/// The namespace's end of the wire to the host.
const UP: &str = "up0";

/// The name of the interface inside the guest: its only one.
const GUEST_INTERFACE: &str = "eth0";

/// What the owner of the host decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Folder of what is attached, the same for all runners of a host, and one that a reboot empties: what it tells of does not
    /// survive one either. Created with the first guest.
    pub state_dir: PathBuf,
    /// Private addresses that nothing else on this host uses; routes into it are worked around.
    pub pool: Ipv4Net,
    /// Private networks guests may reach all the same. Never this host, another guest or metadata.
    pub allow: Vec<Ipv4Net>,
    /// Name servers for guests, reachable on their port even in a private network. Empty: those of the host that a guest
    /// reaches anyway.
    pub nameservers: Vec<Ipv4Addr>,
    pub rates: Rates,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("/run/bencher/network"),
            pool: limits::POOL,
            allow: Vec::new(),
            nameservers: Vec::new(),
            rates: Rates::default(),
        }
    }
}

/// How much one guest may send, and how much receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    pub bytes_per_second: u64,
    pub packets_per_second: u64,
    /// Connections at the same time.
    pub connections: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            bytes_per_second: limits::BYTES_PER_SECOND,
            packets_per_second: limits::PACKETS_PER_SECOND,
            connections: limits::CONNECTIONS,
        }
    }
}

/// A limit as Firecracker's API takes it, for `rx_rate_limiter` and `tx_rate_limiter` alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RateLimiter {
    pub bandwidth: TokenBucket,
    pub ops: TokenBucket,
}

/// Bytes or packets, and the milliseconds in which as many come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TokenBucket {
    pub size: u64,
    pub refill_time: u64,
}

impl Rates {
    /// The share of these that Firecracker enforces, by making the guest wait.
    #[must_use]
    pub fn limiter(self) -> RateLimiter {
        let refill_time = u64::try_from(limits::REFILL.as_millis()).unwrap_or(u64::MAX);
        let bucket = |per_second: u64| TokenBucket { size: (per_second.saturating_mul(refill_time) / 1000).max(1), refill_time };
        let mut bandwidth = bucket(self.bytes_per_second);
        // A bucket smaller than one large packet would never let it out.
        bandwidth.size = bandwidth.size.max(1 << 16);
        RateLimiter { bandwidth, ops: bucket(self.packets_per_second) }
    }
}

/// Gives guests a network.
#[derive(Clone, Debug)]
pub struct Network(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: NetworkConfig,
    pool: Pool,
    state: StateDir,
}

/// The network of one guest. What there is of it is gone when [`Attached::detach`] has returned, or this is dropped.
#[derive(Debug)]
#[must_use = "dropping it takes the guest's network away"]
pub struct Attached {
    /// The namespace for the jailer's `--netns`.
    pub netns_path: PathBuf,
    /// The tap in it for `host_dev_name`, owned by the guest's uid.
    pub tap_name: String,
    /// For `guest_mac`.
    pub mac: String,
    /// For both `rx_rate_limiter` and `tx_rate_limiter`.
    pub limiter: RateLimiter,
    /// For the guest's configuration.
    pub guest: GuestNetwork,
    /// What may not work, in sentences for the operator.
    pub warnings: Vec<String>,
    hold: Option<Hold>,
}

/// The duty to remove one guest's network.
#[derive(Debug)]
struct Hold {
    inner: Arc<Inner>,
    range: Range,
    claim: Claim,
}

impl Network {
    /// Checks the settings. Changes nothing on the host and asks it nothing.
    ///
    /// # Errors
    /// A pool that is public, too small or too large; a range that can never be allowed; a name server that cannot be one; a
    /// rate of 0.
    pub fn open(config: NetworkConfig) -> Result<Self, NetworkError> {
        let pool = Pool::new(config.pool)?;
        for net in &config.allow {
            if let Some(reserved) = rules::NEVER.iter().chain([&pool.net()]).find(|reserved| reserved.contains(net)) {
                return Err(NetworkError::NeverAllowed { net: *net, reserved: *reserved });
            }
        }
        for address in &config.nameservers {
            if let Some(reserved) = rules::NEVER.iter().chain([&pool.net()]).find(|reserved| reserved.contains(address)) {
                return Err(NetworkError::Nameserver { address: *address, reserved: *reserved });
            }
        }
        let Rates { bytes_per_second, packets_per_second, connections } = config.rates;
        if bytes_per_second == 0 || packets_per_second == 0 || connections == 0 {
            return Err(NetworkError::NoRate);
        }
        let state = StateDir::new(config.state_dir.clone());
        Ok(Self(Arc::new(Inner { config, pool, state })))
    }

    /// Makes the network of one guest whose machine monitor runs as `uid`. Dropping the future removes what it had made.
    ///
    /// # Errors
    /// `ip` or `nft` is missing or refuses, no range of the pool is free, or this process may not change the network.
    pub async fn attach(&self, uid: u32) -> Result<Attached, InfrastructureError> {
        let inner = Arc::clone(&self.0);
        on_thread("attaching a guest to the network", move || inner.attach(uid)).await
    }

    /// Removes what runners that are gone left of their guests' networks, and returns of how many.
    ///
    /// # Errors
    /// Something is left and cannot be removed.
    pub async fn sweep(&self) -> Result<usize, InfrastructureError> {
        let inner = Arc::clone(&self.0);
        on_thread("sweeping leftover networks", move || inner.sweep()).await
    }
}

impl Attached {
    /// Removes the guest's network. The guest must be gone, or it is cut off.
    ///
    /// # Errors
    /// Something could not be removed; [`Network::sweep`] tries again.
    pub async fn detach(mut self) -> Result<(), InfrastructureError> {
        let Some(hold) = self.hold.take() else { return Ok(()) };
        on_thread("detaching a guest from the network", move || hold.release()).await
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let Some(hold) = self.hold.take() else { return };
        let interface = hold.range.interface();
        if let Err(error) = hold.release() {
            tracing::error!(interface, error = &error as &dyn std::error::Error, "could not remove a guest's network");
        }
    }
}

impl Hold {
    /// Removes everything, and the last traces on the host with the last guest.
    fn release(self) -> Result<(), InfrastructureError> {
        let locked = self.inner.state.lock()?;
        self.inner.remove(self.range)?;
        locked.release(self.range.index, self.claim)?;
        restore_if_last(&locked)
    }
}

impl Inner {
    fn attach(self: Arc<Self>, uid: u32) -> Result<Attached, InfrastructureError> {
        let locked = self.state.lock()?;
        let (range, claim) = self.claim(&locked)?;
        // From here on a failure removes what there is.
        let hold = Hold { inner: Arc::clone(&self), range, claim };
        let made = self.make(&locked, range, uid);
        drop(locked);
        let attached = |(nameservers, warnings): (Vec<Ipv4Addr>, Vec<String>), hold| Attached {
            netns_path: self.state.netns(range.index),
            tap_name: TAP.to_owned(),
            mac: range.mac(),
            limiter: self.config.rates.limiter(),
            guest: GuestNetwork {
                interface: GUEST_INTERFACE.to_owned(),
                address: range.guest(),
                prefix: Range::PREFIX,
                gateway: range.gateway(),
                nameservers: nameservers.into_iter().map(Into::into).collect(),
            },
            warnings,
            hold: Some(hold),
        };
        match made {
            Ok(made) => Ok(attached(made, hold)),
            Err(error) => {
                if let Err(left) = hold.release() {
                    tracing::error!(error = &left as &dyn std::error::Error, "could not remove a network that could not be made");
                }
                Err(error)
            }
        }
    }

    /// The next range that is nobody's and into which no route of the host leads.
    fn claim(&self, locked: &Locked<'_>) -> Result<(Range, Claim), InfrastructureError> {
        let taken = self.routes_into_pool()?;
        let first = locked.next();
        for offset in 0..self.pool.ranges() {
            let range = self.pool.range(first.wrapping_add(offset));
            let own = self.interface_exists(range)?;
            let overlaps = |net: &Ipv4Net| net.contains(&range.net()) || range.net().contains(net);
            if !own && taken.iter().any(overlaps) {
                continue;
            }
            let Some(claim) = locked.try_claim(range.index)? else { continue };
            if own && self.remove(range).is_err() {
                // Not to be used, and the next sweep's to remove.
                continue;
            }
            locked.set_next((range.index + 1) % self.pool.ranges())?;
            return Ok((range, claim));
        }
        Err(NetworkError::NoFreeRange { pool: self.pool.net(), ranges: self.pool.ranges() }.into())
    }

    fn routes_into_pool(&self) -> Result<Vec<Ipv4Net>, InfrastructureError> {
        #[derive(serde::Deserialize)]
        struct Route {
            dst: String,
        }
        let pool = self.pool.net().to_string();
        let arguments = ["-j", "-4", "route", "show", "table", "all", "root", &pool];
        let routes: Vec<Route> = tool::ask("ip", &arguments, "list routes")?;
        let net = |text: &str| text.parse().ok().or_else(|| text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from));
        Ok(routes.iter().filter_map(|route| net(&route.dst)).collect())
    }

    fn interface_exists(&self, range: Range) -> Result<bool, InfrastructureError> {
        Ok(interfaces()?.contains(&range.interface()))
    }

    /// Everything of one guest, the rules first: no packet passes without them.
    fn make(&self, locked: &Locked<'_>, range: Range, uid: u32) -> Result<(Vec<Ipv4Addr>, Vec<String>), InfrastructureError> {
        let nameservers = resolver::nameservers(&self.config.nameservers, &self.config.allow);
        let policy = Policy { pool: self.pool, allow: &self.config.allow, nameservers: &nameservers, rates: self.config.rates };
        tool::nft(&rules::guest_table(range, &policy), "load a guest's rules")?;
        let netns = self.state.netns(range.index);
        // One of the same name can only be a dead guest's.
        netns::remove(&netns)?;
        netns::create(&netns)?;
        tool::ip(&wire(range, &netns.display().to_string()), "make a wire")?;
        let interface = range.interface();
        for (name, value) in [("accept_redirects", "0"), ("send_redirects", "0"), ("rp_filter", "1"), ("forwarding", "1")] {
            let name = format!("ipv4/conf/{interface}/{name}");
            netns::write_setting(&name, value).map_err(InfrastructureError::io("write", netns::setting(&name)))?;
        }
        netns::within(&netns, || tool::ip(&namespace(range, uid), "set up a guest's namespace"))?;
        let servers = nameservers.iter().copied().map(Ipv4Net::from);
        let destinations: Vec<Ipv4Net> = self.config.allow.iter().copied().chain(servers).collect();
        let uplinks = forwarding::enable(locked, &destinations)?;
        let mut warnings = Vec::new();
        if uplinks.is_empty() {
            warnings.push("the guest reaches nothing: this host has no route to the outside".to_owned());
        }
        if nameservers.is_empty() {
            warnings.push(
                "the guest has no name server: a guest reaches none of this host's; set `nameservers` for guests".to_owned(),
            );
        }
        warnings.extend(forwarding::foreign_firewall()?);
        Ok((nameservers, warnings))
    }

    /// Removes what there is of a guest's network, there or not.
    fn remove(&self, range: Range) -> Result<(), InfrastructureError> {
        // Its other end and the routes through it go with it.
        if self.interface_exists(range)? {
            tool::ip(&[format!("link delete dev {}", range.interface())], "remove a wire")?;
        }
        netns::remove(&self.state.netns(range.index))?;
        tool::nft(&rules::remove_table(&range.table()), "remove a guest's rules")
    }

    fn sweep(&self) -> Result<usize, InfrastructureError> {
        let interfaces = interfaces()?;
        let indices = interfaces.iter().filter_map(|name| name.strip_prefix(INTERFACE_PREFIX)?.parse().ok());
        let mut indices: BTreeSet<u32> = indices.collect();
        if indices.is_empty() && !self.state.exists() {
            return Ok(0);
        }
        let locked = self.state.lock()?;
        indices.extend(locked.known()?);
        let mut removed = 0;
        for index in indices {
            let range = self.pool.range(index);
            // A number beyond this pool is another runner's, with another pool.
            if range.index != index {
                continue;
            }
            let Some(claim) = locked.try_claim(index)? else { continue };
            tracing::warn!(interface = range.interface(), "removing a network that an earlier runner left");
            self.remove(range)?;
            locked.release(index, claim)?;
            removed += 1;
        }
        restore_if_last(&locked)?;
        Ok(removed)
    }
}

/// The host's side. The name comes with the interface, so the rules hold from its first packet.
fn wire(range: Range, netns: &str) -> Vec<String> {
    let (interface, host, via) = (range.interface(), range.host(), range.namespace());
    vec![
        format!("link add name {interface} type veth peer name {UP} netns {netns}"),
        format!("link set dev {interface} addrgenmode none"),
        format!("address add {host}/{} dev {interface}", Range::PREFIX),
        format!("link set dev {interface} up"),
        format!("route add {} via {via} dev {interface}", range.guest_net()),
    ]
}

/// The namespace's side. Nothing listens in it; it only passes packets on.
fn namespace(range: Range, uid: u32) -> Vec<String> {
    let prefix = Range::PREFIX;
    vec![
        "link set dev lo up".to_owned(),
        format!("tuntap add dev {TAP} mode tap user {uid}"),
        format!("address add {}/{prefix} dev {TAP}", range.gateway()),
        format!("link set dev {TAP} up"),
        format!("address add {}/{prefix} dev {UP}", range.namespace()),
        format!("link set dev {UP} up"),
        format!("route add default via {}", range.host()),
    ]
}

/// Undoes what was changed on the host itself where no guest of any runner is left.
fn restore_if_last(locked: &Locked<'_>) -> Result<(), InfrastructureError> {
    for index in locked.known()? {
        if locked.try_claim(index)?.is_none() {
            return Ok(());
        }
    }
    forwarding::restore(locked)
}

/// The network interfaces of the calling thread's namespace.
fn interfaces() -> Result<BTreeSet<String>, InfrastructureError> {
    let path = "/proc/thread-self/net/dev";
    let text = fs::read_to_string(path).map_err(InfrastructureError::io("read", path))?;
    Ok(text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect())
}

/// Runs blocking work on a thread of its own, for the runtime's would keep it from ending. If nobody waits any more, the
/// result is dropped there, and with it what it made.
async fn on_thread<T: Send + 'static>(
    step: &'static str,
    work: impl FnOnce() -> Result<T, InfrastructureError> + Send + 'static,
) -> Result<T, InfrastructureError> {
    let (sender, receiver) = oneshot::channel();
    let spawned = thread::Builder::new().name("network".to_owned()).spawn(move || {
        let _ = sender.send(work());
    });
    spawned.map_err(InfrastructureError::kernel("start a thread"))?;
    let after = limits::STEP_TIMEOUT;
    match timeout(after, receiver).await {
        Ok(done) => done.unwrap_or(Err(InfrastructureError::SetUpLost)),
        Err(_) => Err(InfrastructureError::TimedOut { step, after }),
    }
}

#[cfg(test)]
mod tests;
