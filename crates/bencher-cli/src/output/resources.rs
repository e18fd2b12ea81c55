//! How each resource looks in a list and on its own.

use bencher_types::{
    DateTime, JobStatus, Label,
    wire::{
        auth::{AuthAck, AuthUser},
        dimension::{Benchmark, Branch, Measure, Testbed},
        image::Image,
        job::{Job, JobAttempt, Queued},
        organization::Organization,
        project::Project,
        runner::{Runner, RunnerKeyCreated, RunnerMode, RunnerState},
        server::{ApiVersion, Console},
        spec::Spec,
    },
};

use super::{
    Human, Out,
    table::{Cell, Listed, Tone, fields},
    timings, units,
};

/// A time to the second, in UTC.
pub(crate) fn time(at: DateTime) -> String {
    at.timestamp().strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

pub(super) fn maybe_time(at: Option<DateTime>) -> Cell {
    Cell::maybe(at.map(time))
}

pub(super) fn yes_no(yes: bool) -> Cell {
    Cell::new(if yes { "yes" } else { "no" })
}

impl Human for AuthAck {
    fn human(&self, _: Out) -> String {
        format!("a confirmation token is on its way to {}\n", self.email)
    }
}

impl Human for AuthUser {
    fn human(&self, out: Out) -> String {
        let mut text = fields(
            out,
            [
                ("user", Cell::new(format!("{} <{}>", self.user.name, self.user.email))),
                ("slug", Cell::new(&self.user.slug)),
                ("admin", yes_no(self.user.admin)),
                ("expires", Cell::new(time(self.expiration))),
            ],
        );
        // On a line of its own, so that a narrow terminal does not break it.
        text.push_str(&format!("\n{}\n", self.token.expose()));
        text
    }
}

impl Listed for Organization {
    const HEAD: &'static [&'static str] = &["SLUG", "NAME", "UUID", "CREATED"];

    fn row(&self) -> Vec<Cell> {
        vec![Cell::new(&self.slug), Cell::new(&self.name), Cell::new(self.uuid), Cell::new(time(self.created))]
    }
}

impl Human for Organization {
    fn human(&self, out: Out) -> String {
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("slug", Cell::new(&self.slug)),
                ("created", Cell::new(time(self.created))),
                ("claimed", maybe_time(self.claimed)),
                ("tier", Cell::maybe(self.tier)),
            ],
        )
    }
}

impl Listed for Project {
    const HEAD: &'static [&'static str] = &["SLUG", "NAME", "VISIBILITY", "UUID", "CREATED"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.slug),
            Cell::new(&self.name),
            Cell::new(self.visibility.as_str()),
            Cell::new(self.uuid),
            Cell::new(time(self.created)),
        ]
    }
}

impl Human for Project {
    fn human(&self, out: Out) -> String {
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("slug", Cell::new(&self.slug)),
                ("organization", Cell::new(self.organization)),
                ("url", Cell::maybe(self.url.as_ref())),
                ("visibility", Cell::new(self.visibility.as_str())),
                ("jobs at once", Cell::maybe(self.max_jobs)),
                ("longest iteration", Cell::maybe(self.max_timeout.map(|most| format!("{} s", most.get())))),
                ("created", Cell::new(time(self.created))),
            ],
        )
    }
}

fn runner_state(state: Option<RunnerState>) -> Cell {
    let tone = match state {
        Some(RunnerState::Offline) => Tone::Bad,
        Some(RunnerState::Idle) => Tone::Good,
        Some(RunnerState::Running | RunnerState::Draining) => Tone::Busy,
        None => Tone::Plain,
    };
    Cell { tone, ..Cell::maybe(state.map(RunnerState::as_str)) }
}

fn runner_mode(mode: Option<RunnerMode>) -> Cell {
    let tone = match mode {
        Some(RunnerMode::Quarantined) => Tone::Bad,
        Some(RunnerMode::Draining | RunnerMode::Locked) => Tone::Busy,
        Some(RunnerMode::Active) | None => Tone::Plain,
    };
    Cell { tone, ..Cell::maybe(mode) }
}

impl Listed for Runner {
    const HEAD: &'static [&'static str] = &["SLUG", "NAME", "STATE", "MODE", "VERSION", "SPECS", "LAST SEEN", "ARCHIVED"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.slug),
            Cell::new(&self.name),
            runner_state(self.state),
            runner_mode(self.mode),
            Cell::maybe(self.version.as_ref()),
            Cell::new(self.specs.len()),
            maybe_time(self.last_heartbeat),
            maybe_time(self.archived),
        ]
    }
}

impl Human for Runner {
    fn human(&self, out: Out) -> String {
        let specs: Vec<_> = self.specs.iter().map(ToString::to_string).collect();
        let scope = self.organizations.as_ref().map_or_else(
            || "all".to_owned(),
            |organizations| {
                let named: Vec<_> = organizations.iter().map(ToString::to_string).collect();
                if named.is_empty() { "none that is left".to_owned() } else { named.join("\n") }
            },
        );
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("slug", Cell::new(&self.slug)),
                ("state", runner_state(self.state)),
                ("mode", runner_mode(self.mode)),
                ("reason", Cell::maybe(self.reason.as_ref())),
                ("since", maybe_time(self.since)),
                ("failures in a row", Cell::maybe(self.failures)),
                ("labels", Cell::maybe(self.labels.as_deref().map(labels))),
                ("organizations", Cell::new(scope)),
                ("version", Cell::maybe(self.version.as_ref())),
                ("specs", Cell::new(if specs.is_empty() { "none: it gets no jobs".to_owned() } else { specs.join("\n") })),
                ("last seen", maybe_time(self.last_heartbeat)),
                ("created", Cell::new(time(self.created))),
                ("archived", maybe_time(self.archived)),
            ],
        )
    }
}

impl Human for RunnerKeyCreated {
    fn human(&self, out: Out) -> String {
        let mut text = fields(out, [("uuid", Cell::new(self.uuid))]);
        text.push_str(&format!("\n{}\n", self.key.expose()));
        text
    }
}

impl Listed for Spec {
    const HEAD: &'static [&'static str] =
        &["SLUG", "NAME", "OS", "ARCH", "SANDBOX", "CPU", "MEMORY", "DISK", "NETWORK", "FALLBACK", "ARCHIVED"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.slug),
            Cell::new(&self.name),
            Cell::new(self.os),
            Cell::new(self.architecture),
            Cell::new(sandbox(self)),
            Cell::new(self.cpu),
            Cell::new(units::bytes(self.memory.get())),
            Cell::new(units::bytes(self.disk.get())),
            yes_no(self.network),
            yes_no(self.fallback.is_some()),
            maybe_time(self.archived),
        ]
    }
}

/// What isolates the jobs of a spec; `host` where nothing does.
fn sandbox(spec: &Spec) -> &'static str {
    spec.sandbox.map_or("host", bencher_types::wire::spec::Sandbox::as_str)
}

impl Human for Spec {
    fn human(&self, out: Out) -> String {
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("slug", Cell::new(&self.slug)),
                ("os", Cell::new(self.os)),
                ("architecture", Cell::new(self.architecture)),
                ("sandbox", Cell::new(sandbox(self))),
                ("cpu", Cell::new(self.cpu)),
                ("memory", Cell::new(units::bytes(self.memory.get()))),
                ("disk", Cell::new(units::bytes(self.disk.get()))),
                ("network", yes_no(self.network)),
                ("fallback", yes_no(self.fallback.is_some())),
                ("created", Cell::new(time(self.created))),
                ("archived", maybe_time(self.archived)),
            ],
        )
    }
}

/// A status with its tone.
pub(super) fn job_status(status: JobStatus) -> Cell {
    let tone = match status {
        JobStatus::Processed => Tone::Good,
        JobStatus::Failed | JobStatus::Canceled => Tone::Bad,
        JobStatus::Pending | JobStatus::Claimed | JobStatus::Running | JobStatus::Completed => Tone::Busy,
    };
    Cell::toned(status, tone)
}

impl Listed for Job {
    const HEAD: &'static [&'static str] = &["UUID", "STATUS", "SPEC", "CREATED", "STARTED", "COMPLETED"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(self.uuid),
            job_status(self.status),
            Cell::new(&self.spec.slug),
            Cell::new(time(self.created)),
            maybe_time(self.started),
            maybe_time(self.completed),
        ]
    }
}

impl Human for Job {
    fn human(&self, out: Out) -> String {
        let message = self.message.as_ref().or_else(|| self.output.as_ref()?.error.as_ref());
        let exits = self.output.as_ref().map(|output| {
            let codes: Vec<_> = output.results.iter().map(|result| result.exit_code.to_string()).collect();
            codes.join(", ")
        });
        let mut rows = vec![
            ("uuid", Cell::new(self.uuid)),
            ("status", job_status(self.status)),
            ("failure", Cell::maybe(self.failure)),
            ("message", Cell::maybe(message)),
            ("what to do", Cell::maybe(self.what_to_do.as_ref())),
            ("queue", Cell::maybe(self.queue.as_ref().map(place))),
            ("spec", Cell::new(format!("{} ({})", self.spec.name, self.spec.slug))),
            ("runner", Cell::maybe(self.runner)),
            ("attempt", Cell::maybe(self.attempt)),
            ("attempts", Cell::maybe(self.attempts.as_deref().map(attempts))),
            ("retries left", Cell::maybe(self.retries)),
            ("required labels", Cell::maybe(self.required_labels.as_deref().map(labels))),
            ("created", Cell::new(time(self.created))),
            ("claimed", maybe_time(self.claimed)),
            ("started", maybe_time(self.started)),
            ("completed", maybe_time(self.completed)),
            ("exit codes", Cell::maybe(exits)),
            ("times", Cell::maybe(self.output.as_ref().and_then(timings::of_job))),
            ("report", Cell::maybe(self.report)),
        ];
        rows.retain(|(_, cell)| cell.text != "-" && !cell.text.is_empty());
        fields(out, rows)
    }
}

/// Where a job stands in the queue.
fn place(queue: &Queued) -> String {
    match queue.position {
        Some(position) => format!("number {position} of {} that wait", queue.waiting),
        None => format!("{} jobs wait", queue.waiting),
    }
}

/// A line for each time that a job was handed to a runner.
fn attempts(attempts: &[JobAttempt]) -> String {
    let line = |attempt: &JobAttempt| {
        let outcome = attempt.outcome.as_deref().unwrap_or("under way");
        let class = attempt.failure.map_or_else(String::new, |class| format!(" ({class})"));
        let message = attempt.message.as_deref().map_or_else(String::new, |message| format!(": {message}"));
        format!("{} {} on {}{class}{message}", attempt.attempt, outcome, attempt.runner)
    };
    attempts.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn labels(labels: &[Label]) -> String {
    labels.iter().map(Label::as_str).collect::<Vec<_>>().join(", ")
}

impl Listed for Branch {
    const HEAD: &'static [&'static str] = &["NAME", "SLUG", "VERSION", "HASH", "UUID", "ARCHIVED"];

    fn row(&self) -> Vec<Cell> {
        let version = self.head.version.as_ref();
        vec![
            Cell::new(&self.name),
            Cell::new(&self.slug),
            Cell::maybe(version.map(|version| version.number)),
            Cell::maybe(version.and_then(|version| version.hash.as_ref())),
            Cell::new(self.uuid),
            maybe_time(self.archived),
        ]
    }
}

impl Human for Branch {
    fn human(&self, out: Out) -> String {
        let version = self.head.version.as_ref();
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("slug", Cell::new(&self.slug)),
                ("head", Cell::new(self.head.uuid)),
                ("start point", Cell::maybe(self.head.start_point.as_ref().map(|point| point.branch))),
                ("version", Cell::maybe(version.map(|version| version.number))),
                ("hash", Cell::maybe(version.and_then(|version| version.hash.as_ref()))),
                ("created", Cell::new(time(self.created))),
                ("archived", maybe_time(self.archived)),
            ],
        )
    }
}

impl Listed for Testbed {
    const HEAD: &'static [&'static str] = &["NAME", "SLUG", "SPEC", "UUID", "ARCHIVED"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.name),
            Cell::new(&self.slug),
            Cell::maybe(self.spec.as_ref().map(|spec| &spec.slug)),
            Cell::new(self.uuid),
            maybe_time(self.archived),
        ]
    }
}

impl Human for Testbed {
    fn human(&self, out: Out) -> String {
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("slug", Cell::new(&self.slug)),
                ("spec", Cell::maybe(self.spec.as_ref().map(|spec| &spec.slug))),
                ("created", Cell::new(time(self.created))),
                ("archived", maybe_time(self.archived)),
            ],
        )
    }
}

impl Listed for Benchmark {
    const HEAD: &'static [&'static str] = &["NAME", "SLUG", "UUID", "ARCHIVED"];

    fn row(&self) -> Vec<Cell> {
        vec![Cell::new(&self.name), Cell::new(&self.slug), Cell::new(self.uuid), maybe_time(self.archived)]
    }
}

impl Human for Benchmark {
    fn human(&self, out: Out) -> String {
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("slug", Cell::new(&self.slug)),
                ("created", Cell::new(time(self.created))),
                ("archived", maybe_time(self.archived)),
            ],
        )
    }
}

impl Listed for Measure {
    const HEAD: &'static [&'static str] = &["NAME", "SLUG", "UNITS", "UUID", "ARCHIVED"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.name),
            Cell::new(&self.slug),
            Cell::new(&self.units),
            Cell::new(self.uuid),
            maybe_time(self.archived),
        ]
    }
}

impl Human for Measure {
    fn human(&self, out: Out) -> String {
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("slug", Cell::new(&self.slug)),
                ("units", Cell::new(&self.units)),
                ("created", Cell::new(time(self.created))),
                ("archived", maybe_time(self.archived)),
            ],
        )
    }
}

impl Human for ApiVersion {
    fn human(&self, out: Out) -> String {
        fields(out, [("protocol", Cell::new(&self.version)), ("server", Cell::maybe(self.product_version.as_ref()))])
    }
}

impl Human for Console {
    fn human(&self, _: Out) -> String {
        format!("{}\n", self.url)
    }
}

impl Listed for Image {
    const HEAD: &'static [&'static str] = &["IMAGE", "SIZE", "PUSHED", "DIGEST"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(format!("{}:{}", self.repository, self.tag)),
            Cell::new(units::bytes(self.size)),
            Cell::new(time(self.modified)),
            Cell::new(&self.digest),
        ]
    }
}
