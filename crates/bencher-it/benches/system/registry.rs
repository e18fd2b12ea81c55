//! Our registry and Debian's `docker-registry` (distribution 2.8), by the same client in the same run: large blobs in and out, manifests,
//! tiny images, many tags, and a part of a blob.
//!
//! The client shares the processors with the servers; processor time is the server's alone.

mod content;
mod line;
mod servers;

use std::{
    sync::Barrier,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use self::{
    content::{Blob, MANIFEST_TYPE, Tiny},
    line::Line,
    servers::{Registry, Way, path},
};
use crate::{
    figures::{Extent, Figure},
    processes::{cpu_time, memory_mib, reset_peak},
};

/// Bytes of each chunk of an upload in chunks.
const CHUNK: u64 = 16 << 20;
/// Bytes that are read of a blob from its middle.
const PART: u64 = 1 << 20;
/// Blobs at once.
const PARALLEL: usize = 4;
/// Connections that ask for manifests at once.
const CONNECTIONS: [usize; 3] = [1, 16, 64];

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Bytes of a large blob.
    blob: u64,
    /// How often a large blob is pushed and pulled, after once to warm up.
    rounds: usize,
    /// Requests for a manifest.
    requests: usize,
    images: usize,
    tags: usize,
}

/// Everything that is measured of each registry, one after the other.
pub(crate) async fn registry(extent: Extent, mut show: impl FnMut(Figure)) -> Result<()> {
    let full = Plan { blob: 512 << 20, rounds: 3, requests: 4_800, images: 400, tags: 10_000 };
    let plan = extent.pick(full, Plan { blob: 64 << 20, rounds: 2, requests: 640, images: 20, tags: 200 });
    show(floor(plan)?);
    for registry in [Registry::ours().await?, Registry::debians().await?] {
        reset_peak(registry.pid)?;
        for measure in [blobs, tags, manifests, images] {
            let (name, pid, way) = (registry.name, registry.pid, registry.way().await?);
            // The client's lines block.
            let figures = tokio::task::spawn_blocking(move || measure(plan, &Server { name, pid, way })).await?;
            figures.with_context(|| format!("could not measure {name}"))?.into_iter().for_each(&mut show);
        }
        let (now, peak) = memory_mib(registry.pid)?;
        show(Figure::reading(format!("{}: peak resident memory", registry.name), peak, "MiB").aim("64 MiB"));
        show(Figure::reading(format!("{}: resident memory afterwards", registry.name), now, "MiB"));
    }
    Ok(())
}

/// What hashing alone costs: no push can be cheaper.
fn floor(plan: Plan) -> Result<Figure> {
    let own = std::process::id();
    let before = cpu_time(own)?;
    for _ in 0..plan.rounds {
        Blob::new(plan.blob);
    }
    let cpu = (cpu_time(own)? - before).as_secs_f64() / gigabytes(plan.blob * plan.rounds as u64);
    Ok(Figure::reading("processor time of SHA-256 alone", cpu, "s/GB"))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

/// A registry as the client sees it.
struct Server {
    name: &'static str,
    pid: u32,
    way: Way,
}

impl Server {
    /// Has some connections do something at once, `rounds` times after once to warm up: how long each round took, and the server's
    /// processor time of all of them.
    fn at_once<T: Send>(
        &self,
        rounds: usize,
        prepare: impl Fn() -> Result<Vec<T>>,
        act: impl Fn(&mut Line, &T) -> Result<()> + Sync,
    ) -> Result<(Vec<Duration>, Duration)> {
        let (mut took, mut used) = (Vec::new(), Duration::ZERO);
        for round in 0..=rounds {
            let work = prepare()?;
            let gate = Barrier::new(work.len() + 1);
            let mut lines = work.iter().map(|_| self.way.line()).collect::<Result<Vec<_>>>()?;
            let before = cpu_time(self.pid)?;
            let elapsed = std::thread::scope(|scope| {
                let (gate, act) = (&gate, &act);
                let threads: Vec<_> = lines
                    .iter_mut()
                    .zip(work)
                    .map(|(line, item)| {
                        scope.spawn(move || {
                            gate.wait();
                            act(line, &item)
                        })
                    })
                    .collect();
                gate.wait();
                let begun = Instant::now();
                for thread in threads {
                    thread.join().map_err(|_| anyhow::anyhow!("a connection's thread panicked"))??;
                }
                anyhow::Ok(begun.elapsed())
            })?;
            if round > 0 {
                took.push(elapsed);
                used += cpu_time(self.pid)? - before;
            }
        }
        Ok((took, used))
    }

    /// Rates of transfers, and what they cost.
    fn transfers(&self, what: &str, bytes: u64, (took, used): (Vec<Duration>, Duration)) -> Vec<Figure> {
        let cpu = used.as_secs_f64() / gigabytes(bytes * took.len() as u64);
        let rates = took.iter().map(|took| gigabytes(bytes) * 1e3 / took.as_secs_f64()).collect();
        vec![
            Figure::numbers(format!("{}: {what}", self.name), rates, "MB/s"),
            Figure::reading(format!("{}: {what}, processor", self.name), cpu, "s/GB"),
        ]
    }
}

fn blobs(plan: Plan, server: &Server) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let one = || Ok(vec![Blob::new(plan.blob)]);
    let share = plan.blob / PARALLEL as u64;
    let several = || Ok((0..PARALLEL).map(|_| Blob::new(share)).collect());
    let mib = plan.blob >> 20;
    figures.extend(server.transfers(&format!("push of {mib} MiB"), plan.blob, server.at_once(plan.rounds, one, push)?));
    let what = format!("push of {mib} MiB in chunks of {} MiB", CHUNK >> 20);
    figures.extend(server.transfers(&what, plan.blob, server.at_once(plan.rounds, one, push_chunks)?));
    let what = format!("push of {PARALLEL} × {} MiB at once", share >> 20);
    figures.extend(server.transfers(&what, plan.blob, server.at_once(plan.rounds, several, push)?));

    let kept = Blob::new(plan.blob);
    push(&mut server.way.line()?, &kept)?;
    let at = path(&format!("blobs/{}", kept.digest));
    let pull = |line: &mut Line, _: &()| {
        let answer = line.ask("GET", &at, "", b"", 200)?;
        anyhow::ensure!(answer.length == plan.blob, "expected {} bytes, found {}", plan.blob, answer.length);
        Ok(())
    };
    let pulled = server.at_once(plan.rounds, || Ok(vec![()]), pull)?;
    figures.extend(server.transfers(&format!("pull of {mib} MiB"), plan.blob, pulled));
    let pulled = server.at_once(plan.rounds, || Ok(vec![(); PARALLEL]), pull)?;
    figures.extend(server.transfers(&format!("pull of {PARALLEL} × {mib} MiB at once"), plan.blob * PARALLEL as u64, pulled));

    let (mut line, middle) = (server.way.line()?, plan.blob / 2);
    let range = format!("range: bytes={middle}-{}\r\n", middle + PART - 1);
    let mut took = Vec::new();
    for number in 0..110 {
        let begun = Instant::now();
        line.ask("GET", &at, &range, b"", 206)?;
        if number >= 10 {
            took.push(begun.elapsed());
        }
    }
    figures.push(Figure::durations(format!("{}: 1 MiB from the middle of {mib} MiB", server.name), took));
    Ok(figures)
}

/// Where a blob is sent to.
fn upload(line: &mut Line) -> Result<String> {
    Ok(line.ask("POST", &path("blobs/uploads/"), "", b"", 202)?.location()?.to_owned())
}

/// The location at which an upload ends as this blob.
fn ending(location: &str, digest: &bencher_types::Digest) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={digest}")
}

const BYTES: &str = "content-type: application/octet-stream\r\n";

fn push(line: &mut Line, blob: &Blob) -> Result<()> {
    let to = ending(&upload(line)?, &blob.digest);
    line.send(("PUT", &to, BYTES), blob.length, |stream| blob.write(0..blob.length, stream), 201)?;
    Ok(())
}

fn push_chunks(line: &mut Line, blob: &Blob) -> Result<()> {
    let mut location = upload(line)?;
    let mut from = 0;
    while from < blob.length {
        let until = blob.length.min(from + CHUNK);
        let headers = format!("{BYTES}content-range: {from}-{}\r\n", until - 1);
        let sent = line.send(("PATCH", &location, &headers), until - from, |stream| blob.write(from..until, stream), 202)?;
        location = sent.location()?.to_owned();
        from = until;
    }
    line.ask("PUT", &ending(&location, &blob.digest), "", b"", 201)?;
    Ok(())
}

fn push_tiny(line: &mut Line, tags: &[String]) -> Result<()> {
    let image = Tiny::new();
    for (digest, bytes) in &image.blobs {
        let to = ending(&upload(line)?, digest);
        line.ask("PUT", &to, BYTES, bytes, 201)?;
    }
    for tag in tags {
        let headers = format!("content-type: {MANIFEST_TYPE}\r\n");
        line.ask("PUT", &path(&format!("manifests/{tag}")), &headers, image.manifest.as_bytes(), 201)?;
    }
    Ok(())
}

fn manifests(plan: Plan, server: &Server) -> Result<Vec<Figure>> {
    push_tiny(&mut server.way.line()?, &["latest".to_owned()])?;
    let at = path("manifests/latest");
    let accept = format!("accept: {MANIFEST_TYPE}\r\n");
    let mut figures = Vec::new();
    for (method, connections) in ["GET", "HEAD"].into_iter().flat_map(|method| CONNECTIONS.map(|count| (method, count))) {
        let each = plan.requests / connections;
        let ask = |line: &mut Line, _: &()| (0..each).try_for_each(|_| line.ask(method, &at, &accept, b"", 200).map(drop));
        let (took, used) = server.at_once(plan.rounds, || Ok(vec![(); connections]), ask)?;
        figures.extend(server.requests(
            &format!("{method} of a manifest, {connections} at once"),
            each * connections,
            took,
            used,
        ));
    }
    Ok(figures)
}

impl Server {
    /// Rates of requests, and what each costs.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn requests(&self, what: &str, requests: usize, took: Vec<Duration>, used: Duration) -> Vec<Figure> {
        let cpu = used.as_secs_f64() * 1e6 / (requests * took.len()) as f64;
        let rates = took.iter().map(|took| requests as f64 / took.as_secs_f64()).collect();
        vec![
            Figure::numbers(format!("{}: {what}", self.name), rates, "/s"),
            Figure::reading(format!("{}: {what}, processor", self.name), cpu, "µs each"),
        ]
    }
}

fn images(plan: Plan, server: &Server) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for connections in [1, PARALLEL] {
        let each = plan.images / connections;
        let push =
            |line: &mut Line, _: &()| (0..each).try_for_each(|_| push_tiny(line, &[uuid::Uuid::new_v4().simple().to_string()]));
        let (took, used) = server.at_once(plan.rounds, || Ok(vec![(); connections]), push)?;
        figures.extend(server.requests(&format!("push of a tiny image, {connections} at once"), each * connections, took, used));
    }
    Ok(figures)
}

fn tags(plan: Plan, server: &Server) -> Result<Vec<Figure>> {
    let names: Vec<String> = (0..plan.tags).map(|number| format!("tag-{number:05}")).collect();
    std::thread::scope(|scope| {
        let of_one = names.len().div_ceil(16);
        let threads: Vec<_> =
            names.chunks(of_one).map(|names| scope.spawn(|| push_tiny(&mut server.way.line()?, names))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
    })?;
    let mut line = server.way.line()?;
    let mut took = Vec::new();
    for number in 0..25 {
        let begun = Instant::now();
        line.ask("GET", &path(&format!("tags/list?n={}", plan.tags)), "", b"", 200)?;
        if number >= 5 {
            took.push(begun.elapsed());
        }
    }
    Ok(vec![Figure::durations(format!("{}: list of {} tags", server.name, plan.tags), took)])
}
