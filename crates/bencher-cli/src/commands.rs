//! What each command does: arguments in, requests out, answers printed.

mod account;
pub(crate) mod analyze;
mod archive;
mod change_point;
mod compare;
mod dimension;
pub(crate) mod docker;
mod handover;
mod history;
pub(crate) mod image;
pub(crate) mod import;
mod job;
mod machine;
mod manual;
mod mock;
mod noise;
mod organization;
mod profile;
mod reference;
mod registry;
mod report;
mod resource;
pub(crate) mod run;
mod status;
mod threshold;
mod version;

use std::path::PathBuf;

use crate::{
    cli::{Command, machine::Server, tools::Tool},
    client::Client,
    connection::Connection,
    error::CliError,
    exit::Exit,
    output::Out,
    profile::{Profile, ProfileFile},
};

/// What every command works with.
pub(crate) struct Context {
    pub client: Client,
    /// Where the client's server and credential are from.
    pub connection: Connection,
    pub out: Out,
    /// Where images are kept when nobody says where; absent where this machine has no such place.
    pub image_cache: Option<PathBuf>,
    /// Where docker looks for log-ins; absent where this machine has no such place.
    pub docker_config: Option<PathBuf>,
    /// Where container tools look for log-ins for any registry, the most wanted first.
    pub login_files: Vec<PathBuf>,
    /// Where container engines may listen.
    pub engines: image::engine::Engines,
}

/// Does what needs no server. `given` is what the command line and the environment say of one.
pub(crate) fn tool(
    tool: Tool,
    out: Out,
    profiles: &ProfileFile,
    given: impl FnOnce() -> Result<Profile, CliError>,
) -> Result<Exit, CliError> {
    match tool {
        Tool::Analyze(args) => return analyze::analyze(out, &args),
        Tool::Mock(args) => return mock::mock(out, &args),
        Tool::Noise(args) => noise::noise(out, &args),
        Tool::Man(args) => manual::man(out, &args),
        Tool::Profile(args) => profile::profile(out, profiles, given()?, args),
        Tool::Completions { shell } => manual::completions(shell),
    }
    .map(|()| Exit::Ok)
}

/// Runs a command, then says where the server is of another version.
pub(crate) async fn dispatch(command: Command, context: Context) -> Result<Exit, CliError> {
    let asks_itself = matches!(command, Command::Server(Server::Version));
    let ended = run_command(command, &context).await;
    if !asks_itself && matches!(ended, Ok(_) | Err(CliError::Api(_))) {
        version::compare(&context).await;
    }
    ended
}

async fn run_command(command: Command, context: &Context) -> Result<Exit, CliError> {
    match command {
        Command::Run(args) => return run::run(context, *args).await,
        Command::Import(args) => return import::import(context, *args).await,
        Command::Compare(args) => return compare::compare(context, args).await,
        Command::Job(args) => return job::job(context, args).await,
        Command::Image(args) => image::image(context, args).await,
        Command::Archive(args) => archive::archive(context, args, archive::Shelve::Away).await,
        Command::Unarchive(args) => archive::archive(context, args, archive::Shelve::Back).await,
        Command::Auth(args) => account::auth(context, args).await,
        Command::User(args) => account::user(context, args).await,
        Command::Token(args) => account::token(context, args).await,
        Command::Organization(args) => organization::organization(context, args).await,
        Command::Member(args) => organization::member(context, args).await,
        Command::Project(args) => organization::project(context, args).await,
        Command::Runner(args) => machine::runner(context, args).await,
        Command::Spec(args) => machine::spec(context, args).await,
        Command::Server(args) => machine::server(context, args).await,
        Command::Report(args) => report::report(context, args).await,
        Command::Perf(args) => history::perf(context, args).await,
        Command::Plot(args) => history::plot(context, *args).await,
        Command::Branch(args) => dimension::branch(context, args).await,
        Command::Testbed(args) => dimension::testbed(context, args).await,
        Command::Benchmark(args) => dimension::benchmark(context, args).await,
        Command::Measure(args) => dimension::measure(context, args).await,
        Command::Metric(args) => history::metric(context, args).await,
        Command::Threshold(args) => threshold::threshold(context, args).await,
        Command::Alert(args) => threshold::alert(context, args).await,
        Command::ChangePoint(args) => change_point::change_point(context, args).await,
        Command::Status => status::status(context).await,
    }
    .map(|()| Exit::Ok)
}
