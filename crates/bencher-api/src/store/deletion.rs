//! Projects and organizations that go: hidden first, so that they can come back, or removed for good.
//!
//! ```text
//! there ──delete──▶ deleted (hidden, slug free) ──restore──▶ there
//!    └──────purge──────▶ purging ◀──purge──┘ ──reports, blobs, rows──▶ gone
//! ```
//!
//! What is removed for good may be large. It goes in many transactions, each of which leaves something that the next can go on with,
//! also after a crash; `purging` says that there is no way back.

use bencher_types::{DateTime, Digest, JobEvent, JobFailure, JobStatus, JobUuid, Slug, Transition};
use uuid::Uuid;

use super::{
    Id, Queries, Store, StoreError, Text, Tx, placeholders,
    queue::{self, Ending},
};
use crate::{limits, values};

/// What becomes of the jobs of something that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jobs {
    /// All are canceled.
    Cancel,
    /// Those that wait are canceled; where runners are at work, nothing is done.
    MustRest,
}

/// What was there to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// Gone, and these jobs with it that runners were at work on.
    Done(Vec<JobUuid>),
    /// This many jobs are under way; nothing was changed.
    Busy(usize),
}

/// What became of the wish to bring something back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restoration {
    Done(i64),
    /// There is nothing deleted of this id.
    Unknown,
    /// It is being removed for good.
    Purging,
    /// The organization of the project is deleted itself.
    OrganizationDeleted,
}

/// A deleted project or organization.
#[derive(Clone, Debug, sqlx::FromRow)]
struct DeletedRow {
    id: i64,
    deleted: i64,
    former_slug: Option<Text<Slug>>,
    purging: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct JobState {
    uuid: Text<JobUuid>,
    status: i64,
}

/// A report that is to go, and the job that it is of.
#[derive(Clone, Debug, sqlx::FromRow)]
struct ReportAndJob {
    id: i64,
    job: Option<Text<JobUuid>>,
}

/// A few reports that are to go next.
#[derive(Clone, Debug, Default)]
pub struct ReportsToPurge {
    reports: Vec<i64>,
    /// Whose output is to go with them.
    pub jobs: Vec<JobUuid>,
}

impl ReportsToPurge {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }
}

#[derive(sqlx::FromRow)]
struct DigestRow {
    digest: Text<Digest>,
}

impl Store {
    /// Hides a project, cancels its jobs and frees its slug.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_project(&self, id: i64, message: &str, now: DateTime) -> Result<Deletion, StoreError> {
        let mut tx = self.begin().await?;
        let deletion = hide(&mut tx, &[id], (Jobs::Cancel, message), now).await?;
        tx.commit().await?;
        Ok(deletion)
    }

    /// Hides an organization and everything in it, as [`Store::delete_project`] does each.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_organization(&self, id: i64, message: &str, now: DateTime) -> Result<Deletion, StoreError> {
        let mut tx = self.begin().await?;
        tx.lock_row("organization", id).await?;
        // Projects that were deleted on their own keep their time, and so stay deleted where the organization comes back.
        let projects: Vec<Id> =
            tx.all("SELECT id FROM project WHERE organization_id = $1 AND deleted IS NULL", values![id]).await?;
        let deletion = hide(&mut tx, &ids(&projects), (Jobs::Cancel, message), now).await?;
        bury(&mut tx, "organization", id, now).await?;
        tx.commit().await?;
        Ok(deletion)
    }

    /// Begins to remove a project for good, unless runners are at work for it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn begin_project_purge(&self, id: i64, message: &str, now: DateTime) -> Result<Deletion, StoreError> {
        let mut tx = self.begin().await?;
        let deletion = begin_purge(&mut tx, &[id], message, now).await?;
        if matches!(deletion, Deletion::Done(_)) {
            tx.commit().await?;
        }
        Ok(deletion)
    }

    /// Begins to remove an organization for good, with projects that were deleted before.
    ///
    /// # Errors
    /// The database failed.
    pub async fn begin_organization_purge(&self, id: i64, message: &str, now: DateTime) -> Result<Deletion, StoreError> {
        let mut tx = self.begin().await?;
        tx.lock_row("organization", id).await?;
        let projects: Vec<Id> = tx.all("SELECT id FROM project WHERE organization_id = $1", values![id]).await?;
        let deletion = begin_purge(&mut tx, &ids(&projects), message, now).await?;
        if matches!(deletion, Deletion::Done(_)) {
            bury(&mut tx, "organization", id, now).await?;
            tx.execute("UPDATE organization SET purging = COALESCE(purging, $2) WHERE id = $1", values![id, now]).await?;
            tx.commit().await?;
        }
        Ok(deletion)
    }

    /// Projects that are being removed for good: those of one organization, or all.
    ///
    /// # Errors
    /// The database failed.
    pub async fn purging_projects(&self, organization: Option<i64>) -> Result<Vec<i64>, StoreError> {
        let mut conn = self.read().await?;
        let rows: Vec<Id> = match organization {
            Some(id) => {
                let sql = "SELECT id FROM project WHERE purging IS NOT NULL AND organization_id = $1 ORDER BY id";
                conn.all(sql, values![id]).await?
            }
            None => conn.all("SELECT id FROM project WHERE purging IS NOT NULL ORDER BY id", values![]).await?,
        };
        Ok(ids(&rows))
    }

    /// Organizations that are being removed for good.
    ///
    /// # Errors
    /// The database failed.
    pub async fn purging_organizations(&self) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT id FROM organization WHERE purging IS NOT NULL ORDER BY id";
        Ok(ids(&self.read().await?.all::<Id>(sql, values![]).await?))
    }

    /// The reports of a project that go next.
    ///
    /// # Errors
    /// The database failed.
    pub async fn reports_to_purge(&self, project: i64) -> Result<ReportsToPurge, StoreError> {
        let sql = "SELECT report.id, job.uuid AS job FROM report LEFT JOIN job ON job.report_id = report.id \
                   WHERE report.project_id = $1 ORDER BY report.id LIMIT $2";
        let rows: Vec<ReportAndJob> = self.read().await?.all(sql, values![project, limits::PURGE_REPORTS]).await?;
        Ok(ReportsToPurge {
            reports: rows.iter().map(|row| row.id).collect(),
            jobs: rows.iter().filter_map(|row| row.job.as_ref().map(|job| job.0)).collect(),
        })
    }

    /// Removes reports with their jobs and everything that was measured.
    ///
    /// # Errors
    /// The database failed.
    pub async fn purge_reports(&self, chunk: &ReportsToPurge) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!("DELETE FROM report WHERE id IN ({})", placeholders(1, chunk.reports.len()));
        tx.execute(sql, chunk.reports.iter().map(|id| (*id).into()).collect::<Vec<_>>()).await?;
        tx.commit().await
    }

    /// The blobs that a project's repositories hold.
    ///
    /// # Errors
    /// The database failed.
    pub async fn blobs_to_purge(&self, project: i64) -> Result<Vec<Digest>, StoreError> {
        let sql = "SELECT DISTINCT oci_repository_blob.digest FROM oci_repository_blob \
                   JOIN oci_repository ON oci_repository.id = oci_repository_blob.repository_id \
                   WHERE oci_repository.project_id = $1";
        let rows: Vec<DigestRow> = self.read().await?.all(sql, values![project]).await?;
        Ok(rows.into_iter().map(|row| row.digest.0).collect())
    }

    /// Takes a blob out of a project's repositories.
    ///
    /// # Errors
    /// The database failed.
    pub async fn release_oci_blob_of(&self, project: i64, digest: &Digest) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "DELETE FROM oci_repository_blob WHERE digest = $1 \
                   AND repository_id IN (SELECT id FROM oci_repository WHERE project_id = $2)";
        tx.execute(sql, values![digest, project]).await?;
        tx.commit().await
    }

    /// Removes what is left of a project. `false` where something was added meanwhile that has to be looked at first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn purge_project(&self, project: i64) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        lock_against_children(&mut tx, project).await?;
        let report: Option<Id> = tx.optional("SELECT id FROM report WHERE project_id = $1 LIMIT 1", values![project]).await?;
        let blob: Option<DigestRow> = tx
            .optional(
                "SELECT oci_repository_blob.digest FROM oci_repository_blob \
                 JOIN oci_repository ON oci_repository.id = oci_repository_blob.repository_id \
                 WHERE oci_repository.project_id = $1 LIMIT 1",
                values![project],
            )
            .await?;
        if report.is_some() || blob.is_some() {
            return Ok(false);
        }
        // What changed in it is nobody's any more. Who follows events is told to look again if the newest of them was among these.
        tx.execute("DELETE FROM event WHERE project_id = $1", values![project]).await?;
        // Everything else of a project refers to it, directly or through a dimension, and goes along.
        tx.execute("DELETE FROM project WHERE id = $1 AND purging IS NOT NULL", values![project]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes an organization whose projects are gone. `false` where there are some.
    ///
    /// # Errors
    /// The database failed.
    pub async fn purge_organization(&self, organization: i64) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.lock_row("organization", organization).await?;
        let project: Option<Id> =
            tx.optional("SELECT id FROM project WHERE organization_id = $1 LIMIT 1", values![organization]).await?;
        if project.is_some() {
            return Ok(false);
        }
        tx.execute("DELETE FROM organization WHERE id = $1 AND purging IS NOT NULL", values![organization]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The row of a deleted project, by its UUID: a slug it has none any more.
    ///
    /// # Errors
    /// The database failed.
    pub async fn deleted_project(&self, uuid: Uuid) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM project WHERE uuid = $1 AND deleted IS NOT NULL";
        let row: Option<Id> = self.read().await?.optional(sql, values![uuid.to_string()]).await?;
        Ok(row.map(|row| row.id))
    }

    /// The row of a deleted organization, by its UUID.
    ///
    /// # Errors
    /// The database failed.
    pub async fn deleted_organization(&self, uuid: Uuid) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM organization WHERE uuid = $1 AND deleted IS NOT NULL";
        let row: Option<Id> = self.read().await?.optional(sql, values![uuid.to_string()]).await?;
        Ok(row.map(|row| row.id))
    }

    /// Brings a deleted project back, under its old slug where nobody took it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn restore_project(&self, uuid: Uuid, now: DateTime) -> Result<Restoration, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Owner {
            deleted: Option<i64>,
        }
        let mut tx = self.begin().await?;
        let Some(row) = deleted_row(&mut tx, "project", uuid).await? else { return Ok(Restoration::Unknown) };
        if row.purging.is_some() {
            return Ok(Restoration::Purging);
        }
        let owner: Owner = tx
            .one(
                "SELECT organization.deleted FROM organization JOIN project ON project.organization_id = organization.id \
                 WHERE project.id = $1",
                values![row.id],
            )
            .await?;
        if owner.deleted.is_some() {
            return Ok(Restoration::OrganizationDeleted);
        }
        revive(&mut tx, "project", &row, now).await?;
        tx.commit().await?;
        Ok(Restoration::Done(row.id))
    }

    /// Brings a deleted organization back, with the projects that went with it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn restore_organization(&self, uuid: Uuid, now: DateTime) -> Result<Restoration, StoreError> {
        let mut tx = self.begin().await?;
        let Some(row) = deleted_row(&mut tx, "organization", uuid).await? else { return Ok(Restoration::Unknown) };
        if row.purging.is_some() {
            return Ok(Restoration::Purging);
        }
        revive(&mut tx, "organization", &row, now).await?;
        let sql = "SELECT id, deleted, former_slug, purging FROM project \
                   WHERE organization_id = $1 AND deleted = $2 AND purging IS NULL";
        for project in tx.all::<DeletedRow>(sql, values![row.id, row.deleted]).await? {
            revive(&mut tx, "project", &project, now).await?;
        }
        tx.commit().await?;
        Ok(Restoration::Done(row.id))
    }
}

fn ids(rows: &[Id]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

/// Keeps rows that refer to a project from being added until the transaction ends.
async fn lock_against_children(tx: &mut Tx, project: i64) -> Result<(), StoreError> {
    if matches!(tx, Tx::Postgres(_)) {
        tx.execute("SELECT id FROM project WHERE id = $1 FOR UPDATE", values![project]).await?;
    }
    Ok(())
}

/// Hides projects, and stops their jobs.
async fn hide(tx: &mut Tx, projects: &[i64], jobs: (Jobs, &str), now: DateTime) -> Result<Deletion, StoreError> {
    let (mut canceled, mut busy) = (Vec::new(), 0);
    for project in projects {
        lock_against_children(tx, *project).await?;
        match stop_jobs(tx, *project, jobs, now).await? {
            Deletion::Done(jobs) => canceled.extend(jobs),
            Deletion::Busy(jobs) => busy += jobs,
        }
        bury(tx, "project", *project, now).await?;
    }
    Ok(if busy == 0 { Deletion::Done(canceled) } else { Deletion::Busy(busy) })
}

async fn begin_purge(tx: &mut Tx, projects: &[i64], message: &str, now: DateTime) -> Result<Deletion, StoreError> {
    let deletion = hide(tx, projects, (Jobs::MustRest, message), now).await?;
    for project in projects {
        tx.execute("UPDATE project SET purging = COALESCE(purging, $2) WHERE id = $1", values![*project, now]).await?;
        // Uploads that are under way find out at their next step.
        let sql = "DELETE FROM oci_upload WHERE repository_id IN (SELECT id FROM oci_repository WHERE project_id = $1)";
        tx.execute(sql, values![*project]).await?;
    }
    Ok(deletion)
}

/// Cancels the jobs of a project that are not done. Runners' jobs are only counted where they must rest.
async fn stop_jobs(tx: &mut Tx, project: i64, (jobs, message): (Jobs, &str), now: DateTime) -> Result<Deletion, StoreError> {
    // SQLite has one writer, so that rows are safe without a lock.
    let lock = if matches!(tx, Tx::Postgres(_)) { "FOR UPDATE" } else { "" };
    let sql = format!("SELECT uuid, status FROM job WHERE project_id = $1 AND status IN (0, 1, 2) ORDER BY id {lock}");
    let unfinished: Vec<JobState> = tx.all(sql, values![project]).await?;
    let mut in_flight = Vec::new();
    for job in unfinished {
        let status = JobStatus::from_number(job.status).ok_or(StoreError::corrupt("job.status"))?;
        if status.is_in_flight() {
            in_flight.push(job.uuid.0);
            if jobs == Jobs::MustRest {
                continue;
            }
        }
        if let (Ok(Transition::To(to)), Some(row)) = (status.apply(JobEvent::Cancel), queue::lock_job(tx, job.uuid.0).await?) {
            let failure = Some(JobFailure::Canceled);
            let ending = Ending { event: JobEvent::Cancel, output_key: None, message: Some(message.to_owned()), failure };
            queue::write_ending(tx, &row, to, &ending, now).await?;
        }
    }
    Ok(match (jobs, in_flight.len()) {
        (Jobs::MustRest, busy) if busy > 0 => Deletion::Busy(busy),
        _ => Deletion::Done(in_flight),
    })
}

/// Marks something as deleted and frees its slug; what is deleted already stays as it is.
async fn bury(tx: &mut Tx, table: &'static str, id: i64, now: DateTime) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE {table} SET deleted = $2, former_slug = slug, slug = $3, modified = $2 WHERE id = $1 AND deleted IS NULL"
    );
    // Nobody can have taken a slug that nobody knew.
    tx.execute(sql, values![id, now, Uuid::new_v4().to_string()]).await?;
    Ok(())
}

async fn deleted_row(tx: &mut Tx, table: &'static str, uuid: Uuid) -> Result<Option<DeletedRow>, StoreError> {
    let lock = if matches!(tx, Tx::Postgres(_)) { "FOR UPDATE" } else { "" };
    let sql = format!("SELECT id, deleted, former_slug, purging FROM {table} WHERE uuid = $1 AND deleted IS NOT NULL {lock}");
    tx.optional(sql, values![uuid.to_string()]).await
}

async fn revive(tx: &mut Tx, table: &'static str, row: &DeletedRow, now: DateTime) -> Result<(), StoreError> {
    let former = row.former_slug.as_ref().ok_or(StoreError::corrupt("former_slug"))?;
    let taken: Option<Id> = tx.optional(format!("SELECT id FROM {table} WHERE slug = $1"), values![&former.0]).await?;
    let slug = if taken.is_some() { former.0.with_suffix(&super::slug::suffix()) } else { former.0.clone() };
    let sql = format!("UPDATE {table} SET deleted = NULL, former_slug = NULL, slug = $2, modified = $3 WHERE id = $1");
    tx.execute(sql, values![row.id, &slug, now]).await?;
    Ok(())
}
