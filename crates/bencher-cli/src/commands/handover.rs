//! `runner start`, `status`, `stop`, `cache`, `doctor`: what the program `runner` does, on this machine.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{cli::machine::RunnerHere, error::CliError};

/// The program, beside this one or on the PATH.
const PROGRAM: &str = "runner";

/// Becomes `runner VERB ARGS…`; comes back only where that cannot be.
pub(super) fn hand_over(args: &RunnerHere) -> CliError {
    let (verb, args) = args.words();
    let program = beside_this_one().unwrap_or_else(|| PathBuf::from(PROGRAM));
    let source = Command::new(&program).arg(verb).args(args).exec();
    CliError::Runner { program, source }
}

fn beside_this_one() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.parent()?.join(PROGRAM);
    Path::is_file(&program).then_some(program)
}
