//! `runner stop`.

use std::time::Duration;

use indicatif::ProgressBar;
use tokio::time::timeout;

use super::{VerbError, data_dir, on_a_terminal, talk};
use crate::{
    chain::printable,
    cli::StopArgs,
    control::{
        Ask,
        client::{self, AskError, Peer},
    },
    exit::Exit,
};

/// The time between two turns of the progress mark.
const TICK: Duration = Duration::from_millis(120);

/// # Errors
/// The folder is closed to this user, or its runner does not answer.
pub async fn run(args: &StopArgs) -> Result<Exit, VerbError> {
    let dir = data_dir(&args.data)?;
    let Some(mut peer) = client::find(&dir).await? else {
        talk(&format!("no runner uses {}; is it another folder (--data-dir)?", dir.display()));
        return Ok(Exit::NotRunning);
    };
    let first = peer.ask(Ask::Stop { cancel: args.cancel }).await?;
    let mut progress = Progress::start(&first.to_string());
    let gone = timeout(args.timeout.duration(), until_gone(&mut peer, &mut progress)).await;
    progress.end();
    match gone {
        Ok(gone) => {
            gone?;
            talk("the runner has stopped");
            Ok(Exit::Success)
        }
        Err(_) => {
            talk(&format!(
                "the runner still works after {} s and stops when it is done; `runner stop --cancel` cancels its job",
                args.timeout.duration().as_secs()
            ));
            Ok(Exit::StillRunning)
        }
    }
}

async fn until_gone(peer: &mut Peer, progress: &mut Progress) -> Result<(), AskError> {
    while let Some(status) = peer.next().await? {
        progress.show(&status.to_string());
    }
    peer.ended().await;
    Ok(())
}

/// What the runner does meanwhile: on a terminal a line that changes, else a line per change.
enum Progress {
    Line(ProgressBar),
    Log { said: String },
}

impl Progress {
    fn start(text: &str) -> Self {
        let mut progress =
            if on_a_terminal() { Self::Line(ProgressBar::new_spinner()) } else { Self::Log { said: String::new() } };
        if let Self::Line(line) = &progress {
            line.enable_steady_tick(TICK);
        }
        progress.show(text);
        progress
    }

    fn show(&mut self, text: &str) {
        match self {
            Self::Line(line) => line.set_message(printable(text)),
            Self::Log { said } if said == text => {}
            Self::Log { said } => {
                talk(&printable(text));
                text.clone_into(said);
            }
        }
    }

    fn end(self) {
        if let Self::Line(line) = self {
            line.finish_and_clear();
        }
    }
}
