//! What a pending job waits for: the jobs of its spec that wait too, and the runners that could take it.

use std::collections::HashMap;

use bencher_types::wire::runner::{RunnerMode, RunnerState};

use super::{
    Id, Queries, Store, StoreError, Text,
    claim::{has_labels, heads, in_flight},
    job::JobRow,
};
use crate::{
    schedule::{Lane, Rules, Share},
    values,
};

/// The queue as a pending job sees it.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Every lane of the job's spec whose head could be served, those of jobs put ahead of the queue among them.
    pub lanes: Vec<Lane>,
    /// The job's own lane, and how many jobs of it come before; `None` where another job of its source has to end first.
    pub own: Option<(usize, u32)>,
    /// How many jobs of the spec wait.
    pub waiting: u32,
    /// How much the job's organization and project have.
    pub organization: Share,
    pub project: Share,
    pub runners: Vec<RunnerOfSpec>,
}

/// A runner that serves the job's spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunnerOfSpec {
    pub state: RunnerState,
    pub mode: RunnerMode,
    /// It has what the job requires.
    pub has_labels: bool,
    /// It takes jobs of the job's organization.
    pub in_scope: bool,
}

#[derive(sqlx::FromRow)]
struct RunnerRow {
    state: Text<RunnerState>,
    mode: Text<RunnerMode>,
    labels: String,
    in_scope: i64,
}

#[derive(sqlx::FromRow)]
struct LaneRow {
    project_id: i64,
    labels: String,
    count: i64,
}

#[derive(sqlx::FromRow)]
struct CountRow {
    count: i64,
}

#[derive(sqlx::FromRow)]
struct OwnerRow {
    project_id: i64,
    organization_id: i64,
    tier: Text<bencher_types::Tier>,
    max_jobs: Option<i64>,
}

impl Store {
    /// The queue as a pending job sees it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn waiting(&self, job: &JobRow, rules: &Rules) -> Result<Waiting, StoreError> {
        let mut conn = self.read().await?;
        let sql = "SELECT project.id AS project_id, project.organization_id, organization.tier, project.max_jobs FROM job \
                   JOIN project ON project.id = job.project_id JOIN organization ON organization.id = project.organization_id \
                   WHERE job.id = $1";
        let owner: OwnerRow = conn.one(sql, values![job.id]).await?;
        let in_flight = in_flight(&mut conn).await?;
        let heads = heads(&mut conn, job.spec_id).await?;
        let sql = "SELECT project_id, labels, COUNT(*) AS count FROM job WHERE spec_id = $1 AND status < 1 AND front IS NULL \
                   GROUP BY project_id, labels";
        let counts: Vec<LaneRow> = conn.all(sql, values![job.spec_id]).await?;
        let ahead = heads.iter().map(|head| head.candidate(&in_flight, rules)).filter(|head| head.front.is_some()).count();
        let waiting = counts.iter().map(|lane| lane.count).sum::<i64>().saturating_add(i64::try_from(ahead).unwrap_or(0));
        let counts: HashMap<(i64, String), i64> =
            counts.into_iter().map(|lane| ((lane.project_id, lane.labels), lane.count)).collect();
        let before = match job.front {
            Some(_) => 0,
            None => {
                let sql = "SELECT COUNT(*) AS count FROM job WHERE spec_id = $1 AND project_id = $2 AND labels = $3 AND status < 1 \
                           AND front IS NULL AND (queued, id) < ($4, $5)";
                let lane = values![job.spec_id, owner.project_id, job.labels.as_str(), job.queued.0, job.id];
                conn.one::<CountRow>(sql, lane).await?.count
            }
        };
        let own = heads.iter().position(|head| {
            let of_lane = (head.project_id, head.labels.as_str()) == (owner.project_id, job.labels.as_str());
            let head = head.candidate(&in_flight, rules);
            if job.front.is_some() { head.job == job.id } else { of_lane && head.front.is_none() }
        });
        let lanes = heads.iter().map(|row| {
            let head = row.candidate(&in_flight, rules);
            let count = match head.front {
                Some(_) => 1,
                None => counts.get(&(row.project_id, row.labels.clone())).copied().unwrap_or(1),
            };
            Lane { head, waiting: small(count) }
        });
        let max_jobs = rules.max_jobs.get(&owner.tier.0).copied().map(i64::from);
        let organization = owner.organization_id;
        Ok(Waiting {
            lanes: lanes.collect(),
            own: own.map(|lane| (lane, small(before))),
            waiting: small(waiting),
            organization: Share { id: organization, in_flight: in_flight.of_organization(organization), served: 0, max_jobs },
            project: Share {
                id: owner.project_id,
                in_flight: in_flight.of_project(owner.project_id),
                served: 0,
                max_jobs: owner.max_jobs,
            },
            runners: runners(&mut conn, job, organization).await?,
        })
    }

    /// Whether another job of the same source is in flight.
    ///
    /// # Errors
    /// The database failed.
    pub async fn source_is_busy(&self, source: &str) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM job WHERE source = $1 AND status IN (1, 2) LIMIT 1";
        Ok(self.read().await?.optional::<Id>(sql, values![source]).await?.is_some())
    }
}

async fn runners(conn: &mut impl Queries, job: &JobRow, organization: i64) -> Result<Vec<RunnerOfSpec>, StoreError> {
    let sql = "SELECT runner.state, runner.mode, runner.labels, \
               CASE WHEN runner.scoped = 0 OR EXISTS (SELECT own.runner_id FROM runner_organization AS own \
                 WHERE own.runner_id = runner.id AND own.organization_id = $2) THEN CAST(1 AS BIGINT) ELSE 0 END AS in_scope \
               FROM runner JOIN runner_spec ON runner_spec.runner_id = runner.id \
               WHERE runner_spec.spec_id = $1 AND runner.archived IS NULL";
    let rows: Vec<RunnerRow> = conn.all(sql.to_owned(), values![job.spec_id, organization]).await?;
    Ok(rows
        .into_iter()
        .map(|row| RunnerOfSpec {
            state: row.state.0,
            mode: row.mode.0,
            has_labels: has_labels(&row.labels, &job.labels),
            in_scope: row.in_scope != 0,
        })
        .collect())
}

/// Counts of jobs fit.
fn small(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
