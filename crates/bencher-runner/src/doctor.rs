//! `runner doctor`: what this machine has, against what a runner needs. Looks, and leaves nothing changed.

use std::path::{Path, PathBuf};

use comfy_table::ContentArrangement;
use serde::Serialize;

use crate::{
    chain::{chain, printable},
    cli::DoctorArgs,
    config,
    exit::Exit,
    sandbox::firecracker::FirecrackerConfig,
    verbs::{VerbError, say},
};

mod machine;
mod micro_vm;
mod programs;
mod server;
mod steadiness;
mod storage;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// A runner works, but less well, or its numbers vary more.
    Warn,
    /// Something that `runner up` needs to run jobs is missing.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub result: Verdict,
    pub found: String,
    pub expected: &'static str,
    /// What a person can do about it.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

impl Check {
    fn new(name: &'static str, expected: &'static str) -> Self {
        Self { name, result: Verdict::Ok, found: String::new(), expected, advice: None }
    }

    fn ok(self, found: impl Into<String>) -> Self {
        Self { found: found.into(), ..self }
    }

    fn warn(self, found: impl Into<String>, advice: &'static str) -> Self {
        Self { result: Verdict::Warn, found: found.into(), advice: Some(advice), ..self }
    }

    fn fail(self, found: impl Into<String>, advice: &'static str) -> Self {
        Self { result: Verdict::Fail, found: found.into(), advice: Some(advice), ..self }
    }
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
struct Findings {
    ok: usize,
    warn: usize,
    fail: usize,
    checks: Vec<Check>,
}

/// Where `/proc`, `/sys` and `/dev` are found.
#[derive(Clone, Debug)]
struct SysRoot(PathBuf);

impl SysRoot {
    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// A file's text without the line's end; `None` where it cannot be read.
    fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.path(path)).ok().map(|text| text.trim().to_owned())
    }

    fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }
}

/// # Errors
/// Nothing could be printed, or there is no data folder to look at.
pub async fn run(args: &DoctorArgs) -> Result<Exit, VerbError> {
    let root = SysRoot(PathBuf::from("/"));
    let mut checks = machine::checks(&root, args.danger_allow_no_sandbox);
    checks.extend(programs::checks().await);
    let nowhere = PathBuf::new;
    let usual = FirecrackerConfig::new(nowhere(), nowhere(), nowhere(), nowhere());
    let wish = micro_vm::Wish {
        args: &args.firecracker,
        needed: args.firecracker.is_given(),
        ids: (args.firecracker.uid_base.unwrap_or(usual.uid_base), args.firecracker.uid_count.unwrap_or(usual.uid_count)),
    };
    checks.extend(micro_vm::checks(&root, wish).await);
    checks.push(micro_vm::anything(&checks, args.danger_allow_no_sandbox));
    checks.extend(storage::checks(&config::data_dir(args.data.data_dir.as_deref())?));
    checks.extend(steadiness::checks(&root));
    checks.extend(key(args));
    checks.push(server::check(args.host.as_ref()).await);
    let count = |wanted| checks.iter().filter(|check| check.result == wanted).count();
    let findings =
        Findings { ok: count(Verdict::Ok), warn: count(Verdict::Warn), fail: count(Verdict::Fail), checks: checks.clone() };
    say(args.format, &findings, table)?;
    Ok(if findings.fail == 0 { Exit::Success } else { Exit::Finding })
}

/// The key, where one is given: whether it is one, and safe from others. It is not tried: that would disturb a runner.
fn key(args: &DoctorArgs) -> Option<Check> {
    if args.key.is_none() && args.key_file.is_none() {
        return None;
    }
    let check = Check::new("runner key", "bencher_runner_…, which only its owner can read");
    Some(match config::key(args.key.as_ref(), args.key_file.as_deref()) {
        Ok(_) => check.ok("well-formed"),
        Err(error) => check.fail(chain(&error), "make a new one with `bencher runner key RUNNER`, in a file with mode 600"),
    })
}

fn table(findings: &Findings) -> String {
    let mut table = crate::verbs::plain(&["RESULT", "CHECK", "FOUND", "EXPECTED"]);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    for check in &findings.checks {
        let mark = match check.result {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        table.add_row([mark, check.name, &printable(&check.found), check.expected]);
    }
    let mut text = crate::verbs::text(&table);
    for check in &findings.checks {
        if let Some(advice) = check.advice {
            text.push_str(&format!("\n{}: {advice}", check.name));
        }
    }
    text.push_str(&format!("\n\n{} ok, {} to look at, {} missing\n", findings.ok, findings.warn, findings.fail));
    text
}

/// The folder itself, or the nearest one above it that is there.
fn nearest_existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests;
