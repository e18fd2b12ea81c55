//! Testbeds and the spec of each.

use bencher_types::{
    DateTime, ProjectUuid, ResourceName, Slug, SpecUuid, TestbedUuid,
    wire::{
        dimension::{NewTestbed, Testbed, UpdateTestbed},
        spec::Spec,
    },
};

use super::{
    Id, Micros, Queries, Store, StoreError, Text, Tx, Value,
    dimension::{self, Changes, Dimension},
    project::ProjectRow,
    spec,
};
use crate::values;

/// A row of `testbed`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TestbedRow {
    pub id: i64,
    pub uuid: Text<TestbedUuid>,
    pub name: Text<ResourceName>,
    pub slug: Text<Slug>,
    pub spec_id: Option<i64>,
    pub archived: Option<Micros>,
    pub created: Micros,
    pub modified: Micros,
}

impl Dimension for TestbedRow {
    const TABLE: &'static str = "testbed";
    const KIND: &'static str = "Testbed";
    const COLUMNS: &'static str = "testbed.*";
    type Json = Testbed;

    fn id(&self) -> i64 {
        self.id
    }

    fn archived(&self) -> bool {
        self.archived.is_some()
    }

    async fn json(conn: &mut impl Queries, project: ProjectUuid, rows: Vec<Self>) -> Result<Vec<Testbed>, StoreError> {
        let specs = spec::by_ids(conn, rows.iter().filter_map(|row| row.spec_id)).await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let spec = row.spec_id.and_then(|id| specs.get(&id).cloned());
                row.into_json(project, spec)
            })
            .collect())
    }
}

impl TestbedRow {
    /// The testbed with a spec, which for a report is the one that the report was measured on.
    pub(crate) fn into_json(self, project: ProjectUuid, spec: Option<Spec>) -> Testbed {
        Testbed {
            uuid: self.uuid.0,
            project,
            name: self.name.0,
            slug: self.slug.0,
            spec,
            created: self.created.0,
            modified: self.modified.0,
            archived: self.archived.map(|time| time.0),
        }
    }
}

impl Store {
    /// The row of a spec that a testbed has, or that something was measured with there.
    ///
    /// # Errors
    /// The database failed.
    pub async fn spec_of_testbed(&self, testbed: i64, spec: SpecUuid) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT spec.id FROM spec WHERE spec.uuid = $2 AND \
                   (EXISTS (SELECT 1 FROM testbed WHERE testbed.id = $1 AND testbed.spec_id = spec.id) \
                    OR EXISTS (SELECT 1 FROM report WHERE report.testbed_id = $1 AND report.spec_id = spec.id))";
        let found: Option<Id> = self.read().await?.optional(sql, values![testbed, spec]).await?;
        Ok(found.map(|Id { id }| id))
    }

    /// Creates a testbed, with the spec of this row.
    ///
    /// # Errors
    /// The name or slug is taken, or the database failed.
    pub async fn create_testbed(
        &self,
        project: &ProjectRow,
        new: &NewTestbed,
        spec: Option<i64>,
        now: DateTime,
    ) -> Result<Testbed, StoreError> {
        let mut tx = self.begin().await?;
        let extra = Some(("spec_id", Value::from(spec)));
        let names = (new.name.as_str(), new.slug.as_ref());
        let id = dimension::insert::<TestbedRow>(&mut tx, project.id, names, extra, now).await?;
        let row: TestbedRow = dimension::by_id(&mut tx, id).await?;
        let testbed = dimension::show(&mut tx, project.uuid.0, row).await?;
        tx.commit().await?;
        Ok(testbed)
    }

    /// Changes what is named, and returns the testbed as it is then. `spec` is the row of a spec that replaces the present one, or
    /// that there is to be none.
    ///
    /// # Errors
    /// The name or slug is taken, or the database failed.
    pub async fn update_testbed(
        &self,
        project: &ProjectRow,
        id: i64,
        update: &UpdateTestbed,
        spec: Option<Option<i64>>,
        now: DateTime,
    ) -> Result<Testbed, StoreError> {
        let mut tx = self.begin().await?;
        let changes = Changes {
            name: update.name.as_ref().map(ResourceName::as_str),
            slug: update.slug.as_ref(),
            archived: update.archived,
        };
        dimension::update::<TestbedRow>(&mut tx, id, &changes, now).await?;
        let mut row: TestbedRow = dimension::by_id(&mut tx, id).await?;
        if let Some(spec) = spec {
            set_spec(&mut tx, &mut row, spec, now).await?;
        }
        let testbed = dimension::show(&mut tx, project.uuid.0, row).await?;
        tx.commit().await?;
        Ok(testbed)
    }
}

/// Gives a testbed a spec, or takes it away.
pub(crate) async fn set_spec(tx: &mut Tx, testbed: &mut TestbedRow, spec: Option<i64>, now: DateTime) -> Result<(), StoreError> {
    tx.execute("UPDATE testbed SET spec_id = $2, modified = $3 WHERE id = $1", values![testbed.id, spec, now]).await?;
    (testbed.spec_id, testbed.modified) = (spec, Micros(now));
    Ok(())
}
