//! What a job prints while it runs, printed as it is told, and what is left to print of its output when it has ended.

use std::collections::BTreeMap;

use bencher_types::wire::{
    job::Job,
    live::{LiveOutput, MAX_LIVE_BYTES, OutputPiece, OutputStream},
};

use super::{JobRef, progress::Progress};
use crate::{commands::Context, error::CliError};

/// Where the output of a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Each stream to our own, so that they can be told apart again.
    AsData,
    /// All of it to standard error: standard output is for the report.
    Aside,
}

/// Which runs of the benchmark are shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    /// Only warm-up runs (`true`) or iterations (`false`).
    pub warmups: Option<bool>,
    /// Only this one, from 0.
    pub number: Option<usize>,
}

impl Shown {
    fn has(self, piece: &OutputPiece) -> bool {
        self.warmups.is_none_or(|wanted| wanted == piece.warmup)
            && self.number.is_none_or(|wanted| u32::try_from(wanted) == Ok(piece.iteration))
    }
}

/// Prints what a job prints.
pub(crate) struct Tail<'a> {
    context: &'a Context,
    job: &'a JobRef,
    show: Show,
    which: Shown,
    attempt: u32,
    /// The last piece of the attempt that was told.
    last: Option<u32>,
    /// The run that was printed last: whether it is a warm-up, and its number.
    run: Option<(bool, u32)>,
    printed: Printed,
    /// The line on standard error has no end yet.
    is_amid_line: bool,
    has_said_that_nothing_is_live: bool,
}

impl<'a> Tail<'a> {
    pub(crate) fn new(context: &'a Context, job: &'a JobRef, show: Show, which: Shown) -> Self {
        Self {
            context,
            job,
            show,
            which,
            attempt: 0,
            last: None,
            run: None,
            printed: Printed::default(),
            is_amid_line: false,
            has_said_that_nothing_is_live: false,
        }
    }

    /// Whether the job prints something live; where it does not, that is said, once.
    pub(super) fn is_for(&mut self, job: &Job) -> bool {
        let is_live = job.live.unwrap_or_default();
        if !is_live && !std::mem::replace(&mut self.has_said_that_nothing_is_live, true) {
            self.context.out.talk("the job was started without --live: its output comes when it ends");
        }
        is_live
    }

    /// Prints what the job has printed since.
    pub(super) async fn catch_up(&mut self, progress: &Progress) -> Result<(), CliError> {
        let path = ["v0", "projects", &self.job.project, "jobs", &self.job.job.to_string(), "live"];
        let mut query = vec![("attempt", self.attempt.to_string())];
        query.extend(self.last.map(|last| ("after", last.to_string())));
        // Whatever is wrong with the server, looking at the job says it; what is missed here comes in the end.
        let Ok(Ok(LiveOutput { attempt, pieces })) = self.context.client.get(&path, &query).await.map(|answer| answer.body())
        else {
            return Ok(());
        };
        for piece in &pieces {
            self.tell(attempt, piece, progress)?;
        }
        Ok(())
    }

    /// Prints a piece, unless it was printed before.
    pub(super) fn tell(&mut self, attempt: u32, piece: &OutputPiece, progress: &Progress) -> Result<(), CliError> {
        if attempt < self.attempt || (attempt == self.attempt && self.last.is_some_and(|last| piece.sequence <= last)) {
            return Ok(());
        }
        progress.make_way();
        if attempt > self.attempt {
            if !self.printed.is_empty() {
                self.say(&format!("attempt {attempt}: the job is tried again, and prints from its beginning"));
            }
            (self.attempt, self.printed, self.run) = (attempt, Printed::default(), None);
        }
        self.last = Some(piece.sequence);
        if self.which.has(piece) {
            self.print(piece)?;
        }
        Ok(())
    }

    fn print(&mut self, piece: &OutputPiece) -> Result<(), CliError> {
        let run = (piece.warmup, piece.iteration);
        if self.run.replace(run) != Some(run) && run != (false, 0) {
            self.say(&format!("{} {}", if piece.warmup { "warm-up" } else { "iteration" }, piece.iteration));
        }
        let left_out = self.printed.add(piece);
        if left_out > 0 {
            self.say(&format!("{left_out} bytes of {} are left out here, and come when the job ends", piece.stream));
        }
        if piece.stream == OutputStream::Stdout && self.show == Show::AsData {
            self.context.out.data(&piece.text)?;
        } else {
            self.context.out.aside(&piece.text);
            self.is_amid_line = !piece.text.ends_with('\n');
        }
        if self.printed.bytes >= MAX_LIVE_BYTES {
            self.say("this is all that is shown while the job runs: the rest comes when it ends");
        }
        Ok(())
    }

    /// Says something between what the job prints.
    fn say(&mut self, text: &str) {
        let end = if std::mem::take(&mut self.is_amid_line) { "\n" } else { "" };
        self.context.out.talk(&format!("{end}--- {text}"));
    }

    /// The parts of a delivered stream that were not printed yet.
    pub(crate) fn rest<'t>(&self, warmup: bool, number: usize, stream: OutputStream, text: &'t str) -> Vec<&'t str> {
        self.printed.rest(warmup, number, stream, text)
    }

    /// Ends the line that the job may have left open.
    pub(crate) fn end_line(&mut self) {
        if std::mem::take(&mut self.is_amid_line) {
            self.context.out.aside("\n");
        }
    }
}

/// What was printed, by run and stream: where in the stream, and what.
#[derive(Clone, Debug, Default)]
struct Printed {
    streams: BTreeMap<(bool, u32, OutputStream), Vec<(u64, String)>>,
    bytes: u64,
}

impl Printed {
    fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Takes note of a piece. How many bytes of its stream were left out before it.
    fn add(&mut self, piece: &OutputPiece) -> u64 {
        let stream = self.streams.entry((piece.warmup, piece.iteration, piece.stream)).or_default();
        let end = stream.last().map_or(0, |(offset, text)| offset + text.len() as u64);
        stream.push((piece.offset, piece.text.clone()));
        self.bytes += piece.text.len() as u64;
        piece.offset.saturating_sub(end)
    }

    fn rest<'t>(&self, warmup: bool, number: usize, stream: OutputStream, text: &'t str) -> Vec<&'t str> {
        let known = u32::try_from(number).ok().and_then(|number| self.streams.get(&(warmup, number, stream)));
        let Some(pieces) = known else { return vec![text] };
        let (mut parts, mut end) = (Vec::new(), 0);
        for (offset, printed) in pieces {
            let before = usize::try_from(*offset).ok().and_then(|offset| text.get(end..offset));
            match before {
                Some(before) if text[end + before.len()..].starts_with(printed) => {
                    parts.push(before);
                    end += before.len() + printed.len();
                }
                // What was delivered is not what was printed, such as where too much had to be cut.
                _ => return vec![text],
            }
        }
        parts.push(&text[end..]);
        parts.retain(|part| !part.is_empty());
        parts
    }
}

#[cfg(test)]
mod tests;
