//! Giving a runner its next job: what could be given, from the tables; which one it is, `schedule` says.
//!
//! Jobs wait in lanes, one for each spec, project and set of required labels, and only the head of a lane can be next. So a claim
//! costs as much as projects wait, however many jobs they have. Claims follow each other: SQLite has one writer, and in PostgreSQL a
//! claim holds a lock from its look at the queue to its end, so that no two of them count the same jobs in flight.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    time::Duration,
};

use bencher_types::{
    DateTime, JobStatus, RunnerUuid, Tier,
    wire::runner::{RunnerMode, RunnerState},
};

use super::{
    Id, Micros, Queries, Store, StoreError, Text, Tx,
    queue::{self, Claimed, QueuedJob},
    row_of,
    spec::SpecRow,
};
use crate::{
    limits,
    schedule::{self, Candidate, Rules, Share},
    values,
};

/// What a claim goes by.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How long the runner may be silent.
    pub lease: Duration,
    pub rules: Rules,
}

impl From<Duration> for Terms {
    /// With the rules of an installation whose admin has set none.
    fn from(lease: Duration) -> Self {
        Self { lease, rules: Rules::default() }
    }
}

/// Whether it is worth a runner's while to claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Prospect {
    /// The runner still holds a job, which it gives up by asking for another one.
    pub holds: i64,
    /// A job of one of its specs waits; maybe not for this runner.
    pub waits: i64,
}

#[derive(sqlx::FromRow)]
struct AskerRow {
    uuid: Text<RunnerUuid>,
    labels: String,
    mode: Text<RunnerMode>,
    failures: i64,
    scoped: i64,
    archived: Option<Micros>,
    spec_id: Option<i64>,
    holds: i64,
}

/// A runner that may be given jobs.
struct Asker {
    labels: String,
    specs: Vec<i64>,
    /// The organizations that it is for; `None` for all.
    scope: Option<BTreeSet<i64>>,
}

/// A job that is next of its lane, with what is known of who it is for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct HeadRow {
    pub(super) id: i64,
    pub(super) project_id: i64,
    pub(super) organization_id: i64,
    pub(super) labels: String,
    priority: i64,
    queued: Micros,
    front: Option<Micros>,
    avoids: Option<i64>,
    pub(super) tier: Text<Tier>,
    pub(super) max_jobs: Option<i64>,
    organization_served: i64,
    project_served: i64,
}

#[derive(sqlx::FromRow)]
struct InFlightRow {
    project_id: i64,
    organization_id: i64,
    count: i64,
}

#[derive(sqlx::FromRow)]
struct RunnerOfSpec {
    id: i64,
    labels: String,
    scoped: i64,
}

/// How many jobs are in flight, by whose they are.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight {
    organizations: HashMap<i64, i64>,
    projects: HashMap<i64, i64>,
}

impl Store {
    /// Whether it is worth a runner's while to claim. Takes no lock, so that many runners may look when one job comes.
    ///
    /// # Errors
    /// The database failed.
    pub async fn prospect(&self, runner_id: i64) -> Result<Prospect, StoreError> {
        let sql = "SELECT CASE WHEN EXISTS (SELECT held.id FROM job AS held WHERE held.runner_id = $1 AND held.status IN (1, 2)) \
                   THEN CAST(1 AS BIGINT) ELSE 0 END AS holds, \
                   CASE WHEN EXISTS (SELECT waiting.id FROM runner_spec JOIN job AS waiting \
                     ON waiting.spec_id = runner_spec.spec_id AND waiting.status < 1 WHERE runner_spec.runner_id = $1) \
                   THEN CAST(1 AS BIGINT) ELSE 0 END AS waits";
        self.read().await?.one(sql, values![runner_id]).await
    }

    /// Whether a job waits for any runner. Takes no lock.
    ///
    /// # Errors
    /// The database failed.
    pub async fn any_job_waits(&self) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM job WHERE status = 0 LIMIT 1";
        Ok(self.read().await?.optional::<Id>(sql, values![]).await?.is_some())
    }

    /// Gives a runner its next job, if there is one.
    ///
    /// Of the jobs that count for their source, at most one per source is in flight.
    ///
    /// What the runner still held it has given up by asking: those jobs fail, or go back where they were never begun.
    ///
    /// A runner that failed too many jobs in a row is quarantined here, at the moment when that matters.
    ///
    /// # Errors
    /// The database failed; nothing was claimed.
    pub async fn claim_job(
        &self,
        runner_id: i64,
        terms: impl Into<Terms> + Send,
        now: DateTime,
    ) -> Result<Option<Claimed>, StoreError> {
        let terms = terms.into();
        for _ in 0..limits::MAX_CLAIM_CONFLICTS {
            match self.claim_next(runner_id, &terms, now).await {
                // The job was canceled, or its late result arrived, between the look at it and the claim.
                Err(Conflict::Moved) => {}
                Err(Conflict::Store(error)) => return Err(error),
                Ok(claimed) => return Ok(claimed),
            }
        }
        Ok(None)
    }

    async fn claim_next(&self, runner_id: i64, terms: &Terms, now: DateTime) -> Result<Option<Claimed>, Conflict> {
        let (mut tx, turn) = self.begin_claim().await?;
        let Some(chosen) = choose(&mut tx, runner_id, &terms.rules, now).await? else {
            tx.commit().await?;
            return Ok(None);
        };
        let Some(job) = hand_out(&mut tx, runner_id, &chosen, now.saturating_add(terms.lease), now).await? else {
            return Err(Conflict::Moved);
        };
        let committed = tx.commit_ahead().await?;
        // The next claim does not wait for what is left of this one.
        drop(turn);
        let sql =
            "SELECT spec.*, (SELECT required FROM oci_signing WHERE project_id = $2) AS signing FROM spec WHERE spec.id = $1";
        let with: WithJob = self.read().await?.one(sql, values![job.spec_id, job.project_id]).await?;
        committed.synced().await?;
        Ok(Some(Claimed {
            job,
            spec: with.spec.try_into()?,
            needs_signature: with.signing.is_some_and(|required| required != 0),
        }))
    }
}

/// What goes with a job that was claimed.
#[derive(sqlx::FromRow)]
struct WithJob {
    #[sqlx(flatten)]
    spec: SpecRow,
    /// Whether the project's jobs run only what is signed; NULL where it says nothing of that.
    signing: Option<i64>,
}

/// Gives a job to a runner; `None` where it does not wait any more.
async fn hand_out(
    tx: &mut Tx,
    runner_id: i64,
    chosen: &HeadRow,
    lease_expires: DateTime,
    now: DateTime,
) -> Result<Option<QueuedJob>, StoreError> {
    let columns = QueuedJob::COLUMNS;
    let claim = format!(
        "UPDATE job SET status = $3, runner_id = $1, attempt = attempt + 1, lease_expires = $4, claimed = $2, modified = $2 \
         WHERE id = $5 AND status = 0 RETURNING {columns}"
    );
    let mut values = values![runner_id, now, JobStatus::Claimed, lease_expires, chosen.id];
    // What was put ahead of the queue had its turn before.
    let turns = if chosen.front.is_some() {
        &[][..]
    } else {
        &[("organization_turn", "organization_id", chosen.organization_id), ("project_turn", "project_id", chosen.project_id)]
    };
    if let Tx::Postgres(_) = tx {
        // One statement instead of four: all other claims wait for each way to the database and back.
        let mut parts = format!(
            "WITH claimed AS ({claim}), handed AS (INSERT INTO job_attempt (job_id, attempt, runner_id, claimed) \
             SELECT id, attempt, $1, $2 FROM claimed RETURNING id)"
        );
        for (table, column, id) in turns {
            values.push((*id).into());
            let owner = values.len();
            // Writing to a string cannot fail.
            let _ = write!(
                parts,
                ", served_{table} AS (INSERT INTO {table} ({column}, served) SELECT ${owner}, id FROM handed \
                 ON CONFLICT ({column}) DO UPDATE SET served = EXCLUDED.served)"
            );
        }
        return tx.optional(format!("{parts} SELECT {columns} FROM claimed"), values).await;
    }
    let Some(job) = tx.optional::<QueuedJob>(claim, values).await? else { return Ok(None) };
    let sql = "INSERT INTO job_attempt (job_id, attempt, runner_id, claimed) VALUES ($1, $2, $3, $4) RETURNING id";
    let handed: Id = tx.one(sql, values![job.id, job.attempt, runner_id, now]).await?;
    for (table, column, id) in turns {
        let sql = format!(
            "INSERT INTO {table} ({column}, served) VALUES ($1, $2) ON CONFLICT ({column}) DO UPDATE SET served = EXCLUDED.served"
        );
        tx.execute(sql, values![*id, handed.id]).await?;
    }
    Ok(Some(job))
}

/// Why a claim has to begin anew.
enum Conflict {
    Moved,
    Store(StoreError),
}

impl From<StoreError> for Conflict {
    fn from(error: StoreError) -> Self {
        match error {
            // Another job of the same source was claimed at this moment. It is seen now.
            StoreError::Unique { .. } => Self::Moved,
            other => Self::Store(other),
        }
    }
}

/// The runner that asks and its specs, where it may be given jobs. What it still held it has given up.
async fn asker(tx: &mut Tx, runner_id: i64, rules: &Rules, now: DateTime) -> Result<Option<Asker>, StoreError> {
    let sql = "SELECT runner.uuid, runner.labels, runner.mode, runner.failures, runner.scoped, runner.archived, runner_spec.spec_id, \
               CASE WHEN EXISTS (SELECT held.id FROM job AS held WHERE held.runner_id = $1 AND held.status IN (1, 2)) \
               THEN CAST(1 AS BIGINT) ELSE 0 END AS holds \
               FROM runner LEFT JOIN runner_spec ON runner_spec.runner_id = runner.id WHERE runner.id = $1 ORDER BY runner_spec.spec_id";
    let mut rows: Vec<AskerRow> = tx.all(sql, values![runner_id]).await?;
    if rows.first().is_some_and(|row| row.holds != 0) {
        queue::fail_held(tx, runner_id, now).await?;
        // One of them may have been its last.
        rows = tx.all(sql, values![runner_id]).await?;
    }
    let specs = rows.iter().filter_map(|row| row.spec_id).collect();
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    if row.mode.0 != RunnerMode::Active || row.archived.is_some() {
        return Ok(None);
    }
    if rules.quarantine_after.is_some_and(|bound| row.failures >= i64::from(bound)) {
        let why = format!("{} jobs in a row failed on it that were not to blame", row.failures);
        let sql = "UPDATE runner SET mode = $2, mode_reason = $3, mode_since = $4, modified = $4 WHERE id = $1";
        tx.execute(sql, values![runner_id, RunnerMode::Quarantined.as_str(), why.as_str(), now]).await?;
        tracing::error!(runner.uuid = %row.uuid.0, why, "quarantined a runner; see its log, then `bencher runner unlock`");
        return Ok(None);
    }
    let scope = scope(tx, runner_id, row.scoped).await?;
    Ok(Some(Asker { labels: row.labels, specs, scope }))
}

/// The job that this runner gets.
async fn choose(tx: &mut Tx, runner_id: i64, rules: &Rules, now: DateTime) -> Result<Option<HeadRow>, StoreError> {
    let Some(asker) = asker(tx, runner_id, rules, now).await? else { return Ok(None) };
    let mut heads = Vec::new();
    for spec in asker.specs {
        for head in self::heads(tx, spec).await? {
            let fits = has_labels(&asker.labels, &head.labels) && in_scope(asker.scope.as_ref(), head.organization_id);
            if fits && !leaves_to_another(tx, &head, spec, runner_id, rules, now).await? {
                heads.push(head);
            }
        }
    }
    // Where there is nothing to choose from and no bound, nobody's share matters.
    let is_bound = |head: &HeadRow| head.max_jobs.is_some() || rules.max_jobs.contains_key(&head.tier.0);
    let in_flight = match heads.as_slice() {
        [] => return Ok(None),
        [only] if !is_bound(only) => InFlight::default(),
        _ => in_flight(tx).await?,
    };
    let candidates: Vec<Candidate> = heads.iter().map(|head| head.candidate(&in_flight, rules)).collect();
    let chosen = schedule::choose(&candidates, rules, now);
    Ok(chosen.map(|index| heads.swap_remove(index)))
}

impl HeadRow {
    pub(super) fn candidate(&self, in_flight: &InFlight, rules: &Rules) -> Candidate {
        Candidate {
            job: self.id,
            queued: self.queued.0,
            front: self.front.map(|front| front.0),
            priority: self.priority,
            organization: Share {
                id: self.organization_id,
                in_flight: in_flight.of_organization(self.organization_id),
                served: self.organization_served,
                max_jobs: rules.max_jobs.get(&self.tier.0).copied().map(i64::from),
            },
            project: Share {
                id: self.project_id,
                in_flight: in_flight.of_project(self.project_id),
                served: self.project_served,
                max_jobs: self.max_jobs,
            },
        }
    }
}

impl InFlight {
    pub(super) fn of_organization(&self, id: i64) -> i64 {
        self.organizations.get(&id).copied().unwrap_or_default()
    }

    pub(super) fn of_project(&self, id: i64) -> i64 {
        self.projects.get(&id).copied().unwrap_or_default()
    }
}

/// The head of each lane of a spec, and every job that was put ahead of the queue.
pub(super) async fn heads(conn: &mut impl Queries, spec: i64) -> Result<Vec<HeadRow>, StoreError> {
    // `status < 1` is `status = 0`, and only the index of lanes is of it: PostgreSQL, which rarely knows how many jobs wait, could take
    // another one and sort them all.
    //
    // From one lane to the next by a look into the index. Where the first of a lane waits for another job of its source, the first
    // that does not is its head.
    let (of_lane, head) = (row_of(conn, "job", "job", "lane.id"), row_of(conn, "job", "head", "chosen.id"));
    let (project, organization) = (
        row_of(conn, "project", "project", "head.project_id"),
        row_of(conn, "organization", "organization", "project.organization_id"),
    );
    let sql = format!(
        "WITH RECURSIVE lane (id) AS (\
           SELECT (SELECT first.id FROM job AS first WHERE first.spec_id = $1 AND first.status < 1 AND first.front IS NULL \
             ORDER BY first.front, first.project_id, first.labels, first.queued, first.id LIMIT 1) \
           UNION ALL \
           SELECT COALESCE(\
             (SELECT next.id FROM job AS next WHERE next.spec_id = $1 AND next.status < 1 AND next.front IS NULL \
               AND next.project_id = job.project_id AND next.labels > job.labels \
               ORDER BY next.front, next.labels, next.queued, next.id LIMIT 1), \
             (SELECT next.id FROM job AS next WHERE next.spec_id = $1 AND next.status < 1 AND next.front IS NULL \
               AND next.project_id > job.project_id \
               ORDER BY next.front, next.project_id, next.labels, next.queued, next.id LIMIT 1)) \
           FROM lane {of_lane}), \
         chosen (id) AS (\
           SELECT ahead.id FROM job AS ahead WHERE ahead.spec_id = $1 AND ahead.status < 1 AND ahead.front IS NOT NULL \
             AND NOT EXISTS (SELECT busy.id FROM job AS busy WHERE busy.source = ahead.source AND busy.status IN (1, 2)) \
           UNION ALL \
           SELECT CASE WHEN job.source IS NULL THEN job.id ELSE (\
               SELECT free.id FROM job AS free WHERE free.spec_id = $1 AND free.status < 1 AND free.front IS NULL \
               AND free.project_id = job.project_id AND free.labels = job.labels \
               AND NOT EXISTS (SELECT busy.id FROM job AS busy WHERE busy.source = free.source AND busy.status IN (1, 2)) \
               ORDER BY free.front, free.queued, free.id LIMIT 1) END \
           FROM lane {of_lane}) \
         SELECT head.id, head.project_id, project.organization_id, head.labels, head.priority, head.queued, head.front, \
         head.avoids, organization.tier, project.max_jobs, \
         COALESCE((SELECT served FROM organization_turn WHERE organization_id = organization.id), 0) AS organization_served, \
         COALESCE((SELECT served FROM project_turn WHERE project_id = project.id), 0) AS project_served \
         FROM chosen {head} {project} {organization}"
    );
    conn.all(sql, values![spec]).await
}

/// How many jobs are in flight.
pub(super) async fn in_flight(conn: &mut impl Queries) -> Result<InFlight, StoreError> {
    let sql = "SELECT busy.project_id, project.organization_id, busy.count FROM \
               (SELECT project_id, COUNT(*) AS count FROM job WHERE status IN (1, 2) GROUP BY project_id) AS busy \
               JOIN project ON project.id = busy.project_id";
    let mut in_flight = InFlight::default();
    for row in conn.all::<InFlightRow>(sql.to_owned(), values![]).await? {
        *in_flight.organizations.entry(row.organization_id).or_default() += row.count;
        *in_flight.projects.entry(row.project_id).or_default() += row.count;
    }
    Ok(in_flight)
}

/// Whether a job that this runner failed is left to another one, for a while.
async fn leaves_to_another(
    tx: &mut Tx,
    head: &HeadRow,
    spec: i64,
    runner_id: i64,
    rules: &Rules,
    now: DateTime,
) -> Result<bool, StoreError> {
    let waits = head.front.is_some_and(|front| now < front.0.saturating_add(rules.other_runner_wait));
    if head.avoids != Some(runner_id) || !waits {
        return Ok(false);
    }
    let sql = "SELECT runner.id, runner.labels, runner.scoped FROM runner JOIN runner_spec ON runner_spec.runner_id = runner.id \
               WHERE runner_spec.spec_id = $1 AND runner.id <> $2 AND runner.archived IS NULL AND runner.mode = $3 \
               AND runner.state <> $4 ORDER BY runner.id";
    let values = values![spec, runner_id, RunnerMode::Active.as_str(), RunnerState::Offline.as_str()];
    for other in tx.all::<RunnerOfSpec>(sql, values).await? {
        let scope = scope(tx, other.id, other.scoped).await?;
        if has_labels(&other.labels, &head.labels) && in_scope(scope.as_ref(), head.organization_id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The organizations that a runner is for; `None` for all.
async fn scope(tx: &mut Tx, runner_id: i64, scoped: i64) -> Result<Option<BTreeSet<i64>>, StoreError> {
    if scoped == 0 {
        return Ok(None);
    }
    let sql = "SELECT organization_id AS id FROM runner_organization WHERE runner_id = $1";
    let organizations: Vec<Id> = tx.all(sql, values![runner_id]).await?;
    Ok(Some(organizations.into_iter().map(|row| row.id).collect()))
}

fn in_scope(scope: Option<&BTreeSet<i64>>, organization: i64) -> bool {
    scope.is_none_or(|scope| scope.contains(&organization))
}

/// Whether the labels of a runner have all that a job requires; both as they are stored.
pub(super) fn has_labels(of_runner: &str, required: &str) -> bool {
    required.is_empty() || required.split(',').all(|label| of_runner.split(',').any(|own| own == label))
}
