//! The queue in the database: who gets which job, and what ends one.

use std::{collections::HashSet, time::Duration};

use bencher_api::{
    limits,
    store::queue::{Ended, Ending},
};
use bencher_types::{JobEvent, JobStatus};

use crate::{
    rows::{self, at},
    support::at_rest_on_each_database,
};

const LEASE: Duration = Duration::from_secs(90);

fn completed() -> Ending {
    Ending { event: JobEvent::Complete, output_key: Some("jobs/x".to_owned()), message: None, failure: None }
}

#[tokio::test]
async fn jobs_are_claimed_by_priority_then_age() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let late = rows::job(store, spec, 0, at(20)).await;
        let early = rows::job(store, spec, 0, at(10)).await;
        let paying = rows::job(store, spec, 300, at(30)).await;
        for expected in [paying, early, late] {
            let runner = rows::runner(store, spec).await;
            let claimed = store.claim_job(runner.id, LEASE, at(40)).await.unwrap().unwrap();
            assert_eq!((claimed.job.uuid.0, claimed.job.attempt), (expected, 1));
        }
        let runner = rows::runner(store, spec).await;
        assert!(store.claim_job(runner.id, LEASE, at(40)).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_runner_gets_no_job_of_another_spec() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let (ours, theirs) = (rows::spec(store).await, rows::spec(store).await);
        rows::job(store, theirs, 0, at(0)).await;
        let runner = rows::runner(store, ours).await;
        assert!(store.claim_job(runner.id, LEASE, at(1)).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn many_runners_at_once_get_each_job_once() {
    at_rest_on_each_database(async |server| {
        let store = server.app.store.clone();
        let spec = rows::spec(&store).await;
        for second in 0..5 {
            rows::job(&store, spec, 0, at(second)).await;
        }
        let mut claims = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (store, runner) = (store.clone(), rows::runner(&store, spec).await);
            claims.spawn(async move { store.claim_job(runner.id, LEASE, at(10)).await.unwrap() });
        }
        let claimed: Vec<_> = claims.join_all().await.into_iter().flatten().map(|claimed| claimed.job.uuid.0).collect();
        assert_eq!(claimed.len(), 5);
        assert_eq!(claimed.iter().collect::<HashSet<_>>().len(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_job_goes_from_claim_to_result() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        store.claim_job(runner.id, LEASE, at(1)).await.unwrap().unwrap();
        store.start_job(job, 1, LEASE, at(2)).await.unwrap();
        assert_eq!(store.next_lease_expiry().await.unwrap(), Some(at(92)));
        assert_eq!(store.finish_job(runner.id, job, &completed(), at(3)).await.unwrap(), Ended::Now(JobStatus::Completed));
        assert_eq!(store.finish_job(runner.id, job, &completed(), at(4)).await.unwrap(), Ended::Unchanged);
        assert_eq!(store.next_lease_expiry().await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn only_a_runner_that_had_the_job_can_end_it() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let (runner, stranger) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
        let job = rows::job(store, spec, 0, at(0)).await;
        store.claim_job(runner.id, LEASE, at(1)).await.unwrap().unwrap();
        assert_eq!(store.finish_job(stranger.id, job, &completed(), at(2)).await.unwrap(), Ended::Unknown);
        let unknown = bencher_types::JobUuid::random();
        assert_eq!(store.finish_job(runner.id, unknown, &completed(), at(2)).await.unwrap(), Ended::Unknown);
    })
    .await;
}

#[tokio::test]
async fn a_released_job_is_claimed_again_and_its_late_result_still_counts() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        store.claim_job(runner.id, LEASE, at(1)).await.unwrap().unwrap();
        assert!(store.release_job(job, 1, at(2)).await.unwrap());
        // The runner had received the job after all, and nobody else has taken it since.
        assert_eq!(store.finish_job(runner.id, job, &completed(), at(3)).await.unwrap(), Ended::Now(JobStatus::Completed));
    })
    .await;
}

#[tokio::test]
async fn a_late_result_does_not_disturb_the_attempt_under_way() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let (first, second) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
        let job = rows::job(store, spec, 0, at(0)).await;
        store.claim_job(first.id, LEASE, at(1)).await.unwrap().unwrap();
        store.release_job(job, 1, at(2)).await.unwrap();
        let again = store.claim_job(second.id, LEASE, at(3)).await.unwrap().unwrap();
        assert_eq!((again.job.uuid.0, again.job.attempt), (job, 2));
        assert_eq!(store.finish_job(first.id, job, &completed(), at(4)).await.unwrap(), Ended::Superseded);
        assert_eq!(store.finish_job(second.id, job, &completed(), at(5)).await.unwrap(), Ended::Now(JobStatus::Completed));
    })
    .await;
}

#[tokio::test]
async fn a_lost_runner_fails_its_job_and_its_late_result_mends_it() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        store.claim_job(runner.id, LEASE, at(1)).await.unwrap().unwrap();
        assert!(store.expired_leases(at(90)).await.unwrap().is_empty());
        let expired = store.expired_leases(at(91)).await.unwrap();
        assert_eq!(expired.len(), 1);
        assert!(store.end_job(job, 1, JobEvent::Fail, "lost", at(91)).await.unwrap());
        assert!(!store.end_job(job, 1, JobEvent::Fail, "lost", at(92)).await.unwrap(), "once");
        assert_eq!(store.finish_job(runner.id, job, &completed(), at(93)).await.unwrap(), Ended::Now(JobStatus::Completed));
    })
    .await;
}

#[tokio::test]
async fn an_outdated_holder_changes_nothing() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let (first, second) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
        let job = rows::job(store, spec, 0, at(0)).await;
        store.claim_job(first.id, LEASE, at(1)).await.unwrap().unwrap();
        store.release_job(job, 1, at(2)).await.unwrap();
        store.claim_job(second.id, LEASE, at(3)).await.unwrap().unwrap();
        assert!(!store.release_job(job, 1, at(4)).await.unwrap());
        assert!(!store.end_job(job, 1, JobEvent::Fail, "lost", at(4)).await.unwrap());
        store.start_job(job, 1, LEASE, at(4)).await.unwrap();
        let held = store.job_of_runner(second.id, None).await.unwrap().unwrap();
        assert_eq!(held.status().unwrap(), JobStatus::Claimed, "the outdated start did not count");
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_asks_for_work_has_given_up_what_it_held() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        store.claim_job(runner.id, LEASE, at(1)).await.unwrap().unwrap();
        store.start_job(job, 1, LEASE, at(1)).await.unwrap();
        assert!(store.claim_job(runner.id, LEASE, at(2)).await.unwrap().is_none());
        let given_up = store.job_of_runner(runner.id, Some(job)).await.unwrap().unwrap();
        assert_eq!(given_up.status().unwrap(), JobStatus::Failed);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_was_handed_out_but_never_begun_is_handed_out_again_until_that_is_too_often() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        for attempt in 1..=i64::try_from(limits::MAX_HANDOUTS).unwrap() {
            let again = store.claim_job(runner.id, LEASE, at(attempt)).await.unwrap().unwrap();
            assert_eq!((again.job.uuid.0, again.job.attempt), (job, attempt));
        }
        assert!(store.claim_job(runner.id, LEASE, at(100)).await.unwrap().is_none());
        let ended = store.job_of_runner(runner.id, Some(job)).await.unwrap().unwrap();
        assert_eq!(ended.status().unwrap(), JobStatus::Failed);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_would_change_nothing_is_not_wanted() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let (runner, stranger) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
        let job = rows::job(store, spec, 0, at(0)).await;
        assert!(!store.wants_ending(runner.id, job, JobEvent::Complete).await.unwrap(), "never handed out");
        store.claim_job(runner.id, LEASE, at(1)).await.unwrap().unwrap();
        store.start_job(job, 1, LEASE, at(1)).await.unwrap();
        assert!(store.wants_ending(runner.id, job, JobEvent::Complete).await.unwrap());
        assert!(!store.wants_ending(stranger.id, job, JobEvent::Complete).await.unwrap(), "not its own");
        store.finish_job(runner.id, job, &completed(), at(2)).await.unwrap();
        assert!(!store.wants_ending(runner.id, job, JobEvent::Complete).await.unwrap(), "known already");
    })
    .await;
}

#[tokio::test]
async fn why_a_job_failed_is_kept_whatever_bytes_a_runner_puts_into_it() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        store.claim_job(runner.id, LEASE, at(1)).await.unwrap().unwrap();
        let ending =
            Ending { event: JobEvent::Fail, output_key: None, message: Some("no \0 such file".to_owned()), failure: None };
        assert_eq!(store.finish_job(runner.id, job, &ending, at(2)).await.unwrap(), Ended::Now(JobStatus::Failed));
    })
    .await;
}
