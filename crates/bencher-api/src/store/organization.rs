//! Organizations and their members in the database.

use bencher_types::{
    DateTime, OrganizationUuid, ResourceId, ResourceName, Role, Slug, Tier,
    wire::organization::{NewOrganization, Organization, UpdateOrganization},
};

use super::{ListBy, ListQuery, Micros, Presence, Queries, Store, StoreError, Text, Tx, slug};
use crate::values;

/// A row of `organization`, and what the user who asked is there.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct OrganizationRow {
    pub id: i64,
    pub uuid: Text<OrganizationUuid>,
    pub name: Text<ResourceName>,
    pub slug: Text<Slug>,
    pub priority: i64,
    pub tier: Text<Tier>,
    pub claimed: Option<Micros>,
    pub created: Micros,
    pub modified: Micros,
    pub deleted: Option<Micros>,
    pub role: Option<Text<Role>>,
}

const COLUMNS: &str = "organization.*, organization_role.role AS role";
const FROM: &str = "organization LEFT JOIN organization_role \
    ON organization_role.organization_id = organization.id AND organization_role.user_id = ";

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        Self {
            uuid: row.uuid.0,
            name: row.name.0,
            slug: row.slug.0,
            created: row.created.0,
            modified: row.modified.0,
            claimed: row.claimed.map(|time| time.0),
            tier: Some(row.tier.0),
            deleted: row.deleted.map(|time| time.0),
        }
    }
}

impl Store {
    /// The organization of this id, with the user's role in it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn organization(&self, id: &ResourceId, user: Option<i64>) -> Result<Option<OrganizationRow>, StoreError> {
        let column = super::id_column(id);
        let sql = format!("SELECT {COLUMNS} FROM {FROM}$1 WHERE organization.{column} = $2 AND organization.deleted IS NULL");
        self.read().await?.optional(sql, values![user, id.to_string()]).await
    }

    /// One page of the organizations that a user is a member of, or of all for `None`; and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn organizations(
        &self,
        member: Option<i64>,
        presence: Presence,
        by: &ListBy,
    ) -> Result<(Vec<OrganizationRow>, u64), StoreError> {
        // The role is only wanted where the list is one member's, and then it is never NULL.
        let query = match member {
            Some(user) => ListQuery::new(COLUMNS, format!("{FROM}{user}")).when("organization_role.role IS NOT NULL"),
            None => ListQuery::new("organization.*, NULL AS role", "organization"),
        };
        query.when(&presence.condition("organization")).named(&mut self.read().await?, "organization", by).await
    }

    /// Creates an organization whose leader this user is.
    ///
    /// # Errors
    /// The slug is taken, or the database failed.
    pub async fn create_organization(
        &self,
        leader: i64,
        new: &NewOrganization,
        now: DateTime,
    ) -> Result<OrganizationRow, StoreError> {
        let mut tx = self.begin().await?;
        let row = insert(&mut tx, leader, new, now).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Changes what is named, and returns the organization as it is then.
    ///
    /// # Errors
    /// The slug is taken, or the database failed.
    pub async fn update_organization(
        &self,
        id: i64,
        update: &UpdateOrganization,
        now: DateTime,
    ) -> Result<OrganizationRow, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(tier) = update.tier {
            let sql = "UPDATE organization SET tier = $2, priority = CASE WHEN claimed IS NULL THEN 0 ELSE $3 END WHERE id = $1";
            tx.execute(sql, values![id, tier.as_str(), tier.priority()]).await?;
            reorder(&mut tx, id).await?;
        }
        let row = tx
            .one(
                "UPDATE organization SET name = COALESCE($2, name), slug = COALESCE($3, slug), modified = $4 WHERE id = $1 \
                 RETURNING *, NULL AS role",
                values![id, update.name.as_ref(), update.slug.as_ref(), now],
            )
            .await?;
        tx.commit().await?;
        Ok(row)
    }
}

impl Store {
    /// Makes a user the leader of an organization that nobody has claimed yet. `None` where it is not free.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim_organization(&self, id: i64, user: i64, now: DateTime) -> Result<Option<OrganizationRow>, StoreError> {
        let mut tx = self.begin().await?;
        if !claim(&mut tx, id, user, now).await? {
            return Ok(None);
        }
        let row = by_id(&mut tx, id, Some(user)).await?;
        tx.commit().await?;
        Ok(Some(row))
    }
}

/// Makes a user the leader of an organization that nobody has claimed yet; whether it was free. Of several at once one is the first.
pub(crate) async fn claim(tx: &mut Tx, id: i64, user: i64, now: DateTime) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            "UPDATE organization SET claimed = $2, modified = $2, \
             priority = CASE tier WHEN 'enterprise' THEN $5 WHEN 'plus' THEN $4 ELSE $3 END \
             WHERE id = $1 AND claimed IS NULL AND deleted IS NULL",
            values![id, now, Tier::Free.priority(), Tier::Plus.priority(), Tier::Enterprise.priority()],
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    reorder(tx, id).await?;
    tx.execute(
        "INSERT INTO organization_role (user_id, organization_id, role, created, modified) VALUES ($1, $2, $3, $4, $4) \
         ON CONFLICT (user_id, organization_id) DO UPDATE SET role = excluded.role, modified = excluded.modified",
        values![user, id, Role::Leader.as_str(), now],
    )
    .await?;
    Ok(true)
}

/// Brings the jobs of an organization that wait to the place in the queue that it has now.
async fn reorder(tx: &mut Tx, id: i64) -> Result<(), StoreError> {
    let sql = "UPDATE job SET priority = (SELECT priority FROM organization WHERE id = $1) \
               WHERE status = 0 AND project_id IN (SELECT id FROM project WHERE organization_id = $1)";
    tx.execute(sql, values![id]).await?;
    Ok(())
}

/// An organization by its row, with a user's role in it.
pub(crate) async fn by_id(tx: &mut Tx, id: i64, user: Option<i64>) -> Result<OrganizationRow, StoreError> {
    tx.one(format!("SELECT {COLUMNS} FROM {FROM}$1 WHERE organization.id = $2"), values![user, id]).await
}

/// The organization with this UUID, while nobody has claimed it.
pub(crate) async fn unclaimed(tx: &mut Tx, uuid: OrganizationUuid) -> Result<Option<super::Id>, StoreError> {
    let sql = "SELECT id FROM organization WHERE uuid = $1 AND claimed IS NULL AND deleted IS NULL";
    tx.optional(sql, values![uuid]).await
}

/// Inserts an organization that nobody has claimed. Its jobs come last.
pub(super) async fn insert_unclaimed(tx: &mut Tx, name: &ResourceName, like: &Slug, now: DateTime) -> Result<i64, StoreError> {
    let slug = slug::choose(tx, slug::Scope::Organization, None, like.as_str()).await?;
    let row: super::Id = tx
        .one(
            "INSERT INTO organization (uuid, name, slug, priority, created, modified) VALUES ($1, $2, $3, 0, $4, $4) RETURNING id",
            values![OrganizationUuid::random(), name, &slug, now],
        )
        .await?;
    Ok(row.id)
}

/// Inserts an organization and the role of its first leader.
pub(super) async fn insert(
    tx: &mut Tx,
    leader: i64,
    new: &NewOrganization,
    now: DateTime,
) -> Result<OrganizationRow, StoreError> {
    let slug = slug::choose(tx, slug::Scope::Organization, new.slug.as_ref(), new.name.as_str()).await?;
    let row: OrganizationRow = tx
        .one(
            "INSERT INTO organization (uuid, name, slug, priority, claimed, created, modified) \
             VALUES ($1, $2, $3, $4, $5, $5, $5) RETURNING *, NULL AS role",
            values![OrganizationUuid::random(), &new.name, &slug, Tier::default().priority(), now],
        )
        .await?;
    tx.execute(
        "INSERT INTO organization_role (user_id, organization_id, role, created, modified) VALUES ($1, $2, $3, $4, $4)",
        values![leader, row.id, Role::Leader.as_str(), now],
    )
    .await?;
    Ok(row)
}

/// The organization that projects of a user go to where none is named: the oldest that the user leads, made where there is none.
pub(crate) async fn own(tx: &mut Tx, user: i64, now: DateTime) -> Result<OrganizationRow, StoreError> {
    // Two first runs at once must not make two.
    tx.lock_row("users", user).await?;
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM}$1 WHERE organization_role.role = $2 AND organization.deleted IS NULL \
         ORDER BY organization_role.id LIMIT 1"
    );
    if let Some(row) = tx.optional(sql, values![user, Role::Leader.as_str()]).await? {
        return Ok(row);
    }
    #[derive(sqlx::FromRow)]
    struct Named {
        name: Text<ResourceName>,
    }
    let Named { name } = tx.one("SELECT name FROM users WHERE id = $1", values![user]).await?;
    insert(tx, user, &NewOrganization { name: name.0, slug: None }, now).await
}
