//! `perf`, `plot` and `metric`.

use std::fmt::Display;

use bencher_types::wire::{
    perf::{PERF_COLUMNS_TYPE, Perf, PerfColumns},
    plot::{NewPlot, Plot, UpdatePlot},
    report::OneMetric,
};

use super::{Context, resource::path};
use crate::{
    cli::{history as args, pairs, project::Metric, run::Elided},
    error::CliError,
    output::history::perf_table,
};

pub(super) async fn perf(context: &Context, args: args::Perf) -> Result<(), CliError> {
    let Context { client, out, .. } = context;
    for (flag, found, of, most) in [
        ("--heads", args.heads.len(), "branches", args.branches.len()),
        ("--specs", args.specs.len(), "testbeds", args.testbeds.len()),
    ] {
        if found > most {
            return Err(CliError::Usage(format!("{flag} names {found}, but there are only {most} {of}")));
        }
    }
    let mut query = pairs([
        ("branches", Some(joined(&args.branches))),
        ("heads", elided(&args.heads)),
        ("testbeds", Some(joined(&args.testbeds))),
        ("specs", elided(&args.specs)),
        ("benchmarks", Some(joined(&args.benchmarks))),
        ("measures", Some(joined(&args.measures))),
    ]);
    query.extend(args.span.query());
    let path = path([&"projects", &args.project, &"perf"]);
    if let Some(columns) = args.columns {
        query.extend(pairs([("columns", (!columns.is_empty()).then(|| joined(&columns)))]));
        let answer = client.get_as::<PerfColumns>(&path, &query, PERF_COLUMNS_TYPE).await?;
        // A server that does not know columns answers as always, which nobody asked for here.
        answer.body()?;
        return out.json(&answer.json);
    }
    let answer = client.get::<Perf>(&path, &query).await?;
    match args.table {
        Some(style) => out.data(&perf_table(*out, &answer.body()?, style)),
        None => out.show(&answer),
    }
}

/// As the API writes a list in a query.
fn joined<T: Display>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// A list with gaps, as the API writes it: nothing between two commas.
fn elided<T: Display>(list: &[Elided<T>]) -> Option<String> {
    let texts: Vec<_> = list.iter().map(|Elided(item)| item.as_ref().map_or_else(String::new, ToString::to_string)).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

pub(super) async fn plot(context: &Context, args: args::Plot) -> Result<(), CliError> {
    match args {
        args::Plot::List { project, title, search, page } => {
            let mut query = pairs([("title", title.map(|title| title.to_string())), ("search", search)]);
            query.extend(page.query());
            context.list::<Plot>(&path([&"projects", &project, &"plots"]), &query).await
        }
        args::Plot::Create(new) => {
            let path = path([&"projects", &new.project, &"plots"]);
            context.create::<Plot>(&path, &new_plot(new)).await
        }
        args::Plot::View { project, plot } => {
            context.view::<Plot>(&path([&"projects", &project, &"plots", &plot]), &Vec::new()).await
        }
        args::Plot::Update(change) => {
            let path = path([&"projects", &change.project, &"plots", &change.plot]);
            context.update::<Plot>(&path, &update_plot(change)).await
        }
        args::Plot::Delete { project, plot, sure } => {
            context.delete(&path([&"projects", &project, &"plots", &plot]), &format!("plot {plot}"), sure).await
        }
    }
}

fn new_plot(new: args::CreatePlot) -> NewPlot {
    NewPlot {
        index: new.index,
        title: new.title,
        lower_value: new.lower_value,
        upper_value: new.upper_value,
        lower_boundary: new.lower_boundary,
        upper_boundary: new.upper_boundary,
        x_axis: new.x_axis.into(),
        y_axis: new.y_axis.map(Into::into),
        window: new.window,
        branches: new.branches,
        testbeds: new.testbeds,
        benchmarks: new.benchmarks,
        measures: new.measures,
    }
}

fn update_plot(change: args::UpdatePlot) -> UpdatePlot {
    UpdatePlot {
        index: change.index,
        title: if change.remove_title { Some(None) } else { change.title.map(Some) },
        lower_value: change.lower_value,
        upper_value: change.upper_value,
        lower_boundary: change.lower_boundary,
        upper_boundary: change.upper_boundary,
        x_axis: change.x_axis.map(Into::into),
        y_axis: change.y_axis.map(Into::into),
        window: change.window,
        branches: change.branches,
        testbeds: change.testbeds,
        benchmarks: change.benchmarks,
        measures: change.measures,
    }
}

pub(super) async fn metric(context: &Context, args: Metric) -> Result<(), CliError> {
    let Metric::View { project, metric } = args;
    context.view::<OneMetric>(&path([&"projects", &project, &"metrics", &metric]), &Vec::new()).await
}
