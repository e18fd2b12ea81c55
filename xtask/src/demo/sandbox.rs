//! Where the demo's benchmark runs: in a microVM where this machine starts one, else directly on the machine. A microVM is
//! tried before anything is claimed, and what came of it is said.
//!
//! Firecracker, jailer and kernel are those that `runner` finds installed, or those that the environment names with the same
//! words as for `cargo xtask vmtest`. Whoever names some wants them: then there is no other way.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{LOOK, clear_settings, client::Client, program, service::Service, state::Folder};
use crate::{guest, process, signals};

/// Where `runner install-deps` puts Firecracker.
const INSTALLED: &str = "/usr/local/lib/bencher/current/firecracker";
/// A microVM starts in a tenth of a second. Where its processor is emulated it takes minutes, and is of no use.
const TRIAL_BOUND: Duration = Duration::from_secs(90);

/// Where the benchmark runs.
#[derive(Debug)]
pub(crate) enum Place {
    MicroVm {
        /// Of `runner up` and `runner run`.
        flags: Vec<OsString>,
        /// Which program makes it, for a person to read: who names one may name any.
        made_by: String,
    },
    /// With the reason, for a person to read.
    Host { why: String },
}

/// What of a microVM the environment names.
#[derive(Debug, Default)]
struct Named {
    firecracker: Option<PathBuf>,
    jailer: Option<PathBuf>,
    kernel: Option<PathBuf>,
    modules: Vec<PathBuf>,
}

/// Finds out where. Builds the guest's first process where it may be of use.
pub(crate) fn choose(client: &Client, folder: &Folder) -> Result<Place> {
    let named = Named::by_environment();
    let place = look(&named, client, folder)?;
    match (place, named.firecracker) {
        (Place::Host { why }, Some(firecracker)) => {
            bail!("no microVM starts with {}, which FIRECRACKER_BIN names: {why}", firecracker.display())
        }
        (place, _) => Ok(place),
    }
}

fn look(named: &Named, client: &Client, folder: &Folder) -> Result<Place> {
    let host = |why: String| Ok(Place::Host { why });
    if env::consts::ARCH != "x86_64" {
        return host(format!("guests are built for x86_64 only, and this machine is {}", env::consts::ARCH));
    }
    let installed = process::find("firecracker").is_some() || Path::new(INSTALLED).exists();
    if named.firecracker.is_none() && !installed {
        return host("Firecracker is not installed (`runner install-deps` installs it, see docs/runner.md)".to_owned());
    }
    let flags = named.flags(&guest::build()?);
    let findings = doctor(&flags, folder)?;
    let needed: &[&str] = if named.firecracker.is_some() { &["microVM"] } else { &["KVM", "microVM"] };
    if let Some(why) = obstacle(&findings, needed) {
        return host(why);
    }
    println!("trying whether a microVM starts on this machine");
    if let Some(why) = fails(&flags, client, folder)? {
        return host(why);
    }
    let made_by = match &named.firecracker {
        Some(program) => format!("{}, which FIRECRACKER_BIN names", program.display()),
        None => {
            let found = check(&findings, "firecracker").and_then(|check| check["found"].as_str());
            format!("Firecracker {}", found.unwrap_or("of unknown version"))
        }
    };
    Ok(Place::MicroVm { flags, made_by })
}

impl Named {
    fn by_environment() -> Self {
        let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let modules = env::var_os("FIRECRACKER_MODULES").unwrap_or_default();
        Self {
            firecracker: path("FIRECRACKER_BIN"),
            jailer: path("JAILER_BIN"),
            kernel: path("FIRECRACKER_KERNEL"),
            modules: env::split_paths(&modules).filter(|path| !path.as_os_str().is_empty()).collect(),
        }
    }

    fn flags(&self, init: &Path) -> Vec<OsString> {
        let files = [
            ("binary-path", self.firecracker.as_deref()),
            ("jailer-path", self.jailer.as_deref()),
            ("kernel-path", self.kernel.as_deref()),
            ("init-path", Some(init)),
        ];
        let modules = self.modules.iter().map(|module| ("modules", Some(module.as_path())));
        let given = files.into_iter().chain(modules).filter_map(|(name, path)| Some((name, path?)));
        given.flat_map(|(name, path)| [format!("--firecracker-{name}").into(), path.into()]).collect()
    }
}

/// What `runner doctor` finds.
fn doctor(flags: &[OsString], folder: &Folder) -> Result<Value> {
    let mut command = Command::new(program("runner")?);
    clear_settings(&mut command);
    command.args(["doctor", "--format", "json", "--data-dir"]).arg(folder.folder("runner")?).args(flags);
    command.env("BENCHER_RUNNER_CONFIG", "/dev/null").stdin(Stdio::null()).stderr(Stdio::inherit());
    // Its exit code speaks of everything that a runner may want, not only of what is asked here.
    let output = command.output().context("could not start `runner doctor`")?;
    serde_json::from_slice(&output.stdout).context("`runner doctor --format json` printed something else")
}

fn check<'a>(findings: &'a Value, name: &str) -> Option<&'a Value> {
    findings["checks"].as_array()?.iter().find(|check| check["name"] == name)
}

/// The first of these checks that did not go well, and what it found.
fn obstacle(findings: &Value, needed: &[&str]) -> Option<String> {
    needed.iter().find_map(|name| match check(findings, name) {
        None => Some(format!("`runner doctor` says nothing of {name}")),
        Some(check) if check["result"] == "ok" => None,
        Some(check) => Some(format!("{name}: {}", check["found"].as_str().unwrap_or("not there"))),
    })
}

/// Why a program that does nothing cannot be run in a microVM; `None` where it was.
fn fails(flags: &[OsString], client: &Client, folder: &Folder) -> Result<Option<String>> {
    let work = folder.folder("trial")?;
    let layout = work.join("image");
    let nothing = process::find("true").context("there is no program `true` on this machine")?;
    let build = ["image", "build", "--tag", "demo/trial:v1", "--output"].map(OsString::from);
    client.json(&[&build[..], &[layout.clone().into(), nothing.into()]].concat())?;
    let mut trial = Service::start("trial", &program("runner")?, &folder.folder("logs")?.join("trial.log"), |command| {
        clear_settings(command);
        command.args(["run", "--sandbox", "firecracker", "--memory", "256", "--disk", "128", "--timeout", "60", "--image"]);
        command.arg(&layout).arg("--data-dir").arg(&work).args(flags).env("BENCHER_RUNNER_CONFIG", "/dev/null");
    })?;
    let started = Instant::now();
    while !trial.wait(LOOK) {
        if signals::stop_requested() {
            bail!("stopped while a microVM was tried");
        }
        if started.elapsed() > TRIAL_BOUND {
            trial.stop()?;
            return Ok(Some(format!("a program that does nothing had not run in one after {} s", TRIAL_BOUND.as_secs())));
        }
    }
    if trial.has_succeeded()? {
        return Ok(None);
    }
    let error = trial.line_with(" ERROR ")?;
    let said = error.as_deref().and_then(|line| line.split_once(" ERROR ")).map(|(_, said)| said.to_owned());
    Ok(Some(said.unwrap_or_else(|| trial.tail())))
}

#[cfg(test)]
mod tests;
