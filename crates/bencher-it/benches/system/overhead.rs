//! What a benchmark pays for where it runs: the same loops as a process of this machine, in a container of the host
//! sandbox and in a microVM, in turns.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bencher_oci::{
    CachedImage, DiskSize, Images, Layout,
    assemble::{Compression, Program, Recipe, Source, assemble},
    images::ImagesOptions,
};
use bencher_runner::sandbox::{
    Exit, IterationOutcome, Sandbox,
    host::{HostConfig, HostSandbox},
};
use tokio_util::sync::CancellationToken;

use crate::{
    figures::{Allowance, Extent, Figure},
    guests::{self, MEMORY_MIB, Tools, plan},
    machine::{GuestMemory, OwnGroup, memory_of},
    processes::{built, given},
};

const RUNS: usize = 11;
const BOUND: Duration = Duration::from_mins(4);
const LOOPS: &str = "/bin/bench-loops";
/// Between two looks at a guest's memory.
const LOOK: Duration = Duration::from_millis(100);

/// The loops, with what a step of each is and how many nanoseconds there are in the unit it is shown in.
const STEPS: [(&str, &str, f64, &str); 5] = [
    ("integers", "a step of dependent integer arithmetic", 1.0, "ns"),
    ("copy", "a copied MiB", 1e3, "us"),
    ("random", "a dependent read from 32 MiB", 1.0, "ns"),
    ("pages", "the first write to a page", 1.0, "ns"),
    ("syscalls", "a `getppid` call", 1.0, "ns"),
];

/// What one run of the loops says: nanoseconds a step.
type Steps = BTreeMap<String, f64>;

/// The loops in each place, how they compare, and what a guest takes beside its memory.
pub(crate) async fn overhead(extent: Extent) -> Result<Vec<Figure>> {
    let loops = given("BENCH_LOOPS").map_or_else(|| built("bench-loops"), |path| Ok(path.into()))?;
    let dir = tempfile::tempdir()?;
    let (on_host, in_guest) = images(&loops, dir.path()).await?;
    let guests = Tools::find()?.open(&dir.path().join("vms")).await?;
    let host = HostSandbox::open(HostConfig::new(dir.path().join("host"))).await?;
    let millis = extent.pick("250", "50");
    let (on_host, in_guest) = (plan(on_host.rootfs(), &[LOOPS, millis]), plan(in_guest.rootfs(), &[LOOPS, millis]));

    // Made after the guests' place, and so gone before that is.
    let group = OwnGroup::new(guests::CGROUP);
    let mut places: [Vec<Steps>; 3] = Default::default();
    let mut boots = Vec::new();
    let mut memory = Vec::new();
    let allowance = Allowance::new(BOUND, extent.pick(RUNS, 2));
    for run in 0.. {
        if !allowance.allows(run) {
            break;
        }
        let bare = bare(&loops, millis, &group)?;
        let contained = in_sandbox(&host, &on_host).await?.0;
        let (guest, outcome) = in_sandbox(&guests.sandbox, &in_guest).await?;
        if run > 0 {
            for (place, steps) in places.iter_mut().zip([bare, contained, guest]) {
                place.push(steps);
            }
            boots.extend(outcome.phases.map(|phases| phases.boot));
        }
    }
    // In runs of their own, since looking takes time, too.
    for _ in 0..extent.pick(5, 1) {
        memory.push(most_memory(&guests, &in_guest).await?);
    }

    let mut figures = Vec::new();
    for (name, what, divisor, unit) in STEPS {
        let of = |place: &Vec<Steps>| place.iter().filter_map(|steps| steps.get(name)).copied().collect::<Vec<f64>>();
        let [bare, contained, guest] = places.each_ref().map(of);
        for (place, samples) in [("bare", &bare), ("host sandbox", &contained), ("microVM", &guest)] {
            let samples = samples.iter().map(|nanos| nanos / divisor).collect();
            figures.push(Figure::numbers(format!("{what}, {place}"), samples, unit));
        }
        // Each run with the bare one just before it: what else the machine does then concerns both.
        let speed = |there: &[f64]| bare.iter().zip(there).map(|(bare, there)| bare / there * 100.0).collect();
        figures.push(Figure::numbers(format!("{what}: speed in the host sandbox, of bare"), speed(&contained), "%"));
        figures.push(
            Figure::numbers(format!("{what}: speed in the microVM, of bare"), speed(&guest), "%").aim("over 95 %, with KVM"),
        );
    }
    figures.push(Figure::durations("start of a microVM's process to its first program", boots).aim("under 125 ms, with KVM"));
    figures.extend(memory_figures(&memory));
    Ok(figures)
}

fn memory_figures(memory: &[GuestMemory]) -> [Figure; 3] {
    #[expect(clippy::cast_precision_loss, reason = "sizes and counts for people")]
    let of = |pick: fn(&GuestMemory) -> u64| memory.iter().map(|memory| pick(memory) as f64).collect::<Vec<_>>();
    let mib = |kib: Vec<f64>| kib.into_iter().map(|kib| kib / 1024.0).collect();
    [
        Figure::numbers(format!("memory of a microVM beside its guest's, of {MEMORY_MIB} MiB"), mib(of(|m| m.around)), "MiB")
            .aim("about 5 MiB, with Firecracker"),
        Figure::numbers("the guest's memory that is in use then", mib(of(|m| m.guest)), "MiB"),
        Figure::numbers("processes of the microVM then", of(|m| m.processes), "").aim("1, with Firecracker"),
    ]
}

/// The image with the loops, on a disk for the host and on one for guests. They stay for as long as the folder does.
async fn images(loops: &Path, dir: &Path) -> Result<(CachedImage, CachedImage)> {
    let folder = dir.join("layout");
    let layout = Layout::create(&folder)?;
    let program = Program { file: loops.to_owned(), dest: Some(LOOPS.to_owned()) };
    let recipe = Recipe { compression: Compression::Zstd, ..Recipe::new(Source::Programs(vec![program])) };
    assemble(&recipe, &layout, "loops")?;
    let images = Images::open(&dir.join("images"), ImagesOptions::default())?;
    let cancel = CancellationToken::new();
    let fitted = images.ensure_from_layout(&layout, None, DiskSize::Fitted, &cancel).await?;
    let sized = images.ensure_from_layout(&layout, None, DiskSize::Bytes(guests::DISK), &cancel).await?;
    Ok((fitted, sized))
}

fn bare(loops: &Path, millis: &str, group: &OwnGroup) -> Result<Steps> {
    let mut command = Command::new(loops);
    command.arg(millis).env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command.spawn()?;
    group.add(child.id())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the loops ended with {}", output.status);
    steps(&output.stdout)
}

async fn in_sandbox(sandbox: &impl Sandbox, plan: &bencher_runner::sandbox::ExecutionPlan) -> Result<(Steps, IterationOutcome)> {
    let outcome = sandbox.run(plan, CancellationToken::new()).await?;
    let said = String::from_utf8_lossy(&outcome.stderr.bytes);
    ensure!(outcome.exit == Exit::Code(0), "the loops ended with {:?}: {said}", outcome.exit);
    Ok((steps(&outcome.stdout.bytes)?, outcome))
}

fn steps(printed: &[u8]) -> Result<Steps> {
    let text = std::str::from_utf8(printed)?;
    let lines = text.lines().map(|line| {
        let (name, nanos) = line.split_once(' ').with_context(|| format!("the loops printed `{line}`"))?;
        Ok((name.to_owned(), nanos.parse()?))
    });
    lines.collect()
}

/// What a guest's processes had when they had most.
async fn most_memory(guests: &guests::Guests, plan: &bencher_runner::sandbox::ExecutionPlan) -> Result<GuestMemory> {
    let users = guests.users.clone();
    let done = CancellationToken::new();
    let looking = tokio::task::spawn_blocking({
        let done = done.clone();
        move || {
            let mut most = GuestMemory::default();
            while !done.is_cancelled() {
                let now = memory_of(&users, MEMORY_MIB);
                if now.guest >= most.guest {
                    most = now;
                }
                let next = Instant::now() + LOOK;
                while !done.is_cancelled() && Instant::now() < next {
                    std::thread::park_timeout(LOOK);
                }
            }
            most
        }
    });
    let ran = in_sandbox(&guests.sandbox, plan).await;
    done.cancel();
    let most = looking.await?;
    ran?;
    ensure!(most.processes > 0, "no process of the guest was seen");
    Ok(most)
}
