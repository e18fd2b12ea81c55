//! The results that asv keeps: a folder for each machine, in it a file for each commit and environment.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use bencher_analysis::history::{PastRun, asv};
use bencher_types::NameId;

use super::{Entry, ImportError, Past, files};
use crate::{cli::import::Asv, commands::run::read};

const BENCHMARKS: &str = "benchmarks.json";
const MACHINE: &str = "machine.json";

pub(super) async fn read(args: &Asv) -> Result<Past, ImportError> {
    let mut past = Past::default();
    let known = args.folder.join(BENCHMARKS);
    let benchmarks = match text(&known).await.and_then(|text| Ok(asv::benchmarks(&text)?)) {
        Ok(benchmarks) => benchmarks,
        Err(error) => {
            // Without it, names say what is measured.
            past.unreadable(&known, &error);
            asv::Benchmarks::default()
        }
    };
    let mut runs = Vec::new();
    for folder in machines(&args.folder)? {
        let machine = match text(&folder.join(MACHINE)).await.and_then(|text| Ok(asv::machine(&text)?)) {
            Ok(machine) => machine,
            Err(error) => {
                past.unreadable(&folder.join(MACHINE), &error);
                continue;
            }
        };
        if args.machine.is_empty() || args.machine.contains(&machine) {
            runs.extend(of_machine(&folder, &machine, (args, &benchmarks), &mut past).await?);
        }
    }

    let names: BTreeSet<&str> = runs.iter().map(|run| run.environment.as_str()).collect();
    if names.len() > 1 {
        return Err(ImportError::Environments { names: names.into_iter().map(str::to_owned).collect() });
    }
    past.entries = runs.into_iter().map(|run| Entry::of(&run.run, run.source, run.testbed)).collect();
    Ok(past)
}

/// One file of results.
struct Found {
    source: String,
    testbed: NameId,
    environment: String,
    run: PastRun,
}

/// Why a file is not imported.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error(transparent)]
    Read(#[from] crate::commands::run::RunError),
    #[error(transparent)]
    Format(#[from] bencher_analysis::history::HistoryError),
    #[error("the machine's name is no name of a testbed: give --testbed")]
    Machine(#[source] bencher_types::InvalidName),
}

async fn text(path: &Path) -> Result<String, FileError> {
    Ok(read::file(path).await?)
}

/// The folders that may be a machine's.
fn machines(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let failed = |source| ImportError::Folder { path: folder.to_owned(), source };
    let mut machines = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            machines.push(path);
        }
    }
    machines.sort();
    Ok(machines)
}

async fn of_machine(
    folder: &Path,
    machine: &str,
    (args, benchmarks): (&Asv, &asv::Benchmarks),
    past: &mut Past,
) -> Result<Vec<Found>, ImportError> {
    let testbed = match args.to.testbed.clone().map_or_else(|| machine.parse().map_err(FileError::Machine), Ok) {
        Ok(testbed) => testbed,
        Err(error) => {
            past.unreadable(folder, &error);
            return Ok(Vec::new());
        }
    };
    let mut runs = Vec::new();
    for path in files(folder)? {
        if path.file_name().is_some_and(|name| name == MACHINE) || path.extension().is_none_or(|kind| kind != "json") {
            continue;
        }
        match text(&path).await.and_then(|text| Ok(asv::results(&text, benchmarks)?)) {
            Ok(found) if args.environment.as_ref().is_some_and(|wanted| *wanted != found.environment) => {}
            Ok(found) => {
                past.learn(found.measures, found.skipped);
                let source = path.display().to_string();
                let environment = found.environment;
                runs.extend(found.run.map(|run| Found { source, testbed: testbed.clone(), environment, run }));
            }
            Err(error) => past.unreadable(&path, &error),
        }
    }
    Ok(runs)
}
