//! Whether the host passes packets between guests and the outside, and its putting back. Blocking.
//!
//! The kernel forwards what comes in on an interface whose `forwarding` is on. Guests' own interfaces are new; the one to the
//! outside is the host's, and the only setting of the host that may have to change: for that interface alone, noted before,
//! restored when the last guest is gone, and meanwhile guarded so that the host does not become a router for its neighbours.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{claim::Locked, netns, range::INTERFACE_PREFIX, rules, tool};
use crate::sandbox::InfrastructureError;

/// An address of the outside, a root name server's, to find which way leads there. Nothing is sent to it.
const OUTSIDE: &str = "198.41.0.4";

const JOURNAL: &str = "forwarding.json";

/// The one for the whole host. Others switch it on, and with it every interface: containers do.
const ALL: &str = "ipv4/conf/all/forwarding";

/// What was changed: these interfaces' setting, from off to on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Journal {
    interfaces: BTreeSet<String>,
    /// Whether it was on for the whole host before.
    all: bool,
}

/// Lets packets of guests through from and to the interfaces that lead to `destinations`, and returns these interfaces.
pub(super) fn enable(locked: &Locked<'_>, destinations: &[Ipv4Net]) -> Result<BTreeSet<String>, InfrastructureError> {
    let uplinks = uplinks(destinations)?;
    let mut journal = read(locked.path())?;
    let off: Vec<&String> = uplinks.iter().filter(|name| !is_on(&of_interface(name))).collect();
    if off.is_empty() {
        return Ok(uplinks);
    }
    if journal.interfaces.is_empty() {
        journal.all = is_on(ALL);
    }
    journal.interfaces.extend(off.iter().map(|name| (*name).clone()));
    let path = locked.path().join(JOURNAL);
    let text = serde_json::to_vec(&journal).map_err(io::Error::from);
    text.and_then(|text| replace(&path, &text)).map_err(InfrastructureError::io("write", &path))?;
    // The guard first: not for a moment does the host forward for others.
    let names: Vec<String> = journal.interfaces.into_iter().collect();
    tool::nft(&rules::forwarding_table(&names), "guard forwarding")?;
    for name in off {
        set(name, "1")?;
    }
    Ok(uplinks)
}

/// Puts back what [`enable`] changed. To be called when no guest is left.
pub(super) fn restore(locked: &Locked<'_>) -> Result<(), InfrastructureError> {
    let path = locked.path().join(JOURNAL);
    let journal = read(locked.path())?;
    if journal == Journal::default() {
        return Ok(());
    }
    // Somebody has made the host a router in the meantime: it is theirs now.
    if journal.all || !is_on(ALL) {
        for name in &journal.interfaces {
            set(name, "0")?;
        }
    }
    tool::nft(&rules::remove_table(&rules::forwarding_table_name()), "remove the guard of forwarding")?;
    fs::remove_file(&path).map_err(InfrastructureError::io("remove", path))
}

/// Another program's firewall that lets nothing be forwarded which it does not know, in words for the operator.
pub(super) fn foreign_firewall() -> Result<Option<String>, InfrastructureError> {
    #[derive(Deserialize)]
    struct Answer {
        nftables: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        chain: Option<Chain>,
    }
    #[derive(Deserialize)]
    struct Chain {
        family: String,
        table: String,
        name: String,
        hook: Option<String>,
        policy: Option<String>,
    }
    let answer: Answer = tool::ask("nft", &["-j", "list", "chains"], "list chains")?;
    let mut chains = answer.nftables.into_iter().filter_map(|entry| entry.chain);
    let found = chains.find(|chain| {
        chain.hook.as_deref() == Some("forward")
            && chain.policy.as_deref() == Some("drop")
            && matches!(chain.family.as_str(), "ip" | "inet")
    });
    Ok(found.map(|Chain { family, table, name, .. }| {
        format!(
            "the firewall's chain `{family} {table} {name}` drops what it does not know and may cut guests off; \
             let it accept what comes from and goes to `{INTERFACE_PREFIX}*`"
        )
    }))
}

/// The interfaces through which the outside and the other destinations are reached.
fn uplinks(destinations: &[Ipv4Net]) -> Result<BTreeSet<String>, InfrastructureError> {
    #[derive(Deserialize)]
    struct Route {
        dev: Option<String>,
    }
    let mut routes: Vec<Route> = tool::ask("ip", &["-j", "-4", "route", "show", "default"], "list default routes")?;
    // Other rules than the main table may apply. No route to the outside is not a failure: a guest then has none either.
    match tool::ask::<Vec<Route>>("ip", &["-j", "-4", "route", "get", OUTSIDE], "find the route to the outside") {
        Ok(found) => routes.extend(found),
        Err(InfrastructureError::Program { .. }) => {}
        Err(other) => return Err(other),
    }
    for net in destinations {
        // Routes within it, and those it is within.
        for which in ["root", "match"] {
            let arguments = ["-j", "-4", "route", "show", "table", "all", which, &net.to_string()];
            routes.extend(tool::ask::<Vec<Route>>("ip", &arguments, "list routes")?);
        }
    }
    let names = routes.into_iter().filter_map(|route| route.dev);
    Ok(names.filter(|name| name != "lo" && !name.starts_with(INTERFACE_PREFIX)).collect())
}

fn of_interface(name: &str) -> String {
    format!("ipv4/conf/{name}/forwarding")
}

fn is_on(setting: &str) -> bool {
    fs::read_to_string(netns::setting(setting)).is_ok_and(|value| value.trim() == "1")
}

fn set(interface: &str, value: &str) -> Result<(), InfrastructureError> {
    let name = of_interface(interface);
    match netns::write_setting(&name, value) {
        // An interface that is gone forwards nothing.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(InfrastructureError::io("write", netns::setting(&name))),
    }
}

fn read(dir: &Path) -> Result<Journal, InfrastructureError> {
    let path = dir.join(JOURNAL);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| InfrastructureError::io("read", path)(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Journal::default()),
        Err(error) => Err(InfrastructureError::io("read", path)(error)),
    }
}

/// In one step, so that a runner that dies meanwhile leaves the old or the new.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let fresh: PathBuf = path.with_extension("new");
    fs::write(&fresh, content)?;
    fs::rename(fresh, path)
}
