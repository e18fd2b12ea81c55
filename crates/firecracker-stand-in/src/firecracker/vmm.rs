//! The microVM's configuration and state, and what each request does to it: the order of things before and after the start
//! as in Firecracker.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
    rc::Rc,
};

use firecracker_stand_in::tools::Tools;
use serde_json::json;
use tokio::process::Child;

use crate::{
    backend::Backend,
    cli::VERSION,
    clock,
    fault::Fault,
    log::{self, Log},
    machine::{Machine, Plan, Serial},
    mconsole,
    request::Action,
    resources::{
        BootSource, CpuTemplate, Drive, Entropy, HugePages, Logger, MachineConfig, MachineConfigUpdate, Metrics,
        NetworkInterface, Vsock, Whole,
    },
    run_dir::RunDir,
    tap,
};

/// The kernel's command line holds no more.
const MAX_BOOT_ARGS: usize = 2048;

/// What a request is answered with.
#[derive(Debug)]
pub(crate) enum Answer {
    Empty,
    Json(serde_json::Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    NotStarted,
    Running,
    Paused,
}

/// What the stand-in itself needs, apart from what it is told.
pub(crate) struct Surroundings {
    pub(crate) id: String,
    pub(crate) tools: Result<Tools, String>,
    pub(crate) run_dir: RunDir,
    pub(crate) pci: bool,
    pub(crate) log: Rc<Log>,
}

pub(crate) struct Vmm {
    surroundings: Surroundings,
    state: State,
    machine_config: MachineConfig,
    boot_source: Option<BootSource>,
    drives: Vec<Drive>,
    interfaces: Vec<NetworkInterface>,
    vsock: Option<(Vsock, Backend)>,
    vsocks_made: u32,
    entropy: Option<Entropy>,
    serial_out: Option<String>,
    logger_set: bool,
    metrics: Option<File>,
    machine: Option<Machine>,
    /// The guest's first process, until somebody waits for it.
    started: Option<Child>,
}

impl Vmm {
    pub(crate) fn new(surroundings: Surroundings) -> Self {
        Self {
            surroundings,
            state: State::NotStarted,
            machine_config: MachineConfig::default(),
            boot_source: None,
            drives: Vec::new(),
            interfaces: Vec::new(),
            vsock: None,
            vsocks_made: 0,
            entropy: None,
            serial_out: None,
            logger_set: false,
            metrics: None,
            machine: None,
            started: None,
        }
    }

    /// The guest's first process, once, after it started.
    pub(crate) fn take_started(&mut self) -> Option<Child> {
        self.started.take()
    }

    pub(crate) fn boot_args(&self) -> &str {
        self.boot_source.as_ref().and_then(|boot| boot.boot_args.as_deref()).unwrap_or_default()
    }

    pub(crate) async fn handle(&mut self, action: Action) -> Result<Answer, Fault> {
        match action {
            Action::InstanceInfo => Ok(Answer::Json(self.info())),
            Action::Version => Ok(Answer::Json(json!({ "firecracker_version": VERSION }))),
            Action::FullConfig => Ok(Answer::Json(self.full_config())),
            Action::GetMachineConfig => Ok(Answer::Json(json!(self.machine_config))),
            Action::Absent(what) => Err(Fault::Absent(what)),
            action if self.state == State::NotStarted => self.before_start(action).await.map(|()| Answer::Empty),
            action => self.after_start(action).await.map(|()| Answer::Empty),
        }
    }

    async fn before_start(&mut self, action: Action) -> Result<(), Fault> {
        match action {
            Action::Logger(logger) => self.set_logger(&logger),
            Action::Metrics(metrics) => self.set_metrics(&metrics),
            Action::MachineConfig(config) => self.set_machine(config),
            Action::UpdateMachineConfig(update) => self.set_machine(updated(self.machine_config.clone(), update)),
            Action::BootSource(boot) => self.set_boot_source(boot),
            Action::Drive(drive) => self.set_drive(drive),
            Action::Network(interface) => self.set_interface(interface),
            Action::Vsock(vsock) => self.set_vsock(vsock).await,
            Action::Entropy(entropy) => {
                self.entropy = Some(entropy);
                Ok(())
            }
            Action::Serial(serial) => {
                self.serial_out = serial.serial_out_path;
                Ok(())
            }
            Action::Start => self.start(),
            _ => Err(Fault::PreBoot),
        }
    }

    async fn after_start(&mut self, action: Action) -> Result<(), Fault> {
        let failed = |error: io::Error| Fault::Guest(error.to_string());
        match action {
            Action::Pause => {
                self.state = State::Paused;
                self.machine.as_ref().map_or(Ok(()), Machine::pause).map_err(failed)
            }
            Action::Resume => {
                self.state = State::Running;
                self.machine.as_ref().map_or(Ok(()), Machine::resume).map_err(failed)
            }
            Action::CtrlAltDel => {
                if let Some(machine) = &self.machine {
                    // A guest without the driver does not notice either.
                    let pressed = mconsole::ctrl_alt_del(self.surroundings.run_dir.path(), &machine.console()).await;
                    if let Err(error) = pressed {
                        self.surroundings.log.info(&format!("the guest has no keyboard: {error}"));
                    }
                }
                Ok(())
            }
            Action::FlushMetrics => self.flush_metrics(),
            Action::CreateSnapshot if self.state == State::Running => Err(Fault::SnapshotWhileRunning),
            Action::CreateSnapshot => Err(Fault::Absent("snapshots")),
            Action::UpdateDrive(update) => match self.drives.iter().any(|drive| drive.drive_id == update.drive_id) {
                false => Err(Fault::NoSuchDrive(format!("Device not found: {}", update.drive_id))),
                true if update.path_on_host.is_some() => Err(Fault::Absent("exchange of a drive's file")),
                true => Ok(()),
            },
            Action::UpdateNetwork(update) => match self.interfaces.iter().any(|known| known.iface_id == update.iface_id) {
                true => Ok(()),
                false => Err(Fault::Guest(format!("there is no interface {}", update.iface_id))),
            },
            Action::Drive(_) | Action::Network(_) if !self.surroundings.pci => Err(Fault::NoPci),
            Action::Drive(_) | Action::Network(_) => Err(Fault::Absent("hotplug")),
            _ => Err(Fault::PostBoot),
        }
    }

    fn info(&self) -> serde_json::Value {
        let state = match self.state {
            State::NotStarted => "Not started",
            State::Running => "Running",
            State::Paused => "Paused",
        };
        json!({ "id": self.surroundings.id, "state": state, "vmm_version": VERSION, "app_name": "Firecracker" })
    }

    fn full_config(&self) -> serde_json::Value {
        json!({
            "balloon": null,
            "drives": self.drives,
            "boot-source": self.boot_source,
            "cpu-config": null,
            "logger": null,
            "machine-config": self.machine_config,
            "metrics": null,
            "mmds-config": null,
            "network-interfaces": self.interfaces,
            "vsock": self.vsock.as_ref().map(|(vsock, _)| vsock),
            "entropy": self.entropy,
            "pmem": [],
            "serial": self.serial_out.as_ref().map(|path| json!({ "serial_out_path": path })),
            "memory-hotplug": null,
        })
    }

    fn set_logger(&mut self, logger: &Logger) -> Result<(), Fault> {
        if self.logger_set {
            return Err(Fault::LoggerAgain);
        }
        self.surroundings.log.update(logger).map_err(Fault::LogFile)?;
        self.logger_set = true;
        Ok(())
    }

    fn set_metrics(&mut self, metrics: &Metrics) -> Result<(), Fault> {
        if self.metrics.is_some() {
            return Err(Fault::MetricsAgain);
        }
        self.metrics = Some(log::append(Path::new(&metrics.metrics_path)).map_err(Fault::MetricsFile)?);
        Ok(())
    }

    fn flush_metrics(&mut self) -> Result<(), Fault> {
        let Some(file) = &mut self.metrics else { return Ok(()) };
        let line = json!({ "utc_timestamp_ms": clock::now_ms() });
        writeln!(file, "{line}").map_err(Fault::MetricsWrite)
    }

    fn set_machine(&mut self, mut config: MachineConfig) -> Result<(), Fault> {
        if config.vcpu_count == 0 || config.vcpu_count > 32 || (config.smt && config.vcpu_count > 1 && config.vcpu_count % 2 == 1)
        {
            return Err(Fault::Vcpus);
        }
        let odd = config.huge_pages == HugePages::TwoMib && config.mem_size_mib % 2 == 1;
        if config.mem_size_mib == 0 || odd {
            return Err(Fault::Memory);
        }
        config.cpu_template = config.cpu_template.or(self.machine_config.cpu_template);
        self.machine_config = config;
        Ok(())
    }

    fn set_boot_source(&mut self, boot: BootSource) -> Result<(), Fault> {
        File::open(&boot.kernel_image_path).map_err(Fault::Kernel)?;
        if let Some(initrd) = &boot.initrd_path {
            File::open(initrd).map_err(Fault::Initrd)?;
        }
        if boot.boot_args.as_ref().is_some_and(|args| args.len() > MAX_BOOT_ARGS) {
            return Err(Fault::BootArgs);
        }
        self.boot_source = Some(boot);
        Ok(())
    }

    /// The root device is the first, whenever it was configured.
    fn set_drive(&mut self, drive: Drive) -> Result<(), Fault> {
        let position = self.drives.iter().position(|known| known.drive_id == drive.drive_id);
        let other_root = self.drives.first().is_some_and(|first| first.is_root_device) && position != Some(0);
        if drive.is_root_device && other_root {
            return Err(Fault::SecondRoot);
        }
        if drive.socket.is_some() {
            return Err(Fault::Absent("drives behind a socket"));
        }
        let path = drive.path_on_host.clone().unwrap_or_default();
        let opened = OpenOptions::new().read(true).write(drive.is_read_only != Some(true)).open(&path);
        opened.map_err(|error| Fault::DriveFile { error, path })?;
        let root = drive.is_root_device;
        match position {
            Some(index) => self.drives[index] = drive,
            None => self.drives.push(drive),
        }
        if root {
            let index = position.unwrap_or(self.drives.len() - 1);
            self.drives[..=index].rotate_right(1);
        }
        Ok(())
    }

    fn set_interface(&mut self, interface: NetworkInterface) -> Result<(), Fault> {
        let others = || self.interfaces.iter().filter(|known| known.iface_id != interface.iface_id);
        if let Some(mac) = interface.guest_mac.as_ref().filter(|mac| others().any(|known| known.guest_mac.as_ref() == Some(mac)))
        {
            return Err(Fault::MacInUse(mac.clone()));
        }
        tap::open(&interface.host_dev_name).map_err(|error| Fault::Tap { error, tap: interface.host_dev_name.clone() })?;
        self.interfaces.retain(|known| known.iface_id != interface.iface_id);
        self.interfaces.push(interface);
        Ok(())
    }

    async fn set_vsock(&mut self, vsock: Vsock) -> Result<(), Fault> {
        let program = self.surroundings.tools.as_ref().map_err(|text| Fault::Guest(text.clone()))?.vsock.clone();
        if let Some((_, before)) = self.vsock.take() {
            before.replace().await;
        }
        self.vsocks_made += 1;
        let backend = Backend::start(&program, self.surroundings.run_dir.path(), &vsock, self.vsocks_made).await?;
        self.vsock = Some((vsock, backend));
        Ok(())
    }

    fn start(&mut self) -> Result<(), Fault> {
        let boot = self.boot_source.as_ref().ok_or(Fault::NoKernel)?;
        if self.machine_config.cpu_template.is_some_and(|template| template != CpuTemplate::None) {
            return Err(Fault::CpuTemplate);
        }
        if !is_elf(Path::new(&boot.kernel_image_path)) {
            return Err(Fault::NotAKernel);
        }
        let tools = self.surroundings.tools.as_ref().map_err(|text| Fault::Guest(text.clone()))?;
        let plan = Plan {
            boot,
            machine: &self.machine_config,
            drives: &self.drives,
            interfaces: &self.interfaces,
            vsock: self.vsock.as_ref().map(|(_, backend)| backend.device.as_path()),
            serial: self.serial_out.as_ref().map_or(Serial::Stdout, |path| Serial::File(path.into())),
            run_dir: self.surroundings.run_dir.path(),
            shim: &tools.shim,
            verbose: self.surroundings.log.is_verbose(),
        };
        let (machine, child) = Machine::start(&plan).map_err(|error| Fault::Guest(error.to_string()))?;
        self.machine = Some(machine);
        self.started = Some(child);
        self.state = State::Running;
        Ok(())
    }

    /// Everything of a configuration file, in the order in which requests would bring it.
    pub(crate) async fn configure(&mut self, whole: Whole) -> Result<(), Fault> {
        let absent = [(whole.balloon, "balloon"), (whole.cpu_config, "CPU templates"), (whole.mmds_config, "MMDS")];
        let absent = absent.into_iter().chain([(whole.memory_hotplug, "memory hotplug")]);
        if let Some((_, what)) = absent.into_iter().find(|(value, _)| value.is_some()) {
            return Err(Fault::Absent(what));
        }
        if whole.pmem.is_some_and(|pmem| !pmem.is_empty()) {
            return Err(Fault::Absent("pmem"));
        }
        let mut actions: Vec<Action> = Vec::new();
        actions.extend(whole.logger.map(Action::Logger));
        actions.extend(whole.metrics.map(Action::Metrics));
        actions.extend(whole.machine_config.map(Action::MachineConfig));
        actions.push(Action::BootSource(whole.boot_source));
        actions.extend(whole.drives.into_iter().map(Action::Drive));
        actions.extend(whole.network_interfaces.into_iter().map(Action::Network));
        actions.extend(whole.vsock.map(Action::Vsock));
        actions.extend(whole.entropy.map(Action::Entropy));
        actions.extend(whole.serial.map(Action::Serial));
        actions.push(Action::Start);
        for action in actions {
            self.before_start(action).await?;
        }
        Ok(())
    }
}

fn updated(mut config: MachineConfig, update: MachineConfigUpdate) -> MachineConfig {
    config.vcpu_count = update.vcpu_count.unwrap_or(config.vcpu_count);
    config.mem_size_mib = update.mem_size_mib.unwrap_or(config.mem_size_mib);
    config.smt = update.smt.unwrap_or(config.smt);
    config.cpu_template = update.cpu_template.or(config.cpu_template);
    config.track_dirty_pages = update.track_dirty_pages.unwrap_or(config.track_dirty_pages);
    config.huge_pages = update.huge_pages.unwrap_or(config.huge_pages);
    config
}

fn is_elf(path: &Path) -> bool {
    let mut mark = [0; 4];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut mark)).is_ok() && mark == *b"\x7fELF"
}
