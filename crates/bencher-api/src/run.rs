//! A run: results that were measured already, or a job that is to measure them, filed under a project.
//!
//! Everything that can be refused is looked at before the one transaction that stores the run.

mod context;
mod described;
mod image;
pub mod job;
mod unclaimed;

use std::net::IpAddr;

use bencher_types::{
    BranchName, GitHash, InvalidName, JobUuid, NameId, Permission, ReportIdempotencyKey, ResourceId, ResourceName,
    wire::{
        auth::PubUser,
        report::Report,
        run::{NewReport, NewRun, ReportSettings, UpdateStartPoint},
        spec::Spec,
    },
};

use crate::{
    app::App,
    auth::Principal,
    branch::{self, StartPointError},
    claim,
    creation::{self, CreationError},
    permission::{self, AccessError},
    report::{self, Measured, ResultText},
    store::{
        StoreError, Text, Tx, alert,
        branch::BranchRow,
        creation::Kind,
        dimension, head,
        job::NewJobRow,
        metric::{Filing, RecordError},
        project::{self, ProjectRow},
        report::{Content as Shown, NewReportRow, Parts},
        testbed::{self, TestbedRow},
    },
    threshold::{self, ThresholdError},
};

pub use context::Context;
pub use image::ImageError;
pub(crate) use image::{
    configuration::Configurations,
    signed::{check_again as check_image_again, list as image_signatures},
};
pub use job::{JobError, SpecError};

/// Where the results of a run without any other name for it are filed.
const DEFAULT_BRANCH: &str = "main";
/// Where results were measured that say nothing of it.
const DEFAULT_TESTBED: &str = "localhost";

/// A run that was not accepted. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(
        "the run names no project and does not say what repository it is from; name a project (`--project`, or BENCHER_PROJECT)"
    )]
    NoProject,
    #[error(
        "this run needs a log-in, because it names no project and this server takes no anonymous runs, or none that say so little of \
         where they are from, or because the project of earlier runs from there was claimed; log in, or name a project (`--project`)"
    )]
    LogIn,
    #[error("{0} cannot be given with a run on this server yet; leave it out")]
    Unsupported(&'static str),
    #[error("the run has no results: send what the benchmark printed, or a job")]
    NoResults,
    #[error("none of the results could be read: {problems}", problems = .0.message().unwrap_or_default())]
    Unreadable(Box<Measured>),
    #[error("{kind} ({id}) not found")]
    NotFound { kind: &'static str, id: NameId },
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    StartPoint(#[from] StartPointError),
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    Creation(#[from] CreationError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is going to be filed.
#[derive(Debug)]
enum Content {
    Results(Measured),
    Job(Box<job::Prepared>),
}

/// A run after everything about it was looked at.
#[derive(Debug)]
struct Prepared {
    idempotency_key: Option<ReportIdempotencyKey>,
    branch: NameId,
    hash: Option<GitHash>,
    start_point: Option<UpdateStartPoint>,
    testbed: NameId,
    spec_reset: bool,
    thresholds: threshold::Wanted,
    settings: ReportSettings,
    times: (bencher_types::DateTime, bencher_types::DateTime),
    content: Content,
}

/// Who files a run, and from where.
#[derive(Clone, Copy, Debug)]
struct Sender<'a> {
    principal: &'a Principal,
    source: Option<IpAddr>,
}

/// Files a run under the project it names or is from. A repeated idempotency key gives the report that there is. `source` is the
/// address of the client: of the jobs of unclaimed projects, each address has one in flight at a time.
///
/// # Errors
/// The run is not valid, the caller may not file it there, or the database failed.
pub async fn run(app: &App, principal: &Principal, source: Option<IpAddr>, run: NewRun) -> Result<Report, RunError> {
    if let Some(job) = &run.job {
        // Before the project is looked for, which an image of another host cannot name.
        image::check_host(app, &job.image).map_err(JobError::from)?;
    }
    let context = Context::new(run.context.clone().unwrap_or_default());
    let project = target_project(app, principal, &run, &context).await?;
    file(app, Sender { principal, source }, project, run, &context).await
}

/// Files results under a project.
///
/// # Errors
/// The results are not valid, or the database failed.
pub async fn new_report(app: &App, principal: &Principal, project: &ProjectRow, new: NewReport) -> Result<Report, RunError> {
    let run = NewRun {
        project: None,
        idempotency_key: new.idempotency_key,
        branch: Some(new.branch),
        hash: new.hash,
        start_point: new.start_point,
        testbed: Some(new.testbed),
        spec_reset: None,
        thresholds: new.thresholds,
        start_time: new.start_time,
        end_time: new.end_time,
        results: new.results,
        settings: new.settings,
        context: None,
        job: None,
    };
    file(app, Sender { principal, source: None }, project.clone(), run, &Context::default()).await
}

async fn file(app: &App, sender: Sender<'_>, project: ProjectRow, run: NewRun, context: &Context) -> Result<Report, RunError> {
    let key = run.idempotency_key;
    let filed = file_new(app, sender, project.clone(), run, context).await;
    let may_be_known = match &filed {
        Ok(report) => report.is_none(),
        Err(RunError::Access(_) | RunError::Store(_)) => false,
        Err(_) => true,
    };
    // What was filed before is shown as it is, whatever has become of its image or its start point since.
    if let Some(key) = key.filter(|_| may_be_known)
        && let Some(made) = app.store.report_by_key(project.id, key).await?
    {
        let report = app.store.report(&project, made).await?.ok_or(StoreError::corrupt("report.uuid"))?;
        return Ok(Report { repeated: Some(true), ..report });
    }
    Ok(filed?.ok_or(StoreError::corrupt("report.idempotency_key"))?)
}

/// Files a run; `None` where there is one of its key already.
async fn file_new(
    app: &App,
    sender: Sender<'_>,
    mut project: ProjectRow,
    mut run: NewRun,
    context: &Context,
) -> Result<Option<Report>, RunError> {
    // A user is about to claim what nobody has.
    if project.claimed.is_none()
        && !matches!(sender.principal, Principal::User(_))
        && let Some(job) = &mut run.job
    {
        unclaimed::bound(job)?;
    }
    let prepared = prepare(app, &project, run, context).await?;
    store(app, sender, &mut project, prepared).await
}

/// The project that is named, else that of the image, else the key's, else the one of the repository that the run is from.
async fn target_project(app: &App, principal: &Principal, run: &NewRun, context: &Context) -> Result<ProjectRow, RunError> {
    let image_project = || run.job.as_ref().and_then(|job| job.image.project().parse::<ResourceId>().ok());
    if let Some(id) = run.project.clone().or_else(image_project) {
        return Ok(permission::project_to_file_under(app, principal, &id, Permission::Create).await?);
    }
    let user = match principal {
        Principal::ProjectKey(holder) => {
            let own = ResourceId::Uuid(holder.project.as_uuid());
            return Ok(permission::project(app, principal, &own, Permission::Create).await?);
        }
        Principal::Anonymous => return unclaimed::project(app, &context.origin().ok_or(RunError::NoProject)?).await,
        Principal::User(user) => user,
    };
    let origin = context.origin().ok_or(RunError::NoProject)?;
    if let Some(slug) = origin.slug {
        // What was filed from there before anybody logged in goes on.
        match permission::project_to_file_under(app, principal, &ResourceId::Slug(slug), Permission::Create).await {
            Ok(project) => return Ok(project),
            Err(AccessError::Store(error)) => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(app.store.own_project(user.id, &origin.name, app.clock.now()).await?)
}

async fn prepare(app: &App, project: &ProjectRow, run: NewRun, context: &Context) -> Result<Prepared, RunError> {
    let thresholds = threshold::Wanted::new(run.thresholds)?;
    let mut settings = run.settings.unwrap_or_default();
    let content = match run.job {
        Some(new) => {
            if !run.results.is_empty() {
                return Err(RunError::Unsupported("results beside a job"));
            }
            Content::Job(Box::new(job::prepare(app, project, new, settings, run.testbed.as_ref()).await?))
        }
        None => Content::Results(read_results(settings, run.results).await?),
    };
    if let Content::Job(job) = &content {
        settings.adapter = settings.adapter.or(job.adapter);
    }
    let testbed = match (run.testbed, &content) {
        (Some(testbed), _) => testbed,
        // Without a name for it, results are filed under the kind of machine they are measured on.
        (None, Content::Job(job)) => NameId::Name(job.spec.name.0.to_string()),
        (None, Content::Results(_)) => {
            NameId::Name(context.testbed_name().map_or_else(|| DEFAULT_TESTBED.to_owned(), |name| name.to_string()))
        }
    };
    let branch = run.branch.unwrap_or_else(|| {
        NameId::Name(context.branch_name().map_or_else(|| DEFAULT_BRANCH.to_owned(), |name| name.to_string()))
    });
    Ok(Prepared {
        idempotency_key: run.idempotency_key,
        branch,
        hash: run.hash.or_else(|| context.branch_hash()),
        start_point: run.start_point,
        testbed,
        spec_reset: run.spec_reset == Some(true),
        thresholds,
        settings,
        // A clock that was set back in between does not make a run end before it began.
        times: (run.start_time, run.end_time.max(run.start_time)),
        content,
    })
}

/// Reads results away from the tasks that serve requests: it may take a while.
async fn read_results(settings: ReportSettings, results: Vec<String>) -> Result<Measured, RunError> {
    let texts: Vec<ResultText> =
        (1..).zip(results).map(|(number, text)| ResultText { origin: format!("result {number}"), text }).collect();
    if texts.is_empty() {
        return Err(RunError::NoResults);
    }
    let measured = tokio::task::spawn_blocking(move || report::read(&settings, &texts))
        .await
        .expect("reading results does not panic, and the runtime waits for it");
    if measured.is_something() { Ok(measured) } else { Err(RunError::Unreadable(Box::new(measured))) }
}

/// Stores a run in one transaction; or nothing, where there is a run of its key. What was stored is known: nothing is read again to
/// show it.
async fn store(app: &App, sender: Sender<'_>, project: &mut ProjectRow, run: Prepared) -> Result<Option<Report>, RunError> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    // Runs of one project follow each other: each finds what the one before made, and no version number is given twice.
    if !project::lock_present(&mut tx, project.id).await? {
        return Err(AccessError::NotFound { kind: "Project", id: ResourceId::Slug(project.slug.0.clone()) }.into());
    }
    claim::settle(&mut tx, sender.principal, project, now).await?;
    let branch = branch(&mut tx, project.id, &run.branch, run.start_point.as_ref(), now).await?;
    let mut testbed = testbed(&mut tx, project.id, &run.testbed, now).await?;
    let version = head::version(&mut tx, project.id, &branch, run.hash.as_ref()).await?;
    let spec = match &run.content {
        Content::Job(job) => Some(&job.spec),
        Content::Results(_) => None,
    };
    let spec_id = spec.map(|spec| spec.id);
    if testbed.spec_id != spec_id && (spec_id.is_some() || run.spec_reset) {
        testbed::set_spec(&mut tx, &mut testbed, spec_id, now).await?;
    }
    threshold::apply(&mut tx, project.id, (branch.id, testbed.id), &run.thresholds, now).await?;
    let new = NewReportRow {
        user: sender.principal.user_id(),
        project: project.id,
        idempotency_key: run.idempotency_key,
        head: branch.head_row,
        version: version.id,
        testbed: testbed.id,
        spec: spec_id,
        adapter: run.settings.adapter.unwrap_or_default(),
        start_time: run.times.0,
        end_time: run.times.1,
        created: now,
    };
    let Some(mut filed) = crate::store::report::insert(&mut tx, &new).await? else { return Ok(None) };
    let mut problems = Vec::new();
    let (results, alerts) = match &run.content {
        Content::Results(measured) => {
            problems = measured.problems();
            let filing = Filing::of(&filed, project.id, &branch, version);
            let recorded = report::record(&mut tx, &filing, measured, now).await?;
            let alerts = match recorded.has_alerts {
                true => alert::of_reports(&mut tx, project, &[filed.id]).await?.remove(&filed.id).unwrap_or_default(),
                false => Vec::new(),
            };
            (recorded.into_results(project)?, alerts)
        }
        Content::Job(job) => {
            let job_uuid = JobUuid::random();
            let row = NewJobRow {
                uuid: job_uuid,
                project: project.id,
                report: filed.id,
                spec: job.spec.id,
                priority: project.priority,
                config: &job.config,
                env_sealed: job.env.as_ref().map(|env| job::seal_env(&app.sealer, job_uuid, env)),
                settings: &run.settings,
                source: sender.source.filter(|_| project.claimed.is_none()),
                retries: job.retries,
                required_labels: &job.required_labels,
                created: now,
            };
            crate::store::job::insert(&mut tx, row).await?;
            filed.job_uuid = Some(Text(job_uuid));
            (Vec::new(), Vec::new())
        }
    };
    creation::Bound::of(app, project).check(&mut tx, project.id, &Kind::ALL, now).await?;
    let user = match sender.principal {
        Principal::User(user) => Some(PubUser::from(user)),
        Principal::Anonymous | Principal::ProjectKey(_) => None,
    };
    let parts = Parts {
        user,
        branch: branch.at(version, run.hash).into_json(project.uuid.0)?,
        testbed,
        spec: spec.cloned().map(Spec::try_from).transpose()?,
        problems,
        content: Shown::Full { results, alerts, change_points: Vec::new() },
    };
    let report = filed.into_json(project, parts)?;
    tx.commit().await?;
    Ok(Some(report))
}

/// The branch of this name, made where there is none, with the head that its start point means. An archived one comes back.
async fn branch(
    tx: &mut Tx,
    project: i64,
    id: &NameId,
    start_point: Option<&UpdateStartPoint>,
    now: bencher_types::DateTime,
) -> Result<BranchRow, RunError> {
    if let Some(row) = dimension::find::<BranchRow>(tx, project, id).await? {
        let row = dimension::unarchive(tx, row, now).await?;
        return Ok(branch::start(tx, project, row, start_point, now).await?);
    }
    let name = BranchName::new(new_name("Branch", id)?)?;
    Ok(branch::begin(tx, project, (&name, None), start_point, now).await?)
}

/// The testbed of this name, made where there is none. An archived one comes back.
async fn testbed(tx: &mut Tx, project: i64, id: &NameId, now: bencher_types::DateTime) -> Result<TestbedRow, RunError> {
    if let Some(row) = dimension::find::<TestbedRow>(tx, project, id).await? {
        return Ok(dimension::unarchive(tx, row, now).await?);
    }
    let name = ResourceName::new(new_name("Testbed", id)?)?;
    let id = dimension::insert::<TestbedRow>(tx, project, (name.as_str(), None), None, now).await?;
    Ok(dimension::by_id(tx, id).await?)
}

/// What something new is called that was asked for by this id. A UUID is no name.
fn new_name(kind: &'static str, id: &NameId) -> Result<String, RunError> {
    match id {
        NameId::Uuid(_) => Err(RunError::NotFound { kind, id: id.clone() }),
        NameId::Slug(_) | NameId::Name(_) => Ok(id.to_string()),
    }
}
