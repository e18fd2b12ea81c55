//! `branch`, `testbed`, `benchmark` and `measure`: what results are filed under.

use bencher_types::{
    ResourceId,
    wire::dimension::{Benchmark, Branch, Measure, NewBenchmark, NewBranch, NewMeasure, NewTestbed, Testbed},
};
use serde::{Serialize, de::DeserializeOwned};

use super::Context;
use crate::{
    cli::{pairs, project as args},
    error::CliError,
    output::{Human, Listed},
};

pub(super) async fn branch(context: &Context, args: args::Branch) -> Result<(), CliError> {
    match args {
        args::Branch::List(of) => list::<Branch>(context, "branches", of).await,
        args::Branch::Create { project, name, slug, start_point } => {
            let body = NewBranch { name, slug, start_point: start_point.body() };
            create::<Branch>(context, &project, "branches", &body).await
        }
        args::Branch::View { project, branch } => view::<Branch>(context, &project, "branches", &branch).await,
    }
}

pub(super) async fn testbed(context: &Context, args: args::Testbed) -> Result<(), CliError> {
    match args {
        args::Testbed::List(of) => list::<Testbed>(context, "testbeds", of).await,
        args::Testbed::Create { project, name, slug, spec } => {
            create::<Testbed>(context, &project, "testbeds", &NewTestbed { name, slug, spec }).await
        }
        args::Testbed::View { project, testbed } => view::<Testbed>(context, &project, "testbeds", &testbed).await,
    }
}

pub(super) async fn benchmark(context: &Context, args: args::Benchmark) -> Result<(), CliError> {
    match args {
        args::Benchmark::List(of) => list::<Benchmark>(context, "benchmarks", of).await,
        args::Benchmark::Create { project, name, slug } => {
            create::<Benchmark>(context, &project, "benchmarks", &NewBenchmark { name, slug }).await
        }
        args::Benchmark::View { project, benchmark } => view::<Benchmark>(context, &project, "benchmarks", &benchmark).await,
    }
}

pub(super) async fn measure(context: &Context, args: args::Measure) -> Result<(), CliError> {
    match args {
        args::Measure::List(of) => list::<Measure>(context, "measures", of).await,
        args::Measure::Create { project, name, slug, units } => {
            create::<Measure>(context, &project, "measures", &NewMeasure { name, slug, units }).await
        }
        args::Measure::View { project, measure } => view::<Measure>(context, &project, "measures", &measure).await,
    }
}

async fn list<T: DeserializeOwned + Listed>(context: &Context, kind: &str, of: args::DimensionList) -> Result<(), CliError> {
    let mut query = of.filter.query();
    query.extend(pairs([("archived", of.archived.then(|| "true".to_owned()))]));
    let path = ["v0", "projects", &of.project.to_string(), kind];
    context.out.show_list(&context.client.get::<Vec<T>>(&path, &query).await?)
}

async fn create<T>(context: &Context, project: &ResourceId, kind: &str, body: &impl Serialize) -> Result<(), CliError>
where
    T: DeserializeOwned + Human,
{
    let path = ["v0", "projects", &project.to_string(), kind];
    context.out.show(&context.client.post::<T>(&path, body).await?)
}

async fn view<T>(context: &Context, project: &ResourceId, kind: &str, id: &ResourceId) -> Result<(), CliError>
where
    T: DeserializeOwned + Human,
{
    let path = ["v0", "projects", &project.to_string(), kind, &id.to_string()];
    context.out.show(&context.client.get::<T>(&path, &[]).await?)
}
