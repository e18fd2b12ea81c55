//! Who is served before whom, what a runner's failure means for its job and for itself, and what is told of it.

use std::{collections::BTreeMap, time::Duration};

use bencher_api::{
    schedule::Rules,
    store::{
        Queries as _, Store, Value,
        claim::Terms,
        queue::{Ended, Ending},
    },
    values,
};
use bencher_types::{
    DateTime, JobEvent, JobFailure, JobStatus, JobUuid, Tier,
    wire::runner::{RunnerMode, RunnerState, UpdateRunner},
};

use crate::{
    rows::{self, Project, Runner, at},
    support::at_rest_on_each_database,
};

const LEASE: Duration = Duration::from_secs(90);

fn failed(failure: JobFailure) -> Ending {
    Ending { event: JobEvent::Fail, output_key: None, message: Some("it broke".to_owned()), failure: Some(failure) }
}

async fn execute(store: &Store, sql: &'static str, values: Vec<Value>) {
    let mut tx = store.begin().await.unwrap();
    tx.execute(sql, values).await.unwrap();
    tx.commit().await.unwrap();
}

async fn may_be_tried_again(store: &Store, job: JobUuid, times: i64) {
    execute(store, "UPDATE job SET retries = $2 WHERE uuid = $1", values![job, times]).await;
}

async fn online(store: &Store, runner: &Runner) {
    store.set_runner_state(runner.id, None, RunnerState::Idle, at(0)).await.unwrap();
}

/// Which job a runner gets, and which attempt of it that is.
async fn claim(store: &Store, runner: &Runner, now: DateTime) -> Option<(JobUuid, i64)> {
    let claimed = store.claim_job(runner.id, LEASE, now).await.unwrap();
    claimed.map(|claimed| (claimed.job.uuid.0, claimed.job.attempt))
}

async fn begin(store: &Store, runner: &Runner, now: DateTime) -> JobUuid {
    let (job, attempt) = claim(store, runner, now).await.expect("a job");
    store.start_job(job, attempt, LEASE, now).await.unwrap();
    job
}

async fn set_mode(store: &Store, runner: &Runner, mode: RunnerMode) {
    let update = UpdateRunner { mode: Some(mode), ..UpdateRunner::default() };
    store.update_runner(runner.id, &update, None, at(0)).await.unwrap();
}

#[tokio::test]
async fn a_job_that_its_runner_failed_is_tried_again_ahead_of_the_queue_on_another_runner() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let (first, second) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
        online(store, &second).await;
        let job = rows::job(store, spec, 100, at(5)).await;
        may_be_tried_again(store, job, 2).await;
        assert_eq!(begin(store, &first, at(6)).await, job);
        let (older, paying) = (rows::job(store, spec, 100, at(0)).await, rows::job(store, spec, 300, at(7)).await);
        let ended = store.finish_job(first.id, job, &failed(JobFailure::Infrastructure), at(8)).await.unwrap();
        assert_eq!(ended, Ended::Now(JobStatus::Pending));

        assert_eq!(claim(store, &first, at(9)).await, Some((paying, 1)), "its own failure is left to the other runner");
        assert_eq!(claim(store, &second, at(9)).await, Some((job, 2)));
        let third = rows::runner(store, spec).await;
        assert_eq!(claim(store, &third, at(9)).await, Some((older, 1)));
        // What the first runner says of its attempt now changes nothing for the second.
        let late = Ending { event: JobEvent::Complete, output_key: Some("jobs/late".to_owned()), message: None, failure: None };
        assert_eq!(store.finish_job(first.id, job, &late, at(10)).await.unwrap(), Ended::Superseded);
    })
    .await;
}

#[tokio::test]
async fn where_there_is_no_other_runner_the_same_one_tries_again_until_that_was_often_enough() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 100, at(0)).await;
        may_be_tried_again(store, job, 1).await;
        for (attempt, status) in [(1, JobStatus::Pending), (2, JobStatus::Failed)] {
            assert_eq!(claim(store, &runner, at(attempt)).await, Some((job, attempt)));
            store.start_job(job, attempt, LEASE, at(attempt)).await.unwrap();
            let ended = store.finish_job(runner.id, job, &failed(JobFailure::Infrastructure), at(attempt)).await.unwrap();
            assert_eq!(ended, Ended::Now(status));
        }
    })
    .await;
}

#[tokio::test]
async fn another_runner_is_waited_for_only_so_long() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let (runner, other) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
        online(store, &other).await;
        let job = rows::job(store, spec, 100, at(0)).await;
        may_be_tried_again(store, job, 1).await;
        begin(store, &runner, at(1)).await;
        assert!(store.end_job(job, 1, JobEvent::Fail, "lost", at(100)).await.unwrap());
        let patience = i64::try_from(Rules::default().other_runner_wait.as_secs()).unwrap();
        assert_eq!(claim(store, &runner, at(99 + patience)).await, None);
        assert_eq!(claim(store, &runner, at(100 + patience)).await, Some((job, 2)));
    })
    .await;
}

#[tokio::test]
async fn only_the_infrastructures_failures_are_tried_again() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        for failure in [JobFailure::User, JobFailure::Image, JobFailure::Timeout] {
            let job = rows::job(store, spec, 100, at(0)).await;
            may_be_tried_again(store, job, 5).await;
            begin(store, &runner, at(1)).await;
            let ended = store.finish_job(runner.id, job, &failed(failure), at(2)).await.unwrap();
            assert_eq!(ended, Ended::Now(JobStatus::Failed), "{failure}");
        }
        let overrun = rows::job(store, spec, 100, at(0)).await;
        may_be_tried_again(store, overrun, 5).await;
        begin(store, &runner, at(1)).await;
        assert!(store.end_job(overrun, 1, JobEvent::Cancel, "too long", at(2)).await.unwrap());
        assert_eq!(claim(store, &runner, at(3)).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_result_that_arrives_while_the_job_waits_to_be_tried_again_counts() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 100, at(0)).await;
        may_be_tried_again(store, job, 1).await;
        begin(store, &runner, at(1)).await;
        store.end_job(job, 1, JobEvent::Fail, "the runner fell silent", at(100)).await.unwrap();
        let late = Ending { event: JobEvent::Complete, output_key: Some("jobs/x".to_owned()), message: None, failure: None };
        assert_eq!(store.finish_job(runner.id, job, &late, at(101)).await.unwrap(), Ended::Now(JobStatus::Completed));
        assert_eq!(claim(store, &runner, at(102)).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_fails_job_after_job_is_quarantined_until_somebody_unlocks_it() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let terms = Terms { lease: LEASE, rules: Rules { quarantine_after: Some(2), ..Rules::default() } };
        let fail = async |failure, expected: bool| {
            let job = rows::job(store, spec, 100, at(0)).await;
            let claimed = store.claim_job(runner.id, terms.clone(), at(1)).await.unwrap();
            assert_eq!(claimed.is_some(), expected, "{failure}");
            if expected {
                store.finish_job(runner.id, job, &failed(failure), at(2)).await.unwrap();
            }
        };
        fail(JobFailure::Infrastructure, true).await;
        // A benchmark that fails by itself shows that the runner works.
        fail(JobFailure::User, true).await;
        fail(JobFailure::Infrastructure, true).await;
        fail(JobFailure::Infrastructure, true).await;
        fail(JobFailure::Infrastructure, false).await;
        let id = runner.uuid.to_string().parse().unwrap();
        let shown = store.show_runner(store.runner(&id).await.unwrap().unwrap()).await.unwrap();
        assert_eq!((shown.mode, shown.failures), (Some(RunnerMode::Quarantined), Some(2)));
        assert!(shown.reason.unwrap().contains("2 jobs in a row"));

        set_mode(store, &runner, RunnerMode::Active).await;
        assert!(store.claim_job(runner.id, terms.clone(), at(3)).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_is_not_active_gets_no_job_and_finishes_the_one_it_has() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        for mode in [RunnerMode::Draining, RunnerMode::Locked, RunnerMode::Quarantined] {
            let runner = rows::runner(store, spec).await;
            let (first, second) = (rows::job(store, spec, 100, at(0)).await, rows::job(store, spec, 100, at(1)).await);
            assert_eq!(begin(store, &runner, at(2)).await, first);
            set_mode(store, &runner, mode).await;
            let completed = Ending { event: JobEvent::Complete, output_key: None, message: None, failure: None };
            let ended = store.finish_job(runner.id, first, &completed, at(3)).await.unwrap();
            assert_eq!(ended, Ended::Now(JobStatus::Completed), "{mode}");
            assert_eq!(claim(store, &runner, at(4)).await, None, "{mode}");
            set_mode(store, &runner, RunnerMode::Active).await;
            assert_eq!(claim(store, &runner, at(5)).await, Some((second, 1)), "{mode}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_job_goes_to_a_runner_that_has_all_labels_it_requires() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let labeled = async |labels: &[&str]| {
            let runner = rows::runner(store, spec).await;
            let labels = labels.iter().map(|label| label.parse().unwrap()).collect();
            let update = UpdateRunner { labels: Some(labels), ..UpdateRunner::default() };
            store.update_runner(runner.id, &update, None, at(0)).await.unwrap();
            runner
        };
        let (plain, some, all) =
            (labeled(&[]).await, labeled(&["cpu=zen4", "gpux"]).await, labeled(&["numa", "gpu", "cpu=zen4"]).await);
        let job = rows::job(store, spec, 100, at(0)).await;
        execute(store, "UPDATE job SET labels = 'cpu=zen4,gpu' WHERE uuid = $1", values![job]).await;
        let anywhere = rows::job(store, spec, 100, at(1)).await;
        assert_eq!(claim(store, &plain, at(2)).await, Some((anywhere, 1)));
        assert_eq!(claim(store, &some, at(2)).await, None);
        assert_eq!(claim(store, &all, at(2)).await, Some((job, 1)));
    })
    .await;
}

#[tokio::test]
async fn a_runner_of_some_organizations_gets_no_job_of_others_also_when_those_are_gone() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let organization = rows::organization(store).await;
        let project = rows::project_of(store, organization).await;
        store.update_runner(runner.id, &UpdateRunner::default(), Some(&[organization]), at(0)).await.unwrap();
        let others = rows::job(store, spec, 300, at(0)).await;
        let own = rows::job_of(store, project, spec, 100, at(1)).await;
        assert_eq!(claim(store, &runner, at(2)).await, Some((own, 1)));
        let completed = Ending { event: JobEvent::Complete, output_key: None, message: None, failure: None };
        store.finish_job(runner.id, own, &completed, at(2)).await.unwrap();
        execute(store, "DELETE FROM runner_organization", values![]).await;
        assert_eq!(claim(store, &runner, at(3)).await, None);
        store.update_runner(runner.id, &UpdateRunner::default(), Some(&[]), at(4)).await.unwrap();
        assert_eq!(claim(store, &runner, at(5)).await, Some((others, 1)));
    })
    .await;
}

async fn projects(store: &Store, organizations: usize, each: usize) -> Vec<Project> {
    let mut projects = Vec::new();
    for _ in 0..organizations {
        let organization = rows::organization(store).await;
        for _ in 0..each {
            projects.push(rows::project_of(store, organization).await);
        }
    }
    projects
}

#[tokio::test]
async fn organizations_and_then_their_projects_take_turns() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let [a, b, c] = projects(store, 1, 3).await[..] else { panic!("three projects") };
        let d = projects(store, 1, 1).await[0];
        let mut jobs = BTreeMap::new();
        for (number, (name, project)) in
            [("a1", a), ("a2", a), ("a3", a), ("b1", b), ("c1", c), ("d1", d), ("d2", d)].into_iter().enumerate()
        {
            let created = at(i64::try_from(number).unwrap());
            jobs.insert(rows::job_of(store, project, spec, 100, created).await, name);
        }
        // One runner, one job after another: nobody has two in flight.
        let runner = rows::runner(store, spec).await;
        let completed = Ending { event: JobEvent::Complete, output_key: None, message: None, failure: None };
        let mut order = Vec::new();
        while let Some((job, _)) = claim(store, &runner, at(20)).await {
            order.push(jobs[&job]);
            store.finish_job(runner.id, job, &completed, at(21)).await.unwrap();
        }
        assert_eq!(order, ["a1", "d1", "b1", "d2", "c1", "a2", "a3"]);
    })
    .await;
}

#[tokio::test]
async fn who_has_fewer_jobs_in_flight_comes_first() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let [many, one] = projects(store, 2, 1).await[..] else { panic!("two projects") };
        let mut first = Vec::new();
        for second in 0..3 {
            first.push(rows::job_of(store, many, spec, 100, at(second)).await);
        }
        for expected in &first[..2] {
            let runner = rows::runner(store, spec).await;
            assert_eq!(begin(store, &runner, at(10)).await, *expected);
        }
        let late = rows::job_of(store, one, spec, 100, at(9)).await;
        let runner = rows::runner(store, spec).await;
        assert_eq!(claim(store, &runner, at(11)).await, Some((late, 1)));
    })
    .await;
}

#[tokio::test]
async fn no_more_jobs_are_in_flight_than_project_and_tier_allow_however_many_runners_ask() {
    at_rest_on_each_database(async |server| {
        let store = server.app.store.clone();
        let spec = rows::spec(&store).await;
        let [bounded, free] = projects(&store, 1, 2).await[..] else { panic!("two projects") };
        execute(&store, "UPDATE project SET max_jobs = 1 WHERE id = $1", values![bounded.id]).await;
        for second in 0..4 {
            rows::job_of(&store, bounded, spec, 100, at(second)).await;
            rows::job_of(&store, free, spec, 100, at(second)).await;
        }
        let rules = Rules { max_jobs: BTreeMap::from([(Tier::Free, 3)]), ..Rules::default() };
        let terms = Terms { lease: LEASE, rules: rules.clone() };
        let mut claims = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (store, runner, terms) = (store.clone(), rows::runner(&store, spec).await, terms.clone());
            claims.spawn(async move {
                let claimed = store.claim_job(runner.id, terms, at(10)).await.unwrap()?;
                Some((claimed.job.project_id, claimed.job.uuid.0, runner.id))
            });
        }
        let claimed: Vec<_> = claims.join_all().await.into_iter().flatten().collect();
        assert_eq!(claimed.len(), 3, "the tier's bound");
        assert_eq!(claimed.iter().filter(|(project, ..)| *project == bounded.id).count(), 1, "the project's bound");

        // The end of one makes room, and somebody has to hear of it.
        let (_, job, runner) = claimed[0];
        assert!(store.frees_another(job, &rules).await.unwrap());
        let completed = Ending { event: JobEvent::Complete, output_key: None, message: None, failure: None };
        store.finish_job(runner, job, &completed, at(11)).await.unwrap();
        assert!(store.claim_job(runner, terms, at(12)).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_is_woken_for_nothing_takes_no_lock() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let (spec, other) = (rows::spec(store).await, rows::spec(store).await);
        let runner = rows::runner(store, spec).await;
        rows::job(store, other, 100, at(0)).await;
        let nothing = store.prospect(runner.id).await.unwrap();
        assert_eq!((nothing.holds, nothing.waits), (0, 0));
        rows::job(store, spec, 100, at(0)).await;
        begin(store, &runner, at(1)).await;
        let holds = store.prospect(runner.id).await.unwrap();
        assert_eq!((holds.holds, holds.waits), (1, 0));
    })
    .await;
}
