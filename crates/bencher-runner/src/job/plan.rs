//! From what is asked for, and what the image says, to what a sandbox executes. Pure.

use std::{path::PathBuf, time::Duration};

use bencher_init::pattern;
use bencher_types::wire::{channel::ClaimedJob, job::WantedArtifact};
use oci_spec::image::ImageConfiguration;

use crate::{
    config::Bounds,
    limits::MAX_PIDS,
    sandbox::{
        ExecutionPlan, FileContents, ImageError, Network, OutputBounds, Resources,
        command::{ImageCommand, Overrides},
    },
};

/// What somebody wants to be run, before anything is known of the image.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) overrides: Overrides,
    pub(crate) network: Network,
    pub(crate) resources: Resources,
    /// Of one iteration, from the start of the benchmark's process.
    pub(crate) timeout: Duration,
    pub(crate) bounds: Bounds,
    pub(crate) file_paths: Vec<String>,
    /// Files that are kept beside the results, where files are collected and not only measured.
    pub(crate) artifacts: Vec<WantedArtifact>,
    pub(crate) measures: Measures,
    pub(crate) iterations: u32,
    /// Runs before the first iteration, whose results do not count.
    pub(crate) warmups: u32,
    pub(crate) reuse: Reuse,
    pub(crate) failures: Failures,
}

/// What the runner measures itself, beside what the benchmark prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measures {
    /// How long an iteration took.
    pub(crate) build_time: bool,
    /// How large the collected files are, instead of what is in them.
    pub(crate) file_size: bool,
}

/// What an exit code other than 0 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failures {
    Fatal,
    Allowed,
}

impl Failures {
    pub(crate) fn allowed(allow: bool) -> Self {
        if allow { Self::Allowed } else { Self::Fatal }
    }
}

/// Whether the runs of a job share a microVM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// Each starts from the image in a machine of its own.
    Never,
    /// All run in one, each finding what the one before left.
    WholeJob,
}

impl Reuse {
    pub(crate) fn wanted(reuse: bool) -> Self {
        if reuse { Self::WholeJob } else { Self::Never }
    }
}

impl Order {
    /// What a server's job asks for, within this runner's bounds.
    pub(crate) fn of_job(job: &ClaimedJob, bounds: Bounds) -> Self {
        let (spec, config) = (&job.spec, &job.config);
        Self {
            overrides: Overrides {
                entrypoint: config.entrypoint.clone(),
                cmd: config.cmd.clone(),
                env: config.env.clone().unwrap_or_default().into_iter().collect(),
            },
            network: if spec.network { Network::Host } else { Network::None },
            resources: Resources {
                cpus: Some(spec.cpu.get()),
                memory_bytes: Some(spec.memory.get()),
                disk_bytes: Some(spec.disk.get()),
                pids: Some(MAX_PIDS),
            },
            timeout: config.timeout.duration(),
            bounds,
            file_paths: config.file_paths.clone().unwrap_or_default(),
            artifacts: config.artifacts.clone().unwrap_or_default(),
            measures: Measures {
                build_time: config.build_time.unwrap_or_default(),
                file_size: config.file_size.unwrap_or_default(),
            },
            iterations: config.iter.unwrap_or(1).max(1),
            warmups: config.warmup_runs.unwrap_or_default(),
            reuse: Reuse::wanted(config.reuse_vm.unwrap_or_default()),
            failures: Failures::allowed(config.allow_failure.unwrap_or_default()),
        }
    }

    /// What a sandbox executes for this order, with an image whose file system is the file `rootfs`.
    ///
    /// # Errors
    /// Image and order together make no command.
    pub(crate) fn plan(&self, rootfs: PathBuf, image: &ImageConfiguration) -> Result<ExecutionPlan, ImageError> {
        let command = ImageCommand::resolve(image, &self.overrides)?;
        Ok(ExecutionPlan {
            rootfs,
            args: command.args,
            env: command.env,
            working_dir: command.working_dir,
            user: command.user,
            network: self.network,
            resources: self.resources,
            timeout: self.timeout,
            grace_period: self.bounds.grace_period,
            output: OutputBounds {
                max_output_size: self.bounds.max_output_bytes,
                max_files_size: self.bounds.max_output_bytes,
                max_file_count: usize::try_from(self.bounds.max_file_count).unwrap_or(usize::MAX),
                max_symlinks: self.bounds.max_symlinks,
            },
            file_paths: self.collected_paths(),
            file_contents: if self.measures.file_size { FileContents::SizeOnly } else { FileContents::Read },
            live: None,
        })
    }

    /// Results first: where there is not room for everything, artifacts are left out.
    fn collected_paths(&self) -> Vec<String> {
        let artifacts = self.artifacts.iter().filter(|_| !self.measures.file_size).map(|artifact| artifact.path.clone());
        self.file_paths.iter().cloned().chain(artifacts).collect()
    }

    /// As what a collected file is kept; `None` where it is one of the results, which also goes for one that is asked for as both.
    pub(crate) fn artifact(&self, path: &str) -> Option<&WantedArtifact> {
        let is_meant = |asked: &str| pattern::stands_for(asked.as_bytes(), path.as_bytes());
        let is_result = self.file_paths.iter().any(|asked| is_meant(asked));
        self.artifacts.iter().filter(|_| !is_result).find(|asked| is_meant(&asked.path))
    }
}

#[cfg(test)]
mod tests;
