//! Garbage collection, while the server goes on: what nothing needs is marked, and goes once it has been marked for a while.
//!
//! ```text
//! tag, manifest   ──no rule of the project keeps it──▶ expired ──grace──▶ gone        (`retention`)
//! blob in a repository ──no manifest, no lease──▶ unreferenced ──grace──▶ out of the repository
//! content of a blob    ──in no repository──▶ row gone ──▶ bytes gone
//! bytes in the store   ──of no blob and no upload──▶ stray ──grace──▶ gone
//! ```
//!
//! Each step is a transaction that looks once more whether what it takes away is needed, so that it does not matter what is pushed
//! meanwhile, nor whether two collect at once. A crash between any two leaves what the next run finds.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use bencher_types::{DateTime, Digest, wire::registry::Collection};
use futures::TryStreamExt as _;
use object_store::{ObjectStoreExt as _, path::Path};

use super::{
    blob, retention,
    turn::{Turn, TurnError},
};
use crate::{
    app::App,
    chain::chain,
    limits,
    store::{
        StoreError,
        oci::{
            blob::CopyId,
            care::Care,
            collect::{Due, RepositoryRow},
        },
    },
};

/// Why garbage was not collected, or not all of it. What was done is done; the next run goes on.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error("a server on this database is collecting already; try again when it is done")]
    Busy,
    #[error("could not go on collecting")]
    Turn(#[from] TurnError),
    #[error("could not look in the database for what is not needed")]
    Store(#[from] StoreError),
    #[error("could not remove what is not needed from the blob store")]
    Blobs(#[source] object_store::Error),
}

/// Collects now and then, for as long as the server runs. Of several servers, one does.
pub async fn keep_collecting(app: Arc<App>) {
    let Some(interval) = app.config.collection_interval() else { return };
    loop {
        match collect_if_due(&app, interval).await {
            Ok(()) | Err(CollectError::Busy) => {}
            Err(error) => tracing::error!(error = chain(&error), "could not collect the registry's garbage; trying again"),
        }
        tokio::time::sleep(interval.min(limits::REGISTRY_CARE_CHECK)).await;
    }
}

async fn collect_if_due(app: &App, interval: Duration) -> Result<(), CollectError> {
    let due = earlier(app.clock.now(), interval);
    let Some(turn) = Turn::take(app, Care::Collection, Some(due)).await? else { return Ok(()) };
    run(app, turn).await.map(drop)
}

/// Collects at once.
///
/// # Errors
/// Somebody else does, or the database or blob store failed.
pub async fn collect(app: &App) -> Result<Collection, CollectError> {
    let turn = Turn::take(app, Care::Collection, None).await?.ok_or(CollectError::Busy)?;
    run(app, turn).await
}

async fn run(app: &App, mut turn: Turn) -> Result<Collection, CollectError> {
    let collected = Collector::new(app).run(&mut turn).await;
    turn.end(app, collected.as_ref().ok()).await?;
    if let Ok(Collection { tags, manifests, released, blobs, bytes, strays, stray_bytes, .. }) = &collected {
        tracing::info!(tags, manifests, released, blobs, bytes, strays, stray_bytes, "collected the registry's garbage");
    }
    collected
}

/// What [`collect`] would take away now. Changes nothing, and does not wait for its turn.
///
/// # Errors
/// The database or the blob store failed.
pub async fn preview(app: &App) -> Result<Collection, CollectError> {
    let mut collector = Collector::new(app);
    let mut after = 0;
    loop {
        let repositories = app.store.oci_repositories(after, limits::REGISTRY_BATCH).await?;
        let Some(last) = repositories.last() else { break };
        after = last.id;
        for repository in &repositories {
            let Some(rules) = collector.rules_of(repository.project_id).await? else { continue };
            let plan = rules.apply(&app.store.oci_inventory(repository.id).await?, collector.due.now);
            collector.done.tags += plan.tags.len() as u64;
            let is_due = |since: Option<DateTime>| since.unwrap_or(collector.due.now) <= collector.due.marked_until;
            let manifests = plan.manifests.iter().filter(|manifest| is_due(manifest.expired.map(|since| since.0)));
            collector.done.manifests += manifests.count() as u64;
        }
    }
    (collector.done.released, collector.done.blobs, collector.done.bytes) = app.store.due_oci_blobs(collector.due).await?;
    let seen: HashMap<String, DateTime> = app.store.oci_strays().await?.into_iter().collect();
    let strays = collector.strays(None).await?;
    let is_ours = collector.is_ours(strays.len(), Unclaimed::Leave).await?;
    for stray in strays.into_iter().filter(|_| is_ours) {
        if seen.get(stray.name.as_ref()).copied().unwrap_or(collector.due.now) <= collector.due.marked_until {
            collector.done.strays += 1;
            collector.done.stray_bytes += stray.size;
        }
    }
    collector.done.dry_run = true;
    Ok(collector.finished())
}

/// The name in the blob store that says whose it is.
const INSTALLATION: &str = "installation";

/// What becomes of a blob store of which nobody has said whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unclaimed {
    Claim,
    Leave,
}

/// Bytes in the store that belong to nothing.
struct Stray {
    name: Path,
    size: u64,
    digest: Digest,
    copy: CopyId,
}

/// One run.
struct Collector<'a> {
    app: &'a App,
    due: Due,
    rules: HashMap<i64, Option<Arc<retention::Applied>>>,
    done: Collection,
}

impl<'a> Collector<'a> {
    fn new(app: &'a App) -> Self {
        let now = app.clock.now();
        let due = Due { now, marked_until: earlier(now, app.config.collection_grace()) };
        Self { app, due, rules: HashMap::new(), done: Collection::begun(now) }
    }

    fn finished(mut self) -> Collection {
        self.done.ended = self.app.clock.now();
        self.done
    }

    async fn run(mut self, turn: &mut Turn) -> Result<Collection, CollectError> {
        let mut after = 0;
        loop {
            let repositories = self.app.store.oci_repositories(after, limits::REGISTRY_BATCH).await?;
            let Some(last) = repositories.last() else { break };
            after = last.id;
            for repository in &repositories {
                turn.renew(self.app).await?;
                self.apply_rules(repository).await?;
                self.release(repository, turn).await?;
            }
        }
        self.remove_unheld(turn).await?;
        self.remove_strays(turn).await?;
        Ok(self.finished())
    }

    /// The rules of a project with what its jobs use, looked up once in a run; `None` where everything stays.
    async fn rules_of(&mut self, project: i64) -> Result<Option<Arc<retention::Applied>>, StoreError> {
        if let Some(known) = self.rules.get(&project) {
            return Ok(known.clone());
        }
        let found = retention::of_project(self.app, project, self.due.now).await?.map(Arc::new);
        self.rules.insert(project, found.clone());
        Ok(found)
    }

    async fn apply_rules(&mut self, repository: &RepositoryRow) -> Result<(), CollectError> {
        let Some(rules) = self.rules_of(repository.project_id).await? else { return Ok(()) };
        let store = &self.app.store;
        let plan = rules.apply(&store.oci_inventory(repository.id).await?, self.due.now);
        for tag in &plan.tags {
            self.done.tags += u64::from(store.expire_oci_tag(repository.id, tag).await?);
        }
        for manifest in &plan.kept_again {
            store.set_oci_manifest_expired(*manifest, None).await?;
        }
        for manifest in &plan.manifests {
            if manifest.expired.is_none() {
                store.set_oci_manifest_expired(manifest.id, Some(self.due.now)).await?;
            }
            self.done.manifests += u64::from(store.expire_oci_manifest(manifest.id, self.due.marked_until).await?);
        }
        Ok(())
    }

    async fn release(&mut self, repository: &RepositoryRow, turn: &mut Turn) -> Result<(), CollectError> {
        let store = &self.app.store;
        while store.mark_oci_blobs(repository.id, self.due.now, limits::REGISTRY_BATCH).await? > 0 {
            turn.renew(self.app).await?;
        }
        loop {
            let released = store.release_oci_blobs(repository.id, self.due, limits::REGISTRY_BATCH).await?;
            if released == 0 {
                return Ok(());
            }
            self.done.released += released;
            turn.renew(self.app).await?;
        }
    }

    async fn remove_unheld(&mut self, turn: &mut Turn) -> Result<(), CollectError> {
        let mut after = String::new();
        loop {
            let unheld = self.app.store.unheld_oci_blobs(&after, limits::REGISTRY_BATCH).await?;
            let Some(last) = unheld.last() else { return Ok(()) };
            after = last.digest.to_string();
            for blob in unheld {
                turn.renew(self.app).await?;
                let Some(gone) = self.app.store.forget_oci_blob(&blob.digest).await? else { continue };
                self.done.blobs += 1;
                self.done.bytes += gone.size;
                blob::remove(self.app, &gone.digest, gone.copy).await.map_err(CollectError::Blobs)?;
            }
        }
    }

    async fn remove_strays(&mut self, turn: &mut Turn) -> Result<(), CollectError> {
        let strays = self.strays(Some(turn)).await?;
        if !self.is_ours(strays.len(), Unclaimed::Claim).await? {
            tracing::error!(
                strays = strays.len(),
                "the blob store holds much that this database does not know of, or is another installation's: none of that is removed. \
                 Two installations must not share a folder or a bucket; where this one is to have it, put its UUID \
                 ({}) into `{INSTALLATION}` there",
                self.app.server
            );
            return Ok(());
        }
        let names: HashSet<String> = strays.iter().map(|stray| stray.name.to_string()).collect();
        let known = self.app.store.oci_strays().await?;
        let former: Vec<String> = known.into_iter().map(|(name, _)| name).filter(|name| !names.contains(name)).collect();
        self.app.store.forget_oci_strays(&former).await?;
        let due = self.app.store.note_oci_strays(&names, self.due.now, self.due.marked_until).await?;
        for stray in strays.iter().filter(|stray| due.contains(stray.name.as_ref())) {
            turn.renew(self.app).await?;
            blob::remove(self.app, &stray.digest, stray.copy).await.map_err(CollectError::Blobs)?;
            self.app.store.forget_oci_strays(&[stray.name.to_string()]).await?;
            self.done.strays += 1;
            self.done.stray_bytes += stray.size;
        }
        Ok(())
    }

    /// Whether the blob store is this installation's, so that what belongs to nothing here belongs to nobody. It says whose it is in a
    /// file of its own; where there is none yet, it is ours if most of what there is is.
    async fn is_ours(&self, strays: usize, unclaimed: Unclaimed) -> Result<bool, CollectError> {
        let (name, ours) = (Path::from(INSTALLATION), self.app.server.to_string());
        let found = match self.app.blobs.get(&name).await {
            Ok(found) => Some(found.bytes().await.map_err(CollectError::Blobs)?),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(source) => return Err(CollectError::Blobs(source)),
        };
        if let Some(found) = found {
            return Ok(found.trim_ascii() == ours.as_bytes());
        }
        let is_likely = u64::try_from(strays).unwrap_or(u64::MAX) <= self.app.store.all_oci_blobs().await?.blobs;
        if !is_likely || unclaimed == Unclaimed::Leave {
            return Ok(is_likely);
        }
        self.app.blobs.put(&name, ours.into()).await.map_err(CollectError::Blobs)?;
        Ok(true)
    }

    /// What is in the store and belongs to nothing. Names that the registry does not give are not looked at.
    async fn strays(&self, mut turn: Option<&mut Turn>) -> Result<Vec<Stray>, CollectError> {
        let folder = Path::from(blob::FOLDER);
        let mut listed = self.app.blobs.list(Some(&folder)).try_chunks(limits::STRAY_BATCH);
        let mut strays = Vec::new();
        while let Some(chunk) = listed.try_next().await.map_err(|error| CollectError::Blobs(error.1))? {
            if let Some(turn) = &mut turn {
                turn.renew(self.app).await?;
            }
            let named = chunk.into_iter().filter_map(|meta| Some((blob::named(&meta.location)?, meta)));
            let mut found: HashMap<(Digest, CopyId), _> = named.collect();
            for id in self.app.store.strays_among(found.keys().cloned().collect()).await? {
                if let Some(meta) = found.remove(&id) {
                    strays.push(Stray { name: meta.location, size: meta.size, digest: id.0, copy: id.1 });
                }
            }
        }
        Ok(strays)
    }
}

/// So long ago; 1970 where that is before all times.
pub(super) fn earlier(now: DateTime, by: Duration) -> DateTime {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    let micros = now.as_micros().saturating_sub(micros).max(0);
    DateTime::from_micros(micros).unwrap_or(now)
}
