//! The job queue under load: many runners that speak the real protocol and do no work, many jobs that wait, and a million that are
//! done.

mod fleet;
mod rows;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bencher_types::{JobUuid, wire::channel::FromRunner};
use tokio::{sync::mpsc, task::JoinSet};

use self::{
    fleet::{Simulated, completed, connect_all},
    rows::Rows,
};
use crate::{
    databases::Database,
    figures::{Extent, Figure},
    images::{self, Layer},
    processes::{Server, cpu_time, memory_mib},
};

/// How long what is loaded may take to be processed.
const PROCESSING: Duration = Duration::from_secs(180);

/// A server with an image, a first job to copy from, and a way to its database.
struct World {
    server: Arc<Server>,
    rows: Rows,
    database: &'static str,
    extent: Extent,
    time: String,
}

/// Everything that is measured of the queue. Each figure is shown when it is there: all together take a quarter of an hour.
pub(crate) async fn queue(databases: &[Database], extent: Extent, mut show: impl FnMut(Figure)) -> Result<()> {
    fleet::raise_open_files()?;
    for database in databases {
        // Each with data of its own.
        for measured in 0..6 {
            let world = World::start(database, extent).await?;
            let figures = match measured {
                0 => world.claims().await?,
                1 => world.assignment().await?,
                2 => world.lifecycles().await?,
                3 => world.idle().await?,
                4 => world.heartbeats().await?,
                _ => world.million().await?,
            };
            figures.into_iter().for_each(&mut show);
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

impl World {
    async fn start(database: &Database, extent: Extent) -> Result<Self> {
        let url = match &database.url {
            Some(url) => Some(rows::new_database(url).await?),
            None => None,
        };
        let server = Server::start_on(url.as_deref()).await?;
        server.prepare().await?;
        images::push(&server, "true", &Layer::new(0)?).await?;
        let rows = Rows::open(url.as_deref(), &server.folder.path().join("bencher.db")).await?;
        let spec = server.call(reqwest::Method::GET, "/v0/specs/host", serde_json::Value::Null).await?;
        let time = crate::processes::text(&spec, "created")?;
        let world = Self { server: Arc::new(server), rows, database: database.name, extent, time };
        let first = world.server.submit_at(&world.time, "bench:true", &["true"]).await?;
        world.rows.end_template(&first).await?;
        Ok(world)
    }

    fn name(&self, what: &str) -> String {
        format!("{what}, {}", self.database)
    }

    async fn fleet(&self, count: usize) -> Result<Vec<Simulated>> {
        let keys = self.rows.runners(count).await?;
        connect_all(&self.server.url, keys).await
    }

    /// Many runners ask at once while more jobs wait; the jobs are given back in between.
    async fn claims(&self) -> Result<Vec<Figure>> {
        let (runners, jobs, rounds) = self.extent.pick((1000, 10_000, 5), (50, 500, 2));
        let mut fleet = self.fleet(runners).await?;
        self.rows.jobs("pending", jobs, 0).await?;
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let begun = Instant::now();
            let mut asking = JoinSet::new();
            for mut runner in fleet.drain(..) {
                asking.spawn(async move {
                    let job = runner.ask(900).await?.context("there are jobs")?;
                    anyhow::Ok((runner, job, Instant::now()))
                });
            }
            let mut last = begun;
            let mut given = Vec::new();
            while let Some(one) = asking.join_next().await {
                let (runner, job, at) = one??;
                last = last.max(at);
                given.push((runner, job));
            }
            rates.push(per_second(given.len(), last - begun));
            for (mut runner, job) in given {
                runner.deliver(job, FromRunner::canceled(job)).await?;
                fleet.push(runner);
            }
        }
        let name = format!("claims a second, {runners} runners ask at once, {jobs} jobs wait");
        Ok(vec![Figure::numbers(self.name(&name), rates, "/s")])
    }

    /// Jobs come at a steady pace while many runners wait.
    async fn assignment(&self) -> Result<Vec<Figure>> {
        const PACE: Duration = Duration::from_millis(10);
        // The first jobs find a server that never saw one: each of its connections to PostgreSQL has yet to learn each statement.
        let (runners, jobs, warm_up) = self.extent.pick((1000, 2000, 500), (20, 100, 200));
        let (sender, mut received) = mpsc::unbounded_channel();
        let mut fleet = JoinSet::new();
        for mut runner in self.fleet(runners).await? {
            let sender = sender.clone();
            fleet.spawn(async move {
                loop {
                    let Some(job) = runner.ask(900).await? else { continue };
                    // The other end goes with the measurement.
                    sender.send((job, Instant::now())).ok();
                    runner.send(&FromRunner::Running { job: Some(job) }).await?;
                    runner.deliver(job, completed(job)).await?;
                }
                #[expect(unreachable_code, reason = "says what the block's type is")]
                anyhow::Ok(())
            });
        }
        // Of many projects, as jobs come at that pace.
        let projects: Vec<String> = (0..self.extent.pick(16, 4)).map(|number| format!("bench-{number}")).collect();
        let layer = Layer::new(0)?;
        for project in &projects {
            self.server.add_project(project).await?;
            images::push_to(&self.server, project, "true", &layer).await?;
        }
        let mut submits = JoinSet::new();
        let mut clock = tokio::time::interval(PACE);
        for number in 0..warm_up + jobs {
            clock.tick().await;
            let (server, time) = (self.server.clone(), self.time.clone());
            let image = format!("{}:true", projects[number % projects.len()]);
            submits.spawn(async move {
                let begun = Instant::now();
                let job: JobUuid = server.submit_at(&time, &image, &["true"]).await?.parse()?;
                anyhow::Ok((job, (number >= warm_up).then_some(begun)))
            });
        }
        let mut begun = HashMap::new();
        while let Some(submitted) = submits.join_next().await {
            let (job, at) = submitted??;
            begun.extend(at.map(|at| (job, at)));
        }
        let mut samples = Vec::new();
        while samples.len() < jobs {
            let next = tokio::time::timeout(PROCESSING, received.recv()).await.context("jobs were not assigned")?;
            let (job, at) = next.context("the runners are gone")?;
            samples.extend(begun.get(&job).map(|begun| at.saturating_duration_since(*begun)));
        }
        let name = format!("submitted to assigned, 100 jobs/s of {} projects, {runners} runners wait", projects.len());
        Ok(vec![Figure::durations(self.name(&name), samples).aim("p99 under 20 ms")])
    }

    /// From claim to processed, as fast as a few runners without work can.
    async fn lifecycles(&self) -> Result<Vec<Figure>> {
        let (runners, jobs) = self.extent.pick((64, 10_000), (8, 200));
        let fleet = self.fleet(runners).await?;
        self.rows.jobs("pending", jobs, 0).await?;
        let begun = Instant::now();
        let mut working = JoinSet::new();
        for mut runner in fleet {
            working.spawn(async move {
                while let Some(job) = runner.ask(1).await? {
                    runner.send(&FromRunner::Running { job: Some(job) }).await?;
                    runner.deliver(job, completed(job)).await?;
                }
                anyhow::Ok(Instant::now())
            });
        }
        let mut delivered = 0;
        while let Some(done) = working.join_next().await {
            done??;
            delivered += 1;
        }
        ensure!(delivered == runners, "runners ended early");
        while self.rows.unprocessed().await? > 0 {
            ensure!(begun.elapsed() < PROCESSING, "the results are not processed in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The last poll of each runner is no work.
        let took = begun.elapsed().saturating_sub(Duration::from_secs(1));
        let name = format!("full lifecycles a second, {runners} runners, {jobs} jobs (one run)");
        Ok(vec![Figure::reading(self.name(&name), per_second(jobs, took), "/s").aim("at least 500/s on SQLite")])
    }

    /// Runners that are connected and wait.
    async fn idle(&self) -> Result<Vec<Figure>> {
        let (runners, rest) = self.extent.pick((10_000, Duration::from_secs(60)), (200, Duration::from_secs(3)));
        let pid = self.server.pid()?;
        let before = memory_mib(pid)?.0;
        let mut fleet = self.fleet(runners).await?;
        for runner in &mut fleet {
            runner.send(&FromRunner::Ready { poll_timeout: Some(900), runner: None }).await?;
        }
        self.at_rest(pid).await?;
        let cpu = cpu_time(pid)?;
        tokio::time::sleep(rest).await;
        let used = (cpu_time(pid)? - cpu).as_secs_f64() / rest.as_secs_f64() * 100.0;
        let memory = memory_mib(pid)?.0;
        let who = format!("{runners} idle runners");
        Ok(vec![
            Figure::reading(self.name(&format!("resident memory of a server with {who}")), memory, "MiB").aim("under 600 MiB"),
            Figure::reading(self.name(&format!("of which for {who}")), memory - before, "MiB"),
            Figure::reading(self.name(&format!("CPU of a server with {who}")), used, "% of a core").aim("under 2 %"),
        ])
    }

    /// Waits until the server has done what it was asked for.
    async fn at_rest(&self, pid: u32) -> Result<()> {
        const STEP: Duration = Duration::from_secs(2);
        for _ in 0..60 {
            let before = cpu_time(pid)?;
            tokio::time::sleep(STEP).await;
            if cpu_time(pid)? - before < STEP / 50 {
                return Ok(());
            }
        }
        anyhow::bail!("the server is still at work after two minutes")
    }

    /// Runners in a job that say every second that they live.
    async fn heartbeats(&self) -> Result<Vec<Figure>> {
        let (runners, time) = self.extent.pick((2000, Duration::from_secs(60)), (50, Duration::from_secs(3)));
        let fleet = self.fleet(runners).await?;
        self.rows.jobs("pending", runners, 0).await?;
        let mut beating = JoinSet::new();
        for mut runner in fleet {
            let job = runner.ask(900).await?.context("there are jobs")?;
            runner.send(&FromRunner::Running { job: Some(job) }).await?;
            beating.spawn(async move {
                let mut clock = tokio::time::interval(Duration::from_secs(1));
                loop {
                    clock.tick().await;
                    runner.send(&FromRunner::Heartbeat { job: Some(job) }).await?;
                }
                #[expect(unreachable_code, reason = "says what the block's type is")]
                anyhow::Ok(())
            });
        }
        let pid = self.server.pid()?;
        let cpu = cpu_time(pid)?;
        tokio::time::sleep(time).await;
        let used = (cpu_time(pid)? - cpu).as_secs_f64() / time.as_secs_f64() * 100.0;
        ensure!(self.rows.running().await? == runners, "jobs were given up");
        let name = format!("CPU of a server with {runners} running jobs and a heartbeat of each every second");
        Ok(vec![Figure::reading(self.name(&name), used, "% of a core")])
    }

    /// A claim where a million jobs are done.
    async fn million(&self) -> Result<Vec<Figure>> {
        let (done, waiting, claims) = self.extent.pick((1_000_000, 10_000, 300), (20_000, 500, 50));
        self.rows.jobs("done", done, 4).await?;
        self.rows.jobs("pending", waiting, 0).await?;
        // Filling takes longer than a server waits for a word of a runner.
        let mut fleet = self.fleet(1).await?;
        let runner = fleet.first_mut().context("one runner")?;
        let mut samples = Vec::new();
        for _ in 0..claims {
            let begun = Instant::now();
            let job = runner.ask(900).await?.context("there are jobs")?;
            samples.push(begun.elapsed());
            runner.deliver(job, FromRunner::canceled(job)).await?;
        }
        let name = format!("`ready` to `job`, {waiting} jobs wait, {done} are done");
        Ok(vec![Figure::durations(self.name(&name), samples)])
    }
}
