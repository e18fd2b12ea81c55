//! The straight line from the kernel's start to the last benchmark.

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use bencher_init::{
    FromGuest, GuestConfig, PROTOCOL_VERSION, ToGuest, boot,
    control::GuestFailure,
    drive::{self, DriveError},
};
use rustix::system::{RebootCommand, reboot, sethostname};

use crate::{
    clock::{self, Moment},
    execute::{self, Launch},
    failure,
    files::Collection,
    host::{Host, HostError, Order},
    limits, mounts, network,
    signals::Signals,
};

/// Everything this program is for. Returns when the host has no more orders.
pub(crate) fn live(started: Moment, host: &mut Host) -> Result<(), GuestFailure> {
    mounts::of_the_initramfs()?;
    let signals = Signals::take().map_err(failure::system("take its signals"))?;
    // Ctrl-Alt-Del is a signal to this process now and no restart.
    reboot(RebootCommand::CadOff).map_err(failure::system("take Ctrl-Alt-Del"))?;
    load_modules()?;
    let command_line = mounts::read_small("/proc/cmdline").map_err(failure::system("read the kernel's command line"))?;
    let config = configuration(&command_line)?;
    host.introduce(config.token);
    let root = device(&command_line, boot::ROOT)?;
    mounts::switch_to(root)?;
    mounts::of_the_image(&config.hostname)?;
    sethostname(config.hostname.as_bytes()).map_err(failure::system("set the host name"))?;
    network::up(config.network.as_ref())?;
    let launch = Launch::prepare(&config)?;
    let hello =
        FromGuest::Hello { version: PROTOCOL_VERSION, token: config.token, init_ns: started.0, ready_ns: Moment::now().0 };
    host.connect().and_then(|()| host.say(&hello)).map_err(unreachable)?;
    serve(&config, &launch, host, &signals)
}

/// Runs benchmarks until the host wants no more.
fn serve(config: &GuestConfig, launch: &Launch, host: &mut Host, signals: &Signals) -> Result<(), GuestFailure> {
    loop {
        let run = match host.next_order(signals).map_err(unreachable)? {
            Order::Host(ToGuest::Run { run }) => run,
            // One that crossed the benchmark's own end.
            Order::Host(ToGuest::Stop) => continue,
            Order::Host(ToGuest::Finish) | Order::CtrlAltDel => return Ok(()),
        };
        let grace = Duration::from_millis(config.grace_period_ms);
        let left = execute::run(launch, run, grace, host, signals)?;
        if left.host_is_gone {
            return Err(GuestFailure::System {
                action: "go on without the host".to_owned(),
                reason: "it closed the control connection".to_owned(),
            });
        }
        let ended = FromGuest::Ended { run, exit: left.exit, wall_ns: left.wall_ns, oom_killed: left.oom_killed };
        host.say(&ended).map_err(unreachable)?;
        host.deliver_stream(bencher_init::port::STDOUT, run, &left.stdout).map_err(unreachable)?;
        host.deliver_stream(bencher_init::port::STDERR, run, &left.stderr).map_err(unreachable)?;
        let files = Collection::of(config)?;
        host.deliver_files(run, files).map_err(unreachable)?;
        host.say(&FromGuest::Delivered { run }).map_err(unreachable)?;
    }
}

fn load_modules() -> Result<(), GuestFailure> {
    let order = match mounts::read_small(boot::MODULE_ORDER) {
        Ok(order) => order,
        // A kernel that has everything built in.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failure::system("read the list of kernel modules")(error)),
    };
    for module in order.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let failed = |reason: String| GuestFailure::Module { module: module.to_owned(), reason };
        let file = File::open(Path::new(boot::MODULES).join(module)).map_err(|error| failed(error.to_string()))?;
        match rustix::system::finit_module(&file, c"", 0) {
            // Built in, or pulled in by another.
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(failed(error.to_string())),
        }
    }
    Ok(())
}

/// The device a parameter names, once it is there.
fn device<'a>(command_line: &'a str, name: &str) -> Result<&'a str, GuestFailure> {
    let missing = || GuestFailure::Config { reason: format!("the kernel's command line has no `{name}`") };
    let path = boot::parameter(command_line, name).ok_or_else(missing)?;
    let is_there = || Path::new(path).exists();
    if clock::wait_until(limits::DEVICE_WAIT, limits::DEVICE_POLL, is_there) {
        return Ok(path);
    }
    let reason = format!("it did not appear within {:?}", limits::DEVICE_WAIT);
    Err(GuestFailure::System { action: format!("find the device {path}"), reason })
}

fn configuration(command_line: &str) -> Result<GuestConfig, GuestFailure> {
    let path = device(command_line, boot::CONFIG)?;
    let mut drive = File::open(path).map_err(|error| GuestFailure::Config { reason: format!("{path}: {error}") })?;
    let config = drive::read(&mut drive).map_err(|error| match error {
        DriveError::Version { version } => GuestFailure::Version { runner: version, guest: PROTOCOL_VERSION },
        error => GuestFailure::Config { reason: format!("{path}: {}", failure::chain(&error)) },
    })?;
    // It holds secrets; a benchmark that is not root has no business with it. Best effort: root could make it again.
    let _ = fs::remove_file(path);
    Ok(config)
}

/// The host cannot be reached, so nobody but the console will hear of this.
fn unreachable(error: HostError) -> GuestFailure {
    failure::system("talk to the host")(failure::chain(&error))
}
