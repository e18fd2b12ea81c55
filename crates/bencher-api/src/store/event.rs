//! The log of what changed, in the order of the commits. Triggers in the database write it, each row in the transaction of its change.

use std::time::Duration;

use bencher_types::{DateTime, JobStatus, JobUuid, ReportUuid, RunnerUuid, wire::runner::RunnerState};
use uuid::Uuid;

use super::{Micros, Queries, Store, StoreError, Text};
use crate::{chain::chain, limits, values};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Greater than that of every earlier change.
    pub id: i64,
    pub at: DateTime,
    pub change: Change,
}

/// What changed, and how it is since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Job {
        /// The project's row.
        project: i64,
        job: JobUuid,
        status: JobStatus,
        attempt: i64,
        report: Option<ReportUuid>,
    },
    /// A job that is live has printed something.
    Output {
        /// The project's row.
        project: i64,
        job: JobUuid,
        attempt: i64,
        /// Which piece of the attempt's output.
        sequence: i64,
    },
    /// A report was filed, or what a job measured was added to it.
    Report {
        /// The project's row.
        project: i64,
        report: ReportUuid,
    },
    Runner {
        runner: RunnerUuid,
        state: RunnerState,
    },
    /// This is the runner's connection from now on; `None`: whatever connection it has is not good any more.
    Session {
        runner: RunnerUuid,
        session: Option<Uuid>,
    },
}

/// Which changes are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// One job of the project with this row, and what it prints.
    Job {
        project: i64,
        job: JobUuid,
    },
    /// The jobs and reports of the project with this row.
    Project(i64),
    Runners,
}

impl Topic {
    /// Whether a change is one that is asked for.
    #[must_use]
    pub fn has(self, change: &Change) -> bool {
        match (self, change) {
            (
                Self::Job { project, job },
                Change::Job { project: of, job: changed, .. } | Change::Output { project: of, job: changed, .. },
            ) => *of == project && *changed == job,
            (Self::Project(project), Change::Job { project: of, .. } | Change::Report { project: of, .. }) => *of == project,
            (Self::Runners, Change::Runner { .. }) => true,
            _ => false,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    project_id: Option<i64>,
    subject: Text<Uuid>,
    status: Option<i64>,
    attempt: Option<i64>,
    report: Option<Text<ReportUuid>>,
    state: Option<Text<RunnerState>>,
    session: Option<Text<Uuid>>,
    sequence: Option<i64>,
    created: Micros,
}

impl TryFrom<Row> for Logged {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let project = || row.project_id.ok_or(StoreError::corrupt("event.project_id"));
        let change = match row.kind.as_str() {
            "job" => Change::Job {
                project: project()?,
                job: JobUuid::from(row.subject.0),
                status: row.status.and_then(JobStatus::from_number).ok_or(StoreError::corrupt("event.status"))?,
                attempt: row.attempt.ok_or(StoreError::corrupt("event.attempt"))?,
                report: row.report.map(|report| report.0),
            },
            "output" => Change::Output {
                project: project()?,
                job: JobUuid::from(row.subject.0),
                attempt: row.attempt.ok_or(StoreError::corrupt("event.attempt"))?,
                sequence: row.sequence.ok_or(StoreError::corrupt("event.sequence"))?,
            },
            "report" => Change::Report { project: project()?, report: ReportUuid::from(row.subject.0) },
            "runner" => Change::Runner {
                runner: RunnerUuid::from(row.subject.0),
                state: row.state.ok_or(StoreError::corrupt("event.state"))?.0,
            },
            "session" => {
                Change::Session { runner: RunnerUuid::from(row.subject.0), session: row.session.map(|session| session.0) }
            }
            _ => return Err(StoreError::corrupt("event.kind")),
        };
        Ok(Self { id: row.id, at: row.created.0, change })
    }
}

#[derive(sqlx::FromRow)]
struct Ends {
    first: Option<i64>,
    last: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Aged {
    id: i64,
    created: Micros,
}

/// Some changes in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPart {
    pub changes: Vec<Logged>,
    /// The last change that was looked at.
    pub up_to: i64,
    /// Whether there may be more.
    pub is_full: bool,
}

/// What the log reaches from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEnds {
    /// The oldest change that is kept; 0 where there was none ever.
    pub first: i64,
    /// The newest change; 0 where there was none ever.
    pub last: i64,
}

impl LogEnds {
    /// Whether every change after this one is still there.
    #[must_use]
    pub const fn reach_back_to(self, id: i64) -> bool {
        id <= self.last && id >= self.first - 1 && id >= 0
    }
}

impl Store {
    /// From where to where the log reaches.
    ///
    /// # Errors
    /// The database failed.
    pub async fn log_ends(&self) -> Result<LogEnds, StoreError> {
        let ends: Ends = self.read().await?.one("SELECT MIN(id) AS first, MAX(id) AS last FROM event", values![]).await?;
        Ok(LogEnds { first: ends.first.unwrap_or_default(), last: ends.last.unwrap_or_default() })
    }

    /// The first changes after this one, at most [`limits::EVENT_BATCH`]; of one topic, or all.
    ///
    /// # Errors
    /// The database failed.
    pub async fn logged_after(&self, id: i64, topic: Option<Topic>) -> Result<LogPart, StoreError> {
        let (only, values) = match topic {
            None => ("", values![id, limits::EVENT_BATCH]),
            Some(Topic::Job { project, job }) => (
                " AND kind IN ('job', 'output') AND project_id = $3 AND subject = $4",
                values![id, limits::EVENT_BATCH, project, job],
            ),
            Some(Topic::Project(project)) => {
                (" AND kind IN ('job', 'report') AND project_id = $3", values![id, limits::EVENT_BATCH, project])
            }
            Some(Topic::Runners) => (" AND kind = 'runner'", values![id, limits::EVENT_BATCH]),
        };
        let sql = format!("SELECT * FROM event WHERE id > $1{only} ORDER BY id LIMIT $2");
        let rows: Vec<Row> = self.read().await?.all(sql, values).await?;
        let (up_to, is_full) = (rows.last().map_or(id, |row| row.id), rows.len() >= limits::EVENT_BATCH as usize);
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.id;
            match Logged::try_from(row) {
                Ok(change) => changes.push(change),
                // One that cannot be read must not hide those that come after it.
                Err(error) => tracing::error!(event = id, error = chain(&error), "passed over a change that cannot be read"),
            }
        }
        Ok(LogPart { changes, up_to, is_full })
    }

    /// Forgets the oldest changes if they are older than this, but never the newest one. How many; more may be left.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_events(&self, age: Duration, now: DateTime) -> Result<u64, StoreError> {
        let sql = "SELECT id, created FROM event WHERE id < (SELECT MAX(id) FROM event) ORDER BY id LIMIT $1";
        let oldest: Vec<Aged> = self.read().await?.all(sql, values![limits::EVENT_BATCH]).await?;
        // The times are those of the changes, and may be in another order than the ids.
        let Some(last) = oldest.iter().take_while(|row| row.created.0.saturating_add(age) < now).last() else { return Ok(0) };
        let mut tx = self.begin().await?;
        let forgotten = tx.execute("DELETE FROM event WHERE id <= $1", values![last.id]).await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}
