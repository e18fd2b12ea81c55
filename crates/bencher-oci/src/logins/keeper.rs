//! Programs that keep log-ins for docker: `docker-credential-NAME get`, the registry on standard input, JSON on standard output.

use std::{io, process::Stdio};

use bencher_types::Secret;
use serde::Deserialize;
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::LoginError;
use crate::{auth::Credentials, limits::HELPER_TIMEOUT};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: Secret,
}

/// The user name that marks an identity token.
const TOKEN_USER: &str = "<token>";

/// The log-in that a helper has; `None` where it has none that can be used.
pub(super) async fn ask(helper: &str, registry: &str) -> Result<Option<Credentials>, LoginError> {
    let failed = |source| LoginError::Helper { helper: helper.to_owned(), registry: registry.to_owned(), source };
    let is_name = !helper.is_empty() && helper.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !is_name {
        return Err(failed(io::Error::other("its name is not one of a program")));
    }
    let asked = tokio::time::timeout(HELPER_TIMEOUT, run(helper, registry)).await;
    let (succeeded, answer) = asked.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?.map_err(failed)?;
    if !succeeded {
        // Helpers say in words that they know no such registry, each in its own.
        return Ok(None);
    }
    let answer: Answer = serde_json::from_slice(&answer).map_err(|error| failed(error.into()))?;
    Ok((answer.username != TOKEN_USER).then_some(Credentials::Basic { user: answer.username, password: answer.secret }))
}

async fn run(helper: &str, registry: &str) -> io::Result<(bool, Vec<u8>)> {
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(registry.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    Ok((output.status.success(), output.stdout))
}
