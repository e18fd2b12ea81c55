//! Runners as admins manage them, and which specs each serves. What a runner does is the queue's.

use std::collections::HashMap;

use bencher_types::{
    DateTime, KeyHash, OrganizationUuid, ResourceId, ResourceName, RunnerUuid, Slug, SpecUuid,
    wire::{
        runner::{NewRunner, Runner, RunnerMode, RunnerState, UpdateRunner},
        spec::Spec,
    },
};

use super::{
    ListBy, ListQuery, Micros, Queries, Store, StoreError, Text, Value,
    job::{read_labels, write_labels},
    placeholders, slug,
    spec::SpecRow,
};
use crate::values;

/// A row of `runner`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RunnerRow {
    pub id: i64,
    pub uuid: Text<RunnerUuid>,
    pub name: Text<ResourceName>,
    pub slug: Text<Slug>,
    pub state: Text<RunnerState>,
    pub version: Option<String>,
    pub last_heartbeat: Option<Micros>,
    labels: String,
    pub mode: Text<RunnerMode>,
    mode_reason: Option<String>,
    mode_since: Option<Micros>,
    failures: i64,
    scoped: i64,
    pub archived: Option<Micros>,
    pub created: Micros,
    pub modified: Micros,
}

#[derive(sqlx::FromRow)]
struct ServedOrganization {
    runner_id: i64,
    organization: Text<OrganizationUuid>,
}

#[derive(sqlx::FromRow)]
struct ServedSpec {
    runner_id: i64,
    spec: Text<SpecUuid>,
}

impl Store {
    /// One page of runners, archived ones too if asked, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn runners(&self, archived: bool, by: &ListBy) -> Result<(Vec<Runner>, u64), StoreError> {
        let mut query = ListQuery::new("runner.*", "runner");
        if !archived {
            query = query.when("runner.archived IS NULL");
        }
        let mut conn = self.read().await?;
        let (rows, total) = query.named::<RunnerRow>(&mut conn, "runner", by).await?;
        Ok((with_specs(&mut conn, rows).await?, total))
    }

    /// The runner of this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn runner(&self, id: &ResourceId) -> Result<Option<RunnerRow>, StoreError> {
        let sql = format!("SELECT * FROM runner WHERE {} = $1", super::id_column(id));
        self.read().await?.optional(sql, values![id.to_string()]).await
    }

    /// A runner as it is shown.
    ///
    /// # Errors
    /// The database failed.
    pub async fn show_runner(&self, row: RunnerRow) -> Result<Runner, StoreError> {
        let shown = with_specs(&mut self.read().await?, vec![row]).await?;
        shown.into_iter().next().ok_or(StoreError::corrupt("runner.id"))
    }

    /// Registers a runner.
    ///
    /// # Errors
    /// The slug is taken, or the database failed.
    pub async fn create_runner(&self, new: &NewRunner, key: &KeyHash, now: DateTime) -> Result<RunnerUuid, StoreError> {
        let uuid = RunnerUuid::random();
        let mut tx = self.begin().await?;
        let slug = slug::choose(&mut tx, slug::Scope::Runner, new.slug.as_ref(), new.name.as_str()).await?;
        tx.execute(
            "INSERT INTO runner (uuid, name, slug, key_hash, state, created, modified) VALUES ($1, $2, $3, $4, $5, $6, $6)",
            values![uuid, &new.name, &slug, key, RunnerState::Offline.as_str(), now],
        )
        .await?;
        tx.commit().await?;
        Ok(uuid)
    }

    /// Changes what is named, and returns the runner as it is then. `organizations` are those it is for, by their rows; none for all.
    ///
    /// # Errors
    /// The slug is taken, or the database failed.
    pub async fn update_runner(
        &self,
        id: i64,
        update: &UpdateRunner,
        organizations: Option<&[i64]>,
        now: DateTime,
    ) -> Result<RunnerRow, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(labels) = &update.labels {
            tx.execute("UPDATE runner SET labels = $2 WHERE id = $1", values![id, write_labels(labels)]).await?;
        }
        if let Some(mode) = update.mode {
            let closed = mode != RunnerMode::Active;
            let (reason, since) = (update.reason.as_deref().filter(|_| closed), closed.then_some(now));
            // Who lets a runner work again has looked at what it failed.
            let sql = "UPDATE runner SET mode = $2, mode_reason = $3, mode_since = $4, \
                       failures = CASE WHEN $5 = 1 THEN failures ELSE 0 END WHERE id = $1";
            tx.execute(sql, values![id, mode.as_str(), reason, since, closed]).await?;
        }
        if let Some(organizations) = organizations {
            tx.execute("DELETE FROM runner_organization WHERE runner_id = $1", values![id]).await?;
            for organization in organizations {
                let sql = "INSERT INTO runner_organization (runner_id, organization_id) VALUES ($1, $2) \
                           ON CONFLICT (runner_id, organization_id) DO NOTHING";
                tx.execute(sql, values![id, *organization]).await?;
            }
            tx.execute("UPDATE runner SET scoped = $2 WHERE id = $1", values![id, !organizations.is_empty()]).await?;
        }
        let row = tx
            .one(
                "UPDATE runner SET name = COALESCE($2, name), slug = COALESCE($3, slug), modified = $5, \
                 archived = CASE WHEN $4 = 1 THEN COALESCE(archived, $5) WHEN $4 = 0 THEN NULL ELSE archived END \
                 WHERE id = $1 RETURNING *",
                values![id, update.name.as_ref(), update.slug.as_ref(), update.archived, now],
            )
            .await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Replaces a runner's key; `false` where the runner is archived.
    ///
    /// # Errors
    /// The database failed.
    pub async fn replace_runner_key(&self, id: i64, key: &KeyHash, now: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE runner SET key_hash = $2, modified = $3 WHERE id = $1 AND archived IS NULL";
        let changed = tx.execute(sql, values![id, key, now]).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// The specs that a runner serves, by name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn runner_specs(&self, runner: i64) -> Result<Vec<Spec>, StoreError> {
        let sql = "SELECT spec.* FROM spec JOIN runner_spec ON runner_spec.spec_id = spec.id \
                   WHERE runner_spec.runner_id = $1 ORDER BY spec.name, spec.id";
        let rows: Vec<SpecRow> = self.read().await?.all(sql, values![runner]).await?;
        rows.into_iter().map(Spec::try_from).collect()
    }

    /// Makes a runner serve a spec.
    ///
    /// # Errors
    /// It does already, or the database failed.
    pub async fn add_runner_spec(&self, runner: i64, spec: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("INSERT INTO runner_spec (runner_id, spec_id) VALUES ($1, $2)", values![runner, spec]).await?;
        tx.commit().await
    }

    /// Makes a runner serve a spec no longer; `false` where it did not.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remove_runner_spec(&self, runner: i64, spec: i64) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "DELETE FROM runner_spec WHERE runner_id = $1 AND spec_id = $2";
        let changed = tx.execute(sql, values![runner, spec]).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }
}

/// Runners as they are shown, each with the ids of its specs.
async fn with_specs(conn: &mut impl Queries, rows: Vec<RunnerRow>) -> Result<Vec<Runner>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT runner_spec.runner_id, spec.uuid AS spec FROM runner_spec JOIN spec ON spec.id = runner_spec.spec_id \
         WHERE runner_spec.runner_id IN ({}) ORDER BY spec.name, spec.id",
        placeholders(1, rows.len())
    );
    let ids: Vec<Value> = rows.iter().map(|row| Value::from(row.id)).collect();
    let mut specs: HashMap<i64, Vec<SpecUuid>> = HashMap::new();
    for served in conn.all::<ServedSpec>(sql, ids.clone()).await? {
        specs.entry(served.runner_id).or_default().push(served.spec.0);
    }
    let sql = format!(
        "SELECT runner_organization.runner_id, organization.uuid AS organization FROM runner_organization \
         JOIN organization ON organization.id = runner_organization.organization_id \
         WHERE runner_organization.runner_id IN ({}) ORDER BY organization.name, organization.id",
        placeholders(1, rows.len())
    );
    let mut organizations: HashMap<i64, Vec<OrganizationUuid>> = HashMap::new();
    for served in conn.all::<ServedOrganization>(sql, ids).await? {
        organizations.entry(served.runner_id).or_default().push(served.organization.0);
    }
    let shown = rows.into_iter().map(|row| {
        let labels = read_labels(&row.labels)?;
        let failures = u32::try_from(row.failures).map_err(|_| StoreError::corrupt("runner.failures"))?;
        // It works on its last job before it rests.
        let drains = row.mode.0 == RunnerMode::Draining && row.state.0 == RunnerState::Running;
        Ok(Runner {
            uuid: row.uuid.0,
            name: row.name.0,
            slug: row.slug.0,
            specs: specs.remove(&row.id).unwrap_or_default(),
            created: row.created.0,
            modified: row.modified.0,
            archived: row.archived.map(|time| time.0),
            last_heartbeat: row.last_heartbeat.map(|time| time.0),
            state: Some(if drains { RunnerState::Draining } else { row.state.0 }),
            version: row.version,
            labels: (!labels.is_empty()).then_some(labels),
            organizations: (row.scoped != 0).then(|| organizations.remove(&row.id).unwrap_or_default()),
            mode: Some(row.mode.0),
            reason: row.mode_reason,
            since: row.mode_since.map(|time| time.0),
            failures: (failures > 0).then_some(failures),
        })
    });
    shown.collect()
}
