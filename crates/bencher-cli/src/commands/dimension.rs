//! `branch`, `testbed`, `benchmark` and `measure`: what results are filed under.

use bencher_types::wire::dimension::{
    Benchmark, Branch, Measure, NewBenchmark, NewBranch, NewMeasure, NewTestbed, Testbed, UpdateBenchmark, UpdateBranch,
    UpdateMeasure, UpdateTestbed,
};
use serde::de::DeserializeOwned;

use super::{Context, resource::path};
use crate::{
    cli::{dimension as args, pairs, with_archived},
    error::CliError,
    output::Human,
};

pub(super) async fn branch(context: &Context, args: args::Branch) -> Result<(), CliError> {
    match args {
        args::Branch::List(of) => list::<Branch>(context, "branches", of).await,
        args::Branch::Create { project, name, slug, start_point } => {
            let body = NewBranch { name, slug, start_point: start_point.body() };
            context.create::<Branch>(&path([&"projects", &project, &"branches"]), &body).await
        }
        args::Branch::View { project, branch, head } => {
            let query = pairs([("head", head.map(|head| head.to_string()))]);
            context.view::<Branch>(&path([&"projects", &project, &"branches", &branch]), &query).await
        }
        args::Branch::Update { project, branch, name, slug, shelf, start_point } => {
            let body = UpdateBranch { name, slug, start_point: start_point.body(), archived: shelf.archived() };
            context.update::<Branch>(&path([&"projects", &project, &"branches", &branch]), &body).await
        }
        args::Branch::Delete { project, branch, sure } => {
            let what = format!("branch {branch} and its results");
            context.delete(&path([&"projects", &project, &"branches", &branch]), &what, sure).await
        }
    }
}

pub(super) async fn testbed(context: &Context, args: args::Testbed) -> Result<(), CliError> {
    match args {
        args::Testbed::List(of) => list::<Testbed>(context, "testbeds", of).await,
        args::Testbed::Create { project, name, slug, spec } => {
            context.create::<Testbed>(&path([&"projects", &project, &"testbeds"]), &NewTestbed { name, slug, spec }).await
        }
        args::Testbed::View { project, testbed, spec } => {
            let query = pairs([("spec", spec.map(|spec| spec.to_string()))]);
            context.view::<Testbed>(&path([&"projects", &project, &"testbeds", &testbed]), &query).await
        }
        args::Testbed::Update { project, testbed, name, slug, spec, remove_spec, shelf } => {
            let spec = if remove_spec { Some(None) } else { spec.map(Some) };
            let body = UpdateTestbed { name, slug, spec, archived: shelf.archived() };
            context.update::<Testbed>(&path([&"projects", &project, &"testbeds", &testbed]), &body).await
        }
        args::Testbed::Delete { project, testbed, sure } => {
            let what = format!("testbed {testbed} and its results");
            context.delete(&path([&"projects", &project, &"testbeds", &testbed]), &what, sure).await
        }
    }
}

pub(super) async fn benchmark(context: &Context, args: args::Benchmark) -> Result<(), CliError> {
    match args {
        args::Benchmark::List(of) => list::<Benchmark>(context, "benchmarks", of).await,
        args::Benchmark::Create { project, name, slug } => {
            context.create::<Benchmark>(&path([&"projects", &project, &"benchmarks"]), &NewBenchmark { name, slug }).await
        }
        args::Benchmark::View { project, benchmark } => {
            context.view::<Benchmark>(&path([&"projects", &project, &"benchmarks", &benchmark]), &Vec::new()).await
        }
        args::Benchmark::Update { project, benchmark, name, slug, shelf } => {
            let body = UpdateBenchmark { name, slug, archived: shelf.archived() };
            context.update::<Benchmark>(&path([&"projects", &project, &"benchmarks", &benchmark]), &body).await
        }
        args::Benchmark::Delete { project, benchmark, sure } => {
            let what = format!("benchmark {benchmark} and its results");
            context.delete(&path([&"projects", &project, &"benchmarks", &benchmark]), &what, sure).await
        }
    }
}

pub(super) async fn measure(context: &Context, args: args::Measure) -> Result<(), CliError> {
    match args {
        args::Measure::List(of) => list::<Measure>(context, "measures", of).await,
        args::Measure::Create { project, name, slug, units } => {
            context.create::<Measure>(&path([&"projects", &project, &"measures"]), &NewMeasure { name, slug, units }).await
        }
        args::Measure::View { project, measure } => {
            context.view::<Measure>(&path([&"projects", &project, &"measures", &measure]), &Vec::new()).await
        }
        args::Measure::Update { project, measure, name, slug, units, shelf } => {
            let body = UpdateMeasure { name, slug, units, archived: shelf.archived() };
            context.update::<Measure>(&path([&"projects", &project, &"measures", &measure]), &body).await
        }
        args::Measure::Delete { project, measure, sure } => {
            let what = format!("measure {measure} and its results");
            context.delete(&path([&"projects", &project, &"measures", &measure]), &what, sure).await
        }
    }
}

async fn list<T>(context: &Context, kind: &str, of: args::DimensionList) -> Result<(), CliError>
where
    Vec<T>: DeserializeOwned + Human,
{
    let query = with_archived(of.filter.query(), of.archived);
    context.list::<T>(&path([&"projects", &of.project, &kind]), &query).await
}
