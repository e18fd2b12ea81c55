//! Completed jobs on their way to processed.

use bencher_types::{
    DateTime, JobFailure, JobStatus, JobUuid,
    wire::{job::JobConfig, run::ReportSettings},
};

use super::{Micros, Queries, Store, StoreError, Text, Tx};
use crate::values;

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    uuid: Text<JobUuid>,
    project_id: i64,
    report_id: i64,
    config: String,
    settings: String,
    output_key: Option<String>,
    started: Option<Micros>,
}

/// A job whose results wait to be processed.
#[derive(Clone, Debug)]
pub struct CompletedJob {
    pub id: i64,
    pub uuid: JobUuid,
    pub project_id: i64,
    pub report_id: i64,
    config: String,
    settings: String,
    /// Where the blob store has what the runner delivered.
    pub output_key: Option<String>,
    pub started: Option<DateTime>,
}

impl CompletedJob {
    /// # Errors
    /// The column holds no configuration.
    pub fn config(&self) -> Result<JobConfig, StoreError> {
        serde_json::from_str(&self.config).map_err(|_| StoreError::corrupt("job.config"))
    }

    /// # Errors
    /// The column holds no settings.
    pub fn settings(&self) -> Result<ReportSettings, StoreError> {
        serde_json::from_str(&self.settings).map_err(|_| StoreError::corrupt("job.settings"))
    }
}

impl Store {
    /// The oldest job whose results wait to be processed.
    ///
    /// # Errors
    /// The database failed.
    pub async fn next_completed_job(&self) -> Result<Option<CompletedJob>, StoreError> {
        let sql = "SELECT id, uuid, project_id, report_id, config, settings, output_key, started \
                   FROM job WHERE status = 3 ORDER BY id LIMIT 1";
        let row: Option<Row> = self.read().await?.optional(sql, values![]).await?;
        Ok(row.map(|row| CompletedJob {
            id: row.id,
            uuid: row.uuid.0,
            project_id: row.project_id,
            report_id: row.report_id,
            config: row.config,
            settings: row.settings,
            output_key: row.output_key,
            started: row.started.map(|started| started.0),
        }))
    }
}

/// Moves a completed job on; `false` where another server did so before.
pub(crate) async fn move_completed(
    tx: &mut Tx,
    job_id: i64,
    to: JobStatus,
    message: Option<String>,
    now: DateTime,
) -> Result<bool, StoreError> {
    let failure = (to == JobStatus::Failed).then_some(JobFailure::Processing);
    let changed = tx
        .execute(
            "UPDATE job SET status = $2, message = COALESCE($3, message), failure = $6, modified = $4 WHERE id = $1 AND status = $5",
            values![job_id, to, message, now, JobStatus::Completed, failure.map(JobFailure::as_str)],
        )
        .await?;
    Ok(changed == 1)
}
