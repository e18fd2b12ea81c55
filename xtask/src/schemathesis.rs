//! `cargo xtask schemathesis`: a real server, and schemathesis, which makes up requests from its OpenAPI document and checks
//! every answer against that document. What is called how is in `xtask/schemathesis/`.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::{
    demo::{clear_settings, client::Client, program, service::Service},
    process,
    python::Packages,
    setup::{self, Need},
    workspace,
};

pub(crate) const PACKAGES: Packages = Packages {
    name: "schemathesis",
    why: "which calls the API with made-up requests",
    folder: "target/schemathesis",
    requirements: include_str!("../schemathesis/requirements.txt"),
};
const CONFIG: &str = include_str!("../schemathesis/schemathesis.toml");

/// What makes calls of a run with nothing but the seed the same every time.
const SEED: &str = "1";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Made-up calls of each endpoint in each phase
    #[arg(long, default_value_t = 25)]
    examples: u32,
    /// Another seed makes up other calls
    #[arg(long, default_value = SEED)]
    seed: String,
    /// A PostgreSQL database for the server, which must be empty; else SQLite
    #[arg(long, env = "BENCHER_SCHEMATHESIS_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Arguments for `schemathesis run`, such as a filter: `-- --include-path-regex /v0/users`
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Args {
    /// As much as every change has to pass.
    pub(crate) fn for_every_change() -> Self {
        Self { examples: 25, seed: SEED.to_owned(), database_url: None, arguments: Vec::new() }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(Need::Test)?;
    process::run(process::cargo().current_dir(workspace::root()).args(["build", "--workspace", "--all-targets"]))?;
    call_everything(args)
}

/// What to call, and as whom.
struct Pass {
    name: &'static str,
    /// The session of the admin, else nobody.
    admin: bool,
    arguments: &'static [&'static str],
}

/// Streams of events do not end, and have tests of their own. In this order: what ends a user, an organization or a project comes last, so that the rest has something to work on.
const PASSES: &[Pass] = &[
    Pass {
        name: "admin",
        admin: true,
        arguments: &[
            "--exclude-path-regex",
            "^/v0/(users|organizations|projects)/\\{[a-z]+\\}$|/events$",
            "--phases",
            ALL_PHASES,
        ],
    },
    Pass {
        name: "nobody",
        admin: false,
        arguments: &["--exclude-path-regex", "/events$", "--phases", "examples,coverage,fuzzing"],
    },
    Pass {
        name: "destructive",
        admin: true,
        arguments: &[
            "--include-path-regex",
            "^/v0/(users|organizations|projects)/\\{[a-z]+\\}$",
            "--phases",
            // Without coverage, in which Python 3.11 fails by itself here ("AST constructor recursion depth mismatch",
            // github.com/python/cpython/issues/106905); the other passes have that phase for all other operations.
            "examples,fuzzing",
        ],
    },
];

const ALL_PHASES: &str = "examples,coverage,fuzzing,stateful";

/// Calls everything that the programs, which are built already, describe.
pub(crate) fn call_everything(args: &Args) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("bencher-schemathesis-").tempdir().context("could not make a folder")?;
    let log = workspace::root().join("target/schemathesis-server.log");
    // Known before it listens, since the server tells clients where its registry is.
    let address = format!("127.0.0.1:{}", private_postgres::free_port()?);
    let host = format!("http://{address}");
    let config = server_config(folder.path(), &address, args.database_url.as_deref()).to_string();
    let mut server = Service::start("server", &program("bencher-api")?, &log, |command| {
        clear_settings(command);
        command.env("BENCHER_CONFIG", config).env("BENCHER_LOG", "info");
    })?;
    server.wait_for("listening")?;
    let prepared = prepare(&host, &mut server, folder.path())?;
    for pass in PASSES {
        let config = folder.path().join(format!("{}.toml", pass.name));
        fs::write(&config, prepared.config(pass)).context("could not write a configuration")?;
        println!("schemathesis as {}", pass.name);
        let mut command = Command::new(PACKAGES.path().join("bin/schemathesis"));
        command.arg("--config-file").arg(&config).args(["run", &format!("{host}/v0/server/spec")]).args(pass.arguments);
        command.args(["--seed", &args.seed, "--max-examples", &args.examples.to_string()]).args(&args.arguments);
        clear_settings(&mut command);
        command.env("BENCHER_API_TOKEN", &prepared.token).current_dir(folder.path());
        process::run(&mut command).with_context(|| {
            format!("the API is not what it says of itself (as {}); the server's log is {}", pass.name, log.display())
        })?;
        server.check()?;
    }
    server.stop()?;
    no_defects(&log)
}

/// The server's limits are for people; here it is called as fast as it answers.
fn server_config(folder: &Path, address: &str, database_url: Option<&str>) -> serde_json::Value {
    let much = json!({ "minute": 1_000_000_000, "hour": 1_000_000_000, "day": 1_000_000_000 });
    let database = match database_url {
        Some(url) => json!({ "url": url }),
        None => json!({ "file": folder.join("bencher.db") }),
    };
    json!({
        "console": { "url": "http://localhost:3000" },
        "security": { "secret_key": "only for made-up requests" },
        "server": { "bind_address": address, "request_body_max_bytes": 1 << 22 },
        "database": database,
        "plus": {
            "registry": { "folder": folder.join("blobs") },
            "rate_limiting": {
                "public": { "requests": much, "attempts": much, "runs": much },
                "user": {
                    "requests": much, "attempts": much, "credentials": much, "organizations": much, "invites": much, "runs": much,
                },
                "project": { "requests": much, "runs": much },
                "runner": { "requests": much },
            },
        },
    })
}

/// A session, and what is there to be called about: UUIDs by the parameter of the path that they go into.
struct Prepared {
    token: String,
    ids: Vec<(&'static str, String)>,
}

impl Prepared {
    /// The configuration for one pass.
    fn config(&self, pass: &Pass) -> String {
        let headers = if pass.admin { "headers = { Authorization = \"Bearer ${BENCHER_API_TOKEN}\" }\n" } else { "" };
        let ids = self.ids.iter().map(|(name, id)| format!("\n[dictionaries.{name}]\nvalues = [\"{id}\"]\n"));
        format!("{headers}{CONFIG}{}", ids.collect::<String>())
    }
}

/// Signs up an admin and makes one of everything. Whatever has a name is called `fuzz`.
fn prepare(host: &str, server: &mut Service, folder: &Path) -> Result<Prepared> {
    let mut client = Client { program: program("bencher")?, host: host.to_owned(), credential: None };
    client.json(&["auth", "signup", "fuzz@localhost.localdomain", "--name", "Fuzz", "--slug", "fuzz", "--i-agree"])?;
    let line = server.wait_for("to confirm fuzz@localhost.localdomain")?;
    let confirmation = line.split_whitespace().next_back().context("the confirmation is empty")?.to_owned();
    let session = client.json(&["auth", "confirm", &confirmation])?;
    let token = text(&session, "/token")?;
    client.credential = Some(("BENCHER_API_TOKEN", token.clone()));
    let key = client.json(&["user", "key", "create", "fuzz", "--name", "fuzz"])?;
    client.json(&["project", "create", "fuzz", "--name", "Fuzz", "--slug", "fuzz"])?;
    let spec = ["spec", "create", "--name", "Fuzz", "--slug", "fuzz", "--os", "linux", "--architecture", "x86_64"];
    client.json(&[&spec[..], &["--cpu", "1", "--memory", "1073741824", "--disk", "1073741824", "--fallback"]].concat())?;
    client.json(&["runner", "create", "--name", "Fuzz", "--slug", "fuzz"])?;
    client.json(&["runner", "spec", "add", "fuzz", "--spec", "fuzz"])?;

    let result = folder.join("result.json");
    fs::write(&result, r#"{"fuzz": {"latency": {"value": 1.5}}}"#).context("could not write a result")?;
    let file = result.to_str().context("the temporary folder is no text")?;
    let run = ["run", "--project", "fuzz", "--branch", "fuzz", "--testbed", "fuzz", "--adapter", "json", "--quiet"];
    let report = client.json(&[&run[..], &["--file", file]].concat())?;
    let image = folder.join("image");
    fs::create_dir(&image).and_then(|()| fs::copy(&result, image.join("fuzz"))).context("could not make an image")?;
    let image = image.to_str().context("the temporary folder is no text")?;
    client.json(&["image", "build", "--push", "--tag", "fuzz:fuzz", "--entrypoint", "/fuzz", image])?;
    client.json(&["run", "--project", "fuzz", "--image", "fuzz:fuzz", "--spec", "fuzz", "--detach", "--quiet"])?;
    let jobs = client.json(&["job", "list", "fuzz"])?;
    let ids = vec![
        ("keys", text(&key, "/uuid")?),
        ("reports", text(&report, "/uuid")?),
        ("metrics", text(&report, "/results/0/0/measures/0/metric/uuid")?),
        ("jobs", text(&jobs, "/0/uuid")?),
    ];
    Ok(Prepared { token, ids })
}

fn text(json: &Value, pointer: &str) -> Result<String> {
    let found = json.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("`bencher` printed no {pointer}: {json}"))
}

/// Whatever the answers looked like: the log must tell of no defect.
fn no_defects(log: &Path) -> Result<()> {
    let text = fs::read_to_string(log).with_context(|| format!("could not read {}", log.display()))?;
    let defects: Vec<&str> = text.lines().filter(|line| line.contains(" ERROR ")).collect();
    if defects.is_empty() {
        return Ok(());
    }
    bail!("the server logged {} errors in {}:\n{}", defects.len(), log.display(), defects[..defects.len().min(10)].join("\n"))
}
