//! Whether this program and the server fit together: said once, after the command, and never in its way.

use bencher_types::wire::server::ApiVersion;

use super::Context;

/// The versions of the protocol that this program speaks.
const PROTOCOL: &str = "0.6";
/// The version of this program.
const OURS: &str = env!("CARGO_PKG_VERSION");

/// Warns where the server is of another version. Says nothing where it does not answer: the command itself has said so.
pub(super) async fn compare(context: &Context) {
    if let Some(warning) = context.client.version().await.as_ref().and_then(mismatch) {
        context.out.talk(&format!("warning: {warning}"));
    }
}

fn mismatch(server: &ApiVersion) -> Option<String> {
    match &server.product_version {
        Some(theirs) if series(theirs) == series(OURS) => None,
        Some(theirs) => {
            Some(format!("this is bencher {OURS}, the server is {theirs}: use the bencher that came with the server"))
        }
        None if series(&server.version) == PROTOCOL => None,
        None => Some(format!("this is bencher {OURS}, which speaks protocol {PROTOCOL}; the server speaks {}", server.version)),
    }
}

/// What may differ without harm is left off: `0.6` of `0.6.12`.
fn series(version: &str) -> &str {
    let end = version.match_indices('.').nth(1).map_or(version.len(), |(at, _)| at);
    version.get(..end).unwrap_or(version)
}

#[cfg(test)]
mod tests;
