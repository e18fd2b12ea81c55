//! The real `bencher`, called as a person calls it. Knows its command line and nothing of the server's interface.

use std::{
    ffi::OsStr,
    io::Read as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Services, clear_settings};
use crate::{process, signals};

/// How often the server and the runner are looked at while a command waits for them.
const LOOK: Duration = Duration::from_millis(500);
/// The exit code of a command that the server refused.
const REFUSED: i32 = 3;

/// Where the server is and who calls it.
pub(crate) struct Client {
    pub(crate) program: PathBuf,
    pub(crate) host: String,
    /// The variable that says who calls, and its secret value: another user of the machine can read a command line.
    pub(crate) credential: Option<(&'static str, String)>,
}

impl Client {
    /// The JSON that a command prints.
    pub(crate) fn json<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Value> {
        let text = process::output(self.command(arguments).args(["--format", "json"]))?;
        serde_json::from_str(&text).context("`bencher --format json` printed something else")
    }

    /// The JSON that a command prints, or nothing where the server refuses, as it does for what does not exist.
    pub(crate) fn json_unless_refused<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Option<Value>> {
        match self.json(arguments) {
            Ok(value) => Ok(Some(value)),
            Err(error) if process::code_of(&error) == Some(REFUSED) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Runs a command that may take long, in front: what it says is shown, Ctrl-C reaches it, and it is not waited for any
    /// longer once the server or the runner has ended. Returns the JSON it printed.
    pub(crate) fn follow<S: AsRef<OsStr>>(&self, arguments: &[S], services: &mut Services) -> Result<Value> {
        // It ends with this process, however that happens: it would wait for the server for long.
        let mut owned = Command::new("setpriv");
        owned.args(["--pdeathsig", "TERM"]).arg(&self.program);
        let mut command = self.prepare(owned, arguments);
        command.args(["--format", "json"]).stdout(Stdio::piped());
        let mut child = command.spawn().context("could not start `bencher`")?;
        let front = signals::in_front(child.id());
        let mut stdout = child.stdout.take().context("`bencher` was started without an output")?;
        let (tell, printed) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            // Nobody listens any more where the wait was given up.
            let _ = tell.send(stdout.read_to_string(&mut text).map(|_| text));
        });
        let text = loop {
            match printed.recv_timeout(LOOK) {
                Ok(text) => break text.context("could not read what `bencher` printed")?,
                Err(RecvTimeoutError::Disconnected) => bail!("could not read what `bencher` printed"),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Err(error) = services.check() {
                // It may have ended at the same moment.
                let _ = child.kill();
                child.wait().context("could not wait for `bencher`")?;
                return Err(error);
            }
        };
        let status = child.wait().context("could not wait for `bencher`")?;
        drop(front);
        if !status.success() {
            bail!("`bencher` failed ({status})");
        }
        serde_json::from_str(&text).context("`bencher --format json` printed something else")
    }

    /// Runs a command whose output is for people.
    pub(crate) fn show<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<()> {
        let status = self.command(arguments).status().context("could not start `bencher`")?;
        if status.success() { Ok(()) } else { bail!("`bencher` failed ({status})") }
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        self.prepare(Command::new(&self.program), arguments)
    }

    fn prepare<S: AsRef<OsStr>>(&self, mut command: Command, arguments: &[S]) -> Command {
        clear_settings(&mut command);
        // Nor is it this checkout's commit that is measured.
        command.args(arguments).env("BENCHER_HOST", &self.host).env("GIT_DIR", "/dev/null");
        if let Some((name, secret)) = &self.credential {
            command.env(name, secret);
        }
        command
    }
}
