//! What PostgreSQL reads to answer a statement. A connection keeps the plan that it made when a table was small, and the table grows.

use std::time::Duration;

use bencher_api::{
    limits,
    store::{
        DatabaseLocation, Queries as _, Store,
        queue::{Ended, Ending},
    },
    values,
};
use bencher_types::{JobEvent, JobStatus};
use sqlx::{Connection as _, PgConnection};

use crate::{
    rows::{self, Project, at},
    support::postgres_database,
};

const LEASE: Duration = Duration::from_secs(90);
/// Jobs that are done.
const DONE: i64 = 3000;
/// A connection makes a plan to keep when it has had a statement five times.
const CLAIMS: usize = 10;

async fn claim_and_complete(store: &Store, spec: i64, project: Project) {
    let (job, runner) = (rows::job_of(store, project, spec, 100, at(0)).await, rows::runner(store, spec).await);
    let claimed = store.claim_job(runner.id, LEASE, at(1)).await.unwrap().unwrap();
    assert_eq!(claimed.job.uuid.0, job);
    let completed = Ending { event: JobEvent::Complete, output_key: Some("jobs/x".to_owned()), message: None, failure: None };
    assert_eq!(store.finish_job(runner.id, job, &completed, at(2)).await.unwrap(), Ended::Now(JobStatus::Completed));
}

/// What connections have read of jobs from the beginning of the table to its end. They say so at the latest when they end.
async fn read_in_order(connection: &mut PgConnection) -> i64 {
    let others = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut *connection).await.unwrap() > 0 {}
    let read = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'job'";
    sqlx::query_scalar(read).fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn a_claim_does_not_read_every_job_there_ever_was() {
    let Some(url) = postgres_database().await else { return };
    let location = DatabaseLocation::Postgres { url: url.clone(), timeout: limits::DEFAULT_DATABASE_TIMEOUT };
    let store = Store::open(&location).await.unwrap();
    let spec = rows::spec(&store).await;
    let project = rows::project_of(&store, rows::organization(&store).await).await;
    for _ in 0..CLAIMS {
        claim_and_complete(&store, spec, project).await;
    }
    let mut tx = store.begin().await.unwrap();
    for more in [
        "INSERT INTO report (uuid, project_id, head_id, version_id, testbed_id, adapter, start_time, end_time, created) \
         SELECT 'done ' || number, project_id, head_id, version_id, testbed_id, adapter, start_time, end_time, created \
         FROM (SELECT * FROM report ORDER BY id LIMIT 1) AS first, generate_series(1, $1) AS number",
        "INSERT INTO job (uuid, project_id, report_id, spec_id, status, priority, config, settings, attempt, created, modified, queued) \
         SELECT report.uuid, report.project_id, report.id, first.spec_id, 4, 100, config, first.settings, 1, 0, 0, 0 \
         FROM (SELECT * FROM job ORDER BY id LIMIT 1) AS first, report WHERE report.uuid LIKE 'done %' LIMIT $1",
    ] {
        tx.execute(more, values![DONE]).await.unwrap();
    }
    tx.commit().await.unwrap();
    for _ in 0..CLAIMS {
        claim_and_complete(&store, spec, project).await;
    }
    store.close().await;
    let mut connection = PgConnection::connect(url.expose()).await.unwrap();
    let read = read_in_order(&mut connection).await;
    assert!(read < DONE, "{CLAIMS} claims read {read} rows of jobs that are done");
}
