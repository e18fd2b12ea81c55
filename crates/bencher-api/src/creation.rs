//! How much may be created in one project.
//!
//! Counted are the rows themselves, each kind for itself, over a window that ends now: nothing needs to be reset, and a restart forgets
//! nothing.

use std::time::Duration;

use bencher_types::DateTime;

use crate::{
    app::App,
    store::{
        StoreError, Tx,
        creation::{self, Kind},
        project::ProjectRow,
    },
};

/// More was to be created in a project than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no more than {most} {kind} may be created in {whose} within {hours} h; wait, {hint}",
    kind = kind.plural(),
    hours = window.as_secs().div_ceil(3600),
    whose = if *is_claimed { "a project" } else { "a project that nobody has claimed" },
    hint = if *is_claimed { "or ask an admin to raise the limit (`plus.rate_limiting.claimed_limit`)" } else { "or log in and claim it" },
)]
pub struct TooMany {
    pub kind: Kind,
    pub most: u32,
    pub window: Duration,
    pub is_claimed: bool,
}

/// Why nothing may be created.
#[derive(Debug, thiserror::Error)]
pub enum CreationError {
    #[error(transparent)]
    TooMany(#[from] TooMany),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How much may be created in a project, as its organization is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    most: Option<u32>,
    window: Duration,
    is_claimed: bool,
}

impl Bound {
    #[must_use]
    pub fn of_claimed(app: &App) -> Self {
        Self { most: app.config.claimed_limit(), window: app.config.creation_window(), is_claimed: true }
    }

    #[must_use]
    pub fn of_unclaimed(app: &App) -> Self {
        Self { most: app.config.unclaimed_limit(), window: app.config.creation_window(), is_claimed: false }
    }

    #[must_use]
    pub fn of(app: &App, project: &ProjectRow) -> Self {
        if project.claimed.is_some() { Self::of_claimed(app) } else { Self::of_unclaimed(app) }
    }

    /// Whether what a transaction has made, which is of these kinds, is still within the bound.
    ///
    /// # Errors
    /// It is not, and the transaction is to be given up; or the database failed.
    pub(crate) async fn check(self, tx: &mut Tx, project: i64, made: &[Kind], now: DateTime) -> Result<(), CreationError> {
        let Some(most) = self.most.filter(|_| !made.is_empty()) else { return Ok(()) };
        let over = creation::more_than(tx, most, project, made, since(now, self.window)).await?;
        over.map_or(Ok(()), |kind| Err(self.exceeded(kind, most).into()))
    }

    const fn exceeded(self, kind: Kind, most: u32) -> TooMany {
        TooMany { kind, most, window: self.window, is_claimed: self.is_claimed }
    }
}

/// Whether one more thing of this kind may be created in a project. Of several at once each may be let through.
///
/// # Errors
/// It may not, or the database failed.
pub async fn allow(app: &App, project: &ProjectRow, kind: Kind) -> Result<(), CreationError> {
    let bound = Bound::of(app, project);
    let Some(most) = bound.most else { return Ok(()) };
    let since = since(app.clock.now(), bound.window);
    let full = match most.checked_sub(1) {
        Some(others) => app.store.created_more_than(others, project.id, &[kind], since).await?.is_some(),
        None => true,
    };
    if full { Err(bound.exceeded(kind, most).into()) } else { Ok(()) }
}

fn since(now: DateTime, window: Duration) -> DateTime {
    let window = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
    DateTime::from_micros(now.as_micros().saturating_sub(window)).unwrap_or(now)
}
