//! `change-point`.

use bencher_types::wire::change_point::{ChangePoint, ChangePointStatus, UpdateChangePoint};

use super::{Context, resource::path};
use crate::{
    cli::{change_point as args, pairs, with_archived},
    error::CliError,
};

pub(super) async fn change_point(context: &Context, args: args::ChangePoint) -> Result<(), CliError> {
    match args {
        args::ChangePoint::List(list) => {
            let mut query = pairs([
                ("branch", list.branch.map(|branch| branch.to_string())),
                ("head", list.head.map(|head| head.to_string())),
                ("testbed", list.testbed.map(|testbed| testbed.to_string())),
                ("benchmark", list.benchmark.map(|benchmark| benchmark.to_string())),
                ("measure", list.measure.map(|measure| measure.to_string())),
                ("status", list.status.map(|status| ChangePointStatus::from(status).as_str().to_owned())),
            ]);
            query.extend(list.page.query());
            let path = path([&"projects", &list.project, &"change-points"]);
            context.list::<ChangePoint>(&path, &with_archived(query, list.archived)).await
        }
        args::ChangePoint::View(one) => context.view::<ChangePoint>(&path_of(&one), &Vec::new()).await,
        args::ChangePoint::Dismiss(one) => decide(context, &one, ChangePointStatus::Dismissed).await,
        args::ChangePoint::Accept(one) => decide(context, &one, ChangePointStatus::Accepted).await,
    }
}

fn path_of(one: &args::One) -> Vec<String> {
    path([&"projects", &one.project, &"change-points", &one.change_point])
}

async fn decide(context: &Context, one: &args::One, status: ChangePointStatus) -> Result<(), CliError> {
    context.update::<ChangePoint>(&path_of(one), &UpdateChangePoint { status: Some(status) }).await
}
