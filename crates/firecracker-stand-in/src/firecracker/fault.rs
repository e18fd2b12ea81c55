//! Everything that a request can be refused with, in Firecracker's words.

use std::io;

/// The text of `fault_message`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("Invalid request method and/or path: {method} {path}.")]
    InvalidPathMethod { method: String, path: String },
    #[error("Empty {0} request.")]
    EmptyBody(&'static str),
    #[error("GET request cannot have a body.")]
    BodyOfGet,
    #[error("The ID cannot be empty.")]
    EmptyId,
    #[error("API Resource IDs can only contain alphanumeric characters and underscores.")]
    InvalidId,
    #[error("The id from the path does not match the id from the body!")]
    IdMismatch,
    #[error("An error occurred when deserializing the json body of a request: {0}.")]
    Json(serde_json::Error),

    #[error("The requested operation is not supported after starting the microVM.")]
    PostBoot,
    #[error("The requested operation is not supported before starting the microVM.")]
    PreBoot,
    #[error("PCI is not enabled")]
    NoPci,
    #[error("The requested operation is not supported: the stand-in has no {0}")]
    Absent(&'static str),

    #[error("Logger error: Failed to open target file: {0}")]
    LogFile(io::Error),
    #[error("Logger error: Cannot initialize the logging system due to bad user input: Reinitialization of logger not allowed.")]
    LoggerAgain,
    #[error("Metrics error: Cannot initialize the metrics system due to bad user input: {0}")]
    MetricsFile(io::Error),
    #[error(
        "Metrics error: Cannot initialize the metrics system due to bad user input: Reinitialization of metrics not allowed."
    )]
    MetricsAgain,
    #[error("Internal VMM error: Failed to write metrics: {0}")]
    MetricsWrite(io::Error),

    #[error(
        "Machine config error: The number of vCPUs must be greater than 0, less than 32 and must be 1 or an even number if SMT is enabled."
    )]
    Vcpus,
    #[error("Machine config error: The memory size (MiB) is either 0, or not a multiple of the configured page size.")]
    Memory,

    #[error("Boot source error: The kernel file cannot be opened: {0}")]
    Kernel(io::Error),
    #[error("Boot source error: The initrd file cannot be opened due to invalid path or invalid permissions. {0}")]
    Initrd(io::Error),
    #[error("Boot source error: The kernel command line is invalid: Inserting string would make command line too long.")]
    BootArgs,

    #[error("Drive config error: A root block device already exists!")]
    SecondRoot,
    #[error(
        "Drive config error: Unable to create the virtio block device: Virtio backend error: Error manipulating the backing file: {error} {path}"
    )]
    DriveFile { error: io::Error, path: String },
    #[error("Drive config error: Unable to patch the block device: {0} Please verify the request arguments.")]
    NoSuchDrive(String),

    #[error(
        "Network config error: Could not create the network device: Open tap device failed: {error} Invalid TUN/TAP Backend provided by {tap}. Check our documentation on setting up the network devices."
    )]
    Tap { error: io::Error, tap: String },
    #[error("Network config error: The MAC address is already in use: {0}")]
    MacInUse(String),

    #[error("Vsock device error: Cannot create backend for vsock device: Error binding to the host-side Unix socket: {0}")]
    VsockBind(io::Error),

    #[error("Start microvm error: Cannot start microvm without kernel configuration.")]
    NoKernel,
    #[error("Start microvm error: Failed to get CPU template: The current CPU model is not permitted to apply the CPU template.")]
    CpuTemplate,
    #[error(
        "Start microvm error: Cannot load kernel due to invalid memory configuration or invalid kernel image: Kernel Loader: failed to load ELF kernel image"
    )]
    NotAKernel,
    /// No fault of Firecracker's: the stand-in itself could not do it.
    #[error("Start microvm error: the stand-in could not start the guest: {0}")]
    Guest(String),

    #[error(
        "Create snapshot error: Cannot save the microVM state: Operation not allowed: save/restore unavailable while running"
    )]
    SnapshotWhileRunning,
}
