//! A server's turn at work that one of several does at a time, renewed while it goes on.

use bencher_types::DateTime;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    app::App,
    limits,
    store::{StoreError, oci::care::Care},
};

/// The turn, until it is given back or not renewed in time.
#[derive(Debug)]
#[must_use = "a turn that is not ended keeps others waiting until it runs out"]
pub(super) struct Turn {
    care: Care,
    holder: String,
    renewed: DateTime,
}

/// Work that was not gone on with.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    #[error("this server was too slow, and another one has taken the work over")]
    Lost,
    #[error("could not note in the database whose turn it is")]
    Store(#[from] StoreError),
}

impl Turn {
    /// The turn, if nobody has it and, with `due`, the work was last begun before then.
    pub(super) async fn take(app: &App, care: Care, due: Option<DateTime>) -> Result<Option<Self>, StoreError> {
        let (holder, now) = (Uuid::new_v4().to_string(), app.clock.now());
        let times = (now, now.saturating_add(limits::REGISTRY_TURN));
        let is_ours = app.store.take_oci_turn(care, &holder, times, due).await?;
        Ok(is_ours.then_some(Self { care, holder, renewed: now }))
    }

    /// To be called between two steps of the work, each of which takes less than half of a turn.
    pub(super) async fn renew(&mut self, app: &App) -> Result<(), TurnError> {
        let now = app.clock.now();
        if now.since(self.renewed) < limits::REGISTRY_TURN / 4 {
            return Ok(());
        }
        self.renewed = now;
        match app.store.keep_oci_turn(self.care, &self.holder, now.saturating_add(limits::REGISTRY_TURN)).await? {
            true => Ok(()),
            false => Err(TurnError::Lost),
        }
    }

    /// Gives it back, with what came of the work where it was done.
    pub(super) async fn end(self, app: &App, outcome: Option<&impl Serialize>) -> Result<(), StoreError> {
        let outcome = outcome.map(|outcome| serde_json::to_string(outcome).expect("numbers and texts are JSON"));
        let done = outcome.as_deref().map(|outcome| (outcome, app.clock.now()));
        app.store.end_oci_turn(self.care, &self.holder, done).await
    }
}
