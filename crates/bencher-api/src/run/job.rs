//! The job of a run: its spec, its image, its bounds, its environment.

use std::collections::BTreeMap;

use bencher_types::{
    JobUuid, Label, NameId, ResourceId, Timeout,
    wire::{
        adapter::Adapter,
        job::JobConfig,
        run::{MAX_ARGS, MAX_ENV, MAX_FILE_PATHS, MAX_LABELS, MAX_RETRIES, NewRunJob, ReportSettings},
    },
};

use super::{
    described,
    image::{self, ImageError, Resolved, Wanted},
};
use crate::{
    app::App,
    limits,
    seal::{SealError, Sealer},
    store::{
        StoreError, dimension,
        project::ProjectRow,
        spec::{self, SpecRow},
        testbed::TestbedRow,
    },
};

/// A job that was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("the job has {found} {what}: at most {max} are allowed")]
    TooMany { what: &'static str, found: usize, max: usize },
    #[error("the environment variable name `{0}` is not valid: expected a text without `=` that is not empty")]
    EnvName(String),
    #[error("`{what}` holds a NUL character, which no program can be given")]
    Nul { what: &'static str },
    #[error(
        "the job asks for {found} iterations, warm-ups among them, and those of a project that nobody has claimed share {} s; ask for at most {0}, or log in and claim it",
        limits::UNCLAIMED_JOB_SECS
    )]
    TooManyIterations { found: u32 },
    #[error("the job's `iter` is 0: expected at least 1 iteration")]
    NoIterations,
    #[error("the job is to be tried again {found} times: at most {MAX_RETRIES} are allowed")]
    TooManyRetries { found: u32 },
    #[error("an iteration is to take up to {} s, and this project's may take {} s; ask for less (`--job-timeout`)", .asked.get(), .most.get())]
    TooLong { asked: Timeout, most: Timeout },
    #[error("the image {image} asks for {needed} at least, and the spec {spec} has {found}; name a larger spec (`--spec`)")]
    TooSmall { image: String, needed: String, spec: String, found: String },
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error(transparent)]
    Image(#[from] ImageError),
}

/// No spec for a job.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    #[error("there is no spec {0}; ask an admin of this server which there are")]
    Unknown(ResourceId),
    #[error("the spec {0} is archived; choose another")]
    Archived(String),
    #[error(
        "the job names no spec, its testbed has none and this server has no fallback; name one (`--spec`), or ask an admin to make \
         one the fallback"
    )]
    None,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A job that can be stored.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) spec: SpecRow,
    /// Without the environment.
    pub(super) config: JobConfig,
    /// What reads the results, where the image knows.
    pub(super) adapter: Option<Adapter>,
    pub(super) env: Option<BTreeMap<String, String>>,
    pub(super) retries: u32,
    pub(super) required_labels: Vec<Label>,
}

pub(super) async fn prepare(
    app: &App,
    project: &ProjectRow,
    mut job: NewRunJob,
    settings: ReportSettings,
    testbed: Option<&NameId>,
) -> Result<Prepared, JobError> {
    check(&job)?;
    let spec = choose_spec(app, project, job.spec.as_ref(), testbed).await?;
    let wanted = Wanted { project, spec: spec.slug.0.as_str(), architecture: spec.architecture.0 };
    let Resolved { digest, benchmark } = image::resolve(app, &job.image, wanted).await?;
    let benchmark = benchmark.unwrap_or_default();
    described::fits(&job.image, &benchmark.resources, &spec)?;
    described::fill(&mut job, &benchmark);
    check(&job)?;
    let timeout = timeout(app, project, job.timeout)?;
    let config = JobConfig {
        registry: app.config.registry_url(),
        project: project.uuid.0,
        digest,
        image: Some(job.image),
        entrypoint: job.entrypoint,
        cmd: job.cmd,
        env: None,
        timeout,
        file_paths: job.file_paths,
        artifacts: described::artifacts(&benchmark),
        build_time: job.build_time,
        file_size: job.file_size,
        average: settings.average,
        iter: job.iter,
        warmup_runs: job.warmup_runs.filter(|runs| *runs > 0),
        reuse_vm: job.reuse_vm.filter(|reuse| *reuse),
        live: job.live.filter(|live| *live),
        fold: settings.fold,
        allow_failure: job.allow_failure,
        backdate: job.backdate,
    };
    Ok(Prepared {
        spec,
        config,
        adapter: benchmark.adapter(),
        env: job.env.filter(|env| !env.is_empty()),
        retries: job.retries.unwrap_or_default(),
        required_labels: job.required_labels.unwrap_or_default(),
    })
}

/// How long one iteration may take: what is asked for, within what the organization's tier and the project allow.
fn timeout(app: &App, project: &ProjectRow, asked: Option<Timeout>) -> Result<Timeout, JobError> {
    let of_project = project.max_timeout.and_then(|secs| Timeout::new(u32::try_from(secs).ok()?).ok());
    let most = [app.config.max_timeout(project.tier.0), of_project].into_iter().flatten().min();
    match (asked, most) {
        // What nobody's job may take was cut before.
        (Some(asked), Some(most)) if asked > most && project.claimed.is_none() => Ok(most),
        (Some(asked), Some(most)) if asked > most => Err(JobError::TooLong { asked, most }),
        (Some(asked), _) => Ok(asked),
        (None, most) => {
            let default = Timeout::new(limits::DEFAULT_JOB_TIMEOUT_SECS).expect("the default is a valid timeout");
            Ok(most.map_or(default, |most| most.min(default)))
        }
    }
}

/// What can be said of a job without looking anything up.
fn check(job: &NewRunJob) -> Result<(), JobError> {
    let len = |list: &Option<Vec<String>>| list.as_ref().map_or(0, Vec::len);
    let counts = [
        ("entrypoint arguments", len(&job.entrypoint), MAX_ARGS),
        ("command arguments", len(&job.cmd), MAX_ARGS),
        ("environment variables", job.env.as_ref().map_or(0, BTreeMap::len), MAX_ENV),
        ("files", len(&job.file_paths), MAX_FILE_PATHS),
        ("required labels", job.required_labels.as_ref().map_or(0, Vec::len), MAX_LABELS),
    ];
    if let Some((what, found, max)) = counts.into_iter().find(|(_, found, max)| found > max) {
        return Err(JobError::TooMany { what, found, max });
    }
    for (what, list) in [("entrypoint", &job.entrypoint), ("cmd", &job.cmd), ("file_paths", &job.file_paths)] {
        if list.iter().flatten().any(|text| text.contains('\0')) {
            return Err(JobError::Nul { what });
        }
    }
    for (name, value) in job.env.iter().flatten() {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(JobError::EnvName(name.escape_debug().to_string()));
        }
        if value.contains('\0') {
            return Err(JobError::Nul { what: "env" });
        }
    }
    match (job.iter, job.retries) {
        (Some(0), _) => Err(JobError::NoIterations),
        (_, Some(found)) if found > MAX_RETRIES => Err(JobError::TooManyRetries { found }),
        _ => Ok(()),
    }
}

/// The spec that is named, else that of the testbed that is named, else the server's fallback.
async fn choose_spec(
    app: &App,
    project: &ProjectRow,
    named: Option<&ResourceId>,
    testbed: Option<&NameId>,
) -> Result<SpecRow, SpecError> {
    let mut conn = app.store.read().await?;
    if let Some(id) = named {
        let spec = spec::find(&mut conn, id).await?.ok_or_else(|| SpecError::Unknown(id.clone()))?;
        return if spec.archived.is_some() { Err(SpecError::Archived(spec.slug.0.to_string())) } else { Ok(spec) };
    }
    if let Some(testbed) = testbed
        && let Some(TestbedRow { spec_id: Some(spec), .. }) = dimension::find(&mut conn, project.id, testbed).await?
    {
        return Ok(spec::by_id(&mut conn, spec).await?);
    }
    spec::fallback(&mut conn).await?.ok_or(SpecError::None)
}

/// The environment of a job as it is kept.
pub(super) fn seal_env(sealer: &Sealer, job: JobUuid, env: &BTreeMap<String, String>) -> Vec<u8> {
    let json = serde_json::to_vec(env).expect("texts are plain JSON");
    sealer.seal(&job.to_string(), &json)
}

/// The environment of a job, from how it is kept.
///
/// # Errors
/// It was sealed for another job or with another key.
pub fn open_env(sealer: &Sealer, job: JobUuid, sealed: &[u8]) -> Result<BTreeMap<String, String>, SealError> {
    let json = sealer.open(&job.to_string(), sealed)?;
    serde_json::from_slice(&json).map_err(|_| SealError)
}
