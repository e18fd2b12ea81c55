//! Plots: pinned views of a project's results, in an order of their own.

use std::collections::HashMap;

use bencher_types::{
    BenchmarkUuid, BranchUuid, DateTime, MeasureUuid, PlotUuid, ResourceName, TestbedUuid, Window,
    wire::plot::{NewPlot, Plot, UpdatePlot, XAxis, YAxis},
};
use uuid::Uuid;

use super::{
    Count, Direction, Id, ListQuery, Micros, Page, Queries, Store, StoreError, Text, Tx, Value,
    benchmark::BenchmarkRow,
    branch::BranchRow,
    dimension::{self, Dimension},
    list::like_pattern,
    measure::MeasureRow,
    placeholders,
    project::ProjectRow,
    testbed::TestbedRow,
};
use crate::{limits, values};

/// A row of `plot`.
#[derive(Clone, Debug, sqlx::FromRow)]
struct PlotRow {
    id: i64,
    uuid: Text<PlotUuid>,
    place: i64,
    title: Option<Text<ResourceName>>,
    lower_value: i64,
    upper_value: i64,
    lower_boundary: i64,
    upper_boundary: i64,
    x_axis: String,
    y_axis: String,
    window_secs: i64,
    created: Micros,
    modified: Micros,
}

/// Which part of a project's plots is asked for.
#[derive(Clone, Debug)]
pub struct PlotsBy {
    /// Exactly this title.
    pub title: Option<String>,
    /// Part of the title or UUID, in any case.
    pub search: Option<String>,
    pub sort: PlotSort,
    pub direction: Direction,
    pub page: Page,
}

/// What plots are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlotSort {
    /// Their own order.
    #[default]
    Index,
    Title,
}

/// A plot that is not stored.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    #[error("a project has at most {0} plots; delete one first")]
    TooMany(u64),
    #[error("a plot shows at most {most} of a kind, not {found} {kind}")]
    TooManyItems { kind: &'static str, found: usize, most: usize },
    /// It is not in the project.
    #[error("{kind} ({uuid}) not found")]
    Unknown { kind: &'static str, uuid: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a plot shows of one dimension, and in which table that is kept.
trait Shown: Dimension {
    type Uuid: Copy + Eq + std::hash::Hash + Into<Value> + std::fmt::Display + From<Uuid> + Send + Sync;
    const LINK: &'static str;
    const LINK_COLUMN: &'static str;
    /// More than one of them.
    const MANY: &'static str;

    fn uuid(&self) -> Self::Uuid;
}

macro_rules! shown {
    ($($row:ty, $uuid:ty, $link:literal, $column:literal, $many:literal;)+) => {$(
        impl Shown for $row {
            type Uuid = $uuid;
            const LINK: &'static str = $link;
            const LINK_COLUMN: &'static str = $column;
            const MANY: &'static str = $many;

            fn uuid(&self) -> $uuid {
                self.uuid.0
            }
        }
    )+};
}

shown! {
    BranchRow, BranchUuid, "plot_branch", "branch_id", "branches";
    TestbedRow, TestbedUuid, "plot_testbed", "testbed_id", "testbeds";
    BenchmarkRow, BenchmarkUuid, "plot_benchmark", "benchmark_id", "benchmarks";
    MeasureRow, MeasureUuid, "plot_measure", "measure_id", "measures";
}

impl Store {
    /// One page of a project's plots, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn plots(&self, project: &ProjectRow, by: &PlotsBy) -> Result<(Vec<Plot>, u64), StoreError> {
        let mut query = ListQuery::new("plot.*", "plot").filter("plot.project_id = ?", project.id);
        if let Some(title) = &by.title {
            query = query.filter("plot.title = ?", title.as_str());
        }
        if let Some(search) = &by.search {
            let part = "(lower(plot.title) LIKE ? ESCAPE '\\' OR lower(plot.uuid) LIKE ? ESCAPE '\\')";
            query = query.filter(part, like_pattern(search));
        }
        let direction = by.direction.sql();
        let order = match by.sort {
            PlotSort::Index => format!("plot.place {direction}, plot.id {direction}"),
            // The databases do not agree on where nothing belongs.
            PlotSort::Title => format!("COALESCE(plot.title, '') {direction}, plot.id {direction}"),
        };
        let mut conn = self.read().await?;
        let (rows, total) = query.page::<PlotRow>(&mut conn, &order, by.page).await?;
        Ok((show(&mut conn, project, rows).await?, total))
    }

    /// A project's plot.
    ///
    /// # Errors
    /// The database failed.
    pub async fn plot(&self, project: &ProjectRow, uuid: PlotUuid) -> Result<Option<Plot>, StoreError> {
        let mut conn = self.read().await?;
        match find(&mut conn, project, uuid).await? {
            Some(row) => Ok(show(&mut conn, project, vec![row]).await?.pop()),
            None => Ok(None),
        }
    }

    /// Creates a plot at its place; those from there on move on by one.
    ///
    /// # Errors
    /// The project has too many, the plot shows what the project does not have, or the database failed.
    pub async fn create_plot(&self, project: &ProjectRow, new: &NewPlot, now: DateTime) -> Result<Plot, PlotError> {
        let mut tx = self.begin().await?;
        // Places are numbered by one transaction at a time.
        tx.lock_row("project", project.id).await?;
        let count = count(&mut tx, project).await?;
        if count >= limits::MAX_PLOTS {
            return Err(PlotError::TooMany(limits::MAX_PLOTS));
        }
        let place = i64::from(new.index.unwrap_or(0)).min(i64::try_from(count).unwrap_or(i64::MAX));
        make_room(&mut tx, project, place).await?;
        let uuid = PlotUuid::random();
        let Id { id } = tx
            .one(
                "INSERT INTO plot (uuid, project_id, place, title, lower_value, upper_value, lower_boundary, upper_boundary, x_axis, \
                 y_axis, window_secs, created, modified) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) \
                 RETURNING id",
                values![
                    uuid,
                    project.id,
                    place,
                    new.title.as_ref(),
                    new.lower_value,
                    new.upper_value,
                    new.lower_boundary,
                    new.upper_boundary,
                    x_axis_name(new.x_axis),
                    y_axis_name(new.y_axis.unwrap_or_default()),
                    new.window.get(),
                    now,
                ],
            )
            .await?;
        set_items::<BranchRow>(&mut tx, project, id, &new.branches).await?;
        set_items::<TestbedRow>(&mut tx, project, id, &new.testbeds).await?;
        set_items::<BenchmarkRow>(&mut tx, project, id, &new.benchmarks).await?;
        set_items::<MeasureRow>(&mut tx, project, id, &new.measures).await?;
        finish(tx, project, uuid).await
    }

    /// Changes what is named, and returns the plot as it is then; `None` where the project has no such plot.
    ///
    /// # Errors
    /// The plot is to show what the project does not have, or the database failed.
    pub async fn update_plot(
        &self,
        project: &ProjectRow,
        uuid: PlotUuid,
        update: &UpdatePlot,
        now: DateTime,
    ) -> Result<Option<Plot>, PlotError> {
        let mut tx = self.begin().await?;
        tx.lock_row("project", project.id).await?;
        let Some(row) = find(&mut tx, project, uuid).await? else { return Ok(None) };
        let title = update.title.clone().unwrap_or(row.title.map(|title| title.0));
        tx.execute(
            "UPDATE plot SET title = $2, lower_value = COALESCE($3, lower_value), upper_value = COALESCE($4, upper_value), \
             lower_boundary = COALESCE($5, lower_boundary), upper_boundary = COALESCE($6, upper_boundary), \
             x_axis = COALESCE($7, x_axis), y_axis = COALESCE($8, y_axis), window_secs = COALESCE($9, window_secs), modified = $10 \
             WHERE id = $1",
            values![
                row.id,
                title.as_ref(),
                update.lower_value,
                update.upper_value,
                update.lower_boundary,
                update.upper_boundary,
                update.x_axis.map(x_axis_name),
                update.y_axis.map(y_axis_name),
                update.window.map(Window::get),
                now,
            ],
        )
        .await?;
        if let Some(index) = update.index {
            let last = i64::try_from(count(&mut tx, project).await?).unwrap_or(i64::MAX) - 1;
            let place = i64::from(index).min(last);
            close_gap(&mut tx, project, row.place).await?;
            make_room(&mut tx, project, place).await?;
            tx.execute("UPDATE plot SET place = $2 WHERE id = $1", values![row.id, place]).await?;
        }
        if let Some(branches) = &update.branches {
            set_items::<BranchRow>(&mut tx, project, row.id, branches).await?;
        }
        if let Some(testbeds) = &update.testbeds {
            set_items::<TestbedRow>(&mut tx, project, row.id, testbeds).await?;
        }
        if let Some(benchmarks) = &update.benchmarks {
            set_items::<BenchmarkRow>(&mut tx, project, row.id, benchmarks).await?;
        }
        if let Some(measures) = &update.measures {
            set_items::<MeasureRow>(&mut tx, project, row.id, measures).await?;
        }
        finish(tx, project, uuid).await.map(Some)
    }

    /// Deletes a project's plot, and says whether there was one. Those behind it move up.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_plot(&self, project: &ProjectRow, uuid: PlotUuid) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.lock_row("project", project.id).await?;
        let Some(row) = find(&mut tx, project, uuid).await? else { return Ok(false) };
        tx.execute("DELETE FROM plot WHERE id = $1", values![row.id]).await?;
        close_gap(&mut tx, project, row.place).await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn find(conn: &mut impl Queries, project: &ProjectRow, uuid: PlotUuid) -> Result<Option<PlotRow>, StoreError> {
    conn.optional("SELECT * FROM plot WHERE project_id = $1 AND uuid = $2".to_owned(), values![project.id, uuid]).await
}

async fn count(tx: &mut Tx, project: &ProjectRow) -> Result<u64, StoreError> {
    let count: Count = tx.one("SELECT COUNT(*) AS count FROM plot WHERE project_id = $1", values![project.id]).await?;
    Ok(count.get())
}

async fn make_room(tx: &mut Tx, project: &ProjectRow, place: i64) -> Result<(), StoreError> {
    tx.execute("UPDATE plot SET place = place + 1 WHERE project_id = $1 AND place >= $2", values![project.id, place]).await?;
    Ok(())
}

async fn close_gap(tx: &mut Tx, project: &ProjectRow, place: i64) -> Result<(), StoreError> {
    tx.execute("UPDATE plot SET place = place - 1 WHERE project_id = $1 AND place > $2", values![project.id, place]).await?;
    Ok(())
}

/// Commits, and returns the plot as it is.
async fn finish(mut tx: Tx, project: &ProjectRow, uuid: PlotUuid) -> Result<Plot, PlotError> {
    let row = find(&mut tx, project, uuid).await?.ok_or(StoreError::corrupt("plot.uuid"))?;
    let plot = show(&mut tx, project, vec![row]).await?.pop().ok_or(StoreError::corrupt("plot.uuid"))?;
    tx.commit().await?;
    Ok(plot)
}

/// What a plot shows of one dimension from now on.
async fn set_items<D: Shown>(tx: &mut Tx, project: &ProjectRow, plot: i64, uuids: &[D::Uuid]) -> Result<(), PlotError> {
    let most = limits::MAX_PLOT_ITEMS;
    if uuids.len() > most {
        return Err(PlotError::TooManyItems { kind: D::MANY, found: uuids.len(), most });
    }
    let found: HashMap<D::Uuid, D> = dimension::by_uuids(tx, project.id, uuids, D::uuid).await?;
    let mut rows: Vec<Vec<Value>> = Vec::with_capacity(uuids.len());
    let mut seen = std::collections::HashSet::with_capacity(uuids.len());
    for (place, uuid) in (0_i64..).zip(uuids) {
        let row = found.get(uuid).ok_or_else(|| PlotError::Unknown { kind: D::KIND, uuid: uuid.to_string() })?;
        if seen.insert(row.id()) {
            rows.push(values![plot, row.id(), place]);
        }
    }
    tx.execute(format!("DELETE FROM {} WHERE plot_id = $1", D::LINK), values![plot]).await?;
    tx.insert_all(D::LINK, &["plot_id", D::LINK_COLUMN, "place"], rows).await?;
    Ok(())
}

/// What plots show of one dimension, by plot.
async fn items<D: Shown>(conn: &mut impl Queries, plots: &[i64]) -> Result<HashMap<i64, Vec<D::Uuid>>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Item {
        plot_id: i64,
        uuid: Text<Uuid>,
    }

    let (link, column, table) = (D::LINK, D::LINK_COLUMN, D::TABLE);
    let sql = format!(
        "SELECT {link}.plot_id, {table}.uuid FROM {link} JOIN {table} ON {table}.id = {link}.{column} \
         WHERE {link}.plot_id IN ({}) ORDER BY {link}.plot_id, {link}.place",
        placeholders(1, plots.len())
    );
    let mut items: HashMap<i64, Vec<D::Uuid>> = HashMap::new();
    for item in conn.all::<Item>(sql, plots.iter().copied().map(Value::from).collect::<Vec<_>>()).await? {
        items.entry(item.plot_id).or_default().push(item.uuid.0.into());
    }
    Ok(items)
}

/// Plots of one project as clients see them, in the same order.
async fn show(conn: &mut impl Queries, project: &ProjectRow, rows: Vec<PlotRow>) -> Result<Vec<Plot>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let mut branches = items::<BranchRow>(conn, &ids).await?;
    let mut testbeds = items::<TestbedRow>(conn, &ids).await?;
    let mut benchmarks = items::<BenchmarkRow>(conn, &ids).await?;
    let mut measures = items::<MeasureRow>(conn, &ids).await?;
    rows.into_iter()
        .map(|row| {
            let window = u32::try_from(row.window_secs).ok().and_then(|secs| Window::new(secs).ok());
            Ok(Plot {
                uuid: row.uuid.0,
                project: project.uuid.0,
                title: row.title.map(|title| title.0),
                lower_value: row.lower_value != 0,
                upper_value: row.upper_value != 0,
                lower_boundary: row.lower_boundary != 0,
                upper_boundary: row.upper_boundary != 0,
                x_axis: x_axis(&row.x_axis)?,
                y_axis: y_axis(&row.y_axis)?,
                window: window.ok_or(StoreError::corrupt("plot.window_secs"))?,
                branches: branches.remove(&row.id).unwrap_or_default(),
                testbeds: testbeds.remove(&row.id).unwrap_or_default(),
                benchmarks: benchmarks.remove(&row.id).unwrap_or_default(),
                measures: measures.remove(&row.id).unwrap_or_default(),
                created: row.created.0,
                modified: row.modified.0,
            })
        })
        .collect()
}

const fn x_axis_name(axis: XAxis) -> &'static str {
    match axis {
        XAxis::DateTime => "date_time",
        XAxis::Version => "version",
    }
}

fn x_axis(name: &str) -> Result<XAxis, StoreError> {
    let found = [XAxis::DateTime, XAxis::Version].into_iter().find(|axis| x_axis_name(*axis) == name);
    found.ok_or(StoreError::corrupt("plot.x_axis"))
}

const fn y_axis_name(axis: YAxis) -> &'static str {
    match axis {
        YAxis::Auto => "auto",
        YAxis::Linear => "linear",
        YAxis::Log => "log",
    }
}

fn y_axis(name: &str) -> Result<YAxis, StoreError> {
    let found = [YAxis::Auto, YAxis::Linear, YAxis::Log].into_iter().find(|axis| y_axis_name(*axis) == name);
    found.ok_or(StoreError::corrupt("plot.y_axis"))
}
