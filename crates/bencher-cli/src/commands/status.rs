//! `status`: who am I, where, and is it well?

use std::time::Instant;

use bencher_types::wire::{
    auth::{Identity, User},
    server::ApiVersion,
};
use serde_json::json;

use super::Context;
use crate::{
    cli::{Credential, Format},
    error::CliError,
    output::table::{Cell, Tone, fields},
};

pub(super) async fn status(context: &Context) -> Result<(), CliError> {
    let Context { client, connection, out, .. } = context;
    let asked = Instant::now();
    let version = client.get::<ApiVersion>(&["v0", "server", "version"], &[]).await?.body()?;
    let latency = asked.elapsed();
    // Reads the database: a server that answers this is well. Refused where the credential is.
    let identity = client.get::<Identity>(&["v0", "auth", "identity"], &[]).await?.body()?;
    let credential = connection.credential.as_ref().map(|credential| match credential {
        Credential::Token(_) => "token",
        Credential::Key(_) => "key",
    });
    if out.format == Format::Json {
        return out.json(&json!({
            "host": client.host(), "profile": connection.profile, "project": connection.project, "server": version,
            "latency_ms": latency.as_secs_f64() * 1000.0, "credential": credential, "identity": identity,
        }));
    }
    let server = match &version.product_version {
        Some(product) => format!("well; version {product}, speaks {}, answers in {} ms", version.version, latency.as_millis()),
        None => format!("well; speaks {}, answers in {} ms", version.version, latency.as_millis()),
    };
    out.data(&fields(
        *out,
        [
            ("host", Cell::new(client.host())),
            ("server", Cell::toned(server, Tone::Good)),
            ("you", Cell::new(you(&identity))),
            ("credential", Cell::maybe(credential)),
            ("profile", Cell::maybe(connection.profile.as_ref())),
            ("project", Cell::maybe(connection.project.as_ref())),
        ],
    ))?;
    if credential.is_none() {
        out.done("without a credential you see what is public; `bencher auth signup` or `bencher auth login` gets you one");
    }
    Ok(())
}

fn you(identity: &Identity) -> String {
    match identity {
        Identity { user: Some(User { name, email, admin, .. }), .. } => {
            format!("{name} <{email}>{}", if *admin { ", an admin of the server" } else { "" })
        }
        Identity { project: Some(project), .. } => format!("a key of the project {}", project.slug),
        Identity { user: None, project: None } => "nobody".to_owned(),
    }
}
