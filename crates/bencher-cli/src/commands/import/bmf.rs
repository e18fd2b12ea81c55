//! Files of results, one for each commit: which commit a file is of is in its name, or on the command line.

use std::path::{Path, PathBuf};

use bencher_types::{DateTime, GitHash, NameId};
use regex::Regex;

use super::{Entry, ImportError, Past, files, git::Commits};
use crate::{
    cli::{Moment, import::Bmf},
    commands::run::read,
};

pub(super) async fn read(args: &Bmf, testbed: NameId) -> Result<Past, ImportError> {
    let mut paths = Vec::new();
    for path in &args.paths {
        paths.extend(files(path)?);
    }
    let given = args.hash.is_some() || args.time.is_some();
    if given && paths.len() != 1 {
        return Err(ImportError::SeveralFiles { found: paths.len() });
    }
    let found = if given {
        vec![Found { hash: args.hash.as_ref().map(ToString::to_string), time: args.time.map(|Moment(at)| at) }]
    } else {
        let pattern = pattern(&args.name_pattern)?;
        paths.iter().map(|path| Found::of(path, &pattern)).collect()
    };
    let hashes: Vec<String> = found.iter().filter_map(|found| found.hash.clone()).collect();
    let commits = Commits::ask(&args.repository, &hashes).await;

    let mut past = Past::default();
    for (path, found) in paths.iter().zip(found) {
        match entry(path, found, args, &commits, &testbed).await {
            Ok(entry) => past.entries.push(entry),
            Err(error) => past.unreadable(path, &error),
        }
    }
    Ok(past)
}

/// Why a file is not imported.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("there is no commit and no time in its name")]
    Nameless,
    #[error("git does not know when {hash} was made: give --repository, or a name with a time")]
    UnknownCommit { hash: String },
    #[error("git does not know the commit {hash}, and 40 digits are needed")]
    ShortHash { hash: String },
    #[error(transparent)]
    Read(#[from] crate::commands::run::RunError),
    #[error(transparent)]
    Format(#[from] bencher_analysis::AdapterError),
    #[error("there are no results in it")]
    Empty,
}

async fn entry(path: &Path, found: Found, args: &Bmf, commits: &Commits, testbed: &NameId) -> Result<Entry, FileError> {
    let (commit, at) = found.resolved(commits)?;
    let result = read::file(path).await?;
    let metrics = bencher_analysis::parse(args.adapter, None, &result)?.count();
    if metrics == 0 {
        return Err(FileError::Empty);
    }
    let source = path.display().to_string();
    Ok(Entry { source, commit, at, testbed: testbed.clone(), adapter: args.adapter, result, metrics })
}

fn pattern(text: &str) -> Result<Regex, ImportError> {
    let pattern = Regex::new(text).map_err(|source| ImportError::Pattern { source: Some(source) })?;
    let names_something = pattern.capture_names().flatten().any(|name| matches!(name, "hash" | "time"));
    if names_something { Ok(pattern) } else { Err(ImportError::Pattern { source: None }) }
}

/// What is known of a file's commit before git is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Found {
    /// In full, or its beginning.
    hash: Option<String>,
    time: Option<DateTime>,
}

impl Found {
    fn of(path: &Path, pattern: &Regex) -> Self {
        let name = PathBuf::from(path.file_name().unwrap_or_default());
        let name = name.to_string_lossy();
        let Some(groups) = pattern.captures(&name) else { return Self::default() };
        let hash = groups.name("hash").map(|hash| hash.as_str().to_ascii_lowercase());
        Self {
            hash: hash.filter(|hash| (7..=40).contains(&hash.len()) && hash.bytes().all(|b| b.is_ascii_hexdigit())),
            time: groups.name("time").and_then(|time| moment(time.as_str())),
        }
    }

    fn resolved(self, commits: &Commits) -> Result<(Option<GitHash>, DateTime), FileError> {
        let known = self.hash.as_deref().and_then(|hash| commits.find(hash));
        match (self.hash, self.time, known) {
            (None, None, _) => Err(FileError::Nameless),
            (None, Some(time), _) => Ok((None, time)),
            (Some(_), time, Some((hash, at))) => Ok((Some(hash), time.unwrap_or(at))),
            (Some(hash), None, None) => Err(FileError::UnknownCommit { hash }),
            (Some(hash), Some(time), None) => match hash.parse() {
                Ok(hash) => Ok((Some(hash), time)),
                Err(_) => Err(FileError::ShortHash { hash }),
            },
        }
    }
}

/// A time as [`Moment`] reads it, or a day, which begins at midnight in UTC.
fn moment(text: &str) -> Option<DateTime> {
    let of_day = || format!("{text}T00:00:00Z").parse().ok();
    text.parse::<Moment>().ok().map(|Moment(at)| at).or_else(of_day)
}

#[cfg(test)]
mod tests;
