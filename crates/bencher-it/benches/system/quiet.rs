//! What the runner itself takes from the machine while a guest runs: it should be nothing that a benchmark notices.

use std::time::Duration;

use anyhow::Result;

use crate::{
    figures::{Extent, Figure},
    guests::Tools,
    images::{self, Layer},
    machine::precise_cpu_time,
    processes::Server,
};

/// From the start of the job to the first look: the guest has booted by then, on any machine.
const BOOT: Duration = Duration::from_secs(10);

/// CPU time of a runner whose guest sleeps, with a server it is connected to.
pub(crate) async fn quiet(extent: Extent) -> Result<Vec<Figure>> {
    let (runs, window) = extent.pick((3, Duration::from_secs(20)), (1, Duration::from_secs(5)));
    let server = Server::start().await?;
    let (_, key) = server.prepare_for(Some("firecracker")).await?;
    images::push(&server, "sleep", &Layer::new(0)?).await?;
    let runner = server.start_runner_with(&key, &Tools::find()?.flags()).await?;
    let sleep = (BOOT + window).as_secs() + 5;
    let mut shares = Vec::new();
    for _ in 0..runs {
        let job = server.submit("bench:sleep", &["sleep", &sleep.to_string()]).await?;
        server.reaches(&job, "running").await?;
        tokio::time::sleep(BOOT).await;
        let before = precise_cpu_time(runner.pid()?)?;
        tokio::time::sleep(window).await;
        let used = precise_cpu_time(runner.pid()?)?.saturating_sub(before);
        server.processed(&job).await?;
        shares.push(used.as_secs_f64() / window.as_secs_f64() * 100.0);
    }
    runner.stop().await?;
    let name = format!("CPU of the runner in {} s while its guest sleeps, of one core", window.as_secs());
    Ok(vec![Figure::numbers(name, shares, "%").aim("under 0.1 %")])
}
