//! The phases of a job, each a type that the next step consumes.

use std::{collections::BTreeMap, time::Duration};

use bencher_types::{
    JobFailure,
    wire::{
        channel::{ClaimedJob, Timings},
        spec::Spec,
    },
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    admit::{Abilities, Refusal, admit},
    image::{FetchError, Image, ImageSource, disk_for},
    metrics::metrics,
    outcome::{IterationResult, JobOutcome, KeptFile},
    plan::{Failures, Order, Reuse},
    progress::{Progress, Step},
};
use crate::{
    chain::chain,
    config::JobPolicy,
    live::{Live, Run},
    sandbox::{Blame, EachFresh, Ended, ExecutionPlan, Exit, IterationOutcome, Sandbox, SandboxError, Session, SkipReason},
};

/// A job that this runner takes on.
pub(crate) struct Claimed {
    job: ClaimedJob,
}

/// A job whose image is on disk. The image stays where it is for as long as this lives.
pub(crate) struct Prepared {
    order: Order,
    plan: ExecutionPlan,
    _image: Image,
}

/// A job whose benchmark is through, one way or another.
pub(crate) struct Ran {
    results: Vec<IterationResult>,
    warmups: Vec<IterationResult>,
    end: Verdict,
}

/// Where runs take place: each anew, or all in one place.
enum Place<F, S> {
    Fresh(F),
    Shared(S),
}

impl<F: Session, S: Session> Session for Place<F, S> {
    async fn run(&mut self, cancel: CancellationToken) -> Result<IterationOutcome, SandboxError> {
        match self {
            Self::Fresh(session) => session.run(cancel).await,
            Self::Shared(session) => session.run(cancel).await,
        }
    }

    async fn close(self) {
        match self {
            Self::Fresh(session) => session.close().await,
            Self::Shared(session) => session.close().await,
        }
    }
}

/// What follows from an iteration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well.
    GoOn,
    Canceled,
    Failed(JobFailure, String),
}

impl Claimed {
    pub(crate) fn admit(job: ClaimedJob, abilities: Abilities) -> Result<Self, Refusal> {
        admit(&job.spec, abilities)?;
        Ok(Self { job })
    }

    pub(crate) fn spec(&self) -> &Spec {
        &self.job.spec
    }

    /// Gets the image onto disk and makes the plan, within the bound for that.
    pub(crate) async fn prepare(
        self,
        images: &ImageSource,
        policy: &JobPolicy,
        cancel: &CancellationToken,
    ) -> Result<Prepared, JobOutcome> {
        let order = Order::of_job(&self.job, policy.bounds);
        let disk = disk_for(self.job.spec.sandbox.as_ref(), self.job.spec.disk.get());
        let fetched = images.of_job(&self.job.config, &self.job.oci_token, disk, policy.fetch_timeout, cancel).await;
        let image = fetched.map_err(|error| match error {
            FetchError::Canceled => JobOutcome::canceled(),
            error => JobOutcome::failed(error.failure(), chain(&error)),
        })?;
        Prepared::new(order, image).map_err(|error| JobOutcome::failed(JobFailure::Image, chain(&error)))
    }
}

impl Prepared {
    /// # Errors
    /// Image and order together make no command.
    pub(crate) fn new(order: Order, image: Image) -> Result<Self, crate::sandbox::ImageError> {
        let plan = order.plan(image.rootfs().to_owned(), image.config())?;
        Ok(Self { order, plan, _image: image })
    }

    /// With somebody who wants to know what the benchmark prints while it runs.
    pub(crate) fn heard_by(mut self, live: Option<Live>) -> Self {
        self.plan.live = live;
        self
    }

    fn begin(&self, run: Run) {
        if let Some(live) = &self.plan.live {
            live.begin(run);
        }
    }

    pub(crate) fn iterations(&self) -> u32 {
        self.order.iterations
    }

    pub(crate) fn warmups(&self) -> u32 {
        self.order.warmups
    }

    /// Runs every iteration. Stops early once the results cannot be delivered any more, being larger than `max_bytes`.
    pub(crate) async fn run(
        self,
        sandbox: &impl Sandbox,
        max_bytes: usize,
        cancel: &CancellationToken,
        progress: &Progress,
    ) -> Ran {
        let mut session = self.session(sandbox);
        let ran = self.run_in(&mut session, max_bytes, cancel, progress).await;
        session.close().await;
        ran
    }

    /// Where every run of this job takes place.
    pub(crate) fn session<S: Sandbox>(&self, sandbox: &S) -> impl Session {
        match self.order.reuse {
            Reuse::Never => Place::Fresh(EachFresh::new(sandbox, &self.plan)),
            Reuse::WholeJob => Place::Shared(sandbox.session(&self.plan)),
        }
    }

    async fn run_in(&self, session: &mut impl Session, max_bytes: usize, cancel: &CancellationToken, progress: &Progress) -> Ran {
        let mut ran = Ran { results: Vec::new(), warmups: Vec::new(), end: Verdict::GoOn };
        self.warm_up(&mut ran, session, max_bytes, cancel, progress).await;
        if ran.end != Verdict::GoOn {
            return ran;
        }
        let mut size = 0_usize;
        for iteration in 0..self.order.iterations {
            if cancel.is_cancelled() {
                return Ran { end: Verdict::Canceled, ..ran };
            }
            progress.tell(Step::Running { iteration: iteration + 1, iterations: self.order.iterations });
            self.begin(Run::Iteration(iteration));
            let (result, verdict) = self.iterate(session, cancel).await;
            info!(iteration, exit_code = result.as_ref().map(|result| result.exit_code), "iteration ended");
            let room = max_bytes.saturating_sub(size);
            let result = result.map(|result| if result.size() > room { result.without_artifacts() } else { result });
            size += result.as_ref().map_or(0, IterationResult::size);
            ran.results.extend(result);
            if verdict != Verdict::GoOn {
                return Ran { end: verdict, ..ran };
            }
            if size > max_bytes {
                // Delivery says what is wrong; further iterations would only be thrown away.
                break;
            }
        }
        ran
    }

    /// Runs what comes before the first iteration. Its output is kept as far as there are `max_bytes` for all of it.
    async fn warm_up(
        &self,
        ran: &mut Ran,
        session: &mut impl Session,
        max_bytes: usize,
        cancel: &CancellationToken,
        progress: &Progress,
    ) {
        let warmups = self.order.warmups;
        let mut size = 0_usize;
        for warmup in 1..=warmups {
            if cancel.is_cancelled() {
                ran.end = Verdict::Canceled;
                return;
            }
            progress.tell(Step::WarmingUp { warmup, warmups });
            self.begin(Run::Warmup(warmup - 1));
            let (result, verdict) = self.iterate(session, cancel).await;
            info!(warmup, exit_code = result.as_ref().map(|result| result.exit_code), "warm-up run ended");
            ran.warmups.extend(result.map(|mut result| {
                // Nobody keeps what does not count.
                result.artifacts.clear();
                size += result.size();
                if size > max_bytes { result.without_output() } else { result }
            }));
            ran.end = of_warmup(verdict, warmup, warmups);
            if ran.end != Verdict::GoOn {
                return;
            }
        }
    }

    /// Runs one iteration.
    pub(crate) async fn iterate(
        &self,
        session: &mut impl Session,
        cancel: &CancellationToken,
    ) -> (Option<IterationResult>, Verdict) {
        match session.run(cancel.clone()).await {
            Ok(outcome) => {
                for warning in &outcome.warnings {
                    warn!(warning, "the sandbox could not do all that was asked for");
                }
                let verdict = self.judge(&outcome);
                // What was stopped before it began has nothing to show.
                let began = verdict != Verdict::Canceled || !outcome.wall.is_zero();
                (began.then(|| self.result(outcome)), verdict)
            }
            Err(error) => (None, sandbox_failure(&error)),
        }
    }

    fn judge(&self, outcome: &IterationOutcome) -> Verdict {
        match (outcome.ended, outcome.exit) {
            (Ended::Canceled, _) => Verdict::Canceled,
            (Ended::TimedOut, _) => {
                let seconds = self.plan.timeout.as_secs();
                Verdict::Failed(JobFailure::Timeout, format!("Benchmark did not finish within {seconds} seconds"))
            }
            (Ended::Exited, Exit::Code(0)) => Verdict::GoOn,
            (Ended::Exited, _) if self.order.failures == Failures::Allowed => Verdict::GoOn,
            // The words of the v0.6 runner, which clients may look for.
            (Ended::Exited, Exit::Code(code)) => {
                Verdict::Failed(JobFailure::User, format!("Benchmark exited with non-zero exit code: {code}"))
            }
            (Ended::Exited, Exit::Signal(signal)) => {
                let name = nix::sys::signal::Signal::try_from(signal).map_or("unknown", nix::sys::signal::Signal::as_str);
                let why = if outcome.oom_killed { "; it used more memory than its spec has" } else { "" };
                Verdict::Failed(JobFailure::User, format!("Benchmark was killed by signal {signal} ({name}){why}"))
            }
        }
    }

    fn result(&self, outcome: IterationOutcome) -> IterationResult {
        let notes = notes(&outcome, &self.plan);
        let metrics = metrics(self.order.measures, &self.plan.args, &outcome);
        let timings = Some(timings(&outcome));
        let (mut files, mut artifacts) = (BTreeMap::new(), Vec::new());
        // Where sizes are measured they are in the metrics; a program's bytes are no benchmark results.
        for (path, file) in outcome.files.into_iter().filter(|_| !self.order.measures.file_size) {
            match self.order.artifact(&path) {
                Some(wanted) => artifacts.push(KeptFile { path, name: wanted.name.clone(), bytes: file.bytes }),
                None => drop(files.insert(path, file.bytes)),
            }
        }
        IterationResult {
            exit_code: outcome.exit.code(),
            stdout: outcome.stdout.bytes,
            stderr: outcome.stderr.bytes,
            notes,
            files,
            artifacts,
            metrics,
            timings,
        }
    }
}

impl Ran {
    pub(crate) fn outcome(self) -> JobOutcome {
        match self.end {
            Verdict::GoOn => JobOutcome::Completed { results: self.results, warmups: self.warmups },
            Verdict::Failed(failure, error) => {
                JobOutcome::Failed { results: self.results, warmups: self.warmups, error, failure }
            }
            Verdict::Canceled => JobOutcome::Canceled { results: self.results, warmups: self.warmups },
        }
    }
}

/// What follows from a warm-up run: a failure says that it was one.
pub(crate) fn of_warmup(verdict: Verdict, warmup: u32, warmups: u32) -> Verdict {
    match verdict {
        Verdict::Failed(failure, problem) => {
            Verdict::Failed(failure, format!("warm-up run {warmup} of {warmups} failed: {problem}"))
        }
        verdict => verdict,
    }
}

/// How long the parts of an iteration took, as far as its sandbox knows.
fn timings(outcome: &IterationOutcome) -> Timings {
    let ns = |duration: Duration| u64::try_from(duration.as_nanos()).ok();
    let Some(phases) = &outcome.phases else { return Timings { run_ns: ns(outcome.wall), ..Timings::default() } };
    Timings {
        clone_ns: ns(phases.clone),
        boot_ns: ns(phases.boot),
        init_ready_ns: ns(phases.init_ready),
        run_ns: ns(phases.run),
        collect_ns: ns(phases.collect),
        teardown_ns: ns(phases.teardown),
    }
}

fn sandbox_failure(error: &SandboxError) -> Verdict {
    match error.blame() {
        Blame::Image => Verdict::Failed(JobFailure::Image, chain(error)),
        Blame::Infrastructure => {
            let problem = format!("this runner could not run the benchmark: {}", chain(error));
            Verdict::Failed(JobFailure::Infrastructure, problem)
        }
    }
}

/// What is worth knowing about an iteration and not in its output.
fn notes(outcome: &IterationOutcome, plan: &ExecutionPlan) -> Vec<String> {
    let mut notes = Vec::new();
    match outcome.ended {
        Ended::Exited => {}
        Ended::TimedOut => notes.push(format!("stopped after {} s; the output until then is partial", plan.timeout.as_secs())),
        Ended::Canceled => notes.push("canceled; the output until then is partial".to_owned()),
    }
    for (name, stream) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
        if stream.is_truncated() {
            notes.push(format!("{name} was {} bytes; the first {} are kept", stream.total, stream.bytes.len()));
        }
    }
    for skipped in &outcome.skipped_files {
        // What was not there may be looked for in several places on purpose, yet is worth a word.
        let reason: &SkipReason = &skipped.reason;
        notes.push(format!("file `{}` was not collected: {reason}", skipped.path));
    }
    notes.extend(outcome.warnings.iter().cloned());
    notes
}

#[cfg(test)]
mod tests;
