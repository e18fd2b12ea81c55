//! Finding the command in the image.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use bencher_init::{GuestConfig, control::GuestFailure};

/// The `PATH` of a benchmark whose image and job set none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The file that the command names, absolute. The image's tree is the root by now.
pub(crate) fn find(config: &GuestConfig) -> Result<PathBuf, GuestFailure> {
    let command = config.args.first().filter(|command| !command.is_empty()).ok_or(GuestFailure::NoCommand)?;
    let path = config.env.iter().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, path)| path);
    let mut not_executable = None;
    for candidate in candidates(command, path, &config.working_dir) {
        match fs::metadata(&candidate) {
            Ok(file) if !file.is_file() => {}
            Ok(file) if file.permissions().mode() & 0o111 != 0 => return Ok(candidate),
            Ok(_) => not_executable = Some(candidate),
            Err(_) => {}
        }
    }
    let command = command.clone();
    Err(match not_executable {
        Some(path) => GuestFailure::NotExecutable { command, path: path.to_string_lossy().into_owned() },
        None => {
            let looked_in = looked_in(&command, path, &config.working_dir);
            GuestFailure::CommandNotFound { command, looked_in }
        }
    })
}

/// Where a command is looked for: one with a slash in one place, else in the folders of `PATH`.
fn candidates(command: &str, path: &str, working_dir: &str) -> Vec<PathBuf> {
    let working_dir = Path::new(working_dir);
    if command.contains('/') {
        return vec![working_dir.join(command)];
    }
    // An empty folder in a `PATH` is the working directory.
    path.split(':').map(|folder| working_dir.join(folder).join(command)).collect()
}

fn looked_in(command: &str, path: &str, working_dir: &str) -> Vec<String> {
    match (command.starts_with('/'), command.contains('/')) {
        (true, _) => vec!["/".to_owned()],
        (false, true) => vec![working_dir.to_owned()],
        (false, false) => path.split(':').map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests;
