//! How much the registry may hold for a project and for an organization, and how much it does.
//!
//! What a project's repositories hold counts once, however many of them hold it, and what an organization's projects hold likewise. A
//! project's sum is kept by triggers, so that a push costs a look at one row and not at everything that is there. The sum of those sums
//! is the most that an organization can have; only where that leaves too little room are its blobs themselves added up.

use crate::{
    store::{Queries, Store, StoreError, Tx},
    values,
};

/// What projects and organizations may have for which no admin has said anything; no bound where there is none. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    pub project: Option<u64>,
    pub organization: Option<u64>,
}

/// Whose bound it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Project,
    Organization,
}

impl Whose {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Organization => "organization",
        }
    }
}

/// More than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    pub whose: Whose,
    /// Bytes.
    pub quota: u64,
    /// Bytes that there would be.
    pub needed: u64,
}

/// What there is, and how much it may be. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    pub blobs: u64,
    pub bytes: u64,
    pub quota: Option<u64>,
}

#[derive(sqlx::FromRow)]
struct StockRow {
    blobs: i64,
    bytes: i64,
    quota: Option<i64>,
}

impl StockRow {
    fn stock(&self) -> Stock {
        Stock { blobs: number(self.blobs), bytes: number(self.bytes), quota: self.quota.map(number) }
    }
}

impl Stock {
    fn exceeded(self, whose: Whose) -> Option<Exceeded> {
        let quota = self.quota.filter(|quota| self.bytes > *quota)?;
        Some(Exceeded { whose, quota, needed: self.bytes })
    }

    fn room(self) -> u64 {
        self.quota.map_or(u64::MAX, |quota| quota.saturating_sub(self.bytes))
    }
}

impl Defaults {
    /// Whose bound a transaction breaks that has just given a repository of this project a blob.
    pub(super) async fn exceeded(&self, tx: &mut Tx, project: i64) -> Result<Option<Exceeded>, StoreError> {
        let standing = standing(tx, project, self).await?;
        if let Some(exceeded) = standing.project.exceeded(Whose::Project) {
            return Ok(Some(exceeded));
        }
        Ok(standing.of_organization(tx, 0).await?.and_then(|stock| stock.exceeded(Whose::Organization)))
    }
}

impl Store {
    /// What the registry holds for a project.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_stock_of_project(&self, project: i64, defaults: &Defaults) -> Result<Stock, StoreError> {
        Ok(standing(&mut self.read().await?, project, defaults).await?.project)
    }

    /// What the registry holds for an organization.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_stock_of_organization(&self, organization: i64, defaults: &Defaults) -> Result<Stock, StoreError> {
        let stock = held_by_organization(&mut self.read().await?, organization).await?;
        Ok(Stock { quota: stock.quota.or(defaults.organization), ..stock })
    }

    /// How many bytes more the registry would take for a project, and whose bound that is; `None` for any number. Where it is at least
    /// what is wanted, it may be more than this.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_room(&self, project: i64, wanted: u64, defaults: &Defaults) -> Result<Option<(u64, Exceeded)>, StoreError> {
        let mut conn = self.read().await?;
        let standing = standing(&mut conn, project, defaults).await?;
        let of_organization = standing.of_organization(&mut conn, wanted).await?.unwrap_or_default();
        let both = [(standing.project, Whose::Project), (of_organization, Whose::Organization)];
        let (least, whose) = both.into_iter().min_by_key(|(stock, _)| stock.room()).expect("two of them");
        Ok(least.quota.map(|quota| (least.room(), Exceeded { whose, quota, needed: least.bytes })))
    }

    /// Lets the registry hold so many bytes for a project, or what the server's configuration says.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_oci_quota_of_project(&self, project: i64, quota: Option<u64>) -> Result<(), StoreError> {
        self.set_oci_quota("UPDATE project SET registry_quota = $2 WHERE id = $1", project, quota).await
    }

    /// Lets the registry hold so many bytes for an organization, or what the server's configuration says.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_oci_quota_of_organization(&self, organization: i64, quota: Option<u64>) -> Result<(), StoreError> {
        self.set_oci_quota("UPDATE organization SET registry_quota = $2 WHERE id = $1", organization, quota).await
    }

    async fn set_oci_quota(&self, sql: &'static str, id: i64, quota: Option<u64>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(sql, values![id, quota.map(as_column)]).await?;
        tx.commit().await
    }
}

/// What is held for a project, and what its organization may have: its id, and its quota if there is one.
struct Standing {
    project: Stock,
    organization: Option<(i64, u64)>,
}

impl Standing {
    /// What is held for the organization, where that has a bound: else nothing is summed up. As much as its projects hold, each for
    /// itself, where that leaves room for what is wanted.
    async fn of_organization(&self, conn: &mut impl Queries, wanted: u64) -> Result<Option<Stock>, StoreError> {
        let Some((organization, quota)) = self.organization else { return Ok(None) };
        let most = Stock { quota: Some(quota), ..sum_of_organization(conn, organization).await? };
        if most.bytes.saturating_add(wanted) <= quota {
            return Ok(Some(most));
        }
        Ok(Some(Stock { quota: Some(quota), ..held_by_organization(conn, organization).await? }))
    }
}

async fn standing(conn: &mut impl Queries, project: i64, defaults: &Defaults) -> Result<Standing, StoreError> {
    #[derive(sqlx::FromRow)]
    struct StandingRow {
        #[sqlx(flatten)]
        stock: StockRow,
        organization_id: i64,
        organization_quota: Option<i64>,
    }
    let sql = "SELECT COALESCE(oci_usage.blobs, 0) AS blobs, COALESCE(oci_usage.bytes, 0) AS bytes, \
               COALESCE(project.registry_quota, $2) AS quota, project.organization_id, \
               COALESCE(organization.registry_quota, $3) AS organization_quota \
               FROM project JOIN organization ON organization.id = project.organization_id \
               LEFT JOIN oci_usage ON oci_usage.project_id = project.id WHERE project.id = $1";
    let values = values![project, defaults.project.map(as_column), defaults.organization.map(as_column)];
    let row: Option<StandingRow> = conn.optional(sql.to_owned(), values).await?;
    Ok(row.map_or(Standing { project: Stock::default(), organization: None }, |row| Standing {
        project: row.stock.stock(),
        organization: row.organization_quota.map(|quota| (row.organization_id, number(quota))),
    }))
}

/// What the projects of an organization hold, what several of them hold counted for each.
async fn sum_of_organization(conn: &mut impl Queries, organization: i64) -> Result<Stock, StoreError> {
    let sql = "SELECT CAST(COALESCE(SUM(oci_usage.blobs), 0) AS BIGINT) AS blobs, \
               CAST(COALESCE(SUM(oci_usage.bytes), 0) AS BIGINT) AS bytes, \
               (SELECT registry_quota FROM organization WHERE id = $1) AS quota \
               FROM project JOIN oci_usage ON oci_usage.project_id = project.id WHERE project.organization_id = $1";
    let row: StockRow = conn.one(sql.to_owned(), values![organization]).await?;
    Ok(row.stock())
}

/// What the projects of an organization hold, each blob once.
async fn held_by_organization(conn: &mut impl Queries, organization: i64) -> Result<Stock, StoreError> {
    let sql = "SELECT COUNT(*) AS blobs, CAST(COALESCE(SUM(oci_blob.size), 0) AS BIGINT) AS bytes, \
               (SELECT registry_quota FROM organization WHERE id = $1) AS quota FROM oci_blob WHERE oci_blob.digest IN \
               (SELECT oci_repository_blob.digest FROM oci_repository_blob \
               JOIN oci_repository ON oci_repository.id = oci_repository_blob.repository_id \
               JOIN project ON project.id = oci_repository.project_id WHERE project.organization_id = $1)";
    let row: StockRow = conn.one(sql.to_owned(), values![organization]).await?;
    Ok(row.stock())
}

/// A sum that a defect made negative must not refuse pushes.
fn number(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

fn as_column(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
