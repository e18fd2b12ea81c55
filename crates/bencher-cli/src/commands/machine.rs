//! `runner`, `spec` and `server`.

use bencher_types::{
    ResourceId,
    wire::{
        registry::ServerRegistry,
        runner::{NewRunner, NewRunnerSpec, Runner, RunnerKeyCreated, RunnerMode, UpdateRunner},
        server::{ApiVersion, Backup, BackupCreated, Console},
        spec::{NewSpec, Spec, UpdateSpec},
    },
};
use serde_json::Value;

use super::{Context, handover::hand_over, resource::path};
use crate::{
    cli::{machine as args, with_archived},
    client::Answer,
    error::CliError,
};

pub(super) async fn runner(context: &Context, args: args::Runner) -> Result<(), CliError> {
    let Context { client, out, .. } = context;
    let runners = ["v0", "runners"];
    match args {
        args::Runner::List { archived, filter } => {
            out.show_list(&client.get::<Vec<Runner>>(&runners, &with_archived(filter.query(), archived)).await?)
        }
        args::Runner::Create { name, slug } => show_key(context, &client.post(&runners, &NewRunner { name, slug }).await?),
        args::Runner::View { runner } => out.show(&client.get::<Runner>(&["v0", "runners", &runner.to_string()], &[]).await?),
        args::Runner::Update { runner, change, label, no_labels, organization, all_organizations } => {
            let body = UpdateRunner {
                name: change.name,
                slug: change.slug,
                archived: change.shelf.archived(),
                labels: (no_labels || !label.is_empty()).then_some(label),
                organizations: (all_organizations || !organization.is_empty()).then_some(organization),
                mode: None,
                reason: None,
            };
            out.show(&client.patch::<Runner>(&["v0", "runners", &runner.to_string()], &body).await?)
        }
        args::Runner::Drain(args) => set_mode(context, &args.runner, RunnerMode::Draining, args.reason).await,
        args::Runner::Lock(args) => set_mode(context, &args.runner, RunnerMode::Locked, args.reason).await,
        args::Runner::Quarantine(args) => set_mode(context, &args.runner, RunnerMode::Quarantined, args.reason).await,
        args::Runner::Unlock { runner } => set_mode(context, &runner, RunnerMode::Active, None).await,
        args::Runner::Key { runner } => {
            show_key(context, &client.post_empty(&["v0", "runners", &runner.to_string(), "key"]).await?)
        }
        args::Runner::Spec(args) => runner_spec(context, args).await,
        args::Runner::Here(args) => Err(hand_over(&args)),
    }
}

async fn set_mode(context: &Context, runner: &ResourceId, mode: RunnerMode, reason: Option<String>) -> Result<(), CliError> {
    let body = UpdateRunner { mode: Some(mode), reason, ..UpdateRunner::default() };
    context.update::<Runner>(&path([&"runners", runner]), &body).await
}

fn show_key(context: &Context, answer: &Answer<RunnerKeyCreated>) -> Result<(), CliError> {
    context.out.show(answer)?;
    context.out.done(
        "keep the key: it is not shown again. Start the runner with BENCHER_RUNNER_KEY and BENCHER_RUNNER (its UUID or slug)",
    );
    Ok(())
}

async fn runner_spec(context: &Context, args: args::RunnerSpec) -> Result<(), CliError> {
    let Context { client, out, .. } = context;
    match args {
        args::RunnerSpec::List { runner } => {
            out.show_list(&client.get::<Vec<Spec>>(&["v0", "runners", &runner.to_string(), "specs"], &[]).await?)
        }
        args::RunnerSpec::Add { runner, spec } => {
            let path = ["v0", "runners", &runner.to_string(), "specs"];
            out.show(&client.post::<Spec>(&path, &NewRunnerSpec { spec }).await?)
        }
        args::RunnerSpec::Remove { runner, spec } => {
            client.delete(&["v0", "runners", &runner.to_string(), "specs", &spec.to_string()], &[]).await?;
            out.done("removed");
            Ok(())
        }
    }
}

pub(super) async fn spec(context: &Context, args: args::Spec) -> Result<(), CliError> {
    let Context { client, out, .. } = context;
    let specs = ["v0", "specs"];
    match args {
        args::Spec::List { archived, filter } => {
            out.show_list(&client.get::<Vec<Spec>>(&specs, &with_archived(filter.query(), archived)).await?)
        }
        args::Spec::Create(new) => {
            let body = NewSpec {
                name: new.name,
                slug: new.slug,
                os: new.os,
                architecture: new.architecture,
                sandbox: new.sandbox,
                cpu: new.cpu,
                memory: new.memory,
                disk: new.disk,
                network: Some(new.network),
                fallback: Some(new.fallback),
            };
            out.show(&client.post::<Spec>(&specs, &body).await?)
        }
        args::Spec::View { spec } => out.show(&client.get::<Spec>(&["v0", "specs", &spec.to_string()], &[]).await?),
        args::Spec::Update { spec, change, fallback } => {
            let archived = change.shelf.archived();
            let body = UpdateSpec { name: change.name, slug: change.slug, fallback, archived };
            out.show(&client.patch::<Spec>(&["v0", "specs", &spec.to_string()], &body).await?)
        }
        args::Spec::Delete { spec, sure } => context.delete(&path([&"specs", &spec]), &format!("spec {spec}"), sure).await,
    }
}

pub(super) async fn server(context: &Context, args: args::Server) -> Result<(), CliError> {
    let Context { client, out, .. } = context;
    match args {
        args::Server::Version => out.show(&client.get::<ApiVersion>(&["v0", "server", "version"], &[]).await?),
        args::Server::Spec => out.json(&client.get::<Value>(&["v0", "server", "spec"], &[]).await?.json),
        args::Server::Config(args::ServerConfig::View) => {
            out.json(&client.get::<Value>(&["v0", "server", "config"], &[]).await?.json)
        }
        args::Server::Registry => context.view::<ServerRegistry>(&path([&"server", &"registry"]), &Vec::new()).await,
        args::Server::Backup { compress, data_store, remove } => {
            let body = Backup {
                compress: compress.then_some(true),
                data_store: data_store.map(Into::into),
                remove: remove.then_some(true),
            };
            context.create::<BackupCreated>(&path([&"server", &"backup"]), &body).await
        }
        args::Server::Config(args::ServerConfig::Console) => {
            out.show(&client.get::<Console>(&["v0", "server", "config", "console"], &[]).await?)
        }
    }
}
