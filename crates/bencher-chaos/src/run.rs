//! The course of a run: everything starts, jobs are submitted while programs are killed, what is left comes to its end in peace,
//! everything is asked to end, and then it is looked at.

use std::{collections::BTreeMap, ffi::OsString, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use crate::{
    Args,
    client::Client,
    journal::Journal,
    leftovers::{self, Interrupted},
    plan::{self, Lives},
    program::{Kept, Phase},
    site::{HEARTBEAT_TIMEOUT, PROJECT, Site},
    verdict, work,
};

/// How long each kind of program lives about, before it is killed.
const SERVER_LIFE: Duration = Duration::from_secs(5);
const RUNNER_LIFE: Duration = Duration::from_secs(6);
const DATABASE_LIFE: Duration = Duration::from_secs(11);
/// Between two looks at the jobs.
const LOOK: Duration = Duration::from_millis(500);
/// In peace nothing takes longer: a lost runner's lease, and then what is left in the queue.
const PEACE: Duration = Duration::from_secs(HEARTBEAT_TIMEOUT + 150);
/// How long the last runner may take to deliver, and an orphan to be cleared away, once all jobs have ended.
const SETTLE: Duration = Duration::from_secs(3);

/// A group of programs and what happens to them.
struct Group {
    phase: watch::Sender<Phase>,
    programs: Vec<Kept>,
}

impl Group {
    fn new() -> Self {
        Self { phase: watch::Sender::new(Phase::Peace), programs: Vec::new() }
    }

    fn go(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    async fn end(self) -> Result<()> {
        self.go(Phase::End);
        for program in self.programs {
            program.ended().await?;
        }
        Ok(())
    }
}

/// Runs it all and returns what was wrong.
///
/// # Errors
/// It could not be run, or the clients got no answer.
pub(crate) async fn run(args: &Args, seed: u64, path: Option<OsString>) -> Result<Vec<String>> {
    let mut site = Site::create(args, path.as_deref()).await?;
    let journal = Arc::new(Journal::create(&site.path().join("journal.log"))?);
    let outcome = live(args, seed, &mut site, &journal).await;
    let violations = outcome.map(|mut violations| {
        violations.extend(journal.complaints());
        violations
    });
    if violations.as_ref().map_or(true, |violations| !violations.is_empty()) {
        let folder = site.folder.keep();
        journal.say(&format!("logs and data stay in {}", folder.display()));
    }
    violations
}

async fn live(args: &Args, seed: u64, site: &mut Site, journal: &Arc<Journal>) -> Result<Vec<String>> {
    let (mut database, mut servers, mut runners) = (Group::new(), Group::new(), Group::new());
    let mut number = 0;
    let mut lives = |mean| {
        number += 1;
        Lives::of(seed, number, mean)
    };
    if let Some(program) = site.database() {
        database.programs.push(Kept::start(program, lives(DATABASE_LIFE), database.phase.subscribe(), journal.clone()));
    }
    for index in 0..site.urls.len() {
        let kept = Kept::start(site.server(index), lives(SERVER_LIFE), servers.phase.subscribe(), journal.clone());
        servers.programs.push(kept);
    }
    let mut client = Client::new(site.urls.clone())?;
    client.get("/readyz").await.context("the server does not start")?;
    site.furnish(&mut client, args.runners).await?;
    let interrupted = Interrupted::default();
    for index in 0..site.runners.len() {
        let (interrupted, data) = (interrupted.clone(), site.runners[index].data.clone());
        let program = site.runner(index, Box::new(move || interrupted.note(&data)));
        runners.programs.push(Kept::start(program, lives(RUNNER_LIFE), runners.phase.subscribe(), journal.clone()));
    }

    journal.say("everything runs; from now on it is killed at random");
    let until = Instant::now() + Duration::from_secs(60 * args.minutes);
    for group in [&database, &servers, &runners] {
        group.go(Phase::Torment);
    }
    site.spoil_lines(seed);
    let submitted = work::submit_all(&client, &site.marker, plan::tasks(seed, args.jobs), journal).await?;
    journal.say("every job was accepted");
    all_ended(&client, until).await?;
    for group in [&database, &servers, &runners] {
        group.go(Phase::Peace);
    }
    let cuts = site.mend_lines();
    if !site.lines.is_empty() {
        journal.say(&format!("the lines were cut {cuts} times"));
        if cuts == 0 {
            journal.complain("no line was ever cut".to_owned());
        }
    }
    journal.say(&format!("peace, after {}", count(journal)));
    let stuck = all_ended(&client, Instant::now() + PEACE).await?;
    tokio::time::sleep(SETTLE).await;

    let mut violations: Vec<String> = stuck.iter().map(|job| format!("a job is stuck: {job}")).collect();
    violations.extend(verdict::of_jobs(&client, &submitted, &journal.kills()).await?);
    let statuses = statuses(&client).await?;
    journal.say(&format!("{} jobs: {statuses:?}", submitted.len()));
    runners.end().await?;
    servers.end().await?;
    let processed = statuses.get("processed").copied().unwrap_or_default();
    violations.extend(verdict::of_the_database(site, &submitted, processed).await?);
    database.end().await?;
    violations.extend(leftovers::find(site, &interrupted).into_iter().map(|left| format!("left behind: {left}")));
    violations.extend(panics(site));
    Ok(violations)
}

/// Waits until every job has ended, but not longer; those that have not are returned.
async fn all_ended(client: &Client, until: Instant) -> Result<Vec<Value>> {
    loop {
        let jobs = client.list(&format!("/v0/projects/{PROJECT}/jobs")).await?;
        let has_ended = |job: &Value| matches!(job["status"].as_str(), Some("processed" | "failed" | "canceled"));
        let open: Vec<Value> = jobs.into_iter().filter(|job| !has_ended(job)).collect();
        if open.is_empty() || Instant::now() > until {
            return Ok(open);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn statuses(client: &Client) -> Result<BTreeMap<String, usize>> {
    let mut statuses = BTreeMap::new();
    for job in client.list(&format!("/v0/projects/{PROJECT}/jobs")).await? {
        *statuses.entry(job["status"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    Ok(statuses)
}

/// How often which program was killed.
fn count(journal: &Journal) -> String {
    let mut kills: BTreeMap<String, usize> = BTreeMap::new();
    for kill in journal.kills() {
        *kills.entry(kill.program).or_default() += 1;
    }
    let kills: Vec<String> = kills.into_iter().map(|(program, count)| format!("{program} {count} times")).collect();
    if kills.is_empty() { "no kill".to_owned() } else { kills.join(", ") }
}

/// No program may have panicked, whatever was done to it.
fn panics(site: &Site) -> Vec<String> {
    let logs = std::fs::read_dir(site.path()).into_iter().flatten().flatten().map(|entry| entry.path());
    let logs = logs.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    let found = logs.filter(|log| std::fs::read_to_string(log).is_ok_and(|text| text.contains("panicked at")));
    found.map(|log| format!("a program panicked: {}", log.display())).collect()
}
