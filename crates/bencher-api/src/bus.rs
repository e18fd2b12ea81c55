//! What one server does, told to the rest of it and to the other servers on the same database.
//!
//! ```text
//! a transaction ── triggers ──▶ log of events ── bell ──▶ every server: follow ─┬─▶ hub: wake, cancel, close
//!                                                                               ├─▶ leases, results, change points
//!                                                                               └─▶ streams of events
//! ```
//!
//! What must not be missed goes through the log, which is read in its order, each change once, also after the connection that rings the
//! bell was lost. What may be missed is said to the other servers directly: that waiting runners should look again, for which they do by
//! themselves when their time is over, and how often who did what.
//!
//! Knows no HTTP, no socket and no SQL.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use bencher_types::JobStatus;
use tokio::{
    sync::{Notify, broadcast},
    time::{MissedTickBehavior, interval, sleep},
};
use uuid::Uuid;

use crate::{
    app::App,
    chain::chain,
    limits,
    store::{
        StoreError,
        bell::{Bell, Rung},
        event::{Change, Logged},
    },
};

/// The server's end of the bus.
#[derive(Debug)]
pub struct Bus {
    /// Tells this server from the others on the same database. Another one after each start.
    server: Uuid,
    /// There may be something new in the log.
    rung: Notify,
    /// Up to where the log was read.
    read: AtomicI64,
    changes: broadcast::Sender<Arc<Logged>>,
    /// Another server may have taken in results.
    results_elsewhere: Notify,
}

impl Default for Bus {
    fn default() -> Self {
        Self {
            server: Uuid::new_v4(),
            rung: Notify::new(),
            read: AtomicI64::new(0),
            changes: broadcast::Sender::new(limits::EVENTS_IN_MEMORY),
            results_elsewhere: Notify::new(),
        }
    }
}

/// What servers say to each other beside the log.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Message {
    /// Waiting runners should look for work again.
    Wake,
    /// How often who did what, as [`crate::rate`] writes it.
    Rates(String),
}

impl Message {
    fn write(&self, server: Uuid) -> String {
        match self {
            Self::Wake => format!("{server} wake"),
            Self::Rates(rates) => format!("{server} rates {rates}"),
        }
    }

    /// What another server says; `None` for our own, and for what is not understood: it may be newer than we are.
    fn read(text: &str, server: Uuid) -> Option<Self> {
        let (from, message) = text.split_once(' ')?;
        if from.parse() == Ok(server) {
            return None;
        }
        match message.split_once(' ').unwrap_or((message, "")) {
            ("wake", _) => Some(Self::Wake),
            ("rates", rates) => Some(Self::Rates(rates.to_owned())),
            _ => None,
        }
    }
}

impl Bus {
    /// The changes from here on, each after it was committed and in their order.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Logged>> {
        self.changes.subscribe()
    }
}

/// Begins to listen. What is committed after this is heard of by [`listen`] and [`follow`].
///
/// # Errors
/// The database failed.
pub async fn begin(app: &App) -> Result<Bell, StoreError> {
    let bell = app.store.listen().await?;
    app.bus.read.store(app.store.log_ends().await?.last, Ordering::Relaxed);
    Ok(bell)
}

/// Hears the bell, for as long as the server runs.
pub async fn listen(app: Arc<App>, mut bell: Bell) {
    loop {
        match bell.next().await {
            Ok(Rung::Log) => app.bus.rung.notify_one(),
            Ok(Rung::Message(text)) => match Message::read(&text, app.bus.server) {
                Some(Message::Wake) => app.hub.wake_here(),
                Some(Message::Rates(rates)) => app.rates.charge_for_others(&rates),
                None => {}
            },
            Ok(Rung::Back) => {
                tracing::info!("events are heard of again");
                app.bus.rung.notify_one();
                app.hub.wake_here();
                app.bus.results_elsewhere.notify_one();
                app.lease_taken.notify_one();
                app.points_changed.notify_one();
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "cannot hear of events; trying again");
                sleep(limits::BUS_RETRY).await;
            }
        }
    }
}

/// Reads the log and tells whom it concerns, for as long as the server runs.
pub async fn follow(app: Arc<App>) {
    loop {
        app.bus.rung.notified().await;
        while let Err(error) = catch_up(&app).await {
            tracing::error!(error = chain(&error), "could not read what changed; trying again");
            sleep(limits::BUS_RETRY).await;
        }
    }
}

async fn catch_up(app: &App) -> Result<(), StoreError> {
    loop {
        let part = app.store.logged_after(app.bus.read.load(Ordering::Relaxed), None).await?;
        deliver(app, &part.changes);
        for change in part.changes {
            // Nobody may be following.
            app.bus.changes.send(Arc::new(change)).ok();
        }
        app.bus.read.store(part.up_to, Ordering::Relaxed);
        if !part.is_full {
            return Ok(());
        }
    }
}

/// What changes mean for this server's runners and tasks.
fn deliver(app: &App, changes: &[Logged]) {
    // Runners look for any job when they are woken: once is enough for many.
    let (mut has_work, mut has_lease, mut has_results, mut has_points) = (false, false, false, false);
    for logged in changes {
        match &logged.change {
            Change::Job { status: JobStatus::Pending, .. } => has_work = true,
            Change::Job { status: JobStatus::Claimed, .. } => has_lease = true,
            Change::Job { status: JobStatus::Completed, .. } => has_results = true,
            Change::Job { status: JobStatus::Canceled, job, .. } => app.hub.cancel(*job),
            Change::Session { runner, session } => app.hub.heard_of_session(*runner, *session),
            Change::Report { .. } => has_points = true,
            Change::Job { .. } | Change::Output { .. } | Change::Runner { .. } => {}
        }
    }
    if has_points {
        app.points_changed.notify_one();
    }
    if has_work {
        app.hub.wake_here();
    }
    // A server that is alone knows of its own claims and results.
    if has_lease && app.store.is_shared() {
        app.lease_taken.notify_one();
    }
    if has_results {
        app.bus.results_elsewhere.notify_one();
    }
}

/// Looks, some time after results arrived, whether they still wait: the server that took them in may be gone.
pub async fn take_over_results(app: Arc<App>) {
    loop {
        app.bus.results_elsewhere.notified().await;
        sleep(limits::PROCESS_TAKEOVER).await;
        app.results_arrived.notify_one();
    }
}

/// Says to the other servers what is not in the log, for as long as the server runs.
pub async fn tell(app: Arc<App>) {
    let mut tick = interval(limits::RATE_EXCHANGE_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let messages = tokio::select! {
            () = app.hub.woken() => vec![Message::Wake],
            _ = tick.tick() => app.rates.take_for_others().into_iter().map(Message::Rates).collect(),
        };
        for message in messages {
            if let Err(error) = app.store.tell_servers(message.write(app.bus.server)).await {
                tracing::warn!(error = chain(&error), "could not tell the other servers");
            }
        }
    }
}

/// Removes what is too old from the log, for as long as the server runs.
pub async fn keep_swept(app: Arc<App>) {
    loop {
        sleep(limits::EVENT_SWEEP_INTERVAL).await;
        loop {
            match app.store.forget_events(limits::EVENT_AGE, app.clock.now()).await {
                Ok(forgotten) if forgotten >= u64::from(limits::EVENT_BATCH) => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "could not remove old events; trying again later");
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
