//! From an outcome to the terminal message that carries it, never larger than the server takes. Pure.
//!
//! This wire is JSON: what is not UTF-8 is replaced here, and only here.

use bencher_types::{
    JobFailure, JobUuid,
    wire::channel::{Artifact, FromRunner, IterationOutput},
};

use super::{
    limits::{CUT_DOWN_SIZE, MAX_ERROR_LEN, MIN_STREAM_LEN},
    outcome::{IterationResult, JobOutcome, KeptFile},
};

/// The key that the runner's own metrics have among the files; no path can be that.
pub(crate) const METRICS_KEY: &str = "\0bencher";

/// How a job ended, apart from what it delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Completed,
    /// `None` where it was stored by a runner that did not say.
    Failed(Option<JobFailure>, String),
    Canceled,
}

impl End {
    fn message(&self, job: JobUuid, results: Vec<IterationOutput>, warmups: Option<Vec<IterationOutput>>) -> String {
        write(&match self {
            Self::Completed => FromRunner::Completed { job, results, warmups },
            Self::Failed(failure, error) => FromRunner::Failed { job, results, warmups, error: error.clone(), failure: *failure },
            Self::Canceled => FromRunner::Canceled { job, results, warmups },
        })
    }

    /// The end of a job whose results are too large, as `problem` says. A canceled one stays that: nobody counts on its results.
    fn with(self, problem: String) -> Self {
        match self {
            Self::Completed => Self::Failed(Some(JobFailure::User), problem),
            Self::Failed(failure, error) => Self::Failed(failure, cut(format!("{error}; moreover, {problem}"), MAX_ERROR_LEN)),
            Self::Canceled => Self::Canceled,
        }
    }
}

/// The message of an outcome, at most `max` bytes. What is larger becomes a failure that says so, with as much of the output
/// as fits.
pub(crate) fn message(job: JobUuid, outcome: JobOutcome, max: usize) -> String {
    let (results, warmups, end) = match outcome {
        JobOutcome::Completed { results, warmups } => (results, warmups, End::Completed),
        JobOutcome::Failed { results, warmups, error, failure } => {
            (results, warmups, End::Failed(Some(failure), cut(error, MAX_ERROR_LEN)))
        }
        JobOutcome::Canceled { results, warmups } => (results, warmups, End::Canceled),
    };
    let least = results.iter().any(|result| !result.artifacts.is_empty()).then(|| results.clone());
    let mut results: Vec<IterationOutput> = results.into_iter().map(on_the_wire).collect();
    if let Some(least) = least
        && end.message(job, results.clone(), None).len() > max
    {
        results = least.into_iter().map(IterationResult::without_artifacts).map(on_the_wire).collect();
    }
    let warmups: Vec<IterationOutput> = warmups.into_iter().map(on_the_wire).collect();
    let of = |warmups: Option<Vec<IterationOutput>>| end.message(job, results.clone(), warmups);
    if !warmups.is_empty() {
        let whole = of(Some(warmups.clone()));
        if whole.len() <= max {
            return whole;
        }
    }
    let whole = of(None);
    if whole.len() <= max {
        // What does not count gives way to what does.
        let with_less = less(&warmups, max - whole.len()).map(|warmups| of(Some(warmups)));
        return with_less.filter(|message| message.len() <= max).unwrap_or(whole);
    }
    let problem = format!(
        "the result is {} bytes and the server takes at most {max} in one message: let the benchmark print less, or collect \
         fewer or smaller files; what follows is cut",
        whole.len()
    );
    fitting(job, results, &end.with(problem), max)
}

/// A stored message that no server takes, turned into a failure that one does. `None` where it cannot be read.
pub(crate) fn cut_down(message: &str) -> Option<String> {
    let (job, results, end) = match serde_json::from_str(message).ok()? {
        FromRunner::Completed { job, results, .. } => (job, results, End::Completed),
        FromRunner::Failed { job, results, error, failure, .. } => (job, results, End::Failed(failure, error)),
        FromRunner::Canceled { job, results, .. } => (job, results, End::Canceled),
        FromRunner::Ready { .. } | FromRunner::Running { .. } | FromRunner::Heartbeat { .. } | FromRunner::Output { .. } => {
            return None;
        }
    };
    let problem = format!(
        "the result is {} bytes and the server closed the connection whenever it was sent; its `request_body_max_bytes` is \
         probably smaller: start the runner with that as --max-message-size; what follows is cut",
        message.len()
    );
    Some(fitting(job, results, &end.with(problem), CUT_DOWN_SIZE))
}

/// A message of at most `max` bytes: no files, streams cut to equal shares, iterations left out from the end if need be.
fn fitting(job: JobUuid, mut results: Vec<IterationOutput>, end: &End, max: usize) -> String {
    let mut share = max / (2 * results.len().max(1));
    loop {
        if share < MIN_STREAM_LEN {
            results.truncate(results.len() / 2);
            share = max / (2 * results.len().max(1));
        }
        let short = results.iter().map(|result| shortened(result, share)).collect();
        let message = end.message(job, short, None);
        if message.len() <= max || results.is_empty() {
            return message;
        }
        share /= 2;
    }
}

/// Warm-up runs for which there are `room` bytes: without files, the streams cut to equal shares; or none.
fn less(warmups: &[IterationOutput], room: usize) -> Option<Vec<IterationOutput>> {
    // In the worst case each byte takes six, as an escape.
    let share = room / (2 * 6 * warmups.len().max(1));
    (!warmups.is_empty() && share >= MIN_STREAM_LEN)
        .then(|| warmups.iter().map(|warmup| shortened(warmup, share - MIN_STREAM_LEN / 2)).collect())
}

/// An iteration without its files, its streams cut to about `max` bytes each.
fn shortened(result: &IterationOutput, max: usize) -> IterationOutput {
    IterationOutput {
        exit_code: result.exit_code,
        stdout: result.stdout.as_deref().map(|stream| ends(stream, max)),
        stderr: result.stderr.as_deref().map(|stream| ends(stream, max)),
        output: None,
        timings: result.timings,
        artifacts: None,
    }
}

/// The beginning and the end of a text, about `max` bytes together.
fn ends(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let head = &text[..text.floor_char_boundary(max / 2)];
    let tail = &text[text.ceil_char_boundary(text.len() - max / 2)..];
    let left_out = text.len() - head.len() - tail.len();
    format!("{head}\n[{left_out} bytes left out]\n{tail}")
}

fn cut(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}

fn on_the_wire(result: IterationResult) -> IterationOutput {
    let text = |bytes: &[u8]| (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned());
    let mut stderr = String::from_utf8_lossy(&result.stderr).into_owned();
    for note in &result.notes {
        if !stderr.is_empty() && !stderr.ends_with('\n') {
            stderr.push('\n');
        }
        stderr.push_str(&format!("[runner] {note}\n"));
    }
    let kept = |file: KeptFile| Artifact::new(file.path, file.name, &file.bytes);
    let artifacts: Vec<Artifact> = result.artifacts.into_iter().map(kept).collect();
    let mut files: std::collections::BTreeMap<String, String> =
        result.files.into_iter().map(|(path, bytes)| (path, String::from_utf8_lossy(&bytes).into_owned())).collect();
    files.extend(result.metrics.map(|metrics| (METRICS_KEY.to_owned(), metrics)));
    IterationOutput {
        exit_code: result.exit_code,
        stdout: text(&result.stdout),
        stderr: (!stderr.is_empty()).then_some(stderr),
        output: (!files.is_empty()).then_some(files),
        timings: result.timings,
        artifacts: (!artifacts.is_empty()).then_some(artifacts),
    }
}

fn write(message: &FromRunner) -> String {
    serde_json::to_string(message).expect("a message is text and numbers under text keys")
}

#[cfg(test)]
mod tests;
