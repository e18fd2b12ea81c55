//! `profile`: servers and credentials under a name.

use serde_json::json;

use crate::{
    cli::{Format, profile as args},
    error::CliError,
    output::{
        Out,
        table::{Cell, table},
    },
    profile::{Profile, ProfileFile, Profiles},
};

/// `given` is what was said on the command line and in the environment.
pub(super) fn profile(out: Out, file: &ProfileFile, given: Profile, args: args::Profile) -> Result<(), CliError> {
    match args {
        args::Profile::List => list(out, &file.read()?),
        args::Profile::Set { name, project } => {
            file.set(&name, &Profile { project, ..given })?;
            out.done(&format!("profile `{name}` is set"));
            Ok(())
        }
        args::Profile::Use { name } => {
            file.set_default(&name)?;
            out.done(&format!("profile `{name}` is used wherever none is named"));
            Ok(())
        }
        args::Profile::Delete { name } => {
            file.delete(&name)?;
            out.done(&format!("profile `{name}` is deleted"));
            Ok(())
        }
        args::Profile::Path => out.data(&format!("{}\n", file.path()?.display())),
    }
}

/// Names and places, never the credentials themselves.
fn list(out: Out, profiles: &Profiles) -> Result<(), CliError> {
    let credential = |profile: &Profile| match (&profile.token, &profile.key) {
        (Some(_), _) => Some("token"),
        (None, Some(_)) => Some("key"),
        (None, None) => None,
    };
    let is_default = |name: &str| profiles.default.as_deref() == Some(name);
    if out.format == Format::Json {
        let list: Vec<_> = profiles
            .profile
            .iter()
            .map(|(name, profile)| {
                json!({
                    "name": name, "default": is_default(name), "host": profile.host, "credential": credential(profile),
                    "project": profile.project,
                })
            })
            .collect();
        return out.json(&json!(list));
    }
    if profiles.profile.is_empty() {
        out.done("no profiles; `bencher profile set NAME --host URL --key KEY` makes one");
        return Ok(());
    }
    let head = ["NAME", "DEFAULT", "HOST", "CREDENTIAL", "PROJECT"].map(str::to_owned);
    let rows = profiles.profile.iter().map(|(name, profile)| {
        vec![
            Cell::new(name),
            Cell::new(if is_default(name) { "yes" } else { "" }),
            Cell::maybe(profile.host.as_ref()),
            Cell::maybe(credential(profile)),
            Cell::maybe(profile.project.as_ref()),
        ]
    });
    out.data(&table(out, &head, rows))
}
