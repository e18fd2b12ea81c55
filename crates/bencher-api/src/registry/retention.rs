//! Which images a project keeps. The rules are its own; without any, everything stays.
//!
//! A tag is kept that any rule keeps. A manifest is kept that a kept tag or a rule keeps, or that a kept index lists, or whose subject is
//! kept, and whatever a job that is not done is to run. All else goes: tags at once, manifests after the grace period.

use std::collections::{HashMap, HashSet};

use bencher_types::{
    DateTime, Digest,
    wire::registry::{RetentionPreview, RetentionPreviewTag, RetentionRules},
};

use super::collect::earlier;
use crate::{
    app::App,
    store::{
        StoreError,
        oci::{
            full_name,
            retention::{Inventory, ManifestRow, RulesRow, TagRow},
        },
        project::ProjectRow,
    },
};

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// The rules of a project, and what its jobs use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub rules: RetentionRules,
    /// Images of jobs that are not done, and of those that the rules speak of.
    pub used: HashSet<String>,
    /// What was pushed since then stays in any case: the rest of the push may be on its way.
    pub fresh_since: Option<DateTime>,
}

/// What the rules do to a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub tags: Vec<TagRow>,
    /// Indexes before what they list, where they were pushed later.
    pub manifests: Vec<ManifestRow>,
    /// The ids of manifests that were to go and are not any more.
    pub kept_again: Vec<i64>,
}

/// The rules that are in force.
pub(super) async fn of_project(app: &App, project: i64, now: DateTime) -> Result<Option<Applied>, StoreError> {
    match app.store.oci_retention(project).await?.map(rules) {
        Some(rules) if rules != RetentionRules::default() => Ok(Some(with_jobs(app, project, rules, now).await?)),
        _ => Ok(None),
    }
}

async fn with_jobs(app: &App, project: i64, rules: RetentionRules, now: DateTime) -> Result<Applied, StoreError> {
    let since = rules.keep_used_days.map(|days| earlier(now, DAY * days));
    let used = app.store.images_of_jobs(project, since).await?;
    Ok(Applied { rules, used: used.into_iter().collect(), fresh_since: Some(earlier(now, app.config.upload_timeout())) })
}

/// The rules of a project as they are stored.
///
/// # Errors
/// The database failed.
pub async fn view(app: &App, project: &ProjectRow) -> Result<RetentionRules, StoreError> {
    Ok(app.store.oci_retention(project.id).await?.map(rules).unwrap_or_default())
}

/// Sets the rules of a project.
///
/// # Errors
/// The database failed.
pub async fn set(app: &App, project: &ProjectRow, rules: RetentionRules) -> Result<(), StoreError> {
    let row = RulesRow {
        keep_tags: rules.keep_tags.map(i64::from),
        keep_days: rules.keep_days.map(i64::from),
        keep_used_days: rules.keep_used_days.map(i64::from),
    };
    let row = (rules != RetentionRules::default()).then_some(row);
    app.store.set_oci_retention(project.id, row, app.clock.now()).await
}

/// What rules would take from a project now. Changes nothing.
///
/// # Errors
/// The database failed.
pub async fn preview(app: &App, project: &ProjectRow, rules: RetentionRules) -> Result<RetentionPreview, StoreError> {
    let mut preview = RetentionPreview::default();
    if rules == RetentionRules::default() {
        return Ok(preview);
    }
    let now = app.clock.now();
    let applied = with_jobs(app, project.id, rules, now).await?;
    for repository in app.store.oci_repositories_of(project.id).await? {
        let inventory = app.store.oci_inventory(repository.id).await?;
        let plan = applied.apply(&inventory, now);
        let digests: HashMap<i64, &Digest> = inventory.manifests.iter().map(|row| (row.id, &row.digest.0)).collect();
        let name = full_name(project.slug.0.as_str(), &repository.name);
        preview.tags.extend(plan.tags.iter().filter_map(|tag| {
            let digest = (*digests.get(&tag.manifest_id)?).clone();
            Some(RetentionPreviewTag { repository: name.clone(), tag: tag.name.clone(), digest, modified: tag.modified.0 })
        }));
        preview.manifests += plan.manifests.len() as u64;
    }
    Ok(preview)
}

fn rules(row: RulesRow) -> RetentionRules {
    let number = |column: Option<i64>| column.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    RetentionRules {
        keep_tags: number(row.keep_tags),
        keep_days: number(row.keep_days),
        keep_used_days: number(row.keep_used_days),
    }
}

impl Applied {
    /// What the rules take from a repository.
    #[must_use]
    pub fn apply(&self, inventory: &Inventory, now: DateTime) -> Plan {
        let by_id: HashMap<i64, &ManifestRow> = inventory.manifests.iter().map(|row| (row.id, row)).collect();
        let by_digest: HashMap<&Digest, i64> = inventory.manifests.iter().map(|row| (&row.digest.0, row.id)).collect();
        // What hangs on something else, as signatures did before there were subjects, is kept with that and counted by no rule.
        let (attached, mut free): (Vec<&TagRow>, Vec<&TagRow>) = inventory
            .tags
            .iter()
            .partition(|tag| subject_of_tag(&tag.name).is_some_and(|digest| by_digest.contains_key(&digest)));
        free.sort_by(|one, other| other.modified.0.cmp(&one.modified.0).then_with(|| one.name.cmp(&other.name)));

        let young = self.rules.keep_days.map(|days| earlier(now, DAY * days));
        let is_young = |time: DateTime| young.into_iter().chain(self.fresh_since).any(|since| time >= since);
        let is_used = |row: &ManifestRow| self.used.contains(&row.digest.0.to_string());
        let newest = self.rules.keep_tags.map_or(0, |number| usize::try_from(number).unwrap_or(usize::MAX));
        let (mut kept_tags, mut tags) = (Vec::new(), Vec::new());
        for (index, tag) in free.into_iter().enumerate() {
            let is_used = by_id.get(&tag.manifest_id).is_none_or(|manifest| is_used(manifest));
            let side = if index < newest || is_young(tag.modified.0) || is_used { &mut kept_tags } else { &mut tags };
            side.push(tag);
        }

        let roots = inventory.manifests.iter().filter(|row| is_young(row.created.0) || is_used(row)).map(|row| row.id);
        let mut kept = Closure::new(inventory, &by_digest);
        kept.add(roots.chain(kept_tags.into_iter().map(|tag| tag.manifest_id)));
        // A signature's own tag keeps what it names, on which something may hang in turn.
        let mut waiting = attached;
        loop {
            let (follows, rest): (Vec<&TagRow>, Vec<&TagRow>) = waiting.into_iter().partition(|tag| {
                let subject = subject_of_tag(&tag.name).and_then(|digest| by_digest.get(&digest).copied());
                subject.is_some_and(|subject| kept.ids.contains(&subject)) || is_young(tag.modified.0)
            });
            waiting = rest;
            if follows.is_empty() {
                break;
            }
            kept.add(follows.into_iter().map(|tag| tag.manifest_id));
        }
        tags.extend(waiting);

        let mut manifests: Vec<ManifestRow> =
            inventory.manifests.iter().filter(|row| !kept.ids.contains(&row.id)).cloned().collect();
        manifests.sort_by_key(|row| std::cmp::Reverse(row.id));
        let kept_again = inventory.manifests.iter().filter(|row| row.expired.is_some() && kept.ids.contains(&row.id));
        Plan { tags: tags.into_iter().cloned().collect(), manifests, kept_again: kept_again.map(|row| row.id).collect() }
    }
}

/// Manifests that are kept, and all that are kept because of them.
struct Closure {
    ids: HashSet<i64>,
    follow: HashMap<i64, Vec<i64>>,
}

impl Closure {
    fn new(inventory: &Inventory, by_digest: &HashMap<&Digest, i64>) -> Self {
        let mut follow: HashMap<i64, Vec<i64>> = HashMap::new();
        for row in &inventory.children {
            follow.entry(row.parent).or_default().push(row.child);
        }
        for row in &inventory.manifests {
            if let Some(subject) = row.subject.as_ref().and_then(|subject| by_digest.get(&subject.0)) {
                follow.entry(*subject).or_default().push(row.id);
            }
        }
        Self { ids: HashSet::new(), follow }
    }

    fn add(&mut self, roots: impl Iterator<Item = i64>) {
        let mut open: Vec<i64> = roots.collect();
        while let Some(id) = open.pop() {
            if self.ids.insert(id) {
                open.extend(self.follow.get(&id).into_iter().flatten());
            }
        }
    }
}

/// What a tag such as `sha256-….sig` hangs on.
fn subject_of_tag(tag: &str) -> Option<Digest> {
    let (algorithm, rest) = tag.split_once('-')?;
    let hex = rest.split_once('.').map_or(rest, |(hex, _)| hex);
    format!("{algorithm}:{hex}").parse().ok()
}

#[cfg(test)]
mod tests;
