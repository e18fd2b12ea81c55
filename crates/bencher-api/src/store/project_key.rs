//! Projects' keys in the database: their hashes, never the keys.

use bencher_types::{DateTime, KeyHash, ProjectKeyUuid, ProjectUuid, ResourceName, UserUuid, wire::key::ProjectKeyInfo};

use super::{Micros, Queries, Store, StoreError, Text, credential::Credential};
use crate::values;

/// A row of `project_key` with its project and who made it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ProjectKeyRow {
    pub id: i64,
    pub uuid: Text<ProjectKeyUuid>,
    pub project_id: i64,
    pub project_uuid: Text<ProjectUuid>,
    pub creator_uuid: Option<Text<UserUuid>>,
    pub name: Text<ResourceName>,
    pub creation: Micros,
    pub expiration: Micros,
    pub revoked: Option<Micros>,
}

const COLUMNS: &str = "project_key.*, project.uuid AS project_uuid, users.uuid AS creator_uuid";
const FROM: &str = "project_key JOIN project ON project.id = project_key.project_id \
    LEFT JOIN users ON users.id = project_key.creator_id";

impl Credential for ProjectKeyRow {
    const TABLE: &'static str = "project_key";
    const OWNER: &'static str = "project_id";
    const FROM: &'static str = FROM;
    const COLUMNS: &'static str = COLUMNS;
    type Uuid = ProjectKeyUuid;
}

/// A key of a project that was deleted is none any more.
const LIVE: &str = "project_key.revoked IS NULL AND project_key.expiration > $2 AND project.deleted IS NULL \
    AND (SELECT organization.deleted FROM organization WHERE organization.id = project.organization_id) IS NULL";

impl From<ProjectKeyRow> for ProjectKeyInfo {
    fn from(row: ProjectKeyRow) -> Self {
        Self {
            uuid: row.uuid.0,
            project: row.project_uuid.0,
            creator: row.creator_uuid.map(|uuid| uuid.0),
            name: row.name.0,
            creation: row.creation.0,
            expiration: row.expiration.0,
            revoked: row.revoked.map(|time| time.0),
        }
    }
}

/// A key that is to be stored.
#[derive(Clone, Debug)]
pub struct NewProjectKeyRow<'a> {
    pub project: i64,
    pub creator: i64,
    pub name: &'a ResourceName,
    pub hash: KeyHash,
    pub creation: DateTime,
    pub expiration: DateTime,
}

impl Store {
    /// Stores a new key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn create_project_key(&self, new: &NewProjectKeyRow<'_>) -> Result<ProjectKeyUuid, StoreError> {
        let uuid = ProjectKeyUuid::random();
        let mut tx = self.begin().await?;
        tx.execute(
            "INSERT INTO project_key (uuid, project_id, creator_id, name, hash, creation, expiration) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            values![uuid, new.project, new.creator, new.name, &new.hash, new.creation, new.expiration],
        )
        .await?;
        tx.commit().await?;
        Ok(uuid)
    }

    /// The record of a key that was shown, while it is neither expired nor revoked and its project is there.
    ///
    /// # Errors
    /// The database failed.
    pub async fn project_key_by_hash(&self, hash: &KeyHash, now: DateTime) -> Result<Option<ProjectKeyRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE project_key.hash = $1 AND {LIVE}");
        self.read().await?.optional(sql, values![hash, now]).await
    }

    /// The record of a key that a token was issued for, under the same conditions.
    ///
    /// # Errors
    /// The database failed.
    pub async fn live_project_key(&self, key: ProjectKeyUuid, now: DateTime) -> Result<Option<ProjectKeyRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE project_key.uuid = $1 AND {LIVE}");
        self.read().await?.optional(sql, values![key, now]).await
    }
}
