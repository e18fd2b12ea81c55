//! `report`.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
};

use bencher_types::{
    DateTime, ReportIdempotencyKey,
    wire::{
        report::Report,
        run::{NewReport, ReportSettings},
    },
};

use super::{
    Context,
    resource::path,
    run::{RunError, error::whole, read, thresholds},
};
use crate::{
    cli::{Moment, pairs, project as args, with_archived},
    clock,
    error::CliError,
};

pub(super) async fn report(context: &Context, args: args::Report) -> Result<(), CliError> {
    match args {
        args::Report::List { project, branch, testbed, archived, expand, span, page } => {
            let mut query = pairs([
                ("branch", branch.map(|branch| branch.to_string())),
                ("testbed", testbed.map(|testbed| testbed.to_string())),
                ("expand", expand.then(|| "true".to_owned())),
            ]);
            query.extend(span.query());
            query.extend(page.query());
            context.list::<Report>(&path([&"projects", &project, &"reports"]), &with_archived(query, archived)).await
        }
        args::Report::Create(new) => {
            let path = path([&"projects", &new.project, &"reports"]);
            let body = new_report(*new, clock::now()).await?;
            let answer = context.client.post::<Report>(&path, &body).await?;
            context.out.show(&answer)?;
            // An answer that is no report was shown as what it is.
            answer.body().map_or(Ok(()), |report| Ok(whole(&report)?))
        }
        args::Report::View { project, report } => {
            context.view::<Report>(&path([&"projects", &project, &"reports", &report]), &Vec::new()).await
        }
        args::Report::Delete { project, report, sure } => {
            let what = format!("report {report} and its results");
            context.delete(&path([&"projects", &project, &"reports", &report]), &what, sure).await
        }
    }
}

async fn new_report(new: args::CreateReport, now: DateTime) -> Result<NewReport, CliError> {
    let start_time = new.start_time.map_or(now, |Moment(at)| at);
    let mut results = new.results;
    for file in &new.file {
        results.push(read::file(Path::new(file)).await?);
    }
    if results.is_empty() {
        // A question that nobody expects would block for ever.
        if io::stdin().is_terminal() {
            return Err(CliError::Usage("there are no results: give --results or --file, or pipe them in".into()));
        }
        results.push(read::piped().await?);
    }
    if results.iter().all(|result| result.trim().is_empty()) {
        return Err(RunError::NoResults.into());
    }
    let settings = ReportSettings { adapter: new.adapter, average: new.average.map(Into::into), fold: new.fold.map(Into::into) };
    Ok(NewReport {
        idempotency_key: Some(ReportIdempotencyKey::random()),
        branch: new.branch,
        hash: new.hash,
        start_point: new.start_point.body(),
        testbed: new.testbed,
        thresholds: thresholds(&new.thresholds)?,
        start_time,
        end_time: new.end_time.map_or(start_time, |Moment(at)| at),
        results,
        settings: (settings != ReportSettings::default()).then_some(settings),
    })
}
