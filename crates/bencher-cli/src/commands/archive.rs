//! `archive` and `unarchive`: put things away and take them back, by name as well as by id.

use bencher_types::{NameId, ResourceId};
use serde_json::{Value, json};

use super::{Context, resource::path};
use crate::{cli::dimension as args, error::CliError};

/// Where things go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shelve {
    Away,
    Back,
}

pub(super) async fn archive(context: &Context, args: args::Archive, shelve: Shelve) -> Result<(), CliError> {
    let args::Archive { project, what: args::ArchiveWhat { branch, testbed, benchmark, measure } } = args;
    let done = if shelve == Shelve::Away { "archived" } else { "unarchived" };
    for (kind, singular, names) in [
        ("branches", "branch", branch),
        ("testbeds", "testbed", testbed),
        ("benchmarks", "benchmark", benchmark),
        ("measures", "measure", measure),
    ] {
        for name in names {
            let changed = change(context, &project, kind, &name, shelve).await?;
            context.out.changed(&changed, &format!("{singular} {name} {done}"))?;
        }
    }
    Ok(())
}

/// The thing as it is afterwards.
async fn change(context: &Context, project: &ResourceId, kind: &str, name: &NameId, shelve: Shelve) -> Result<Value, CliError> {
    let body = json!({ "archived": shelve == Shelve::Away });
    if !matches!(name, NameId::Name(_)) {
        match context.client.patch::<Value>(&path([&"projects", project, &kind, name]), &body).await {
            // What looks like a slug may be a name whose slug is another.
            Err(error) if error.refused_with() == Some(404) && matches!(name, NameId::Slug(_)) => {}
            answer => return Ok(answer?.json),
        }
    }
    let uuid = find(context, project, kind, &name.to_string(), shelve).await?;
    Ok(context.client.patch::<Value>(&path([&"projects", project, &kind, &uuid]), &body).await?.json)
}

/// The UUID of what has this name, among what can be put away or taken back.
async fn find(context: &Context, project: &ResourceId, kind: &str, name: &str, shelve: Shelve) -> Result<String, CliError> {
    let archived = (shelve == Shelve::Back).to_string();
    let query = [("name", name.to_owned()), ("archived", archived), ("per_page", "1".to_owned())];
    let found = context.client.get::<Value>(&path([&"projects", project, &kind]), &query).await?;
    let uuid = found.json.get(0).and_then(|first| first.get("uuid")?.as_str());
    uuid.map(str::to_owned).ok_or_else(|| CliError::NoSuchName { kind: kind.to_owned(), name: name.to_owned() })
}
