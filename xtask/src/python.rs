//! Python packages that tests use, each set in a virtual environment of its own below the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{process, workspace};

/// A set of packages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packages {
    /// What it is called, after the package that all others are for.
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
    /// Where it goes, below the workspace.
    pub(crate) folder: &'static str,
    /// Every package with its version: what is found today is found on every machine.
    pub(crate) requirements: &'static str,
}

/// A real client of the registry. The tests look for it beside the programs that they are.
pub(crate) const ORAS: Packages = Packages {
    name: "oras",
    why: "a real client of the registry",
    folder: "target/tools/oras",
    requirements: include_str!("../oras/requirements.txt"),
};

impl Packages {
    pub(crate) fn path(&self) -> PathBuf {
        workspace::root().join(self.folder)
    }

    /// Installs them. Quick where they are there.
    pub(crate) fn install(&self) -> Result<()> {
        let venv = self.path();
        let installed = venv.join("installed-requirements.txt");
        if fs::read_to_string(&installed).is_ok_and(|text| text == self.requirements) {
            return Ok(());
        }
        eprintln!("missing: {}, {}; it goes to {}", self.name, self.why, venv.display());
        let wanted = venv.with_extension("requirements.txt");
        let parent = venv.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).with_context(|| format!("could not create {}", parent.display()))?;
        fs::write(&wanted, self.requirements).with_context(|| format!("could not write {}", wanted.display()))?;
        process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut pip = Command::new(venv.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--requirement"]).arg(&wanted);
        process::run(&mut pip).with_context(|| format!("could not install {} from PyPI", self.name))?;
        // Last, so that an installation that was interrupted is made again.
        fs::rename(&wanted, &installed).with_context(|| format!("could not write {}", installed.display()))
    }
}
