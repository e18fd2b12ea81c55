//! Branches and where their history begins: whether a start point means another head, and which.

use bencher_types::{
    BranchName, DateTime, GitHash, NameId,
    wire::{
        dimension::{Branch, NewBranch, UpdateBranch},
        run::UpdateStartPoint,
    },
};

use crate::{
    app::App,
    limits,
    store::{
        StoreError, Tx,
        branch::{self, BranchRow},
        dimension,
        head::{self, Beginning, HeadVersion},
        project::ProjectRow,
    },
    threshold,
};

/// A start point that a branch cannot have.
#[derive(Debug, thiserror::Error)]
pub enum StartPointError {
    #[error("Branch ({0}) not found")]
    Branch(NameId),
    #[error(
        "the branch {branch} has no version of the commit {hash} to start from; leave the hash out to start from its newest version, \
         or file results of that commit first"
    )]
    Version { branch: String, hash: GitHash },
    #[error("the start point names the commit {0} but no branch: expected both, or neither")]
    HashAlone(GitHash),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A start point after the branch and version it names were found.
#[derive(Debug)]
struct StartPoint {
    branch: BranchRow,
    hash: Option<GitHash>,
    /// `None` where nothing was filed under the branch yet.
    version: Option<HeadVersion>,
    max_versions: u32,
    clone_thresholds: bool,
}

impl StartPoint {
    fn beginning(&self) -> Option<Beginning<'_>> {
        Some(Beginning { version: self.version.as_ref()?, max_versions: self.max_versions })
    }
}

/// Creates a branch.
///
/// # Errors
/// There is no such start point, the name or slug is taken, or the database failed.
pub async fn create(app: &App, project: &ProjectRow, new: &NewBranch) -> Result<Branch, StartPointError> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    tx.lock_row("project", project.id).await?;
    let names = (&new.name, new.slug.as_ref());
    let row = begin(&mut tx, project.id, names, new.start_point.as_ref(), now).await?;
    let branch = dimension::show(&mut tx, project.uuid.0, row).await?;
    tx.commit().await?;
    Ok(branch)
}

/// Changes what is named of a branch, and returns it as it is then.
///
/// # Errors
/// There is no such start point, the name or slug is taken, or the database failed.
pub async fn change(app: &App, project: &ProjectRow, row: BranchRow, update: &UpdateBranch) -> Result<Branch, StartPointError> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    tx.lock_row("project", project.id).await?;
    branch::update(&mut tx, row.id, update, now).await?;
    let row = dimension::by_id(&mut tx, row.id).await?;
    let row = start(&mut tx, project.id, row, update.start_point.as_ref(), now).await?;
    let branch = dimension::show(&mut tx, project.uuid.0, row).await?;
    tx.commit().await?;
    Ok(branch)
}

/// Makes a branch that begins where it is said to, or empty.
///
/// The caller has locked the project.
pub(crate) async fn begin(
    tx: &mut Tx,
    project: i64,
    names: (&BranchName, Option<&bencher_types::Slug>),
    wanted: Option<&UpdateStartPoint>,
    now: DateTime,
) -> Result<BranchRow, StartPointError> {
    let start_point = find(tx, project, wanted).await?;
    let row = branch::create(tx, project, names, start_point.as_ref().and_then(StartPoint::beginning), now).await?;
    if let Some(start_point) = start_point
        && start_point.clone_thresholds
    {
        threshold::clone_models(tx, project, start_point.branch.id, row.id, now).await?;
    }
    Ok(row)
}

/// Gives a branch another head, if the start point is another one than it has or a reset is asked for.
///
/// The caller has locked the project.
pub(crate) async fn start(
    tx: &mut Tx,
    project: i64,
    row: BranchRow,
    wanted: Option<&UpdateStartPoint>,
    now: DateTime,
) -> Result<BranchRow, StartPointError> {
    let reset = wanted.is_some_and(|wanted| wanted.reset == Some(true));
    let start_point = find(tx, project, wanted).await?;
    let another = match &start_point {
        Some(start_point) => is_another(tx, &row, start_point).await?,
        None => false,
    };
    if !reset && !another {
        return Ok(row);
    }
    head::begin(tx, row.id, start_point.as_ref().and_then(StartPoint::beginning), now).await?;
    if let Some(start_point) = start_point
        && start_point.clone_thresholds
    {
        threshold::clone_models(tx, project, start_point.branch.id, row.id, now).await?;
    }
    Ok(dimension::by_id(tx, row.id).await?)
}

async fn find(tx: &mut Tx, project: i64, wanted: Option<&UpdateStartPoint>) -> Result<Option<StartPoint>, StartPointError> {
    let Some(wanted) = wanted else { return Ok(None) };
    let Some(id) = &wanted.branch else {
        return wanted.hash.clone().map_or(Ok(None), |hash| Err(StartPointError::HashAlone(hash)));
    };
    let branch: BranchRow = dimension::find(tx, project, id).await?.ok_or_else(|| StartPointError::Branch(id.clone()))?;
    let version = head::find_version(tx, project, branch.head_row, wanted.hash.as_ref()).await?;
    if let (Some(hash), None) = (&wanted.hash, &version) {
        return Err(StartPointError::Version { branch: branch.name.0.to_string(), hash: hash.clone() });
    }
    Ok(Some(StartPoint {
        branch,
        hash: wanted.hash.clone(),
        version,
        max_versions: wanted.max_versions.unwrap_or(limits::DEFAULT_START_POINT_VERSIONS),
        clone_thresholds: wanted.clone_thresholds == Some(true),
    }))
}

/// Whether a branch that starts there would have another history than it has.
async fn is_another(tx: &mut Tx, row: &BranchRow, wanted: &StartPoint) -> Result<bool, StoreError> {
    if wanted.version.is_none() || (wanted.branch.id == row.id && wanted.hash.is_none()) {
        // There is nothing to start from, or it is where the branch is already.
        return Ok(false);
    }
    Ok(match head::origin(tx, row.head_row).await? {
        Some(origin) => {
            let same_commit = wanted.hash.is_none() || origin.hash.map(|hash| hash.0) == wanted.hash;
            origin.branch_id != wanted.branch.id || !same_commit
        }
        None => true,
    })
}
