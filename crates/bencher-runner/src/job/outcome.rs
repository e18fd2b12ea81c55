//! What came of a job, as bytes; how much of it the wire can carry is another matter.

use std::collections::BTreeMap;

use bencher_types::{JobFailure, wire::channel::Timings};
use bytes::Bytes;

/// The end of a job.
#[derive(Clone, Debug)]
pub enum JobOutcome {
    Completed {
        results: Vec<IterationResult>,
        /// What the runs before the first iteration left: for people to look at, never measured.
        warmups: Vec<IterationResult>,
    },
    /// With what there is of results, and whose business it is.
    Failed { results: Vec<IterationResult>, warmups: Vec<IterationResult>, error: String, failure: JobFailure },
    /// Stopped as somebody wished, with what there is of results.
    Canceled { results: Vec<IterationResult>, warmups: Vec<IterationResult> },
}

/// What one iteration printed and wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IterationResult {
    pub exit_code: i32,
    pub stdout: Bytes,
    pub stderr: Bytes,
    /// What the runner has to say about the iteration, for a person to read; goes after stderr.
    pub notes: Vec<String>,
    /// Files by path.
    pub files: BTreeMap<String, Bytes>,
    /// Files that are kept beside the results.
    pub artifacts: Vec<KeptFile>,
    /// What the runner measured itself, in Bencher Metric Format.
    pub metrics: Option<String>,
    /// How long the parts of the iteration took.
    pub timings: Option<Timings>,
}

/// An artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFile {
    pub path: String,
    pub name: Option<String>,
    pub bytes: Bytes,
}

impl IterationResult {
    /// The bytes of everything in it: the least it takes on the wire.
    pub(crate) fn size(&self) -> usize {
        let files: usize = self.files.values().map(Bytes::len).sum();
        self.stdout.len() + self.stderr.len() + files + self.artifacts_size()
    }

    fn artifacts_size(&self) -> usize {
        self.artifacts.iter().map(|file| file.bytes.len()).sum()
    }

    /// Artifacts give way to results.
    pub(crate) fn without_artifacts(mut self) -> Self {
        if !self.artifacts.is_empty() {
            let (count, bytes) = (self.artifacts.len(), self.artifacts_size());
            self.notes.push(format!("{count} artifacts of {bytes} bytes were not kept: with them the result would be too large"));
            self.artifacts.clear();
        }
        self
    }

    /// What remains of a result that there is no room for.
    pub(crate) fn without_output(self) -> Self {
        let note =
            format!("its {} bytes of output and files were not kept: with them the result would be too large", self.size());
        Self {
            stdout: Bytes::new(),
            stderr: Bytes::new(),
            files: BTreeMap::new(),
            artifacts: Vec::new(),
            notes: vec![note],
            ..self
        }
    }
}

impl JobOutcome {
    #[must_use]
    pub fn failed(failure: JobFailure, error: impl Into<String>) -> Self {
        Self::Failed { results: Vec::new(), warmups: Vec::new(), error: error.into(), failure }
    }

    /// Before there was anything to deliver.
    #[must_use]
    pub const fn canceled() -> Self {
        Self::Canceled { results: Vec::new(), warmups: Vec::new() }
    }
}
