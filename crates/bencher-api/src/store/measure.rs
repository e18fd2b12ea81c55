//! Measures.

use std::collections::BTreeMap;

use bencher_types::{
    DateTime, MeasureUuid, NameId, ProjectUuid, ResourceName, Slug,
    wire::dimension::{Measure, NewMeasure, UpdateMeasure},
};

use super::{
    Among, Micros, Queries, Store, StoreError, Text, Tx, Value, among,
    dimension::{self, Changes, Dimension},
    list,
    project::ProjectRow,
};
use crate::values;

/// A row of `measure`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct MeasureRow {
    pub id: i64,
    pub uuid: Text<MeasureUuid>,
    pub name: Text<ResourceName>,
    pub slug: Text<Slug>,
    pub units: Text<ResourceName>,
    pub archived: Option<Micros>,
    pub created: Micros,
    pub modified: Micros,
}

impl Dimension for MeasureRow {
    const TABLE: &'static str = "measure";
    const KIND: &'static str = "Measure";
    const COLUMNS: &'static str = "measure.*";
    type Json = Measure;

    fn id(&self) -> i64 {
        self.id
    }

    fn archived(&self) -> bool {
        self.archived.is_some()
    }

    async fn json(_: &mut impl Queries, project: ProjectUuid, rows: Vec<Self>) -> Result<Vec<Measure>, StoreError> {
        Ok(rows.into_iter().map(|row| row.into_json(project)).collect())
    }
}

impl MeasureRow {
    /// As in [`dimension::find`], where a name goes before a slug.
    fn is_named(&self, id: &NameId) -> bool {
        !matches!(id, NameId::Uuid(_)) && self.name.0.as_str() == id.to_string()
    }

    fn matches(&self, id: &NameId) -> bool {
        match id {
            NameId::Uuid(uuid) => self.uuid.0.as_uuid() == *uuid,
            NameId::Slug(slug) => self.slug.0 == *slug,
            NameId::Name(_) => false,
        }
    }

    pub(crate) fn into_json(self, project: ProjectUuid) -> Measure {
        Measure {
            uuid: self.uuid.0,
            project,
            name: self.name.0,
            slug: self.slug.0,
            units: self.units.0,
            created: self.created.0,
            modified: self.modified.0,
            archived: self.archived.map(|time| time.0),
        }
    }
}

/// What a measure is called when it first turns up in results.
#[derive(Clone, Debug)]
pub struct MeasureDefinition {
    pub name: ResourceName,
    pub slug: Option<Slug>,
    pub units: ResourceName,
}

impl Store {
    /// Creates a measure.
    ///
    /// # Errors
    /// The name or slug is taken, or the database failed.
    pub async fn create_measure(&self, project: &ProjectRow, new: &NewMeasure, now: DateTime) -> Result<Measure, StoreError> {
        let mut tx = self.begin().await?;
        let definition = MeasureDefinition { name: new.name.clone(), slug: new.slug.clone(), units: new.units.clone() };
        let id = insert(&mut tx, project.id, &definition, now).await?;
        let row: MeasureRow = dimension::by_id(&mut tx, id).await?;
        tx.commit().await?;
        Ok(row.into_json(project.uuid.0))
    }

    /// Changes what is named, and returns the measure as it is then.
    ///
    /// # Errors
    /// The name or slug is taken, or the database failed.
    pub async fn update_measure(
        &self,
        project: &ProjectRow,
        id: i64,
        update: &UpdateMeasure,
        now: DateTime,
    ) -> Result<Measure, StoreError> {
        let mut tx = self.begin().await?;
        let changes = Changes {
            name: update.name.as_ref().map(ResourceName::as_str),
            slug: update.slug.as_ref(),
            archived: update.archived,
        };
        dimension::update::<MeasureRow>(&mut tx, id, &changes, now).await?;
        if let Some(units) = &update.units {
            tx.execute("UPDATE measure SET units = $2 WHERE id = $1", values![id, units]).await?;
        }
        let row: MeasureRow = dimension::by_id(&mut tx, id).await?;
        tx.commit().await?;
        Ok(row.into_json(project.uuid.0))
    }
}

async fn insert(tx: &mut Tx, project: i64, measure: &MeasureDefinition, now: DateTime) -> Result<i64, StoreError> {
    let extra = Some(("units", Value::from(&measure.units)));
    dimension::insert::<MeasureRow>(tx, project, (measure.name.as_str(), measure.slug.as_ref()), extra, now).await
}

/// Measures, by what the results call them; made from `define` or taken out of the archive as needed.
///
/// The caller has locked the project, so that nobody else makes the same ones. Two spellings of one measure share its row.
pub(crate) async fn get_or_create(
    tx: &mut Tx,
    project: i64,
    named: &[&ResourceName],
    define: fn(&ResourceName) -> MeasureDefinition,
    now: DateTime,
) -> Result<BTreeMap<ResourceName, MeasureRow>, StoreError> {
    let id_of = |named: &ResourceName| named.as_str().parse::<NameId>().map_err(|_| StoreError::corrupt("measure.name"));
    let ids = named.iter().map(|named| id_of(named)).collect::<Result<Vec<_>, _>>()?;
    let mut known = candidates(tx, project, &ids).await?;
    let mut rows = BTreeMap::new();
    for (named, id) in named.iter().zip(ids) {
        let row = match known.iter().position(|row| row.is_named(&id)).or_else(|| known.iter().position(|row| row.matches(&id))) {
            Some(at) if known[at].archived() => {
                known[at] = dimension::unarchive(tx, known[at].clone(), now).await?;
                known[at].clone()
            }
            Some(at) => known[at].clone(),
            None => {
                let id = insert(tx, project, &define(named), now).await?;
                let row: MeasureRow = dimension::by_id(tx, id).await?;
                // The next one may be another spelling of it.
                known.push(row.clone());
                row
            }
        };
        rows.insert((*named).clone(), row);
    }
    Ok(rows)
}

/// Every measure of a project that one of these names may mean.
async fn candidates(tx: &mut Tx, project: i64, ids: &[NameId]) -> Result<Vec<MeasureRow>, StoreError> {
    let [name, slug, uuid] = ["name", "slug", "uuid"].map(|column| among(tx, column, Among::Texts, 2));
    let sql = format!("SELECT * FROM measure WHERE project_id = $1 AND ({name} OR {slug} OR {uuid})");
    tx.all(sql, values![project, list(ids.iter().map(NameId::to_string))]).await
}
