//! What an image says of its benchmark, where the run does not say. Pure.

use bencher_types::{
    ImageRef,
    oci::benchmark::{BenchmarkSpec, Resources},
    wire::{job::WantedArtifact, run::NewRunJob},
};

use super::job::JobError;
use crate::store::spec::SpecRow;

/// Fills in what a job leaves open.
pub(super) fn fill(job: &mut NewRunJob, benchmark: &BenchmarkSpec) {
    if job.entrypoint.is_none()
        && let Some(command) = &benchmark.command
    {
        // As an entrypoint: the image's own, and its `CMD`, are for those who start it as a container.
        job.entrypoint = Some(command.clone());
    }
    job.timeout = job.timeout.or(benchmark.timeout.map(|timeout| timeout.0));
    for variable in &benchmark.env {
        let env = job.env.get_or_insert_default();
        env.entry(variable.name.clone()).or_insert_with(|| variable.value.clone());
    }
}

/// The files that are kept beside the results; only an image names them.
pub(super) fn artifacts(benchmark: &BenchmarkSpec) -> Option<Vec<WantedArtifact>> {
    let wanted =
        benchmark.artifacts.iter().map(|artifact| WantedArtifact { path: artifact.path.clone(), name: artifact.name.clone() });
    (!benchmark.artifacts.is_empty()).then(|| wanted.collect())
}

/// Whether a spec has what a benchmark needs.
///
/// # Errors
/// It has less; the error names the first thing.
pub(super) fn fits(image: &ImageRef, needs: &Resources, spec: &SpecRow) -> Result<(), JobError> {
    let has = |number: i64| u64::try_from(number).unwrap_or_default();
    let wants = [
        (needs.vcpus.map(u64::from), has(spec.cpu), "CPUs"),
        (needs.memory.map(|bytes| bytes.0), has(spec.memory), "bytes of memory"),
        (needs.disk.map(|bytes| bytes.0), has(spec.disk), "bytes of disk"),
    ];
    match wants.into_iter().find(|(needed, found, _)| needed.is_some_and(|needed| needed > *found)) {
        Some((Some(needed), found, what)) => Err(JobError::TooSmall {
            image: image.to_string(),
            needed: format!("{needed} {what}"),
            spec: spec.slug.0.to_string(),
            found: found.to_string(),
        }),
        _ => Ok(()),
    }
}
