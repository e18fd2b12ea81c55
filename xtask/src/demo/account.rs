//! The demo's user, project, spec and runner: made by the real commands on the first start, found again later.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    client::Client,
    service::Service,
    state::{Folder, Keys},
};

const EMAIL: &str = "demo@localhost.localdomain";
const NAME: &str = "Demo";
/// The user's, and so their organization's, name in URLs.
const USER: &str = "demo";
pub(crate) const PROJECT: &str = "compressors";
pub(crate) const RUNNER: &str = "demo-runner";

/// What a job of the demo gets. Its testbed has the same name: what is measured in one is not compared with the other.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) slug: &'static str,
    name: &'static str,
    arguments: &'static [&'static str],
    /// For a person to read.
    said: &'static str,
}

pub(crate) const THIS_MACHINE: Spec = Spec {
    slug: "this-machine",
    name: "This machine",
    arguments: &["--memory", "1073741824"],
    said: "one CPU, 1 GiB of memory, no sandbox",
};
pub(crate) const MICRO_VM: Spec = Spec {
    slug: "micro-vm",
    name: "A microVM",
    arguments: &["--memory", "536870912", "--sandbox", "firecracker"],
    said: "a microVM with one CPU and 512 MiB of memory",
};
const SPEC_ARGUMENTS: &[&str] = &["--os", "linux", "--cpu", "1", "--disk", "1073741824", "--fallback"];

/// Makes what is missing of the demo's things, and returns the runner's key.
pub(crate) fn ensure(client: &mut Client, server: &mut Service, folder: &Folder, spec: &Spec) -> Result<String> {
    let mut keys = folder.keys()?;
    let key = user_key(client, server, folder, &mut keys)?;
    client.credential = Some(("BENCHER_API_KEY", key));
    if client.json_unless_refused(&["project", "view", PROJECT])?.is_none() {
        client.json(&["project", "create", USER, "--name", "Compressors", "--slug", PROJECT])?;
        println!("created the project `{PROJECT}`");
    }
    let slug = spec.slug;
    if client.json_unless_refused(&["spec", "view", slug])?.is_none() {
        let create = ["spec", "create", "--name", spec.name, "--slug", slug, "--architecture", std::env::consts::ARCH];
        client.json(&[&create, SPEC_ARGUMENTS, spec.arguments].concat())?;
        println!("created the spec `{slug}`: {}", spec.said);
    }
    let key = runner_key(client, folder, &mut keys)?;
    let specs = client.json(&["runner", "spec", "list", RUNNER])?;
    let has_spec = specs.as_array().into_iter().flatten().any(|spec| spec["slug"] == slug);
    if !has_spec {
        client.json(&["runner", "spec", "add", RUNNER, "--spec", slug])?;
    }
    Ok(key)
}

/// Signs up, or logs in where an earlier start got no further, and makes a key.
fn user_key(client: &mut Client, server: &mut Service, folder: &Folder, keys: &mut Keys) -> Result<String> {
    if let Some(key) = &keys.user {
        return Ok(key.clone());
    }
    if keys.signed_up {
        client.json(&["auth", "login", EMAIL])?;
    } else {
        client.json(&["auth", "signup", EMAIL, "--name", NAME, "--slug", USER, "--i-agree"])?;
        keys.signed_up = true;
        folder.keep(keys)?;
    }
    // There is no mail server, so the confirmation is in the server's log, where a person would read it, too.
    let line = server.wait_for(&format!("to confirm {EMAIL}"))?;
    let token = line.split_whitespace().next_back().context("the confirmation is empty")?.to_owned();
    let session = client.json(&["auth", "confirm", &token])?;
    client.credential = Some(("BENCHER_API_TOKEN", text(&session, "token")?));
    let created = client.json(&["user", "key", "create", USER, "--name", "demo"])?;
    let key = text(&created, "key")?;
    println!("signed up {EMAIL} (the first user of a server is its admin) and created a key");
    keys.user = Some(key.clone());
    folder.keep(keys)?;
    Ok(key)
}

fn runner_key(client: &Client, folder: &Folder, keys: &mut Keys) -> Result<String> {
    if let Some(key) = &keys.runner {
        return Ok(key.clone());
    }
    // A start that was interrupted may have made the runner without keeping its key.
    let answer = match client.json_unless_refused(&["runner", "view", RUNNER])? {
        None => client.json(&["runner", "create", "--name", "Demo runner", "--slug", RUNNER])?,
        Some(_) => client.json(&["runner", "key", RUNNER])?,
    };
    println!("registered the runner `{RUNNER}`");
    let key = text(&answer, "key")?;
    keys.runner = Some(key.clone());
    folder.keep(keys)?;
    Ok(key)
}

/// A text in an answer.
fn text(answer: &Value, name: &str) -> Result<String> {
    answer[name].as_str().map(str::to_owned).with_context(|| format!("`bencher` printed no `{name}`: {answer}"))
}
