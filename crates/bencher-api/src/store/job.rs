//! Jobs as people see them: made, listed, viewed, canceled. What runners do to them is the queue's.

use std::net::{IpAddr, Ipv6Addr};

use bencher_types::{
    DateTime, JobEvent, JobFailure, JobStatus, JobUuid, Label, ReportUuid, RunnerUuid, Transition, TransitionDenied,
    wire::{
        job::{Job, JobConfig, sorted_labels},
        run::ReportSettings,
    },
};

use super::{
    Direction, ListQuery, Micros, Page, Queries, Store, StoreError, Text, Tx, order,
    project::ProjectRow,
    queue::{self, Ending},
    spec,
};
use crate::values;

/// A row of `job`, with the ids of its runner and report.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct JobRow {
    pub id: i64,
    pub uuid: Text<JobUuid>,
    pub spec_id: i64,
    pub runner_uuid: Option<Text<RunnerUuid>>,
    pub report_uuid: Text<ReportUuid>,
    status: i64,
    config: String,
    pub attempt: i64,
    pub output_key: Option<String>,
    pub message: Option<String>,
    failure: Option<Text<JobFailure>>,
    retries: i64,
    pub labels: String,
    pub front: Option<Micros>,
    pub queued: Micros,
    pub source: Option<String>,
    pub claimed: Option<Micros>,
    pub started: Option<Micros>,
    pub completed: Option<Micros>,
    pub created: Micros,
    pub modified: Micros,
}

impl JobRow {
    /// # Errors
    /// The column holds no status.
    pub fn status(&self) -> Result<JobStatus, StoreError> {
        JobStatus::from_number(self.status).ok_or(StoreError::corrupt("job.status"))
    }
}

const COLUMNS: &str = "job.*, runner.uuid AS runner_uuid, report.uuid AS report_uuid";
const FROM: &str = "job JOIN report ON report.id = job.report_id LEFT JOIN runner ON runner.id = job.runner_id";

/// A job that is to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewJobRow<'a> {
    pub(crate) uuid: JobUuid,
    pub(crate) project: i64,
    pub(crate) report: i64,
    pub(crate) spec: i64,
    pub(crate) priority: i64,
    /// Without the environment.
    pub(crate) config: &'a JobConfig,
    pub(crate) env_sealed: Option<Vec<u8>>,
    pub(crate) settings: &'a ReportSettings,
    /// Where a job comes from that counts for its address.
    pub(crate) source: Option<IpAddr>,
    pub(crate) retries: u32,
    pub(crate) required_labels: &'a [Label],
    pub(crate) created: DateTime,
}

/// What became of a wish to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canceled {
    /// The job was in this status until now.
    From(JobStatus),
    /// It was canceled before.
    Already,
    /// It cannot be canceled any more.
    Denied(TransitionDenied),
    /// There is no such job in the project.
    Unknown,
}

/// What became of a wish to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// The job waits for a runner again.
    Now,
    /// It does already.
    Already,
    /// Only a job that has failed can be tried again.
    Denied(TransitionDenied),
    /// There is no such job in the project.
    Unknown,
}

impl Store {
    /// One page of a project's jobs, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn jobs(
        &self,
        project: &ProjectRow,
        status: Option<JobStatus>,
        direction: Direction,
        page: Page,
    ) -> Result<(Vec<Job>, u64), StoreError> {
        let mut query = ListQuery::new(COLUMNS, FROM).filter("job.project_id = ?", project.id);
        if let Some(status) = status {
            query = query.filter("job.status = ?", status);
        }
        let mut conn = self.read().await?;
        let (rows, total) = query.page::<JobRow>(&mut conn, &order("job", "created", direction), page).await?;
        let specs = spec::by_ids(&mut conn, rows.iter().map(|row| row.spec_id)).await?;
        let jobs = rows.into_iter().map(|row| {
            let spec = specs.get(&row.spec_id).cloned().ok_or(StoreError::corrupt("job.spec_id"))?;
            into_json(row, spec)
        });
        Ok((jobs.collect::<Result<_, _>>()?, total))
    }

    /// A project's job, as it is shown without its output, and where the output is.
    ///
    /// # Errors
    /// The database failed.
    pub async fn job(&self, project: &ProjectRow, job: JobUuid) -> Result<Option<(Job, JobRow)>, StoreError> {
        let mut conn = self.read().await?;
        let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE job.project_id = $1 AND job.uuid = $2");
        let Some(row): Option<JobRow> = conn.optional(sql, values![project.id, job]).await? else { return Ok(None) };
        let mut specs = spec::by_ids(&mut conn, [row.spec_id]).await?;
        let spec = specs.remove(&row.spec_id).ok_or(StoreError::corrupt("job.spec_id"))?;
        let config: JobConfig = serde_json::from_str(&row.config).map_err(|_| StoreError::corrupt("job.config"))?;
        Ok(Some((Job { live: config.live, ..into_json(row.clone(), spec)? }, row)))
    }

    /// Cancels a project's job, if it is not done.
    ///
    /// # Errors
    /// The database failed.
    pub async fn cancel_job(
        &self,
        project: &ProjectRow,
        job: JobUuid,
        message: &str,
        now: DateTime,
    ) -> Result<Canceled, StoreError> {
        let mut tx = self.begin().await?;
        let Some(row) = queue::lock_job(&mut tx, job).await?.filter(|row| row.project_id == project.id) else {
            return Ok(Canceled::Unknown);
        };
        let status = row.status()?;
        match status.apply(JobEvent::Cancel) {
            Ok(Transition::To(to)) => {
                let failure = Some(JobFailure::Canceled);
                let ending = Ending { event: JobEvent::Cancel, output_key: None, message: Some(message.to_owned()), failure };
                queue::write_ending(&mut tx, &row, to, &ending, now).await?;
                tx.commit().await?;
                Ok(Canceled::From(status))
            }
            Ok(Transition::Unchanged) => Ok(Canceled::Already),
            Err(denied) => Ok(Canceled::Denied(denied)),
        }
    }

    /// Puts a project's job that has failed into the queue again, behind those that wait. What it delivered is kept with its attempt.
    ///
    /// # Errors
    /// The database failed.
    pub async fn retry_job(&self, project: &ProjectRow, job: JobUuid, now: DateTime) -> Result<Retried, StoreError> {
        let mut tx = self.begin().await?;
        let Some(row) = queue::lock_job(&mut tx, job).await?.filter(|row| row.project_id == project.id) else {
            return Ok(Retried::Unknown);
        };
        // A job in hand is the queue's to take back, not a user's.
        let status = row.status()?;
        match status.apply(JobEvent::Retry) {
            Ok(Transition::To(to)) if status == JobStatus::Failed => {
                let sql = "UPDATE job_attempt SET output_key = COALESCE(output_key, (SELECT output_key FROM job WHERE id = $1)) \
                           WHERE job_id = $1 AND attempt = $2";
                tx.execute(sql, values![row.id, row.attempt]).await?;
                let sql = "UPDATE job SET status = $2, runner_id = NULL, output_key = NULL, message = NULL, failure = NULL, \
                           claimed = NULL, started = NULL, completed = NULL, front = NULL, avoids = NULL, queued = $3, modified = $3 \
                           WHERE id = $1";
                tx.execute(sql, values![row.id, to, now]).await?;
                tx.commit().await?;
                Ok(Retried::Now)
            }
            Ok(Transition::Unchanged) => Ok(Retried::Already),
            Ok(Transition::To(_)) => Ok(Retried::Denied(TransitionDenied { from: status, event: JobEvent::Retry })),
            Err(denied) => Ok(Retried::Denied(denied)),
        }
    }
}

/// Puts a job into the queue.
pub(crate) async fn insert(tx: &mut Tx, new: NewJobRow<'_>) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO job (uuid, project_id, report_id, spec_id, status, priority, config, env_sealed, settings, attempt, source, \
         created, modified, queued, retries, labels) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $11, $11, $12, $13)",
        values![
            new.uuid,
            new.project,
            new.report,
            new.spec,
            JobStatus::Pending,
            new.priority,
            serde_json::to_string(new.config).expect("a job's configuration is plain JSON"),
            new.env_sealed,
            serde_json::to_string(new.settings).expect("settings are plain JSON"),
            new.source.map(source_of),
            new.created,
            new.retries,
            write_labels(new.required_labels),
        ],
    )
    .await?;
    Ok(())
}

/// Labels as they are stored: sorted, with commas between them.
pub(super) fn write_labels(labels: &[Label]) -> String {
    sorted_labels(labels).iter().map(Label::as_str).collect::<Vec<_>>().join(",")
}

/// Labels from how they are stored.
pub(super) fn read_labels(stored: &str) -> Result<Vec<Label>, StoreError> {
    let labels = stored.split(',').filter(|label| !label.is_empty()).map(Label::new);
    labels.collect::<Result<_, _>>().map_err(|_| StoreError::corrupt("labels"))
}

/// What stands for an address: of IPv6 the network, because whoever has one address of it has them all.
fn source_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

fn into_json(row: JobRow, spec: bencher_types::wire::spec::Spec) -> Result<Job, StoreError> {
    let status = row.status()?;
    let failure = row.failure.map(|class| class.0);
    let labels = read_labels(&row.labels)?;
    let retries = u32::try_from(row.retries).map_err(|_| StoreError::corrupt("job.retries"))?;
    Ok(Job {
        uuid: row.uuid.0,
        status,
        spec,
        config: None,
        runner: row.runner_uuid.map(|uuid| uuid.0),
        claimed: row.claimed.map(|time| time.0),
        started: row.started.map(|time| time.0),
        completed: row.completed.map(|time| time.0),
        created: row.created.0,
        modified: row.modified.0,
        output: None,
        report: Some(row.report_uuid.0),
        attempt: Some(u32::try_from(row.attempt).map_err(|_| StoreError::corrupt("job.attempt"))?),
        message: row.message,
        failure,
        what_to_do: failure.map(|class| class.what_to_do().to_owned()),
        retries: (retries > 0).then_some(retries),
        required_labels: (!labels.is_empty()).then_some(labels),
        live: None,
        queue: None,
        attempts: None,
    })
}

#[cfg(test)]
mod tests {
    use super::source_of;

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let source = |address: &str| source_of(address.parse().unwrap());
        assert_eq!(source("192.0.2.1"), "192.0.2.1");
        assert_eq!(source("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(source("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    }
}
