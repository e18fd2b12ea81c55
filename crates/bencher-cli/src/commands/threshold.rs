//! `threshold` and `alert`.

use bencher_types::wire::{
    alert::{Alert, AlertStatus, UpdateAlert},
    threshold::{NewThreshold, RemoveModel, Threshold, UpdateThreshold},
};

use super::{Context, resource::path};
use crate::{
    cli::{pairs, threshold as args, with_archived},
    error::CliError,
};

pub(super) async fn threshold(context: &Context, args: args::Threshold) -> Result<(), CliError> {
    match args {
        args::Threshold::List { project, branch, testbed, measure, archived, page } => {
            let mut query = pairs([
                ("branch", branch.map(|branch| branch.to_string())),
                ("testbed", testbed.map(|testbed| testbed.to_string())),
                ("measure", measure.map(|measure| measure.to_string())),
            ]);
            query.extend(page.query());
            context.list::<Threshold>(&path([&"projects", &project, &"thresholds"]), &with_archived(query, archived)).await
        }
        args::Threshold::Create { project, branch, testbed, measure, test, bounds } => {
            let body = NewThreshold { branch, testbed, measure, model: bounds.model(test) };
            context.create::<Threshold>(&path([&"projects", &project, &"thresholds"]), &body).await
        }
        args::Threshold::View { project, threshold, model } => {
            let query = pairs([("model", model.map(|model| model.to_string()))]);
            context.view::<Threshold>(&path([&"projects", &project, &"thresholds", &threshold]), &query).await
        }
        args::Threshold::Update { project, threshold, test, bounds, remove_model: _ } => {
            let body = match test {
                Some(test) => UpdateThreshold::Model(bounds.model(test)),
                // The parser wants one or the other.
                None => UpdateThreshold::Remove(RemoveModel { test: () }),
            };
            let path = path([&"projects", &project, &"thresholds", &threshold]);
            context.out.show(&context.client.put::<Threshold>(&path, &body).await?)
        }
        args::Threshold::Delete { project, threshold, sure } => {
            let what = format!("threshold {threshold} and its alerts");
            context.delete(&path([&"projects", &project, &"thresholds", &threshold]), &what, sure).await
        }
    }
}

pub(super) async fn alert(context: &Context, args: args::Alert) -> Result<(), CliError> {
    match args {
        args::Alert::List { project, status, archived, page } => {
            let mut query = pairs([("status", status.map(|status| AlertStatus::from(status).as_str().to_owned()))]);
            query.extend(page.query());
            context.list::<Alert>(&path([&"projects", &project, &"alerts"]), &with_archived(query, archived)).await
        }
        args::Alert::View { project, alert } => {
            context.view::<Alert>(&path([&"projects", &project, &"alerts", &alert]), &Vec::new()).await
        }
        args::Alert::Update { project, alert, status } => {
            let body = UpdateAlert { status: status.map(Into::into) };
            context.update::<Alert>(&path([&"projects", &project, &"alerts", &alert]), &body).await
        }
    }
}
