//! One microVM from its first file to its last: the asynchronous shell around the [`Conversation`].
//!
//! ```text
//! start (blocking)                                bring_up                                  run, run, …    close
//! id ─ jail ─ warden ─ process ─ cgroup, sockets  API: configure, start ─ guest's greeting                 finish ─ destroy
//! ```
//!
//! Whatever goes wrong after `start`, [`Machine::destroy`] removes all of it and waits for that; dropping a machine does the
//! same, but blocks.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bencher_init::{config::Token, control::ToGuest, drive, frame};
use rand::RngCore as _;
use rustix::process::WaitIdStatus;
use tokio::{
    io::AsyncWriteExt as _,
    net::unix::{OwnedWriteHalf, pipe},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Host,
    api::{Action, Api, ApiError, BootSource, Drive, Logger, MachineConfig, Metrics, NetworkInterface, Serial, Vsock},
    collect::Wanted,
    conversation::{Conversation, Event, Failure, Order, Patience, RunEnd},
    error::{MachineError, Said, of_guest, of_machine},
    guest,
    ids::{self, Lease},
    jail::{Equipment, Jail, name},
    limits,
    network::Attached,
    process::{self, Jailer, Launch, Process},
    tail::{Tail, last_words},
    vsock::{self, Channel, Incoming},
};
use crate::sandbox::{
    ExecutionPlan, ImageError, InfrastructureError, Network, Phases, SandboxError,
    cgroup::JobCgroup,
    pidns::{Warden, note_warden},
};

/// The guest's address on its vsock. Every machine has its own sockets, so all can have the same.
const GUEST_CID: u32 = 3;

/// A microVM.
///
/// The order of the fields is the order in which they are dropped: first the processes, then what they used.
#[derive(Debug)]
pub(super) struct Machine {
    channel: Channel,
    control: Option<OwnedWriteHalf>,
    api: Option<Api>,
    console: Tail,
    log: Tail,
    _metrics: Tail,
    parts: Parts,
    cgroup: JobCgroup,
    network: Option<Attached>,
    conversation: Conversation,
    hardware: MachineConfig,
    status: Option<WaitIdStatus>,
    /// Of the boot; the first iteration's.
    phases: Phases,
    began: Instant,
    warnings: Vec<String>,
}

/// What is made before the first request, by calls that block.
#[derive(Debug)]
struct Parts {
    process: Process,
    warden: Warden,
    jail: Jail,
    lease: Option<Lease>,
}

/// What an iteration gave, and how long it took.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) end: RunEnd,
    pub(super) phases: Phases,
    pub(super) oom_killed: bool,
    pub(super) warnings: Vec<String>,
}

impl Machine {
    /// Starts the process of a machine. Nothing of the guest runs yet. `None` where it was canceled.
    pub(super) async fn start(
        host: &Arc<Host>,
        plan: &ExecutionPlan,
        cancel: &CancellationToken,
    ) -> Result<Option<Self>, SandboxError> {
        let hardware = guest::machine_config(&plan.resources, host.config.huge_pages).map_err(of_machine)?;
        if host.config.huge_pages {
            super::check_huge_pages(hardware.mem_size_mib).map_err(of_machine)?;
        }
        let mut token = Token([0; 16]);
        rand::rng().fill_bytes(&mut token.0);
        let lease = host.config.jailer.is_some().then(|| host.ids.lease()).transpose()?;
        let network = match (plan.network, &host.networks) {
            (Network::None, _) => None,
            (Network::Host, None) => return Err(of_machine(MachineError::NoNetwork)),
            (Network::Host, Some(networks)) => Some(networks.attach(lease.as_ref().map_or(0, |lease| lease.uid)).await?),
        };
        let config = drive::encode(&guest::config(plan, token, network.as_ref().map(|network| network.guest.clone())));
        let config = config.map_err(|error| of_machine(MachineError::Config(error)))?;
        let id = ids::new_name();
        let began = Instant::now();
        let namespace = network.as_ref().map(|network| network.netns_path.clone());
        let disk = plan.rootfs.clone();
        let making = Making { host: Arc::clone(host), id: id.clone(), lease, disk, config, hardware, namespace };
        let Some((parts, console)) = making.within_bound(cancel).await? else { return Ok(None) };
        let receiver = pipe::Receiver::from_owned_fd(console.into());
        let console = Tail::of(receiver.map_err(InfrastructureError::kernel("read a microVM's console"))?);
        let (log, metrics) = (open_pipe(&parts.jail, name::LOG)?, open_pipe(&parts.jail, name::METRICS)?);
        let channel = Channel::open(parts.jail.root(), parts.owner(), token, Wanted::of(plan), plan.live.clone())?;
        // Last, as nothing can fail any more: a group cannot be removed before the process in it is gone.
        let mut cgroup = host.cgroups.create(&id, &guest::host_limits(&hardware), host.cpus);
        if let Some(limit) = host.io_limit {
            host.cgroups.limit_io(&mut cgroup, &id, limit);
        }
        cgroup.add(parts.process.pid);
        let mut warnings = std::mem::take(&mut cgroup.warnings);
        warnings.extend(parts.jail.warning());
        warnings.extend(network.iter().flat_map(|network| network.warnings.clone()));
        let patience = Patience { boot: host.config.boot_timeout, timeout: plan.timeout, grace: plan.grace_period };
        let phases = Phases { clone: parts.jail.clone_time, ..Phases::default() };
        Ok(Some(Self {
            channel,
            control: None,
            api: None,
            console,
            log,
            _metrics: metrics,
            parts,
            cgroup,
            network,
            conversation: Conversation::new(patience, began),
            hardware,
            status: None,
            phases,
            began,
            warnings,
        }))
    }

    /// From a started process to a guest that is ready.
    pub(super) async fn bring_up(&mut self, host: &Host) -> Result<(), SandboxError> {
        if let Err(error) = self.configure(host).await {
            // A request that got no answer has its reason in the end of the process, if that has ended.
            self.wait_for_end(limits::DRAIN_TIMEOUT).await;
            return Err(of_machine(match self.status {
                Some(_) => self.ended("before its guest was started"),
                None => error,
            }));
        }
        // Nobody can cancel this from inside; who wants to just destroys the machine.
        let never = CancellationToken::new();
        match self.converse(&never).await {
            Order::Greeted { init_ready } => {
                let whole = self.began.elapsed();
                let init_ready = init_ready.min(whole);
                self.phases.boot = whole.saturating_sub(init_ready).saturating_sub(self.phases.clone);
                self.phases.init_ready = init_ready;
                Ok(())
            }
            Order::Failed(failure) => Err(self.failure(failure).await),
            Order::Tell(_) | Order::PressCtrlAltDel | Order::Done(_) => Err(of_machine(MachineError::SessionOver)),
        }
    }

    /// Whether it can run the next iteration.
    pub(super) fn is_ready(&self) -> bool {
        self.conversation.is_idle() && self.status.is_none()
    }

    /// Runs one iteration.
    pub(super) async fn run(&mut self, cancel: &CancellationToken) -> Result<Run, SandboxError> {
        let Some((run, order)) = self.conversation.begin(Instant::now()) else {
            return Err(of_machine(MachineError::SessionOver));
        };
        self.channel.expect(run);
        self.tell(order).await;
        match self.converse(cancel).await {
            Order::Done(end) => {
                let boot = std::mem::take(&mut self.phases);
                let phases = Phases { run: end.wall, collect: end.collect, ..boot };
                let oom_killed = end.oom_killed || self.cgroup.oom_killed();
                Ok(Run { end: *end, phases, oom_killed, warnings: std::mem::take(&mut self.warnings) })
            }
            Order::Failed(failure) => Err(self.failure(failure).await),
            Order::Tell(_) | Order::PressCtrlAltDel | Order::Greeted { .. } => Err(of_machine(MachineError::SessionOver)),
        }
    }

    /// Lets the guest end by itself if it can, and removes the machine. How long that took.
    pub(super) async fn close(mut self) -> Duration {
        let began = Instant::now();
        if self.is_ready() {
            self.tell(ToGuest::Finish).await;
            self.wait_for_end(limits::FINISH_TIMEOUT).await;
            if self.status.is_none() && self.press_ctrl_alt_del().await {
                self.wait_for_end(limits::FINISH_TIMEOUT).await;
            }
        }
        self.destroy().await;
        began.elapsed()
    }

    /// Kills what is left of the machine and removes it.
    pub(super) async fn destroy(self) {
        let Self { channel, control, api, parts, cgroup, network, status, .. } = self;
        drop((channel, control, api));
        let Parts { process, mut warden, jail, lease } = parts;
        warden.kill();
        if status.is_none() && timeout(crate::limits::KILL_TIMEOUT, process.ended()).await.is_err() {
            tracing::warn!(pid = process.pid, "a killed microVM did not end");
        }
        if let Err(error) = warden.close().await {
            tracing::warn!(%error, "could not end all of a microVM");
        }
        cgroup.close().await;
        if let Some(network) = network
            && let Err(error) = network.detach().await
        {
            tracing::warn!(error = crate::chain::chain(&error), "could not remove the network of a microVM; the next start will");
        }
        // Removing a large disk takes as long as the file system likes. The id is free only when nothing of its user is left.
        let removed = tokio::task::spawn_blocking(move || {
            drop(jail);
            drop(lease);
        });
        let _ = removed.await;
    }

    async fn configure(&mut self, host: &Host) -> Result<(), MachineError> {
        let mut api = self.connect().await?;
        let version = api.version().await?;
        tracing::debug!(version, "Firecracker answers");
        let level = host.config.log_level.name();
        api.logger(&Logger { log_path: name::LOG, level, show_level: true, show_log_origin: false }).await?;
        api.metrics(&Metrics { metrics_path: name::METRICS }).await?;
        api.machine_config(&self.hardware).await?;
        let boot_args = guest::boot_args(host.config.boot_args.as_deref());
        let source = BootSource { kernel_image_path: name::KERNEL, initrd_path: name::INITRAMFS, boot_args: &boot_args };
        api.boot_source(&source).await?;
        // The guest's first process mounts the disk, not the kernel: neither is a "root device", and the order names them.
        for (drive_id, is_read_only) in [(name::DISK, false), (name::CONFIG, true)] {
            api.drive(&Drive { drive_id, path_on_host: drive_id, is_root_device: false, is_read_only }).await?;
        }
        api.vsock(&Vsock { guest_cid: GUEST_CID, uds_path: vsock::SOCKET }).await?;
        if let Some(Attached { guest, tap_name, mac, limiter, .. }) = &self.network {
            let (rx_rate_limiter, tx_rate_limiter) = (*limiter, *limiter);
            let (iface_id, host_dev_name, guest_mac) = (&guest.interface, tap_name, mac);
            api.network_interface(&NetworkInterface { iface_id, host_dev_name, guest_mac, rx_rate_limiter, tx_rate_limiter })
                .await?;
        }
        api.entropy().await?;
        match api.serial(&Serial { rate_limiter: limits::CONSOLE_RATE }).await {
            // A flood then costs the host time, but neither memory nor disk: no reason not to start.
            Err(error @ ApiError::Refused { .. }) => self.warnings.push(format!("the console's rate is not bounded: {error}")),
            done => done?,
        }
        api.action(Action::InstanceStart).await?;
        self.api = Some(api);
        Ok(())
    }

    async fn connect(&mut self) -> Result<Api, MachineError> {
        let path = self.parts.jail.within(name::API);
        let after = limits::API_READY_TIMEOUT;
        let deadline = Instant::now() + after;
        loop {
            match Api::connect(&path).await {
                Err(ApiError::Connect(error))
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {}
                connected => return Ok(connected?),
            }
            self.wait_for_end(limits::API_RETRY_PAUSE).await;
            if self.status.is_some() {
                return Err(self.ended("before its API was there"));
            }
            if Instant::now() >= deadline {
                return Err(MachineError::Silent { step: "the start of Firecracker's API", after, said: self.said() });
            }
        }
    }

    /// Feeds the conversation with what happens until it wants something that is not for the guest.
    async fn converse(&mut self, cancel: &CancellationToken) -> Order {
        let mut canceled = false;
        let mut drained = None;
        loop {
            let deadline = self.conversation.deadline();
            let event = tokio::select! {
                biased;
                Some(incoming) = self.channel.next() => match incoming {
                    Incoming::Control(writer) => {
                        self.control = Some(writer);
                        continue;
                    }
                    Incoming::Event(event) => event,
                },
                ended = self.parts.process.ended(), if self.status.is_none() => {
                    if let Ok(status) = ended {
                        self.status = Some(status);
                    }
                    // What it sent before may still be on its way.
                    drained = Some(Instant::now() + limits::DRAIN_TIMEOUT);
                    continue;
                }
                () = at(drained) => {
                    drained = None;
                    Event::MachineEnded
                }
                () = cancel.cancelled(), if !canceled => {
                    canceled = true;
                    Event::Cancel
                }
                () = at(deadline) => Event::Late,
            };
            match self.conversation.on(event, Instant::now()) {
                None => {}
                Some(Order::Tell(order)) => self.tell(order).await,
                Some(Order::PressCtrlAltDel) => {
                    self.press_ctrl_alt_del().await;
                }
                Some(order) => return order,
            }
        }
    }

    /// Sends an order. That it cannot be sent is no error here: the connection's end, or a deadline, tells.
    async fn tell(&mut self, order: ToGuest) {
        let (Some(control), Ok(bytes)) = (&mut self.control, frame::encode(&order)) else { return };
        if !matches!(timeout(limits::ORDER_TIMEOUT, control.write_all(&bytes)).await, Ok(Ok(()))) {
            tracing::debug!(?order, "the guest does not take orders any more");
        }
    }

    async fn press_ctrl_alt_del(&mut self) -> bool {
        let Some(api) = &mut self.api else { return false };
        let pressed = timeout(limits::ORDER_TIMEOUT, api.action(Action::SendCtrlAltDel)).await;
        matches!(pressed, Ok(Ok(())))
    }

    async fn wait_for_end(&mut self, at_most: Duration) {
        if self.status.is_none()
            && let Ok(Ok(status)) = timeout(at_most, self.parts.process.ended()).await
        {
            self.status = Some(status);
        }
    }

    async fn failure(&mut self, failure: Failure) -> SandboxError {
        match failure {
            Failure::Guest(failure) => of_guest(failure),
            Failure::Lie(lie) => of_machine(lie.into()),
            Failure::Silent { step, after } => of_machine(MachineError::Silent { step, after, said: self.said() }),
            Failure::MachineEnded { when } => {
                self.wait_for_end(limits::DRAIN_TIMEOUT).await;
                of_machine(self.ended(when))
            }
            Failure::BenchmarkEndedMachine => {
                self.wait_for_end(limits::DRAIN_TIMEOUT).await;
                // A guest that is reset or gives up ends Firecracker well; any other end is Firecracker's own.
                match &self.status {
                    Some(status) if status.exit_status() != Some(0) => of_machine(self.ended("while the benchmark ran")),
                    _ => ImageError::MachineEnded.into(),
                }
            }
        }
    }

    fn ended(&self, when: &'static str) -> MachineError {
        let status = self.status.as_ref().map_or_else(|| "its connection closed".to_owned(), process::describe);
        MachineError::Ended { status, when, said: self.said() }
    }

    fn said(&self) -> Said {
        last_words(&[&self.console, &self.log])
    }
}

/// The making of [`Parts`].
struct Making {
    host: Arc<Host>,
    id: String,
    lease: Option<Lease>,
    disk: PathBuf,
    config: Vec<u8>,
    hardware: MachineConfig,
    /// The network namespace of the machine, where it has one.
    namespace: Option<PathBuf>,
}

impl Making {
    /// Waits for it, also where it is canceled or takes too long: then it soon undoes what it did.
    async fn within_bound(self, cancel: &CancellationToken) -> Result<Option<(Parts, io::PipeReader)>, SandboxError> {
        let stop = cancel.child_token();
        // Where nobody waits any more, it stops by itself, and what is finished is dropped, which undoes it.
        let _guard = stop.clone().drop_guard();
        let mut making = tokio::task::spawn_blocking({
            let stop = stop.clone();
            move || self.make(&stop)
        });
        let after = limits::PREPARE_TIMEOUT;
        let made = match timeout(after, &mut making).await {
            Ok(made) => made,
            Err(_) => {
                stop.cancel();
                making.await
            }
        };
        let made = made.map_err(|_| InfrastructureError::SetUpLost)??;
        if made.is_none() && !cancel.is_cancelled() {
            return Err(InfrastructureError::TimedOut { step: "making the disk of a microVM", after }.into());
        }
        Ok(made)
    }

    /// Blocking.
    fn make(self, stop: &CancellationToken) -> Result<Option<(Parts, io::PipeReader)>, InfrastructureError> {
        let Self { host, id, lease, disk, config, hardware, namespace } = self;
        let owner = lease.as_ref().map(|lease| lease.uid);
        let (kernel, initramfs) = (host.kernel.clone(), host.initramfs.clone());
        let equipment = Equipment { kernel, initramfs, disk, config, owner };
        let made = Jail::make(&host.jails.join(&host.program_name), &id, &equipment, stop)?;
        let Some(jail) = made else { return Ok(None) };
        let warden = Warden::start()?;
        note_warden(jail.folder(), warden.pid())?;
        let jailer = host.config.jailer.clone().zip(owner).map(|(program, uid)| Jailer {
            program,
            uid,
            base: host.jails.clone(),
            // Its disk, and its memory with what is around it, where that is a file of the kernel's.
            max_file_size: jail.disk_size.max(hardware.mem_size_mib * 1024 * 1024 + limits::MEMORY_OVERHEAD),
        });
        let firecracker = host.config.firecracker.clone();
        let launch = Launch { firecracker, jailer, id, root: jail.root_path(), network: namespace };
        let (process, console) = Process::start(&launch, &warden)?;
        Ok(Some((Parts { process, warden, jail, lease }, console)))
    }
}

impl Parts {
    fn owner(&self) -> Option<u32> {
        self.lease.as_ref().map(|lease| lease.uid)
    }
}

fn open_pipe(jail: &Jail, name: &str) -> Result<Tail, InfrastructureError> {
    let path = jail.within(name);
    // Open for both, so that it neither waits for a writer nor ends with one.
    let opened = pipe::OpenOptions::new().read_write(true).open_receiver(&path);
    opened.map(Tail::of).map_err(InfrastructureError::io("open the pipe", Path::new(name)))
}

/// Waits for a point in time, or for ever.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
