//! Projects in the database.

use bencher_types::{
    DateTime, OrganizationUuid, ProjectUuid, ResourceId, ResourceName, Role, Slug, Tier, Timeout,
    wire::project::{NewProject, Project, UpdateProject, Visibility},
};
use url::Url;

use super::{ListBy, ListQuery, Micros, Presence, Queries, Store, StoreError, Text, Tx, slug};
use crate::values;

/// A row of `project` with what its organization says, and what the user who asked is there.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ProjectRow {
    pub id: i64,
    pub uuid: Text<ProjectUuid>,
    pub organization_id: i64,
    pub organization_uuid: Text<OrganizationUuid>,
    pub name: Text<ResourceName>,
    pub slug: Text<Slug>,
    pub url: Option<Text<Url>>,
    pub visibility: Text<Visibility>,
    pub claimed: Option<Micros>,
    /// What the organization adds to its jobs' place in the queue.
    pub priority: i64,
    /// The organization's.
    pub tier: Text<Tier>,
    pub max_jobs: Option<i64>,
    /// Seconds.
    pub max_timeout: Option<i64>,
    pub created: Micros,
    pub modified: Micros,
    pub deleted: Option<Micros>,
    pub role: Option<Text<Role>>,
}

const COLUMNS: &str = "project.*, organization.uuid AS organization_uuid, organization.claimed AS claimed, \
    organization.priority AS priority, organization.tier AS tier, organization_role.role AS role";

/// The tables, for a user's id or a placeholder of one.
fn from(user: &str) -> String {
    format!(
        "project JOIN organization ON organization.id = project.organization_id LEFT JOIN organization_role \
         ON organization_role.organization_id = organization.id AND organization_role.user_id = {user}"
    )
}

impl From<ProjectRow> for Project {
    fn from(row: ProjectRow) -> Self {
        Self {
            uuid: row.uuid.0,
            organization: row.organization_uuid.0,
            name: row.name.0,
            slug: row.slug.0,
            url: row.url.map(|url| url.0),
            visibility: row.visibility.0,
            created: row.created.0,
            modified: row.modified.0,
            claimed: row.claimed.map(|time| time.0),
            max_jobs: row.max_jobs.and_then(|jobs| u32::try_from(jobs).ok()),
            max_timeout: row.max_timeout.and_then(|secs| Timeout::new(u32::try_from(secs).ok()?).ok()),
            deleted: row.deleted.map(|time| time.0),
        }
    }
}

/// Whose projects a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisibleTo {
    /// Public ones.
    Everyone,
    /// Public ones, and those of the user's organizations.
    Member(i64),
    /// Public ones, and the one with this row.
    KeyOf(i64),
    /// All.
    Admin,
}

impl Store {
    /// The project of this id, with the user's role in it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn project(&self, id: &ResourceId, user: Option<i64>) -> Result<Option<ProjectRow>, StoreError> {
        let (from, column) = (from("$1"), super::id_column(id));
        let sql = format!("SELECT {COLUMNS} FROM {from} WHERE project.{column} = $2 AND project.deleted IS NULL");
        self.read().await?.optional(sql, values![user, id.to_string()]).await
    }

    /// One page of the projects of an organization, or of all, that may be seen; and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn projects(
        &self,
        organization: Option<i64>,
        visible: VisibleTo,
        presence: Presence,
        by: &ListBy,
    ) -> Result<(Vec<ProjectRow>, u64), StoreError> {
        let user = match visible {
            VisibleTo::Member(user) => user.to_string(),
            VisibleTo::Everyone | VisibleTo::KeyOf(_) | VisibleTo::Admin => "NULL".to_owned(),
        };
        let mut query = ListQuery::new(COLUMNS, from(&user)).when(&presence.condition("project"));
        let or = match visible {
            VisibleTo::Everyone | VisibleTo::Member(_) => Some("organization_role.role IS NOT NULL".to_owned()),
            VisibleTo::KeyOf(project) => Some(format!("project.id = {project}")),
            VisibleTo::Admin => None,
        };
        if let Some(or) = or {
            query = query.filter(&format!("(project.visibility = ? OR {or})"), Visibility::Public.as_str());
        }
        if let Some(organization) = organization {
            query = query.filter("project.organization_id = ?", organization);
        }
        query.named(&mut self.read().await?, "project", by).await
    }

    /// Creates a project.
    ///
    /// # Errors
    /// The slug is taken, or the database failed.
    pub async fn create_project(&self, organization: i64, new: &NewProject, now: DateTime) -> Result<ProjectRow, StoreError> {
        let mut tx = self.begin().await?;
        let row = insert(&mut tx, organization, new, now).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Changes what is named, and returns the project as it is then.
    ///
    /// # Errors
    /// The slug is taken, or the database failed.
    pub async fn update_project(&self, id: i64, update: &UpdateProject, now: DateTime) -> Result<ProjectRow, StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(
            "UPDATE project SET name = COALESCE($2, name), slug = COALESCE($3, slug), visibility = COALESCE($4, visibility), \
             modified = $5 WHERE id = $1",
            values![id, update.name.as_ref(), update.slug.as_ref(), update.visibility.map(Visibility::as_str), now],
        )
        .await?;
        if let Some(url) = &update.url {
            let url = url.as_ref().map(Url::to_string);
            tx.execute("UPDATE project SET url = $2 WHERE id = $1", values![id, url]).await?;
        }
        if let Some(jobs) = update.max_jobs {
            tx.execute("UPDATE project SET max_jobs = $2 WHERE id = $1", values![id, jobs]).await?;
        }
        if let Some(timeout) = update.max_timeout {
            let secs = timeout.map(Timeout::get);
            tx.execute("UPDATE project SET max_timeout = $2 WHERE id = $1", values![id, secs]).await?;
        }
        let row = by_id(&mut tx, id).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Creates a project that nobody has claimed, in an organization of its own. Everybody sees it.
    ///
    /// # Errors
    /// The slug is taken, or the database failed.
    pub async fn create_unclaimed_project(&self, name: &ResourceName, slug: &Slug, now: DateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let organization = super::organization::insert_unclaimed(&mut tx, name, slug, now).await?;
        let new = NewProject { name: name.clone(), slug: Some(slug.clone()), url: None, visibility: Some(Visibility::Public) };
        insert(&mut tx, organization, &new, now).await?;
        tx.commit().await
    }

    /// Creates a project with this slug in a user's own organization.
    ///
    /// # Errors
    /// The slug is taken, or the database failed.
    pub async fn create_own_project(&self, user: i64, slug: &Slug, now: DateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let organization = super::organization::own(&mut tx, user, now).await?;
        let name = ResourceName::new(slug.as_str()).map_err(|_| StoreError::corrupt("project.name"))?;
        let new = NewProject { name, slug: Some(slug.clone()), url: None, visibility: None };
        insert(&mut tx, organization.id, &new, now).await?;
        tx.commit().await
    }

    /// The project of this name among those of a user's own organization; made where there is none.
    ///
    /// # Errors
    /// The database failed.
    pub async fn own_project(&self, user: i64, name: &ResourceName, now: DateTime) -> Result<ProjectRow, StoreError> {
        let mut tx = self.begin().await?;
        let organization = super::organization::own(&mut tx, user, now).await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE project.organization_id = $2 AND project.name = $3 AND project.deleted IS NULL \
             ORDER BY project.id LIMIT 1",
            from("$1")
        );
        let row = match tx.optional(sql, values![user, organization.id, name]).await? {
            Some(row) => row,
            None => {
                let new = NewProject { name: name.clone(), slug: None, url: None, visibility: None };
                insert(&mut tx, organization.id, &new, now).await?
            }
        };
        tx.commit().await?;
        Ok(row)
    }
}

async fn insert(tx: &mut Tx, organization: i64, new: &NewProject, now: DateTime) -> Result<ProjectRow, StoreError> {
    // An organization that is deleted at the same time takes this project along, or is gone before it.
    tx.lock_row("organization", organization).await?;
    let alive = "SELECT id FROM organization WHERE id = $1 AND deleted IS NULL";
    tx.optional::<super::Id>(alive, values![organization]).await?.ok_or(StoreError::ForeignKey)?;
    let slug = slug::choose(tx, slug::Scope::Project, new.slug.as_ref(), new.name.as_str()).await?;
    let row: super::Id = tx
        .one(
            "INSERT INTO project (uuid, organization_id, name, slug, url, visibility, created, modified) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id",
            values![
                ProjectUuid::random(),
                organization,
                &new.name,
                &slug,
                new.url.as_ref().map(Url::to_string),
                new.visibility.unwrap_or_default().as_str(),
                now,
            ],
        )
        .await?;
    by_id(tx, row.id).await
}

/// Keeps a project as it is until the transaction ends; whether it is still there. Who waited for somebody that deleted it meanwhile
/// learns of that here.
pub(crate) async fn lock_present(tx: &mut Tx, id: i64) -> Result<bool, StoreError> {
    // SQLite's one writer has the lock. As in `Tx::lock_row`, rows that refer to this one may still be written.
    let lock = if matches!(tx, Tx::Postgres(_)) { "FOR NO KEY UPDATE" } else { "" };
    let sql = format!("SELECT id FROM project WHERE id = $1 AND deleted IS NULL {lock}");
    Ok(tx.optional::<super::Id>(sql, values![id]).await?.is_some())
}

/// A project by its row, without anybody's role.
pub(crate) async fn by_id(conn: &mut impl Queries, id: i64) -> Result<ProjectRow, StoreError> {
    conn.one(format!("SELECT {COLUMNS} FROM {} WHERE project.id = $1", from("NULL")), values![id]).await
}
