//! Finds where series changed, after the reports that their points come from were filed.
//!
//! One task looks through the series of what was filed or deleted since, each as a whole: so it does not matter in which order points
//! come, how often a series is looked through, or whether the server was killed meanwhile. What is due stands in the database.

mod steps;

use std::{pin::pin, sync::Arc};

use tokio::time::{Instant, sleep};

use crate::{
    app::App,
    chain::chain,
    limits,
    store::{
        StoreError,
        change_point::series::{DueOf, Scope, SeriesId},
    },
};

/// How far looking came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "there may be more to do"]
pub enum Looked {
    /// There is nothing to be looked through.
    Nothing,
    /// Something was looked through; there may be more.
    Some,
    /// Another server is looking.
    Elsewhere,
}

/// Looks through series for as long as the server runs, those that an earlier run left first.
pub async fn keep_looking(app: Arc<App>) {
    loop {
        let begun = Instant::now();
        match look(&app).await {
            Ok(Looked::Some) => {
                // While one report comes after the other, several of them are looked through together, and filing them comes first.
                if pin!(app.points_changed.notified()).enable() {
                    sleep((begun.elapsed() * limits::CHANGE_POINT_REST).min(limits::CHANGE_POINT_LONGEST_REST)).await;
                }
            }
            Ok(Looked::Nothing) => {
                app.points_changed.notified().await;
                // More often follows at once: it is looked through together.
                sleep(limits::CHANGE_POINT_PATIENCE).await;
            }
            Ok(Looked::Elsewhere) => sleep(limits::CHANGE_POINT_TAKEOVER).await,
            // A report was deleted while its series were looked through, which is due now.
            Err(StoreError::ForeignKey) => {}
            Err(error) => {
                tracing::error!(error = chain(&error), "could not look for change points; trying again");
                sleep(limits::CHANGE_POINT_RETRY).await;
            }
        }
    }
}

/// Looks through what is due first: the series of some reports, or some that lost points.
///
/// # Errors
/// The database failed. What is due stays so.
pub async fn look(app: &App) -> Result<Looked, StoreError> {
    let Some(due) = app.store.due_change_points().await? else { return Ok(Looked::Nothing) };
    match &due.of {
        DueOf::Series(series, _) => {
            if !look_through(app, due.scope, series).await? {
                return Ok(Looked::Elsewhere);
            }
        }
        DueOf::Reports(reports) => {
            let mut last = None;
            loop {
                let page = app.store.series_of_reports(reports, last).await?;
                last = page.last().copied();
                if last.is_none() {
                    break;
                }
                for batch in page.chunks(limits::CHANGE_POINT_BATCH) {
                    if !look_through(app, due.scope, batch).await? {
                        return Ok(Looked::Elsewhere);
                    }
                }
            }
        }
    }
    app.store.change_points_done(&due.of).await?;
    Ok(Looked::Some)
}

/// Looks through a few series and stores what changed; `false` where another server has the turn.
async fn look_through(app: &App, scope: Scope, series: &[SeriesId]) -> Result<bool, StoreError> {
    let Some(mut turn) = app.store.change_point_turn().await? else { return Ok(false) };
    let read = turn.read(&scope, series).await?;
    let looked = tokio::task::spawn_blocking(move || {
        read.into_iter().map(|(samples, stored)| steps::steps(&samples, &stored)).collect::<Vec<_>>()
    });
    let looked = looked.await.expect("looking for change points does not panic, and the runtime waits for it");
    let of_series = series.iter().copied().zip(looked);
    let steps: Vec<_> = of_series.flat_map(|(id, steps)| steps.into_iter().map(move |step| (id, step))).collect();
    turn.write(&app.store, &scope, steps, app.clock.now()).await?;
    Ok(true)
}
