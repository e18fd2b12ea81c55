//! `import`: the past that other tools have kept, as backdated reports in the order of their commits.
//!
//! What the files say is found out by the adapters and `bencher_analysis::history`; which files there are by a module for each kind; how
//! the reports get to the server, once each, by [`send`].

mod asv;
mod bmf;
mod error;
mod git;
mod github_action_benchmark;
mod send;
mod summary;

use std::path::Path;

use bencher_analysis::{
    adapter::to_bmf,
    history::{self, PastMeasures, PastRun, Skipped},
};
use bencher_types::{DateTime, GitHash, NameId, wire::adapter::Adapter};

pub(crate) use self::error::ImportError;
use super::Context;
use crate::{cli::import as args, error::CliError, exit::Exit};

/// One report that is to be filed.
#[derive(Clone, Debug)]
struct Entry {
    /// The file or suite that it is from, for messages.
    source: String,
    commit: Option<GitHash>,
    at: DateTime,
    testbed: NameId,
    adapter: Adapter,
    /// What the adapter reads.
    result: String,
    metrics: usize,
}

impl Entry {
    fn of(run: &PastRun, source: String, testbed: NameId) -> Self {
        Self {
            source,
            commit: run.commit.clone(),
            at: run.at,
            testbed,
            adapter: history::ADAPTER,
            result: to_bmf(&run.metrics),
            metrics: run.metrics.count(),
        }
    }
}

/// Everything that was found.
#[derive(Debug, Default)]
struct Past {
    entries: Vec<Entry>,
    measures: PastMeasures,
    /// Values that are no results.
    skipped: Skipped,
    /// Files that are not what they should be, and why.
    unreadable: Vec<Unreadable>,
}

#[derive(Debug)]
struct Unreadable {
    path: String,
    reason: String,
}

impl Past {
    fn unreadable(&mut self, path: &Path, error: &(dyn std::error::Error + 'static)) {
        let causes: Vec<_> = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
        self.unreadable.push(Unreadable { path: path.display().to_string(), reason: causes.join(": ") });
    }

    fn learn(&mut self, measures: PastMeasures, skipped: Skipped) {
        for (name, measure) in measures {
            let better = measure.better;
            self.measures
                .entry(name)
                .and_modify(|known| known.better = known.better.filter(|_| known.better == better))
                .or_insert(measure);
        }
        self.skipped.merge(skipped);
    }
}

pub(super) async fn import(context: &Context, import: args::Import) -> Result<Exit, CliError> {
    let (to, past) = match import {
        args::Import::Bmf(args) => {
            let past = bmf::read(&args, testbed(&args.to)).await?;
            (args.to, past)
        }
        args::Import::GithubActionBenchmark(args) => {
            let past = github_action_benchmark::read(&args, testbed(&args.to)).await?;
            (args.to, past)
        }
        args::Import::Asv(args) => {
            let past = asv::read(&args).await?;
            (args.to, past)
        }
    };
    send::send(context, &to, past).await
}

fn testbed(to: &args::Destination) -> NameId {
    to.testbed.clone().unwrap_or_else(|| "localhost".parse().expect("a constant is a name"))
}

/// The files of a folder, or the one that a path is itself, in the order of their names. Hidden ones are left out.
fn files(path: &Path) -> Result<Vec<std::path::PathBuf>, ImportError> {
    let failed = |source| ImportError::Folder { path: path.to_owned(), source };
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !is_hidden && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}
