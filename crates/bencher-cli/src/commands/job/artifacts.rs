//! `job artifacts`: the files that an image asks to keep, listed or written into a folder.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use bencher_types::wire::{channel::Artifact, job::Job};
use serde_json::{Value, json};

use crate::{
    cli::Format,
    client::Answer,
    commands::Context,
    error::CliError,
    exit::Exit,
    output::{
        printable,
        table::{Cell, table},
        units,
    },
};

/// An artifact of one iteration.
struct Kept {
    iteration: usize,
    artifact: Artifact,
    bytes: Vec<u8>,
}

pub(super) fn artifacts(context: &Context, answer: &Answer<Job>, save: Option<&Path>) -> Result<Exit, CliError> {
    let out = context.out;
    let Some(output) = answer.body()?.output else {
        out.talk("the server shows no output of this job: it has not ended, or you may not see it");
        return Ok(Exit::Refused);
    };
    let mut kept = Vec::new();
    for (iteration, result) in output.results.into_iter().enumerate() {
        for artifact in result.artifacts.into_iter().flatten() {
            let bytes = artifact.bytes().map_err(|error| damaged(&artifact.path, &error))?;
            kept.push(Kept { iteration, artifact, bytes });
        }
    }
    if let Some(folder) = save {
        for one in &kept {
            write(folder, one)?;
        }
    }
    if out.format == Format::Json {
        out.json(&Value::Array(kept.iter().map(|one| described(one, save)).collect()))?;
    } else if kept.is_empty() {
        out.done("the job kept no artifacts: its image names none, or none was there; `bencher job logs` says which was missing");
    } else {
        let head = ["ITERATION", "PATH", "NAME", "SIZE"].map(str::to_owned);
        let row = |one: &Kept| {
            vec![
                Cell::new(one.iteration),
                Cell::new(printable(&one.artifact.path)),
                Cell::maybe(one.artifact.name.as_deref().map(printable)),
                Cell::new(units::bytes(one.bytes.len() as u64)),
            ]
        };
        out.data(&table(out, &head, kept.iter().map(row)))?;
        if let Some(folder) = save {
            out.done(&format!("{} files are in {}", kept.len(), folder.display()));
        }
    }
    Ok(Exit::Ok)
}

fn described(one: &Kept, save: Option<&Path>) -> Value {
    json!({
        "iteration": one.iteration,
        "path": one.artifact.path,
        "name": one.artifact.name,
        "size": one.bytes.len(),
        "file": save.map(|folder| place(folder, one).display().to_string()),
    })
}

/// Where an artifact is written: below a folder for its iteration, whatever its path says.
fn place(folder: &Path, one: &Kept) -> PathBuf {
    let below: PathBuf = Path::new(&one.artifact.path)
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    folder.join(one.iteration.to_string()).join(below)
}

fn write(folder: &Path, one: &Kept) -> Result<(), CliError> {
    let file = place(folder, one);
    let failed = |source| CliError::Folder { folder: file.clone(), source };
    if one.artifact.path.contains('\0') {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    }
    fs::create_dir_all(file.parent().unwrap_or(folder)).map_err(failed)?;
    fs::write(&file, &one.bytes).map_err(failed)
}

fn damaged(path: &str, error: &dyn std::error::Error) -> CliError {
    CliError::Folder { folder: PathBuf::from(path), source: io::Error::new(io::ErrorKind::InvalidData, error.to_string()) }
}

#[cfg(test)]
mod tests;
