//! The simulation's queue is a model; here it has to give the same answers as the real one, in the same worlds.

use std::time::Duration;

use bencher_api::{
    store::{
        Queries as _, Value,
        claim::Terms,
        job::{Canceled, Retried},
        project::ProjectRow,
        queue::{Ended, Ending, Expired},
    },
    values,
};
use bencher_sim::{
    model::Model,
    queue::{Attempt, Claim, Held, ORGANIZATIONS, Order, Queue, RunnerIndex, View, rules, tier},
    scales,
    world::World,
};
use bencher_types::{
    DateTime, JobEvent, JobStatus, JobUuid, RunnerKey, RunnerUuid,
    wire::runner::{RunnerMode, RunnerState, UpdateRunner},
};
use serde_json::json;
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    setup::TestUser,
    support::{Backend, TestServer},
};

/// No world has more.
const RUNNERS: usize = 3;

/// The queue of a real server.
struct Database<'a> {
    server: &'a TestServer,
    ada: &'a TestUser,
    /// One of each organization.
    projects: &'a [ProjectRow],
    runners: &'a [(i64, RunnerUuid)],
    /// What was seen of handings-out: the store has no reader for them.
    attempts: Vec<(JobUuid, Attempt)>,
    /// Whose jobs they are.
    orders: Vec<(JobUuid, Order)>,
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    block_in_place(|| Handle::current().block_on(future))
}

impl Database<'_> {
    fn store(&self) -> &bencher_api::store::Store {
        &self.server.app.store
    }

    fn project(&self, job: JobUuid) -> &ProjectRow {
        let (_, order) = self.orders.iter().find(|(known, _)| *known == job).expect("a job that was submitted");
        &self.projects[order.organization]
    }

    fn set_mode(&mut self, runner: RunnerIndex, mode: RunnerMode, now: DateTime) {
        let update = UpdateRunner { mode: Some(mode), ..UpdateRunner::default() };
        wait(self.store().update_runner(self.runners[runner].0, &update, None, now)).expect("an answer");
    }

    fn index(&self, id: Option<i64>) -> Option<RunnerIndex> {
        self.runners.iter().position(|(known, _)| Some(*known) == id)
    }
}

impl Queue for Database<'_> {
    fn submit(&mut self, order: Order, now: DateTime) -> JobUuid {
        let project = self.projects[order.organization].slug.0.as_str();
        let job = json!({
            "project": project, "results": [], "job": { "image": format!("{project}:v1"), "retries": order.retries },
            "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z",
        });
        let report = wait(self.server.create("/v0/run", self.ada, job));
        let job: JobUuid = report["job"].as_str().expect("a job").parse().expect("its id");
        // The world has a clock of its own.
        wait(execute(self.server, "UPDATE job SET queued = $2 WHERE uuid = $1", values![job, now]));
        self.orders.push((job, order));
        job
    }

    fn claim(&mut self, runner: RunnerIndex, lease: Duration, now: DateTime) -> Option<Claim> {
        let terms = Terms { lease, rules: rules() };
        let claimed = wait(self.store().claim_job(self.runners[runner].0, terms, now)).expect("an answer")?.job;
        let attempt = Attempt { attempt: claimed.attempt, runner, outcome: None, output: None };
        self.attempts.push((claimed.uuid.0, attempt));
        Some(Claim { job: claimed.uuid.0, attempt: claimed.attempt })
    }

    fn of_runner(&mut self, runner: RunnerIndex, named: Option<JobUuid>) -> Option<Held> {
        let job = wait(self.store().job_of_runner(self.runners[runner].0, named)).expect("an answer")?;
        Some(Held {
            job: job.uuid.0,
            status: job.status().expect("a status"),
            runner: self.index(job.runner_id),
            attempt: job.attempt,
            claimed: job.claimed.map(|claimed| claimed.0),
        })
    }

    fn start(&mut self, job: JobUuid, attempt: i64, lease: Duration, now: DateTime) {
        wait(self.store().start_job(job, attempt, lease, now)).expect("an answer");
    }

    fn renew(&mut self, job: JobUuid, attempt: i64, lease: Duration, now: DateTime) {
        wait(self.store().renew_lease(job, attempt, lease, now)).expect("an answer");
    }

    fn wants(&mut self, runner: RunnerIndex, job: JobUuid, event: JobEvent) -> bool {
        wait(self.store().wants_ending(self.runners[runner].0, job, event)).expect("an answer")
    }

    fn finish(&mut self, runner: RunnerIndex, job: JobUuid, ending: &Ending, now: DateTime) -> Ended {
        let ended = wait(self.store().finish_job(self.runners[runner].0, job, ending, now)).expect("an answer");
        if ended == Ended::Superseded
            && let Some((_, attempt)) = self.attempts.iter_mut().rev().find(|(of, by)| *of == job && by.runner == runner)
        {
            attempt.output = ending.output_key.clone();
        }
        ended
    }

    fn release(&mut self, job: JobUuid, attempt: i64, now: DateTime) -> bool {
        wait(self.store().release_job(job, attempt, now)).expect("an answer")
    }

    fn end(&mut self, job: JobUuid, attempt: i64, event: JobEvent, now: DateTime) -> bool {
        wait(self.store().end_job(job, attempt, event, "because", now)).expect("an answer")
    }

    fn cancel(&mut self, job: JobUuid, now: DateTime) -> Option<JobStatus> {
        match wait(self.store().cancel_job(self.project(job), job, "because", now)).expect("an answer") {
            Canceled::From(status) => Some(status),
            Canceled::Already | Canceled::Denied(_) | Canceled::Unknown => None,
        }
    }

    fn retry(&mut self, job: JobUuid, now: DateTime) -> bool {
        matches!(wait(self.store().retry_job(self.project(job), job, now)).expect("an answer"), Retried::Now)
    }

    fn set_online(&mut self, runner: RunnerIndex, online: bool, now: DateTime) {
        let state = if online { RunnerState::Idle } else { RunnerState::Offline };
        wait(self.store().set_runner_state(self.runners[runner].0, None, state, now)).expect("an answer");
    }

    fn lock(&mut self, runner: RunnerIndex, now: DateTime) {
        self.set_mode(runner, RunnerMode::Locked, now);
    }

    fn unlock(&mut self, runner: RunnerIndex, now: DateTime) {
        self.set_mode(runner, RunnerMode::Active, now);
    }

    fn expired(&mut self, now: DateTime) -> Vec<Expired> {
        wait(self.store().expired_leases(now)).expect("an answer")
    }

    fn next_expiry(&mut self) -> Option<DateTime> {
        wait(self.store().next_lease_expiry()).expect("an answer")
    }

    fn extend(&mut self, lease: Duration, now: DateTime) {
        wait(self.store().extend_leases(lease, now)).expect("an answer");
    }

    fn process(&mut self, _now: DateTime) -> bool {
        unreachable!("these worlds leave results as they are")
    }

    fn view(&mut self, job: JobUuid) -> View {
        let (_, row) = wait(self.store().job(self.project(job), job)).expect("an answer").expect("a job");
        let runner = row.runner_uuid.as_ref().map(|uuid| uuid.0);
        View {
            status: row.status().expect("a status"),
            attempt: row.attempt,
            runner: self.runners.iter().position(|(_, known)| Some(*known) == runner),
            output: row.output_key,
        }
    }

    fn attempts(&mut self, job: JobUuid) -> Vec<Attempt> {
        self.attempts.iter().filter(|(of, _)| *of == job).map(|(_, attempt)| attempt.clone()).collect()
    }
}

async fn execute(server: &TestServer, sql: &'static str, values: Vec<Value>) {
    let mut tx = server.app.store.begin().await.expect("a transaction");
    tx.execute(sql, values).await.expect("a change");
    tx.commit().await.expect("a commit");
}

/// The projects of as many organizations, each of its tier, with an image.
async fn projects(server: &TestServer, ada: &TestUser) -> Vec<ProjectRow> {
    let mut projects = Vec::new();
    for organization in 0..ORGANIZATIONS {
        let path = format!("/v0/organizations/owner-{organization}");
        server.create("/v0/organizations", ada, json!({ "name": format!("Owner {organization}") })).await;
        server.patch(&path, ada, json!({ "tier": tier(organization) })).await;
        let slug = format!("shop-{organization}");
        server.create(&format!("{path}/projects"), ada, json!({ "name": slug })).await;
        server.push_image(&slug, ada, "v1", 1).await;
        let id = slug.parse().expect("a slug");
        projects.push(server.app.store.project(&id, None).await.expect("an answer").expect("the project"));
    }
    projects
}

/// The same worlds with the model and with the database: what happens in them, line by line.
async fn compare(backend: Backend, seeds: std::ops::Range<u64>) {
    let Some(server) = TestServer::start_at_rest(backend).await else { return };
    let ada = server.sign_up("Ada").await;
    server.spec(&ada, "Small", true).await;
    let mut runners = Vec::new();
    for name in 0..RUNNERS {
        let made = server.create("/v0/runners", &ada, json!({ "name": format!("runner {name}") })).await;
        let text = |field: &str| made[field].as_str().expect("a text").to_owned();
        server.create(&format!("/v0/runners/{}/specs", text("uuid")), &ada, json!({ "spec": "small" })).await;
        let key: RunnerKey = text("key").parse().expect("a key");
        let row = server.app.store.runner_by_key(&key.hash()).await.expect("an answer").expect("a runner");
        runners.push((row.id, row.uuid.0));
    }
    let projects = projects(&server, &ada).await;
    for seed in seeds {
        let scale = scales::of(seed);
        for sql in [
            "DELETE FROM organization_turn",
            "DELETE FROM project_turn",
            "UPDATE runner SET state = 'offline', mode = 'active', failures = 0",
        ] {
            execute(&server, sql, values![]).await;
        }
        let (attempts, orders) = (Vec::new(), Vec::new());
        let database = Database { server: &server, ada: &ada, projects: &projects, runners: &runners, attempts, orders };
        let real = World::new(seed, scale, database).without_processing().traced().run();
        let model = World::new(seed, scale, Model::default()).without_processing().traced().run();
        let at = real.trace.iter().zip(&model.trace).position(|(real, model)| real != model);
        if let Some(at) = at {
            panic!("seed {seed}: the database has\n{}\nand the model\n{}", real.trace[at], model.trace[at]);
        }
        assert_eq!(real.trace.len(), model.trace.len(), "seed {seed}");
        assert_eq!(real.violation, None, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_of_the_queue_answers_as_sqlite_does() {
    compare(Backend::Sqlite, 1..41).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_of_the_queue_answers_as_postgres_does() {
    compare(Backend::Postgres, 1..17).await;
}
