//! Thresholds and their models.

use std::collections::{BTreeSet, HashMap};

use bencher_types::{
    DateTime, ModelUuid, NameId, SampleSize, ThresholdUuid, Window,
    wire::threshold::{Model, ModelTest, StoredModel, Threshold, ThresholdModel},
};

use super::{
    Among, Direction, Id, ListQuery, Micros, Page, Queries, Store, StoreError, Text, Tx, among, branch::BranchRow, dimension,
    list, measure::MeasureRow, order, project::ProjectRow, spec, testbed::TestbedRow,
};
use crate::values;

/// A row of `threshold`, with its current model or an older one.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ThresholdRow {
    pub id: i64,
    pub uuid: Text<ThresholdUuid>,
    pub branch_id: i64,
    pub testbed_id: i64,
    pub measure_id: i64,
    pub created: Micros,
    pub modified: Micros,
    model_row: Option<i64>,
    model_uuid: Option<Text<ModelUuid>>,
    test: Option<String>,
    min_sample_size: Option<i64>,
    max_sample_size: Option<i64>,
    window_secs: Option<i64>,
    lower_boundary: Option<f64>,
    upper_boundary: Option<f64>,
    since_change_point: Option<i64>,
    model_created: Option<Micros>,
    model_replaced: Option<Micros>,
}

const COLUMNS: &str = "threshold.id, threshold.uuid, threshold.branch_id, threshold.testbed_id, threshold.measure_id, \
    threshold.created, threshold.modified, model.id AS model_row, model.uuid AS model_uuid, model.test, model.min_sample_size, \
    model.max_sample_size, model.window_secs, model.lower_boundary, model.upper_boundary, model.since_change_point, \
    model.created AS model_created, model.replaced AS model_replaced";
/// A threshold with its current model.
const CURRENT: &str = "threshold LEFT JOIN model ON model.id = threshold.model_id";
/// A threshold with each model that it ever had.
const EACH_MODEL: &str = "threshold JOIN model ON model.threshold_id = threshold.id";

impl ThresholdRow {
    /// The row of the model and what it says; `None` where there is none.
    ///
    /// # Errors
    /// A column holds what is no model.
    pub fn model(&self) -> Result<Option<(i64, StoredModel)>, StoreError> {
        let (Some(id), Some(uuid), Some(test), Some(created)) =
            (self.model_row, self.model_uuid.as_ref(), self.test.as_ref(), self.model_created)
        else {
            return Ok(None);
        };
        let test = ModelTest::ALL.into_iter().find(|known| known.as_str() == test).ok_or(StoreError::corrupt("model.test"))?;
        let size = |number: Option<i64>| {
            let size = number.map(|number| u32::try_from(number).ok().and_then(|number| SampleSize::new(number).ok()));
            size.map(|size| size.ok_or(StoreError::corrupt("model.sample_size"))).transpose()
        };
        let window = self.window_secs.map(|secs| u32::try_from(secs).ok().and_then(|secs| Window::new(secs).ok()));
        let model = Model {
            test,
            min_sample_size: size(self.min_sample_size)?,
            max_sample_size: size(self.max_sample_size)?,
            window: window.map(|window| window.ok_or(StoreError::corrupt("model.window_secs"))).transpose()?,
            lower_boundary: self.lower_boundary,
            upper_boundary: self.upper_boundary,
            since_change_point: self.since_change_point.map(|since| since != 0),
        };
        let replaced = self.model_replaced.map(|time| time.0);
        Ok(Some((id, StoredModel { uuid: uuid.0, model, created: created.0, replaced })))
    }
}

/// Which thresholds a list shows.
#[derive(Clone, Debug, Default)]
pub struct ThresholdFilter {
    pub branch: Option<NameId>,
    pub testbed: Option<NameId>,
    pub measure: Option<NameId>,
    /// Of archived branches, testbeds and measures, instead of the others.
    pub archived: bool,
}

impl Store {
    /// One page of a project's thresholds by one of their times, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn thresholds(
        &self,
        project: &ProjectRow,
        filter: &ThresholdFilter,
        (column, direction): (&'static str, Direction),
        page: Page,
    ) -> Result<(Vec<Threshold>, u64), StoreError> {
        let from = format!(
            "{CURRENT} JOIN branch ON branch.id = threshold.branch_id JOIN testbed ON testbed.id = threshold.testbed_id \
             JOIN measure ON measure.id = threshold.measure_id"
        );
        let mut query = ListQuery::new(COLUMNS, from).filter("threshold.project_id = ?", project.id).when(if filter.archived {
            "(branch.archived IS NOT NULL OR testbed.archived IS NOT NULL OR measure.archived IS NOT NULL)"
        } else {
            "branch.archived IS NULL AND testbed.archived IS NULL AND measure.archived IS NULL"
        });
        for (table, id) in [("branch", &filter.branch), ("testbed", &filter.testbed), ("measure", &filter.measure)] {
            if let Some(id) = id {
                query = query.filter(&format!("(? IN ({table}.uuid, {table}.slug, {table}.name))"), id.to_string());
            }
        }
        let mut conn = self.read().await?;
        let (rows, total) = query.page::<ThresholdRow>(&mut conn, &order("threshold", column, direction), page).await?;
        Ok((show(&mut conn, project, rows).await?, total))
    }

    /// A project's threshold as clients see it, with the model it has or with one that it had.
    ///
    /// # Errors
    /// The database failed.
    pub async fn threshold(
        &self,
        project: &ProjectRow,
        uuid: ThresholdUuid,
        model: Option<ModelUuid>,
    ) -> Result<Option<Threshold>, StoreError> {
        let mut conn = self.read().await?;
        let Some(row) = find(&mut conn, project.id, uuid, model).await? else { return Ok(None) };
        Ok(show(&mut conn, project, vec![row]).await?.into_iter().next())
    }

    /// Deletes a project's threshold with its models and the alerts it raised; whether there was one. Metrics stay, without limits.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_threshold(&self, project: &ProjectRow, uuid: ThresholdUuid) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // Not while a report is being checked with it.
        tx.lock_row("project", project.id).await?;
        let Some(row) = find(&mut tx, project.id, uuid, None).await? else { return Ok(false) };
        tx.execute(
            "UPDATE metric SET model_id = NULL, baseline = NULL, lower_limit = NULL, upper_limit = NULL \
             WHERE model_id IN (SELECT id FROM model WHERE threshold_id = $1)",
            values![row.id],
        )
        .await?;
        tx.execute("DELETE FROM threshold WHERE id = $1", values![row.id]).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// A project's threshold, with the model it has or with one that it had.
pub(crate) async fn find(
    conn: &mut impl Queries,
    project: i64,
    uuid: ThresholdUuid,
    model: Option<ModelUuid>,
) -> Result<Option<ThresholdRow>, StoreError> {
    let (from, of_model, mut values) = match model {
        Some(model) => (EACH_MODEL, "AND model.uuid = $3", values![model]),
        None => (CURRENT, "", values![]),
    };
    values.splice(0..0, values![project, uuid]);
    let sql = format!("SELECT {COLUMNS} FROM {from} WHERE threshold.project_id = $1 AND threshold.uuid = $2 {of_model}");
    conn.optional(sql, values).await
}

/// Every threshold of a branch, or of one of its testbeds.
pub(crate) async fn of_branch(
    conn: &mut impl Queries,
    branch: i64,
    testbed: Option<i64>,
) -> Result<Vec<ThresholdRow>, StoreError> {
    let (of_testbed, values) = match testbed {
        Some(testbed) => ("AND threshold.testbed_id = $2", values![branch, testbed]),
        None => ("", values![branch]),
    };
    let sql = format!("SELECT {COLUMNS} FROM {CURRENT} WHERE threshold.branch_id = $1 {of_testbed} ORDER BY threshold.id");
    conn.all(sql, values).await
}

/// What a new threshold guards, by row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guarded {
    pub(crate) project: i64,
    pub(crate) branch: i64,
    pub(crate) testbed: i64,
    pub(crate) measure: i64,
}

/// Inserts a threshold with its first model.
pub(crate) async fn insert(tx: &mut Tx, guarded: Guarded, model: &Model, now: DateTime) -> Result<ThresholdUuid, StoreError> {
    let uuid = ThresholdUuid::random();
    let Id { id } = tx
        .one(
            "INSERT INTO threshold (uuid, project_id, branch_id, testbed_id, measure_id, created, modified) \
             VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING id",
            values![uuid, guarded.project, guarded.branch, guarded.testbed, guarded.measure, now],
        )
        .await?;
    set_model(tx, id, Some(model), now).await?;
    Ok(uuid)
}

/// Gives a threshold another model, or none. What it had is kept as replaced.
pub(crate) async fn set_model(tx: &mut Tx, threshold: i64, model: Option<&Model>, now: DateTime) -> Result<(), StoreError> {
    tx.execute("UPDATE model SET replaced = $2 WHERE threshold_id = $1 AND replaced IS NULL", values![threshold, now]).await?;
    let current = match model {
        Some(model) => {
            let size = |size: Option<SampleSize>| size.map(SampleSize::get);
            let row: Id = tx
                .one(
                    "INSERT INTO model (uuid, threshold_id, test, min_sample_size, max_sample_size, window_secs, lower_boundary, \
                     upper_boundary, since_change_point, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
                    values![
                        ModelUuid::random(),
                        threshold,
                        model.test.as_str(),
                        size(model.min_sample_size),
                        size(model.max_sample_size),
                        model.window.map(Window::get),
                        model.lower_boundary,
                        model.upper_boundary,
                        model.since_change_point,
                        now,
                    ],
                )
                .await?;
            Some(row.id)
        }
        None => None,
    };
    let sql = "UPDATE threshold SET model_id = $2, modified = $3 WHERE id = $1";
    tx.execute(sql, values![threshold, current, now]).await?;
    Ok(())
}

/// Thresholds as they stood with these models, by the model's row.
pub(crate) async fn of_models(
    conn: &mut impl Queries,
    models: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, ThresholdRow>, StoreError> {
    let models: BTreeSet<i64> = models.into_iter().collect();
    if models.is_empty() {
        return Ok(HashMap::new());
    }
    let of_models = among(conn, "model.id", Among::Integers, 1);
    let sql = format!("SELECT {COLUMNS} FROM {EACH_MODEL} WHERE {of_models}");
    let found: Vec<ThresholdRow> = conn.all(sql, vec![list(models)]).await?;
    Ok(found.into_iter().filter_map(|row| Some((row.model_row?, row))).collect())
}

/// A threshold as a metric shows what it was checked against.
pub(crate) fn as_checked(project: &ProjectRow, row: &ThresholdRow) -> Result<ThresholdModel, StoreError> {
    let (_, model) = row.model()?.ok_or(StoreError::corrupt("metric.model_id"))?;
    Ok(ThresholdModel { uuid: row.uuid.0, project: project.uuid.0, model, created: row.created.0 })
}

/// Thresholds of one project as clients see them, in the same order.
pub(crate) async fn show(
    conn: &mut impl Queries,
    project: &ProjectRow,
    rows: Vec<ThresholdRow>,
) -> Result<Vec<Threshold>, StoreError> {
    let branches: HashMap<i64, BranchRow> = dimension::by_ids(conn, rows.iter().map(|row| row.branch_id)).await?;
    let testbeds: HashMap<i64, TestbedRow> = dimension::by_ids(conn, rows.iter().map(|row| row.testbed_id)).await?;
    let measures: HashMap<i64, MeasureRow> = dimension::by_ids(conn, rows.iter().map(|row| row.measure_id)).await?;
    let specs = spec::by_ids(conn, testbeds.values().filter_map(|testbed| testbed.spec_id)).await?;
    rows.into_iter()
        .map(|row| {
            let branch = branches.get(&row.branch_id).cloned().ok_or(StoreError::corrupt("threshold.branch_id"))?;
            let testbed = testbeds.get(&row.testbed_id).cloned().ok_or(StoreError::corrupt("threshold.testbed_id"))?;
            let measure = measures.get(&row.measure_id).cloned().ok_or(StoreError::corrupt("threshold.measure_id"))?;
            let spec = testbed.spec_id.and_then(|id| specs.get(&id).cloned());
            Ok(Threshold {
                uuid: row.uuid.0,
                project: project.uuid.0,
                branch: branch.into_json(project.uuid.0)?,
                testbed: testbed.into_json(project.uuid.0, spec),
                measure: measure.into_json(project.uuid.0),
                model: row.model()?.map(|(_, model)| model),
                created: row.created.0,
                modified: row.modified.0,
            })
        })
        .collect()
}
