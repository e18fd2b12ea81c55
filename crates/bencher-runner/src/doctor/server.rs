//! Whether the server can be reached.

use std::time::Duration;

use bencher_types::wire::server::ApiVersion;
use url::Url;

use super::Check;
use crate::chain::chain;

/// How long the server may take to say its version.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Where a runner looks for its server when nobody says another.
const DEFAULT_HOST: &str = "http://localhost:6610";

/// A server that was named has to be there; the default one may be meant to come later.
pub(super) async fn check(host: Option<&Url>) -> Check {
    let check = Check::new("server", "reachable, and a server of this kind");
    let url = host.map_or_else(|| DEFAULT_HOST.to_owned(), |host| host.as_str().trim_end_matches('/').to_owned());
    match version(&url).await {
        Ok(version) => check.ok(format!("{url}, version {version}")),
        Err(problem) if host.is_some() => {
            check.fail(problem, "check --host, that the server runs, and what is between: name service, firewall, certificate")
        }
        Err(problem) => check.warn(problem, "name the server with --host, if it is another one"),
    }
}

async fn version(url: &str) -> Result<String, String> {
    // As the runner itself connects: straight.
    let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().map_err(|error| chain(&error))?;
    let response = client.get(format!("{url}/v0/server/version")).send().await;
    let response = response.map_err(|error| format!("{url} does not answer: {}", chain(&error.without_url())))?;
    let status = response.status();
    if !status.is_success() {
        return Err(format!("{url} answers with status {status}"));
    }
    let version: ApiVersion = response.json().await.map_err(|_| format!("{url} is no server of this kind"))?;
    Ok(version.product_version.unwrap_or(version.version))
}
