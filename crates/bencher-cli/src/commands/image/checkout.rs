//! A fresh clone to take files from, after a command of the user's was run in it.

use std::{fs, io, path::Path, process::Stdio};

use tokio::process::Command;

use super::{
    ImageError, on,
    setup::{Scratch, Setup, make_removable},
    transfer::Transfer,
};
use crate::{cli::image::GitSource, commands::Context, limits};

/// A clone without its history.
pub(super) struct Checkout {
    folder: Scratch,
    /// The whole hash.
    pub commit: String,
}

impl Checkout {
    pub(super) fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Clones, goes to what is wanted, and runs the command.
    pub(super) async fn make(transfer: &Transfer<'_>, source: &GitSource, setup: Option<&Setup<'_>>) -> Result<Self, ImageError> {
        let folder = Scratch::new(transfer.context)?;
        let dir = folder.path().to_owned();
        let git = Git { context: transfer.context, url: &source.url };
        // From here, where a path that was typed means what it means. Without hard links: what the command writes to must be its own.
        let clone = ["clone", "--quiet", "--no-hardlinks", "--", &source.url, &dir.display().to_string()];
        git.run(&clone, Path::new(".")).await?;
        if let Some(reference) = &source.reference {
            let commit = git.find(reference, &dir).await?;
            git.run(&["checkout", "--quiet", "--detach", &commit], &dir).await?;
        }
        git.run(&["submodule", "--quiet", "update", "--init", "--recursive"], &dir).await?;
        let commit = git.run(&["rev-parse", "HEAD"], &dir).await?.trim().to_owned();
        if let Some(setup) = setup {
            setup.run(transfer, &dir).await?;
        }
        // A clone's own files are never twice the same.
        make_removable(&dir).map_err(on("tidy", &dir))?;
        match fs::remove_dir_all(dir.join(".git")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(on("remove", &dir.join(".git"))(error)),
            _ => Ok(Self { folder, commit }),
        }
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
