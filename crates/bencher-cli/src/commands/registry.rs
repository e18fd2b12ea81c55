//! `project registry` and `organization registry`: what the registry holds for whom, and which images a project keeps.

use bencher_types::wire::registry::{RegistryUsage, RetentionPreview, RetentionRules, UpdateRegistryQuota};

use super::{Context, resource::path};
use crate::{
    cli::registry::{OrganizationRegistry, ProjectRegistry, Quota},
    error::CliError,
};

pub(super) async fn of_project(context: &Context, args: ProjectRegistry) -> Result<(), CliError> {
    match args {
        ProjectRegistry::View { project } => {
            context.view::<RegistryUsage>(&path([&"projects", &project, &"registry"]), &Vec::new()).await
        }
        ProjectRegistry::Quota { project, quota } => {
            set(context, &path([&"projects", &project, &"registry", &"quota"]), quota).await
        }
        ProjectRegistry::Retention { project, rules, preview, sure } => {
            let path_of_rules = path([&"projects", &project, &"registry", &"retention"]);
            match rules.given() {
                None => context.view::<RetentionRules>(&path_of_rules, &Vec::new()).await,
                Some(rules) if preview => {
                    let path = path([&"projects", &project, &"registry", &"retention", &"preview"]);
                    context.create::<RetentionPreview>(&path, &rules).await
                }
                Some(rules) => {
                    if rules != RetentionRules::default() {
                        context.out.confirm(&format!("delete the images of {project} that no rule keeps?"), sure)?;
                    }
                    context.out.show(&context.client.put::<RetentionRules>(&path_of_rules, &rules).await?)
                }
            }
        }
    }
}

pub(super) async fn of_organization(context: &Context, args: OrganizationRegistry) -> Result<(), CliError> {
    match args {
        OrganizationRegistry::View { organization } => {
            context.view::<RegistryUsage>(&path([&"organizations", &organization, &"registry"]), &Vec::new()).await
        }
        OrganizationRegistry::Quota { organization, quota } => {
            set(context, &path([&"organizations", &organization, &"registry", &"quota"]), quota).await
        }
    }
}

async fn set(context: &Context, path: &[String], quota: Quota) -> Result<(), CliError> {
    let body = UpdateRegistryQuota { bytes: quota.bytes() };
    context.out.show(&context.client.put::<RegistryUsage>(path, &body).await?)
}
