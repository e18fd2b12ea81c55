//! `man` and `completions`: what is made of the command line's own description.

use std::{io::Write as _, path::Path};

use clap::CommandFactory as _;

use super::reference;
use crate::{
    cli::{Cli, tools},
    error::CliError,
    output::Out,
};

pub(super) fn completions(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bencher", &mut script);
    std::io::stdout().write_all(&script).map_err(CliError::Stdout)
}

pub(super) fn man(out: Out, args: &tools::Man) -> Result<(), CliError> {
    let folder: &Path = &args.folder;
    let failed = |source| CliError::Folder { folder: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    if args.markdown {
        for (name, page) in reference::pages() {
            std::fs::write(folder.join(name), page).map_err(failed)?;
        }
        out.done(&format!("the reference is in {}", folder.display()));
        return Ok(());
    }
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    out.done(&format!("manual pages are in {}; read one with `man -l {}`", folder.display(), folder.join("bencher.1").display()));
    Ok(())
}
