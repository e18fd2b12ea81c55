//! `runner status`.

use std::{fs, path::Path};

use serde::Serialize;

use super::{
    VerbError, data_dir,
    print::{fields, time, usage},
    say,
};
use crate::{
    cache::{Keeper, Usage},
    cli::StatusArgs,
    control::{Ask, client, status::Status},
    exit::Exit,
};

/// What is known about the runner of a folder, whether it lives or not.
#[derive(Debug, Serialize)]
struct View {
    running: bool,
    data_dir: String,
    #[serde(flatten)]
    status: Option<Status>,
    #[serde(rename = "state", skip_serializing_if = "Option::is_none")]
    stopped: Option<&'static str>,
    /// Where no runner lives; a living one says it in its status.
    #[serde(rename = "spooled_results", skip_serializing_if = "Option::is_none")]
    waiting: Option<usize>,
    cache: Usage,
}

/// # Errors
/// The folder is closed to this user, or its runner does not answer.
pub async fn run(args: &StatusArgs) -> Result<Exit, VerbError> {
    let dir = data_dir(&args.data)?;
    let status = match client::find(&dir).await? {
        Some(mut peer) => Some(peer.ask(Ask::Status).await?),
        None => None,
    };
    let view = View {
        running: status.is_some(),
        data_dir: dir.display().to_string(),
        stopped: status.is_none().then_some("stopped"),
        waiting: status.is_none().then(|| spooled(&dir)),
        status,
        cache: Keeper::open(&dir.join("images"))?.usage()?,
    };
    say(args.format, &view, table)?;
    Ok(if view.running { Exit::Success } else { Exit::NotRunning })
}

/// Results that an earlier runner could not deliver.
fn spooled(data_dir: &Path) -> usize {
    let files = fs::read_dir(data_dir.join("spool")).into_iter().flatten().flatten();
    files.filter(|file| file.path().extension().is_some_and(|extension| extension == "msg")).count()
}

fn table(view: &View) -> String {
    let mut lines = Vec::new();
    match &view.status {
        None => {
            lines.push(("state", "not running".to_owned()));
            lines.push(("undelivered results", view.waiting.unwrap_or_default().to_string()));
        }
        Some(status) => {
            lines.push(("state", status.state.to_string()));
            if let Some(job) = &status.job {
                lines.push(("job", job.to_string()));
                lines.push(("claimed", time(job.claimed)));
            }
            lines.push(("runner", status.runner.clone()));
            lines.push(("server", status.server.clone()));
            lines.push(("connected", if status.connected { "yes" } else { "no" }.to_owned()));
            if let Some(problem) = &status.problem {
                lines.push(("problem", problem.clone()));
            }
            lines.push(("last contact", status.last_contact.map_or_else(|| "none yet".to_owned(), time)));
            lines.push(("undelivered results", status.spooled_results.to_string()));
            lines.push(("version", status.version.clone()));
            lines.push(("process", format!("{}, since {}", status.pid, time(status.started))));
        }
    }
    lines.push(("image cache", usage(&view.cache)));
    lines.push(("data folder", view.data_dir.clone()));
    fields(&lines)
}
