//! Thresholds: which models a branch's metrics are checked with, and the check of a report.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bencher_analysis::threshold::{self as analysis, Checker, InvalidModel};
use bencher_types::{
    DateTime, InvalidName, NameId, ResourceName, SampleSize, ThresholdUuid, Window,
    wire::{
        run::ReportThresholds,
        threshold::{Model, NewThreshold, Threshold, UpdateThreshold},
    },
};

use crate::{
    app::App,
    limits,
    store::{
        StoreError, Tx,
        branch::BranchRow,
        change_point::series::last_accepted,
        dimension::{self, Dimension},
        head,
        history::{self, History, Series},
        measure::{self, MeasureRow},
        metric::{self, Filing, Sample},
        project::ProjectRow,
        testbed::TestbedRow,
        threshold::{self, Guarded, ThresholdRow},
    },
};

/// A threshold that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ThresholdError {
    #[error(transparent)]
    Model(#[from] InvalidModel),
    #[error("the model of the measure `{measure}` is not valid: {problem}")]
    ModelOf { measure: String, problem: InvalidModel },
    #[error("the measure {0} is named twice: give it one model")]
    Twice(NameId),
    #[error("{kind} ({id}) not found")]
    NotFound { kind: &'static str, id: NameId },
    #[error("this branch, testbed and measure have the threshold {0} already; change that one")]
    Exists(ThresholdUuid),
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Creates a threshold.
///
/// # Errors
/// The model is not valid, what it is to guard does not exist or is guarded already, or the database failed.
pub async fn create(app: &App, project: &ProjectRow, new: &NewThreshold) -> Result<Threshold, ThresholdError> {
    analysis::validate(&new.model)?;
    let mut tx = app.store.begin().await?;
    tx.lock_row("project", project.id).await?;
    let branch = find::<BranchRow>(&mut tx, project.id, &new.branch).await?.id;
    let testbed = find::<TestbedRow>(&mut tx, project.id, &new.testbed).await?.id;
    let measure = find::<MeasureRow>(&mut tx, project.id, &new.measure).await?.id;
    let known = threshold::of_branch(&mut tx, branch, Some(testbed)).await?;
    if let Some(known) = known.into_iter().find(|known| known.measure_id == measure) {
        return Err(ThresholdError::Exists(known.uuid.0));
    }
    let guarded = Guarded { project: project.id, branch, testbed, measure };
    let uuid = threshold::insert(&mut tx, guarded, &new.model, app.clock.now()).await?;
    let created = show(&mut tx, project, uuid).await?;
    tx.commit().await?;
    Ok(created)
}

/// Gives a threshold another model or takes it away; `None` where there is no such threshold.
///
/// # Errors
/// The model is not valid, or the database failed.
pub async fn change(
    app: &App,
    project: &ProjectRow,
    uuid: ThresholdUuid,
    update: &UpdateThreshold,
) -> Result<Option<Threshold>, ThresholdError> {
    let model = match update {
        UpdateThreshold::Model(model) => {
            analysis::validate(model)?;
            Some(model)
        }
        UpdateThreshold::Remove(_) => None,
    };
    let mut tx = app.store.begin().await?;
    tx.lock_row("project", project.id).await?;
    let Some(row) = threshold::find(&mut tx, project.id, uuid, None).await? else { return Ok(None) };
    threshold::set_model(&mut tx, row.id, model, app.clock.now()).await?;
    let changed = show(&mut tx, project, uuid).await?;
    tx.commit().await?;
    Ok(Some(changed))
}

async fn show(tx: &mut Tx, project: &ProjectRow, uuid: ThresholdUuid) -> Result<Threshold, StoreError> {
    let row = threshold::find(tx, project.id, uuid, None).await?.ok_or(StoreError::corrupt("threshold.uuid"))?;
    threshold::show(tx, project, vec![row]).await?.into_iter().next().ok_or(StoreError::corrupt("threshold.uuid"))
}

async fn find<D: Dimension>(tx: &mut Tx, project: i64, id: &NameId) -> Result<D, ThresholdError> {
    let found = dimension::find(tx, project, id).await?;
    found.ok_or_else(|| ThresholdError::NotFound { kind: D::KIND, id: id.clone() })
}

/// What a run says of thresholds, after everything about it was looked at.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    models: Vec<(NameId, Model)>,
    /// Take the models of all other measures away.
    reset: bool,
}

impl Wanted {
    /// # Errors
    /// A model or the name of a measure is not valid.
    pub(crate) fn new(thresholds: Option<ReportThresholds>) -> Result<Self, ThresholdError> {
        let ReportThresholds { models, reset } = thresholds.unwrap_or_default();
        let mut wanted = Self { models: Vec::new(), reset: reset == Some(true) };
        for (measure, model) in models.unwrap_or_default() {
            analysis::validate(&model)
                .map_err(|problem| ThresholdError::ModelOf { measure: measure.chars().take(80).collect(), problem })?;
            let id: NameId = measure.parse()?;
            if !matches!(id, NameId::Uuid(_)) {
                ResourceName::new(measure)?;
            }
            wanted.models.push((id, model));
        }
        Ok(wanted)
    }
}

/// Gives a branch's measures on a testbed the models that a run wants. One that is the same already is left alone.
///
/// The caller has locked the project.
///
/// # Errors
/// A measure does not exist and cannot be made, or is named twice; or the database failed.
pub(crate) async fn apply(
    tx: &mut Tx,
    project: i64,
    (branch, testbed): (i64, i64),
    wanted: &Wanted,
    now: DateTime,
) -> Result<(), ThresholdError> {
    if wanted.models.is_empty() && !wanted.reset {
        return Ok(());
    }
    let mut known: BTreeMap<i64, ThresholdRow> =
        threshold::of_branch(tx, branch, Some(testbed)).await?.into_iter().map(|row| (row.measure_id, row)).collect();
    let mut named = BTreeSet::new();
    for (id, model) in &wanted.models {
        let measure = measure_row(tx, project, id, now).await?;
        if !named.insert(measure) {
            return Err(ThresholdError::Twice(id.clone()));
        }
        let guarded = Guarded { project, branch, testbed, measure };
        set(tx, guarded, known.remove(&measure), model, now).await?;
    }
    if wanted.reset {
        for row in known.into_values() {
            if row.model()?.is_some() {
                threshold::set_model(tx, row.id, None, now).await?;
            }
        }
    }
    Ok(())
}

/// Makes a threshold, or gives the one that there is another model where that is another.
async fn set(tx: &mut Tx, guarded: Guarded, known: Option<ThresholdRow>, model: &Model, now: DateTime) -> Result<(), StoreError> {
    let Some(row) = known else {
        threshold::insert(tx, guarded, model, now).await?;
        return Ok(());
    };
    if row.model()?.is_none_or(|(_, stored)| stored.model != *model) {
        threshold::set_model(tx, row.id, Some(model), now).await?;
    }
    Ok(())
}

/// The measure of this name, made where there is none. An archived one comes back.
async fn measure_row(tx: &mut Tx, project: i64, id: &NameId, now: DateTime) -> Result<i64, ThresholdError> {
    if let Some(row) = dimension::find::<MeasureRow>(tx, project, id).await? {
        return Ok(dimension::unarchive(tx, row, now).await?.id);
    }
    if let NameId::Uuid(_) = id {
        return Err(ThresholdError::NotFound { kind: MeasureRow::KIND, id: id.clone() });
    }
    let name = ResourceName::new(id.to_string())?;
    let made = measure::get_or_create(tx, project, &[&name], metric::define, now).await?;
    made.get(&name).map(|row| row.id).ok_or(ThresholdError::Store(StoreError::corrupt("measure.name")))
}

/// Gives one branch the models of another's thresholds.
///
/// The caller has locked the project.
pub(crate) async fn clone_models(tx: &mut Tx, project: i64, from: i64, to: i64, now: DateTime) -> Result<(), StoreError> {
    if from == to {
        return Ok(());
    }
    let known = threshold::of_branch(tx, to, None).await?;
    let mut known: HashMap<(i64, i64), ThresholdRow> =
        known.into_iter().map(|row| ((row.testbed_id, row.measure_id), row)).collect();
    for row in threshold::of_branch(tx, from, None).await? {
        if let Some((_, stored)) = row.model()? {
            let guarded = Guarded { project, branch: to, testbed: row.testbed_id, measure: row.measure_id };
            set(tx, guarded, known.remove(&(row.testbed_id, row.measure_id)), &stored.model, now).await?;
        }
    }
    Ok(())
}

/// Checks what is to be stored under a report against the thresholds of its branch and testbed, and returns those by the row of their
/// model.
///
/// A metric sees the iterations of its own report that came before it.
pub(crate) async fn check(
    tx: &mut Tx,
    filing: &Filing,
    samples: &mut [Sample],
) -> Result<HashMap<i64, ThresholdRow>, StoreError> {
    let thresholds = threshold::of_branch(tx, filing.branch_id, Some(filing.testbed_id)).await?;
    let mut checked = HashMap::with_capacity(thresholds.len());
    let mut lineage = None;
    for row in thresholds {
        let Some((model_id, stored)) = row.model()? else { continue };
        let model = stored.model;
        let mut checker = Checker::new(&model);
        // By benchmark, in the order of iterations.
        let mut series: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (index, sample) in samples.iter().enumerate().filter(|(_, sample)| sample.measure == row.measure_id) {
            series.entry(sample.benchmark).or_default().push(index);
        }
        let series: Vec<(i64, Vec<usize>)> = series.into_iter().collect();
        for chunk in series.chunks(limits::HISTORIES_AT_ONCE) {
            let mut histories = HashMap::new();
            if analysis::needs_history(&model) {
                if lineage.is_none() {
                    lineage = Some(head::lineage(tx, filing.head_id).await?);
                }
                let start = filing.start_time.0;
                let wanted = Series {
                    lineage: lineage.as_deref().unwrap_or_default(),
                    testbed: filing.testbed_id,
                    spec: filing.spec_id,
                    measure: row.measure_id,
                    since: model.window.map(|window| begins(window, start)),
                    limit: model.max_sample_size.map(SampleSize::get),
                    at: (filing.version_number, start),
                };
                let benchmarks: Vec<i64> = chunk.iter().map(|(benchmark, _)| *benchmark).collect();
                let begins = match model.since_change_point {
                    Some(true) => {
                        let of = (wanted.testbed, wanted.spec, wanted.measure);
                        last_accepted(tx, wanted.lineage, of, &benchmarks).await?
                    }
                    Some(false) | None => HashMap::new(),
                };
                histories = history::of_benchmarks(tx, &wanted, &benchmarks, &begins).await?;
            }
            for (benchmark, indexes) in chunk {
                let history = histories.remove(benchmark).unwrap_or_default();
                check_series(samples, indexes, (model_id, &mut checker), history);
            }
        }
        checked.insert(model_id, row);
    }
    Ok(checked)
}

fn check_series(samples: &mut [Sample], indexes: &[usize], (model_id, checker): (i64, &mut Checker<'_>), history: History) {
    let own = history.newer.len();
    let mut values = history.newer;
    values.extend(history.older);
    for index in indexes {
        let sample = &mut samples[*index];
        sample.checked = Some((model_id, checker.check(&values, sample.value.value)));
        // The newest of the report's own, and so before those of earlier iterations.
        values.insert(own, sample.value.value);
    }
}

/// When a window begins that ends then, in microseconds since 1970.
fn begins(window: Window, end: DateTime) -> i64 {
    end.as_micros().saturating_sub(i64::from(window.get()).saturating_mul(1_000_000))
}
