//! What a microVM is configured with: the bodies of the API's requests, with the names and in the order of Firecracker's,
//! for its messages list them.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BootSource {
    pub(crate) kernel_image_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) initrd_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) boot_args: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum CpuTemplate {
    C3,
    T2,
    T2S,
    T2CL,
    T2A,
    V1N1,
    #[default]
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum HugePages {
    #[default]
    None,
    #[serde(rename = "2M")]
    TwoMib,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MachineConfig {
    pub(crate) vcpu_count: u8,
    pub(crate) mem_size_mib: usize,
    #[serde(default)]
    pub(crate) smt: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_template: Option<CpuTemplate>,
    #[serde(default)]
    pub(crate) track_dirty_pages: bool,
    #[serde(default)]
    pub(crate) huge_pages: HugePages,
}

impl Default for MachineConfig {
    fn default() -> Self {
        Self {
            vcpu_count: 1,
            mem_size_mib: 128,
            smt: false,
            cpu_template: None,
            track_dirty_pages: false,
            huge_pages: HugePages::None,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MachineConfigUpdate {
    pub(crate) vcpu_count: Option<u8>,
    pub(crate) mem_size_mib: Option<usize>,
    pub(crate) smt: Option<bool>,
    pub(crate) cpu_template: Option<CpuTemplate>,
    pub(crate) track_dirty_pages: Option<bool>,
    pub(crate) huge_pages: Option<HugePages>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenBucket {
    size: u64,
    one_time_burst: Option<u64>,
    refill_time: u64,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimiter {
    bandwidth: Option<TokenBucket>,
    ops: Option<TokenBucket>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum CacheType {
    #[default]
    Unsafe,
    Writeback,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum IoEngine {
    Async,
    Sync,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drive {
    pub(crate) drive_id: String,
    pub(crate) partuuid: Option<String>,
    pub(crate) is_root_device: bool,
    #[serde(default)]
    pub(crate) cache_type: CacheType,
    pub(crate) is_read_only: Option<bool>,
    pub(crate) path_on_host: Option<String>,
    pub(crate) rate_limiter: Option<RateLimiter>,
    pub(crate) io_engine: Option<IoEngine>,
    pub(crate) socket: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriveUpdate {
    pub(crate) drive_id: String,
    pub(crate) path_on_host: Option<String>,
    #[expect(dead_code, reason = "accepted, without effect")]
    pub(crate) rate_limiter: Option<RateLimiter>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkInterface {
    pub(crate) iface_id: String,
    pub(crate) host_dev_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) guest_mac: Option<String>,
    pub(crate) rx_rate_limiter: Option<RateLimiter>,
    pub(crate) tx_rate_limiter: Option<RateLimiter>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkInterfaceUpdate {
    pub(crate) iface_id: String,
    #[expect(dead_code, reason = "accepted, without effect")]
    pub(crate) rx_rate_limiter: Option<RateLimiter>,
    #[expect(dead_code, reason = "accepted, without effect")]
    pub(crate) tx_rate_limiter: Option<RateLimiter>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vsock {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vsock_id: Option<String>,
    pub(crate) guest_cid: u32,
    pub(crate) uds_path: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entropy {
    rate_limiter: Option<RateLimiter>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Serial {
    pub(crate) serial_out_path: Option<String>,
    rate_limiter: Option<TokenBucket>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logger {
    pub(crate) log_path: Option<String>,
    pub(crate) level: Option<Level>,
    pub(crate) show_level: Option<bool>,
    #[expect(dead_code, reason = "accepted, without effect")]
    pub(crate) show_log_origin: Option<bool>,
    #[expect(dead_code, reason = "accepted, without effect")]
    pub(crate) module: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum Level {
    #[serde(alias = "off", alias = "OFF")]
    Off,
    #[serde(alias = "error", alias = "ERROR")]
    Error,
    #[serde(alias = "Warn", alias = "warn", alias = "WARN", alias = "warning", alias = "WARNING")]
    Warning,
    #[default]
    #[serde(alias = "info", alias = "INFO")]
    Info,
    #[serde(alias = "debug", alias = "DEBUG")]
    Debug,
    #[serde(alias = "trace", alias = "TRACE")]
    Trace,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metrics {
    pub(crate) metrics_path: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) enum ActionType {
    FlushMetrics,
    InstanceStart,
    SendCtrlAltDel,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstanceAction {
    pub(crate) action_type: ActionType,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) enum WantedState {
    Paused,
    Resumed,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VmState {
    pub(crate) state: WantedState,
}

/// The whole configuration, as `--config-file` holds it. Values that the stand-in refuses are read only to say so.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Whole {
    pub(crate) balloon: Option<serde_json::Value>,
    #[serde(default)]
    pub(crate) drives: Vec<Drive>,
    pub(crate) boot_source: BootSource,
    pub(crate) cpu_config: Option<serde_json::Value>,
    pub(crate) logger: Option<Logger>,
    pub(crate) machine_config: Option<MachineConfig>,
    pub(crate) metrics: Option<Metrics>,
    pub(crate) mmds_config: Option<serde_json::Value>,
    #[serde(default)]
    pub(crate) network_interfaces: Vec<NetworkInterface>,
    pub(crate) vsock: Option<Vsock>,
    pub(crate) entropy: Option<Entropy>,
    pub(crate) pmem: Option<Vec<serde_json::Value>>,
    pub(crate) serial: Option<Serial>,
    pub(crate) memory_hotplug: Option<serde_json::Value>,
}
