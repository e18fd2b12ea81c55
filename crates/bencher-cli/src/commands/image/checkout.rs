//! A fresh clone to take files from, after a command of the user's was run in it.
//!
//! The command runs on this machine, as the user who typed it: it is the same as typing it in a clone. What is to be kept apart from
//! this machine is built in a container, with a container tool.

use std::{
    fs, io,
    os::fd::AsFd as _,
    path::Path,
    process::{ExitStatus, Stdio},
};

use tempfile::TempDir;
use tokio::process::Command;

use super::{ImageError, folder, on};
use crate::{cli::image::GitSource, commands::Context, limits};

/// A clone without its history.
pub(super) struct Checkout {
    folder: TempDir,
    /// The whole hash.
    pub commit: String,
}

impl Checkout {
    pub(super) fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Clones, goes to what is wanted, and runs the command. `timestamp` is what the command may use as the time.
    pub(super) async fn make(
        context: &Context,
        source: &GitSource,
        setup: Option<&str>,
        timestamp: i64,
    ) -> Result<Self, ImageError> {
        let folder = folder(context)?;
        let dir = folder.path().to_owned();
        let git = Git { context, url: &source.url };
        // From here, where a path that was typed means what it means.
        git.run(&["clone", "--quiet", "--", &source.url, &dir.display().to_string()], Path::new(".")).await?;
        if let Some(reference) = &source.reference {
            let commit = git.find(reference, &dir).await?;
            git.run(&["checkout", "--quiet", "--detach", &commit], &dir).await?;
        }
        git.run(&["submodule", "--quiet", "update", "--init", "--recursive"], &dir).await?;
        let commit = git.run(&["rev-parse", "HEAD"], &dir).await?.trim().to_owned();
        if let Some(command) = setup {
            set_up(context, command, &dir, timestamp).await?;
        }
        // A clone's own files are never twice the same.
        fs::remove_dir_all(dir.join(".git")).map_err(on("remove", &dir.join(".git")))?;
        Ok(Self { folder, commit })
    }
}

struct Git<'a> {
    context: &'a Context,
    url: &'a str,
}

impl Git<'_> {
    /// The commit that a branch, a tag or a hash means.
    async fn find(&self, reference: &str, dir: &Path) -> Result<String, ImageError> {
        for name in [format!("refs/remotes/origin/{reference}"), format!("refs/tags/{reference}"), reference.to_owned()] {
            let asked = format!("{name}^{{commit}}");
            if let Ok(found) = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &asked], dir).await {
                return Ok(found.lines().last().unwrap_or_default().trim().to_owned());
            }
        }
        Err(ImageError::NoSuchRef { reference: reference.to_owned(), url: self.url.to_owned() })
    }

    /// What git printed; it must have succeeded.
    async fn run(&self, args: &[&str], dir: &Path) -> Result<String, ImageError> {
        let mut command = Command::new("git");
        command.args(args).current_dir(dir).stdin(Stdio::null()).kill_on_drop(true);
        if !self.context.out.interactive {
            // Nobody could answer.
            command.env("GIT_TERMINAL_PROMPT", "0");
        }
        let failed = |source| ImageError::Git { url: self.url.to_owned(), source };
        let ended = tokio::time::timeout(limits::GIT_CLONE_TIMEOUT, command.output()).await;
        let output = ended.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?.map_err(failed)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("git said nothing").to_owned();
        Err(failed(io::Error::other(said)))
    }
}

async fn set_up(context: &Context, text: &str, dir: &Path, timestamp: i64) -> Result<(), ImageError> {
    context.out.talk(&format!("running on this machine, in a fresh clone: {text}"));
    let failed = |source| ImageError::Setup { command: text.to_owned(), source };
    // What it prints is talk: standard output is for the result.
    let talk = io::stderr().as_fd().try_clone_to_owned().map_err(failed)?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]).current_dir(dir).stdin(Stdio::null()).stdout(talk).kill_on_drop(true);
    command.env("SOURCE_DATE_EPOCH", timestamp.to_string());
    let ended = tokio::time::timeout(limits::SETUP_TIMEOUT, command.status()).await;
    let status = ended.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?.map_err(failed)?;
    if status.success() { Ok(()) } else { Err(ended_badly(text, status)) }
}

fn ended_badly(command: &str, status: ExitStatus) -> ImageError {
    ImageError::Setup { command: command.to_owned(), source: io::Error::other(status.to_string()) }
}
