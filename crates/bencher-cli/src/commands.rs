//! What each command does: arguments in, requests out, answers printed.

mod account;
mod dimension;
pub(crate) mod image;
mod job;
mod machine;
mod report;
pub(crate) mod run;

use std::path::PathBuf;

use crate::{cli::Command, client::Client, error::CliError, exit::Exit, output::Out};

/// What every command works with.
pub(crate) struct Context {
    pub client: Client,
    pub out: Out,
    /// Where images are kept when nobody says where; absent where this machine has no such place.
    pub image_cache: Option<PathBuf>,
}

pub(crate) async fn dispatch(command: Command, context: Context) -> Result<Exit, CliError> {
    let context = &context;
    match command {
        Command::Run(args) => return run::run(context, *args).await,
        Command::Job(args) => return job::job(context, args).await,
        Command::Image(args) => image::image(context, args).await,
        Command::Auth(args) => account::auth(context, args).await,
        Command::User(args) => account::user(context, args).await,
        Command::Organization(args) => account::organization(context, args).await,
        Command::Project(args) => account::project(context, args).await,
        Command::Runner(args) => machine::runner(context, args).await,
        Command::Spec(args) => machine::spec(context, args).await,
        Command::Server(args) => machine::server(context, args).await,
        Command::Report(args) => report::report(context, args).await,
        Command::Branch(args) => dimension::branch(context, args).await,
        Command::Testbed(args) => dimension::testbed(context, args).await,
        Command::Benchmark(args) => dimension::benchmark(context, args).await,
        Command::Measure(args) => dimension::measure(context, args).await,
        // Needs no server, so `main` has done it.
        Command::Completions { .. } => Ok(()),
    }
    .map(|()| Exit::Ok)
}
