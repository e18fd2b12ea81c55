//! An image's way from the registry into a guest and the guest's end, phase by phase: what is not there yet, and what is.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bencher_oci::{
    CachedImage, CloneKind, Credentials, DiskSize, Images, Progress, ProgressEvent, RegistryClient, clone_disk,
    images::ImagesOptions,
};
use bencher_runner::sandbox::{Exit, Phases, Sandbox as _};
use bencher_types::{Digest, Secret};
use tokio_util::sync::CancellationToken;

use crate::{
    clones,
    content::Codec,
    disks,
    figures::{Allowance, Extent, Figure},
    guests::{self, Tools},
    images::{self, Layer},
    processes::Server,
    xfs::Xfs,
};

const MIB: u64 = 1 << 20;
const REPOSITORY: &str = "bench";
/// Bytes of a file system that holds caches and clones of the larger image.
const XFS: u64 = 4 << 30;

/// How much of it is measured.
struct Plan {
    sizes: [u64; 2],
    /// Builds, fetches and guests of each kind.
    builds: usize,
    fetches: usize,
    guests: usize,
    /// Of each kind.
    bound: Duration,
}

/// Where an image is when it is measured how long it takes to be elsewhere.
struct Registry {
    server: Server,
    token: Secret,
}

/// Everything about a small and a large image, with each compression.
pub(crate) async fn images(extent: Extent) -> Result<Vec<Figure>> {
    let full = Plan { sizes: [30, 300], builds: 5, fetches: 4, guests: 10, bound: Duration::from_secs(30) };
    let quick = Plan { sizes: [3, 12], builds: 1, fetches: 1, guests: 2, bound: Duration::from_secs(5) };
    let plan = extent.pick(full, quick);
    let server = Server::start().await?;
    server.prepare().await?;
    let token = Secret::new(images::token(&server, "bench", "pull,push").await?);
    let registry = Registry { server, token };
    let mut figures = Vec::new();
    let mut digests = Vec::new();
    for codec in [Codec::Gzip, Codec::Zstd] {
        for mib in plan.sizes {
            let layer = Layer::of_system(mib * MIB, codec)?;
            let what = format!("{mib} MiB, {} ({} MiB)", codec.name(), layer.size() / MIB);
            let built = tokio::task::spawn_blocking({
                let (what, allowance) = (what.clone(), Allowance::new(plan.bound, plan.builds));
                move || disks::disks(&what, &layer, allowance).map(|figures| (figures, layer))
            });
            let (of_builds, layer) = built.await??;
            figures.extend(of_builds);
            let pushed = images::push(&registry.server, &format!("{}-{mib}", codec.name()), &layer).await?;
            figures.extend(fetched(&registry, &what, &pushed.digest, &plan).await?);
            if codec == Codec::Zstd {
                digests.push((mib, pushed.digest));
            }
        }
    }
    let dir = tempfile::tempdir()?;
    let xfs = Xfs::mount(dir.path(), XFS)?;
    for (place, name) in [(dir.path(), "temporary folder"), (xfs.path(), "XFS in a file")] {
        for (mib, digest) in &digests {
            figures.extend(in_guests(&registry, &format!("{mib} MiB, {name}"), digest, place, &plan).await?);
        }
    }
    Ok(figures)
}

impl Registry {
    fn client(&self) -> Result<RegistryClient> {
        let url = url::Url::parse(&self.server.url)?;
        Ok(RegistryClient::new(url, Credentials::Bearer(self.token.clone()))?)
    }

    async fn ensure(&self, images: &Images, client: &RegistryClient, digest: &Digest) -> Result<CachedImage> {
        let disk = DiskSize::Bytes(guests::DISK);
        Ok(images.ensure(client, REPOSITORY, digest, disk, &CancellationToken::new()).await?)
    }
}

/// Notes when the parts of a build began.
#[derive(Default)]
struct Began(Mutex<Vec<Instant>>);

impl Progress for Began {
    fn on(&self, event: ProgressEvent<'_>) {
        if matches!(event, ProgressEvent::Merging { .. } | ProgressEvent::Writing { .. }) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        }
    }
}

/// From a registry to a cached disk where nothing of it is there, and where all is.
async fn fetched(registry: &Registry, what: &str, digest: &Digest, plan: &Plan) -> Result<Vec<Figure>> {
    let client = registry.client()?;
    let mut cold: [Vec<Duration>; 4] = Default::default();
    let mut warm = Vec::new();
    let allowance = Allowance::new(plan.bound, plan.fetches);
    for run in 0.. {
        if !allowance.allows(run) {
            break;
        }
        let dir = tempfile::tempdir()?;
        let began = Arc::new(Began::default());
        let images = Images::open(dir.path(), ImagesOptions::default())?.progress(began.clone());
        let start = Instant::now();
        let image = registry.ensure(&images, &client, digest).await?;
        let end = Instant::now();
        drop(image);
        let marks = began.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let [merging, writing] = marks[..] else { anyhow::bail!("a build of {} parts", marks.len()) };
        if run > 0 {
            let parts = [merging - start, writing - merging, end - writing, end - start];
            cold.iter_mut().zip(parts).for_each(|(all, part)| all.push(part));
        }
        for _ in 0..5 {
            let start = Instant::now();
            drop(registry.ensure(&images, &client, digest).await?);
            warm.push(start.elapsed());
        }
    }
    let [fetch, merge, write, all] = cold;
    Ok(vec![
        Figure::durations(format!("{what}: cold, fetched from the server"), fetch),
        Figure::durations(format!("{what}: cold, checked and merged"), merge),
        Figure::durations(format!("{what}: cold, written, read for its checksum and synced"), write),
        Figure::durations(format!("{what}: cold, all of that"), all),
        Figure::durations(format!("{what}: warm, found in the cache"), warm),
    ])
}

/// A benchmark that does nothing, from a cached image, in a guest of its own each time.
async fn in_guests(registry: &Registry, what: &str, digest: &Digest, place: &Path, plan: &Plan) -> Result<Vec<Figure>> {
    let dir = tempfile::tempdir_in(place)?;
    let images = Images::open(&dir.path().join("images"), ImagesOptions::default())?;
    let client = registry.client()?;
    let guests = Tools::find()?.open(&dir.path().join("vms")).await?;
    let kind = {
        let image = registry.ensure(&images, &client, digest).await?;
        clone_disk(&image.rootfs(), &dir.path().join("clone"), &CancellationToken::new())?
    };
    std::fs::remove_file(dir.path().join("clone"))?;
    let mut samples: Vec<(Phases, Duration)> = Vec::new();
    let allowance = Allowance::new(plan.bound, plan.guests);
    for run in 0.. {
        if !allowance.allows(run) {
            break;
        }
        let start = Instant::now();
        let image = registry.ensure(&images, &client, digest).await?;
        let plan = guests::plan(image.rootfs(), &["/bin/busybox", "true"]);
        let outcome = guests.sandbox.run(&plan, CancellationToken::new()).await?;
        let all = start.elapsed();
        ensure!(outcome.exit == Exit::Code(0), "the benchmark ended with {:?}", outcome.exit);
        let phases = outcome.phases.context("a microVM without phases")?;
        if run > 0 {
            samples.push((phases, all));
        }
    }
    let of = |part: fn(&Phases, Duration) -> Duration| -> Vec<Duration> {
        samples.iter().map(|(phases, all)| part(phases, *all)).collect()
    };
    let way = match kind {
        CloneKind::Reflink => "shared",
        CloneKind::SparseCopy => "copied",
    };
    let rest = |p: &Phases, all: Duration| all.saturating_sub(p.clone + p.boot + p.run);
    let unnamed =
        |p: &Phases, all: Duration| all.saturating_sub(p.clone + p.boot + p.init_ready + p.run + p.collect + p.teardown);
    Ok(vec![
        Figure::durations(format!("{what}: clone ({way})"), of(|p, _| p.clone)).aim(clones::aim_of(kind)),
        Figure::durations(format!("{what}: boot, process start to first program"), of(|p, _| p.boot))
            .aim("under 125 ms, with KVM"),
        Figure::durations(format!("{what}: first program ready"), of(|p, _| p.init_ready)),
        Figure::durations(format!("{what}: benchmark (`true`)"), of(|p, _| p.run)),
        Figure::durations(format!("{what}: collect"), of(|p, _| p.collect)),
        Figure::durations(format!("{what}: teardown"), of(|p, _| p.teardown)),
        // Mostly the start of the benchmark's process, which is ten milliseconds and more in a kernel that is a process.
        Figure::durations(format!("{what}: in none of these"), of(unnamed)),
        Figure::durations(format!("{what}: everything but clone, boot and benchmark, warm"), of(rest)).aim("under 100 ms"),
        Figure::durations(format!("{what}: all of it, warm"), of(|_, all| all)),
    ])
}
