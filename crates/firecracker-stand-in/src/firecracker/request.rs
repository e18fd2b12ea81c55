//! From a method, a path and a body to what is wanted. Knows no HTTP and nothing of the microVM's state.

use serde::de::DeserializeOwned;

use crate::{
    fault::Fault,
    resources::{
        ActionType, BootSource, Drive, DriveUpdate, Entropy, InstanceAction, Logger, MachineConfig, MachineConfigUpdate, Metrics,
        NetworkInterface, NetworkInterfaceUpdate, Serial, VmState, Vsock, WantedState,
    },
};

#[derive(Clone, Debug)]
pub(crate) enum Action {
    InstanceInfo,
    Version,
    FullConfig,
    GetMachineConfig,
    Logger(Logger),
    Metrics(Metrics),
    MachineConfig(MachineConfig),
    UpdateMachineConfig(MachineConfigUpdate),
    BootSource(BootSource),
    Drive(Drive),
    UpdateDrive(DriveUpdate),
    Network(NetworkInterface),
    UpdateNetwork(NetworkInterfaceUpdate),
    Vsock(Vsock),
    Entropy(Entropy),
    Serial(Serial),
    Start,
    CtrlAltDel,
    FlushMetrics,
    Pause,
    Resume,
    CreateSnapshot,
    Absent(&'static str),
}

impl Action {
    /// Whether a field was used that Firecracker wants to be rid of.
    pub(crate) fn is_deprecated(&self) -> bool {
        match self {
            Self::MachineConfig(config) => config.cpu_template.is_some(),
            Self::UpdateMachineConfig(config) => config.cpu_template.is_some(),
            Self::Vsock(vsock) => vsock.vsock_id.is_some(),
            _ => false,
        }
    }
}

/// `body` is empty where there is none.
pub(crate) fn parse(method: &str, path: &str, body: &[u8]) -> Result<Action, Fault> {
    let mut segments = path.trim_start_matches('/').split_terminator('/');
    let first = segments.next().unwrap_or_default();
    let invalid = || Fault::InvalidPathMethod { method: method.to_owned(), path: first.to_owned() };
    match method {
        "GET" if body.is_empty() => get(first, segments.next()).ok_or_else(invalid),
        "GET" => Err(Fault::BodyOfGet),
        "PUT" if body.is_empty() => Err(Fault::EmptyBody("PUT")),
        "PUT" => put(first, segments.next(), body)?.ok_or_else(invalid),
        "PATCH" if body.is_empty() => Err(Fault::EmptyBody("PATCH")),
        "PATCH" => patch(first, segments.next(), body)?.ok_or_else(invalid),
        _ => Err(invalid()),
    }
}

fn get(first: &str, second: Option<&str>) -> Option<Action> {
    Some(match (first, second) {
        ("", _) => Action::InstanceInfo,
        ("version", _) => Action::Version,
        ("vm", Some("config")) => Action::FullConfig,
        ("machine-config", _) => Action::GetMachineConfig,
        ("balloon", _) => Action::Absent("balloon"),
        ("mmds", _) => Action::Absent("MMDS"),
        ("hotplug", Some("memory")) => Action::Absent("memory hotplug"),
        _ => return None,
    })
}

fn put(first: &str, second: Option<&str>, body: &[u8]) -> Result<Option<Action>, Fault> {
    Ok(Some(match (first, second) {
        ("actions", _) => match json::<InstanceAction>(body)?.action_type {
            ActionType::FlushMetrics => Action::FlushMetrics,
            ActionType::InstanceStart => Action::Start,
            ActionType::SendCtrlAltDel => Action::CtrlAltDel,
        },
        ("boot-source", _) => Action::BootSource(json(body)?),
        ("drives", id) => {
            let id = checked_id(id)?;
            let drive: Drive = json(body)?;
            same_id(id, &drive.drive_id)?;
            Action::Drive(drive)
        }
        ("logger", _) => Action::Logger(json(body)?),
        ("serial", _) => Action::Serial(json(body)?),
        ("machine-config", _) => Action::MachineConfig(json(body)?),
        ("metrics", _) => Action::Metrics(json(body)?),
        ("network-interfaces", id) => {
            let id = checked_id(id)?;
            let interface: NetworkInterface = json(body)?;
            same_id(id, &interface.iface_id)?;
            Action::Network(interface)
        }
        ("vsock", _) => Action::Vsock(json(body)?),
        ("entropy", _) => Action::Entropy(json(body)?),
        ("snapshot", Some("create")) => Action::CreateSnapshot,
        ("snapshot", Some("load")) => Action::Absent("snapshots"),
        ("balloon", _) => Action::Absent("balloon"),
        ("cpu-config", _) => Action::Absent("CPU templates"),
        ("mmds", _) => Action::Absent("MMDS"),
        ("pmem", _) => Action::Absent("pmem"),
        ("hotplug", Some("memory")) => Action::Absent("memory hotplug"),
        _ => return Ok(None),
    }))
}

fn patch(first: &str, second: Option<&str>, body: &[u8]) -> Result<Option<Action>, Fault> {
    Ok(Some(match (first, second) {
        ("vm", _) => match json::<VmState>(body)?.state {
            WantedState::Paused => Action::Pause,
            WantedState::Resumed => Action::Resume,
        },
        ("machine-config", _) => Action::UpdateMachineConfig(json(body)?),
        ("drives", id) => {
            let id = checked_id(id)?;
            let drive: DriveUpdate = json(body)?;
            same_id(id, &drive.drive_id)?;
            Action::UpdateDrive(drive)
        }
        ("network-interfaces", id) => {
            let id = checked_id(id)?;
            let interface: NetworkInterfaceUpdate = json(body)?;
            same_id(id, &interface.iface_id)?;
            Action::UpdateNetwork(interface)
        }
        ("balloon", _) => Action::Absent("balloon"),
        ("mmds", _) => Action::Absent("MMDS"),
        ("hotplug", Some("memory")) => Action::Absent("memory hotplug"),
        _ => return Ok(None),
    }))
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(Fault::Json)
}

fn checked_id(id: Option<&str>) -> Result<&str, Fault> {
    match id {
        None | Some("") => Err(Fault::EmptyId),
        Some(id) if id.chars().all(|c| c == '_' || c.is_alphanumeric()) => Ok(id),
        Some(_) => Err(Fault::InvalidId),
    }
}

fn same_id(path: &str, body: &str) -> Result<(), Fault> {
    if path == body { Ok(()) } else { Err(Fault::IdMismatch) }
}
