//! `compare`.

use bencher_types::wire::compare::{ReportComparison, Verdict};

use super::{Context, resource::path};
use crate::{
    cli::{compare as args, pairs},
    error::CliError,
    exit::Exit,
};

pub(super) async fn compare(context: &Context, args: args::Compare) -> Result<Exit, CliError> {
    let Context { client, out, .. } = context;
    let higher = args.higher_is_better.join(",");
    let query = pairs([
        ("old", Some(args.old.to_string())),
        ("new", Some(args.new.to_string())),
        ("paired", args.paired.then(|| "true".to_owned())),
        ("margin", Some(args.judgement.margin.to_string())),
        ("confidence", Some(args.judgement.confidence.to_string())),
        ("higher_is_better", (!higher.is_empty()).then_some(higher)),
    ]);
    let answer = client.get::<ReportComparison>(&path([&"projects", &args.project, &"compare"]), &query).await?;
    out.show(&answer)?;
    let worse = answer.body()?.results.iter().any(|compared| compared.comparison.verdict == Verdict::Regression);
    Ok(if worse { Exit::Alert } else { Exit::Ok })
}
