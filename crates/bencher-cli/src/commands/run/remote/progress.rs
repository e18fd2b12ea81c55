//! Live state of a job: one moving line on a terminal, a line per change elsewhere.

use std::{cell::RefCell, time::Duration};

use bencher_types::{JobStatus, wire::job::Job};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::state;
use crate::output::Out;

/// How often the moving line moves.
const TICK: Duration = Duration::from_millis(100);

pub(super) struct Progress {
    out: Out,
    /// The moving line; none where there is no terminal, or no room for it any more.
    bar: RefCell<Option<ProgressBar>>,
    last: RefCell<Option<(JobStatus, String)>>,
}

impl Progress {
    pub(super) fn new(out: Out) -> Self {
        let bar = out.stderr_terminal.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { out, bar: RefCell::new(bar), last: RefCell::new(None) }
    }

    pub(super) fn show(&self, job: &Job) {
        let now = (job.status, state(job));
        let mut last = self.last.borrow_mut();
        if last.as_ref() == Some(&now) {
            return;
        }
        match &*self.bar.borrow() {
            Some(bar) => {
                // The clock at the end of the line is that of the present state.
                if last.as_ref().is_none_or(|(status, _)| *status != now.0) {
                    bar.reset_elapsed();
                }
                bar.set_message(now.1.clone());
            }
            None => self.out.talk(&now.1),
        }
        *last = Some(now);
    }

    /// Leaves the terminal to a question.
    pub(super) fn pause(&self) {
        if let Some(bar) = &*self.bar.borrow() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    pub(super) fn resume(&self) {
        if let Some(bar) = &*self.bar.borrow() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Leaves the terminal to what the job prints: states are lines among that from here on.
    pub(super) fn make_way(&self) {
        self.end();
        self.bar.take();
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &*self.bar.borrow() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
