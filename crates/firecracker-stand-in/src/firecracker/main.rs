//! The stand-in for Firecracker: reads the command line, makes the socket, and lives as long as its guest.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program's own words to who started it")]

mod api;
mod backend;
mod cli;
mod clock;
mod fault;
mod keeper;
mod log;
mod machine;
mod mconsole;
mod request;
mod resources;
mod run_dir;
mod tap;
mod vmm;

use std::{
    env, fs,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus},
    rc::Rc,
};

use clap::Parser as _;
use firecracker_stand_in::tools::Tools;
use tokio::{
    process::Child,
    sync::{Mutex, mpsc},
    task::LocalSet,
};

use crate::{
    api::Api,
    cli::{Args, VERSION},
    keeper::Keeper,
    log::Log,
    machine::{End, reboots_on_panic},
    resources::{Level, Whole},
    run_dir::RunDir,
    vmm::{Surroundings, Vmm},
};

/// Exit codes that callers may look at.
mod exit {
    pub(crate) const GENERIC: u8 = 1;
    pub(crate) const BAD_CONFIGURATION: u8 = 152;
    pub(crate) const ARGUMENTS: u8 = 153;
}

/// Why the program ends without having run a guest.
#[derive(Debug)]
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn generic(text: impl ToString) -> Self {
        Self { code: exit::GENERIC, text: text.to_string() }
    }
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            eprintln!("Arguments parsing error: {error}\nFor more information try --help.");
            return ExitCode::from(exit::ARGUMENTS);
        }
        Err(help) => {
            println!("{help}");
            return ExitCode::SUCCESS;
        }
    };
    if args.version {
        println!("Firecracker v{VERSION}\n");
        return ExitCode::SUCCESS;
    }
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("Error: {}", failure.text);
            ExitCode::from(failure.code)
        }
    }
}

fn run(args: Args) -> Result<(), Failure> {
    let log = Rc::new(open_log(&args)?);
    log.info(&format!("Running Firecracker v{VERSION}"));
    // The first thing of all that start processes or threads.
    let keeper = Keeper::start().map_err(Failure::generic)?;
    let outcome = live(args, &log);
    keeper.end();
    match &outcome {
        Ok(()) => log.info("Firecracker exiting successfully. exit_code=0"),
        Err(failure) => {
            log.error(&failure.text);
            log.error(&format!("Firecracker exiting with error. exit_code={}", failure.code));
        }
    }
    outcome
}

fn open_log(args: &Args) -> Result<Log, Failure> {
    let level = match &args.level {
        None => Level::Info,
        Some(name) => serde_json::from_value(serde_json::Value::String(name.clone())).map_err(|_| Failure {
            code: exit::BAD_CONFIGURATION,
            text: format!("Invalid value for logger level: {name}. Possible values: [Error, Warning, Info, Debug]"),
        })?,
    };
    let log = Log::new(args.id.clone(), level, args.show_level);
    if let Some(path) = &args.log_path {
        log.open(path).map_err(|error| Failure::generic(format!("Could not initialize logger: {error}")))?;
    }
    Ok(log)
}

#[tokio::main(flavor = "current_thread")]
async fn live(args: Args, log: &Rc<Log>) -> Result<(), Failure> {
    LocalSet::new().run_until(serve(args, Rc::clone(log))).await
}

async fn serve(args: Args, log: Rc<Log>) -> Result<(), Failure> {
    let surroundings = Surroundings {
        id: args.id,
        tools: find_tools(),
        run_dir: RunDir::open().map_err(Failure::generic)?,
        pci: args.enable_pci,
        log: Rc::clone(&log),
    };
    let mut vmm = Vmm::new(surroundings);
    if let Some(path) = &args.metrics_path {
        let metrics = resources::Metrics { metrics_path: path.display().to_string() };
        vmm.handle(request::Action::Metrics(metrics)).await.map_err(Failure::generic)?;
    }
    let (started, mut starts) = mpsc::channel::<Child>(1);
    let config = args.config_file.as_deref().map(read_config).transpose()?;
    let listener = if args.no_api { None } else { Some(bind(&args.api_sock)?) };
    if let Some(whole) = config {
        vmm.configure(whole).await.map_err(Failure::generic)?;
    }
    let mut child = vmm.take_started();
    let api = Rc::new(Api { vmm: Mutex::new(vmm), max_payload: args.http_api_max_payload_size, log: Rc::clone(&log), started });
    if let Some(listener) = listener {
        tokio::task::spawn_local(api::serve(listener, Rc::clone(&api)));
    }
    let mut child = match child.take() {
        Some(child) => child,
        None => starts.recv().await.ok_or_else(|| Failure::generic("nothing can start a guest any more"))?,
    };
    let status = child.wait().await.map_err(Failure::generic)?;
    after_guest(status, &api).await;
    log.info("Vmm is stopping.");
    Ok(())
}

/// Returns if the guest's end is Firecracker's. A processor that halts is none.
async fn after_guest(status: ExitStatus, api: &Api) {
    let end = End::of(status);
    let reboots = reboots_on_panic(api.vmm.lock().await.boot_args());
    match end {
        End::Reboot => {}
        End::Panic if reboots => api.log.info("the guest's kernel panicked"),
        End::Panic => std::future::pending().await,
        End::Crash => api.log.error(&format!("Unexpected exit reason on vcpu run: Shutdown ({status})")),
    }
}

fn find_tools() -> Result<Tools, String> {
    if let Some(tools) = Tools::in_jail() {
        return Ok(tools);
    }
    let exe = env::current_exe().map_err(|error| error.to_string())?;
    Tools::beside(&exe, env::var_os("PATH").as_deref()).map_err(|error| error.to_string())
}

fn read_config(path: &Path) -> Result<Whole, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::generic(format!("Unable to open or read from the configuration file: {error}")))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::generic(format!("Configuration for VMM from one single json failed: {error}")))
}

/// Whatever is at the path, the socket is not made: nothing is ever removed there.
fn bind(path: &PathBuf) -> Result<tokio::net::UnixListener, Failure> {
    let taken = || format!("Failed to open the API socket at: {}. Check that it is not already used.", path.display());
    let listener = UnixListener::bind(path).map_err(|_| Failure::generic(taken()))?;
    listener.set_nonblocking(true).map_err(Failure::generic)?;
    tokio::net::UnixListener::from_std(listener).map_err(Failure::generic)
}
