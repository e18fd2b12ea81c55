//! From an outcome to the terminal message that carries it, never larger than the server takes. Pure.
//!
//! This wire is JSON: what is not UTF-8 is replaced here, and only here.

use bencher_types::{
    JobUuid,
    wire::channel::{FromRunner, IterationOutput},
};

use super::{
    limits::{CUT_DOWN_SIZE, MAX_ERROR_LEN, MIN_STREAM_LEN},
    outcome::{IterationResult, JobOutcome},
};

/// The key that the runner's own metrics have among the files; no path can be that.
pub(crate) const METRICS_KEY: &str = "\0bencher";

/// The message of an outcome, at most `max` bytes. What is larger becomes a failure that says so, with as much of the output
/// as fits.
pub(crate) fn message(job: JobUuid, outcome: JobOutcome, max: usize) -> String {
    let (results, error) = match outcome {
        JobOutcome::Canceled => return write(&FromRunner::Canceled { job }),
        JobOutcome::Completed { results } => (results, None),
        JobOutcome::Failed { results, error } => (results, Some(cut(error, MAX_ERROR_LEN))),
    };
    let results: Vec<IterationOutput> = results.into_iter().map(on_the_wire).collect();
    let whole = write(&match &error {
        None => FromRunner::Completed { job, results: results.clone() },
        Some(error) => FromRunner::Failed { job, results: results.clone(), error: error.clone() },
    });
    if whole.len() <= max {
        return whole;
    }
    let mut text = format!(
        "the result is {} bytes and the server takes at most {max} in one message: let the benchmark print less, or collect \
         fewer or smaller files; what follows is cut",
        whole.len()
    );
    if let Some(error) = error {
        text = cut(format!("{error}; moreover, {text}"), MAX_ERROR_LEN);
    }
    fitting(job, results, &text, max)
}

/// A stored message that no server takes, turned into a failure that one does. `None` where it cannot be read.
pub(crate) fn cut_down(message: &str) -> Option<String> {
    let (job, results, error) = match serde_json::from_str(message).ok()? {
        FromRunner::Completed { job, results } => (job, results, None),
        FromRunner::Failed { job, results, error } => (job, results, Some(error)),
        FromRunner::Canceled { .. } | FromRunner::Ready { .. } | FromRunner::Running { .. } | FromRunner::Heartbeat { .. } => {
            return None;
        }
    };
    let mut text = format!(
        "the result is {} bytes and the server closed the connection whenever it was sent; its `request_body_max_bytes` is \
         probably smaller: start the runner with that as --max-message-size; what follows is cut",
        message.len()
    );
    if let Some(error) = error {
        text = format!("{error}; moreover, {text}");
    }
    Some(fitting(job, results, &cut(text, MAX_ERROR_LEN), CUT_DOWN_SIZE))
}

/// A failure of at most `max` bytes: no files, streams cut to equal shares, iterations left out from the end if need be.
fn fitting(job: JobUuid, mut results: Vec<IterationOutput>, error: &str, max: usize) -> String {
    let mut share = max / (2 * results.len().max(1));
    loop {
        if share < MIN_STREAM_LEN {
            results.truncate(results.len() / 2);
            share = max / (2 * results.len().max(1));
        }
        let short = results.iter().map(|result| IterationOutput {
            exit_code: result.exit_code,
            stdout: result.stdout.as_deref().map(|stream| ends(stream, share)),
            stderr: result.stderr.as_deref().map(|stream| ends(stream, share)),
            output: None,
        });
        let message = write(&FromRunner::Failed { job, results: short.collect(), error: error.to_owned() });
        if message.len() <= max || results.is_empty() {
            return message;
        }
        share /= 2;
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
    let mut files: std::collections::BTreeMap<String, String> =
        result.files.into_iter().map(|(path, bytes)| (path, String::from_utf8_lossy(&bytes).into_owned())).collect();
    files.extend(result.metrics.map(|metrics| (METRICS_KEY.to_owned(), metrics)));
    IterationOutput {
        exit_code: result.exit_code,
        stdout: text(&result.stdout),
        stderr: (!stderr.is_empty()).then_some(stderr),
        output: (!files.is_empty()).then_some(files),
    }
}

fn write(message: &FromRunner) -> String {
    serde_json::to_string(message).expect("a message is text and numbers under text keys")
}

#[cfg(test)]
mod tests;
