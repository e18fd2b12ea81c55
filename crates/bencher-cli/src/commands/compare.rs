//! `compare`.

use bencher_types::{
    Iterations, ReportPart,
    wire::compare::{ReportComparison, Verdict},
};

use super::{Context, resource::path};
use crate::{
    cli::{compare as args, pairs},
    error::CliError,
    exit::Exit,
};

pub(super) async fn compare(context: &Context, args: args::Compare) -> Result<Exit, CliError> {
    let Context { client, out, .. } = context;
    let is_paired = args.paired || args.pairs;
    let (old, new) = sides(&args)?;
    let higher = args.higher_is_better.join(",");
    let query = pairs([
        ("old", Some(old.to_string())),
        ("new", Some(new.to_string())),
        ("paired", is_paired.then(|| "true".to_owned())),
        ("margin", Some(args.judgement.margin.to_string())),
        ("confidence", Some(args.judgement.confidence.to_string())),
        ("higher_is_better", (!higher.is_empty()).then_some(higher)),
    ]);
    let answer = client.get::<ReportComparison>(&path([&"projects", &args.project, &"compare"]), &query).await?;
    out.show(&answer)?;
    let worse = answer.body()?.results.iter().any(|compared| compared.comparison.verdict == Verdict::Regression);
    Ok(if worse { Exit::Alert } else { Exit::Ok })
}

/// What is compared. A report of both in turns is split.
fn sides(args: &args::Compare) -> Result<(ReportPart, ReportPart), CliError> {
    let old = args.old.clone();
    match &args.new {
        Some(new) => Ok((old, new.clone())),
        None if old.iterations.is_some() => {
            Err(CliError::Usage("--pairs is about all iterations of a report: expected its UUID alone".to_owned()))
        }
        None => {
            let half = |iterations| ReportPart { report: old.report, iterations: Some(iterations) };
            Ok((half(Iterations::ODD), half(Iterations::EVEN)))
        }
    }
}
