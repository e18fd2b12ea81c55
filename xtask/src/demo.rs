//! `cargo xtask demo`: a real benchmark through the whole system, on this machine: image, registry, queue, runner, results,
//! report. Everything goes through the programs that a person would use; nothing here speaks the server's interface.

mod account;
mod benchmark;
pub(crate) mod client;
mod report;
mod sandbox;
pub(crate) mod service;
mod state;

use std::{
    io::ErrorKind,
    net::TcpListener,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::unistd::Uid;

use self::{
    account::{MICRO_VM, PROJECT, RUNNER, Spec, THIS_MACHINE},
    client::Client,
    sandbox::Place,
    service::Service,
    state::Folder,
};
use crate::{
    process,
    setup::{self, Need},
    signals, workspace,
};

/// How often the server, the runner and the wish to stop are looked at once the demo is done.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stop everything once the report is there; fail if it is not as expected
    #[arg(long)]
    once: bool,
    /// Where the server, the runner and the demo keep their data [default: target/demo]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the server listens, on loopback
    #[arg(long, default_value_t = 6610, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

/// The two programs that stay. Dropped in this order, so that the runner can still say goodbye.
pub(crate) struct Services {
    runner: Service,
    server: Service,
}

impl Services {
    /// Fails if one of them has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.server.check()?;
        self.runner.check()
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(Uid::effective().is_root(), "the demo's runner runs benchmarks on this machine, which needs root: run this as root");
    let root = workspace::root();
    let folder = Folder::open(args.data.as_deref().unwrap_or(&root.join("target/demo")))?;
    ensure_free(args.port)?;
    setup::ensure(Need::Demo)?;
    // The whole workspace, as for the tests, which then find their dependencies built.
    process::run(process::cargo().current_dir(&root).args(["build", "--workspace"]))?;

    let client = Client { program: program("bencher")?, host: format!("http://127.0.0.1:{}", args.port), credential: None };
    let place = sandbox::choose(&client, &folder)?;
    match &place {
        Place::MicroVm { made_by, .. } => println!("the benchmark runs in a microVM, made by {made_by}"),
        Place::Host { why } => println!(
            "no microVM: {why}\nthe benchmark runs the next best way, directly on this machine, as root in namespaces of its own, \
             which is no security boundary"
        ),
    }
    let started = Instant::now();
    let (mut services, client) = start(args.port, client, &folder, &place)?;
    if let Err(error) = measure(&client, &folder, &mut services, place.spec()) {
        if signals::stop_requested() {
            stop(services)?;
            bail!("stopped before the report was there");
        }
        eprintln!("{}\n{}", services.server.tail(), services.runner.tail());
        eprintln!("everything else is in {}; removing it makes the next demo begin anew", folder.path().display());
        stop(services)?;
        return Err(error);
    }
    println!("\nfrom the start of the server to the report: {:.1} s", started.elapsed().as_secs_f64());
    if !args.once {
        println!("server and runner go on until Ctrl-C");
        stay(&mut services)?;
    }
    stop(services)
}

impl Place {
    fn spec(&self) -> &'static Spec {
        match self {
            Self::MicroVm { .. } => &MICRO_VM,
            Self::Host { .. } => &THIS_MACHINE,
        }
    }
}

/// Starts the server, makes the demo's user, project, spec and runner, and starts the runner.
fn start(port: u16, mut client: Client, folder: &Folder, place: &Place) -> Result<(Services, Client)> {
    let logs = folder.folder("logs")?;
    let config = folder.server_config(port)?;
    let mut server = Service::start("server", &program("bencher-api")?, &logs.join("server.log"), |command| {
        command.arg("--config").arg(&config);
        clear_settings(command);
    })?;
    server.wait_for("listening")?;
    let host = client.host.clone();
    println!("the server listens at {host}; its log is {}", logs.join("server.log").display());

    let key = account::ensure(&mut client, &mut server, folder, place.spec())?;
    let data = folder.folder("runner")?;
    let runner = Service::start("runner", &program("runner")?, &logs.join("runner.log"), |command| {
        clear_settings(command);
        command.args(["up", "--host", &host, "--runner", RUNNER, "--on-shutdown", "cancel"]);
        match place {
            Place::MicroVm { flags, .. } => command.args(flags),
            Place::Host { .. } => command.arg("--danger-allow-no-sandbox"),
        };
        command.arg("--data-dir").arg(&data).env("BENCHER_RUNNER_KEY", key);
        // A runner that this machine has already is configured for another server.
        command.env("BENCHER_RUNNER_CONFIG", "/dev/null");
    })?;
    println!("the runner is up; its log is {}", logs.join("runner.log").display());
    Ok((Services { runner, server }, client))
}

/// Builds and pushes the image, runs it as a job, shows the report, and checks it.
fn measure(client: &Client, folder: &Folder, services: &mut Services, spec: &Spec) -> Result<()> {
    let image = format!("{PROJECT}/hyperfine:demo");
    benchmark::publish(client, &folder.folder("image")?, &image)?;
    println!("running {image} as a job");
    let slug = spec.slug;
    let arguments = ["run", "--project", PROJECT, "--branch", "main", "--testbed", slug, "--spec", slug, "--image", &image];
    let results = ["--adapter", "shell_hyperfine", "--file", benchmark::RESULTS, "--job-timeout", "600", "--quiet"];
    let report = client.follow(&[&arguments[..], &results].concat(), services)?;
    let uuid = report["uuid"].as_str().context("`bencher run` printed no report")?;
    println!();
    client.show(&["report", "view", PROJECT, uuid, "--format", "table"])?;
    println!("\nserver: {}/", client.host);
    println!("report: {}/v0/projects/{PROJECT}/reports/{uuid}", client.host);
    report::check(&report, benchmark::BENCHMARKS).context("the report is not as expected")
}

/// Until somebody wants the demo to end.
fn stay(services: &mut Services) -> Result<()> {
    while !signals::stop_requested() {
        if services.runner.wait(LOOK) {
            services.runner.check()?;
        }
        services.server.check()?;
    }
    println!();
    Ok(())
}

/// The runner first: it tells the server that it goes.
fn stop(services: Services) -> Result<()> {
    let Services { runner, server } = services;
    let stopped = runner.stop();
    server.stop()?;
    stopped?;
    println!("stopped the runner and the server; their data stays");
    Ok(())
}

/// A person's own settings are for another server and another runner.
pub(crate) fn clear_settings(command: &mut std::process::Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BENCHER_")) {
        command.env_remove(name);
    }
}

/// A program of this workspace: beside this one, wherever the target folder is.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("could not find this program")?;
    let program = this.parent().unwrap_or(Path::new(".")).join(name);
    ensure!(program.exists(), "{} was not built", program.display());
    Ok(program)
}

/// Says so before anything is built; the server itself would say it, too.
fn ensure_free(port: u16) -> Result<()> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("port {port} is in use, perhaps by another demo: stop it, or name another port with --port")
        }
        Err(error) => Err(error).with_context(|| format!("could not listen at port {port}")),
    }
}
