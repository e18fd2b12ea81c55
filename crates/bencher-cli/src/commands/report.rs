//! `report`.

use bencher_types::wire::report::Report;

use super::Context;
use crate::{
    cli::{pairs, project as args},
    error::CliError,
};

pub(super) async fn report(context: &Context, args: args::Report) -> Result<(), CliError> {
    let Context { client, out, .. } = context;
    match args {
        args::Report::List { project, branch, testbed, page } => {
            let mut query = pairs([
                ("branch", branch.map(|branch| branch.to_string())),
                ("testbed", testbed.map(|testbed| testbed.to_string())),
            ]);
            query.extend(page.query());
            let path = ["v0", "projects", &project.to_string(), "reports"];
            out.show_list(&client.get::<Vec<Report>>(&path, &query).await?)
        }
        args::Report::View { project, report } => {
            let path = ["v0", "projects", &project.to_string(), "reports", &report.to_string()];
            out.show(&client.get::<Report>(&path, &[]).await?)
        }
    }
}
