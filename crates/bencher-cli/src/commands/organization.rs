//! `organization`, `member` and `project`.

use bencher_types::{
    ResourceId,
    wire::{
        auth::AuthAck,
        billing::{Billing, UpdateBilling},
        key::{NewProjectKey, ProjectKeyCreated, ProjectKeyInfo, UpdateProjectKey},
        member::{Invitation, Member, NewMember, UpdateMember},
        organization::{Allowed, NewClaim, NewOrganization, Organization, UpdateOrganization, Usage},
        project::{NewProject, Project, UpdateProject},
    },
};

use serde_json::json;

use super::{Context, registry, resource::path};
use crate::{
    cli::{Format, Query, Span, organization as args, pairs},
    error::CliError,
};

pub(super) async fn organization(context: &Context, args: args::Organization) -> Result<(), CliError> {
    match args {
        args::Organization::List { deleted, filter } => {
            context.list::<Organization>(&path([&"organizations"]), &with_deleted(filter.query(), deleted)).await
        }
        args::Organization::Create { name, slug } => {
            context.create::<Organization>(&path([&"organizations"]), &NewOrganization { name, slug }).await
        }
        args::Organization::View { organization } => {
            context.view::<Organization>(&path([&"organizations", &organization]), &Vec::new()).await
        }
        args::Organization::Update { organization, name, slug, tier } => {
            let body = UpdateOrganization { name, slug, tier };
            context.update::<Organization>(&path([&"organizations", &organization]), &body).await
        }
        args::Organization::Delete { organization, removal } => {
            remove(context, &path([&"organizations", &organization]), &format!("organization {organization}"), removal).await
        }
        args::Organization::Restore { organization } => {
            context.create::<Organization>(&path([&"organizations", &organization, &"restore"]), &json!({})).await
        }
        args::Organization::Claim { organization } => {
            context.create::<Organization>(&path([&"organizations", &organization, &"claim"]), &NewClaim {}).await
        }
        args::Organization::Allowed { organization, what } => {
            let path = path([&"organizations", &organization, &"allowed", &what.permission()]);
            context.view::<Allowed>(&path, &Vec::new()).await
        }
        args::Organization::Usage { organization, start_time, end_time } => {
            let path = path([&"organizations", &organization, &"usage"]);
            let usage = context.client.get::<Usage>(&path, &Span { start_time, end_time }.query()).await?;
            if context.out.format == Format::Csv { context.out.data(&csv(&usage.body()?)) } else { context.out.show(&usage) }
        }
        args::Organization::Billing { organization, change } => {
            let path = path([&"organizations", &organization, &"billing"]);
            if change.customer.is_none() && !change.nobody {
                return context.view::<Billing>(&path, &Vec::new()).await;
            }
            let body = UpdateBilling { customer: change.customer };
            context.out.show(&context.client.put::<Billing>(&path, &body).await?)
        }
        args::Organization::Registry(args) => registry::of_organization(context, args).await,
    }
}

/// One line for each project, with a head. Nothing in them needs quotes.
fn csv(usage: &Usage) -> String {
    let mut csv = "organization,project,slug,start_time,end_time,runner_minutes,attempts\n".to_owned();
    for project in usage.projects.iter().flatten() {
        let slug = project.slug.as_ref().map(ToString::to_string).unwrap_or_default();
        let (organization, start, end) = (usage.organization, usage.start_time, usage.end_time);
        let (project, minutes, attempts) = (project.project, project.runner_minutes, project.attempts);
        csv.push_str(&format!("{organization},{project},{slug},{start},{end},{minutes},{attempts}\n"));
    }
    csv
}

fn with_deleted(mut query: Query, deleted: bool) -> Query {
    query.extend(pairs([("deleted", deleted.then(|| "true".to_owned()))]));
    query
}

/// Deletes something that has much in it, if that is meant.
async fn remove(context: &Context, path: &[String], what: &str, removal: args::Removal) -> Result<(), CliError> {
    let how = if removal.hard { " for good" } else { "" };
    context.out.confirm(&format!("delete {what} and everything in it{how}?"), removal.sure)?;
    context.client.delete(path, &pairs([("hard", removal.hard.then(|| "true".to_owned()))])).await?;
    context.out.done("deleted");
    Ok(())
}

pub(super) async fn member(context: &Context, args: args::Member) -> Result<(), CliError> {
    let of = |of: &args::MemberOf| path([&"organizations", &of.organization, &"members", &of.user]);
    match args {
        args::Member::List { organization, filter } => {
            context.list::<Member>(&path([&"organizations", &organization, &"members"]), &filter.query()).await
        }
        args::Member::Invite { organization, email, name, role } => {
            let path = path([&"organizations", &organization, &"members"]);
            let invited = format!("an invitation is on its way to {email}");
            let answer = context.client.post::<AuthAck>(&path, &NewMember { name, email, role }).await?;
            context.out.changed(&answer.json, &invited)?;
            context.out.done("a server without mail writes it to its log; it is accepted with `bencher auth accept TOKEN`");
            Ok(())
        }
        args::Member::Invitations { organization, page } => {
            context.list::<Invitation>(&path([&"organizations", &organization, &"invitations"]), &page.query()).await
        }
        args::Member::Withdraw { organization, invitation, sure } => {
            let path = path([&"organizations", &organization, &"invitations", &invitation]);
            context.out.confirm(&format!("take back the invitation {invitation}?"), sure)?;
            context.client.delete(&path, &[]).await?;
            context.out.done("withdrawn");
            Ok(())
        }
        args::Member::View(member) => context.view::<Member>(&of(&member), &Vec::new()).await,
        args::Member::Update { of: member, role } => context.update::<Member>(&of(&member), &UpdateMember { role }).await,
        args::Member::Remove { of: member, sure } => {
            context.out.confirm(&format!("remove {} from organization {}?", member.user, member.organization), sure)?;
            context.client.delete(&of(&member), &[]).await?;
            context.out.done("removed");
            Ok(())
        }
    }
}

pub(super) async fn project(context: &Context, args: args::Project) -> Result<(), CliError> {
    match args {
        args::Project::List { organization, deleted, filter } => {
            let path = match &organization {
                Some(organization) => path([&"organizations", organization, &"projects"]),
                None => path([&"projects"]),
            };
            context.list::<Project>(&path, &with_deleted(filter.query(), deleted)).await
        }
        args::Project::Create { organization, name, slug, url, visibility } => {
            let body = NewProject { name, slug, url, visibility: visibility.map(Into::into) };
            context.create::<Project>(&path([&"organizations", &organization, &"projects"]), &body).await
        }
        args::Project::View { project } => context.view::<Project>(&path([&"projects", &project]), &Vec::new()).await,
        args::Project::Update(change) => {
            let body = UpdateProject {
                name: change.name,
                slug: change.slug,
                url: if change.remove_url { Some(None) } else { change.url.map(Some) },
                visibility: change.visibility.map(Into::into),
                max_jobs: if change.remove_max_jobs { Some(None) } else { change.max_jobs.map(Some) },
                max_timeout: if change.remove_max_timeout { Some(None) } else { change.max_timeout.map(Some) },
            };
            context.update::<Project>(&path([&"projects", &change.project]), &body).await
        }
        args::Project::Delete { project, removal } => {
            remove(context, &path([&"projects", &project]), &format!("project {project}"), removal).await
        }
        args::Project::Restore { project } => {
            context.create::<Project>(&path([&"projects", &project, &"restore"]), &json!({})).await
        }
        args::Project::Allowed { project, what } => {
            context.view::<Allowed>(&path([&"projects", &project, &"allowed", &what.permission()]), &Vec::new()).await
        }
        args::Project::Key(args) => key(context, args).await,
        args::Project::Registry(args) => registry::of_project(context, args).await,
    }
}

async fn key(context: &Context, args: args::ProjectKey) -> Result<(), CliError> {
    let keys = |project: &ResourceId| path([&"projects", project, &"keys"]);
    let of = async |of: &args::ProjectKeyOf| context.named(keys(&of.project), "key", &of.key).await;
    match args {
        args::ProjectKey::List { project, revoked, filter } => {
            let mut query = filter.query();
            query.extend(pairs([("revoked", revoked.then(|| "true".to_owned()))]));
            context.list::<ProjectKeyInfo>(&keys(&project), &query).await
        }
        args::ProjectKey::Create { project, name, ttl } => {
            context.create::<ProjectKeyCreated>(&keys(&project), &NewProjectKey { name, ttl }).await?;
            context.out.done("keep the key: it is not shown again. Pass it to `bencher run` with --key, or set BENCHER_API_KEY");
            Ok(())
        }
        args::ProjectKey::View(key) => context.view::<ProjectKeyInfo>(&of(&key).await?, &Vec::new()).await,
        args::ProjectKey::Update { of: key, name } => {
            context.update::<ProjectKeyInfo>(&of(&key).await?, &UpdateProjectKey { name }).await
        }
        args::ProjectKey::Revoke { of: key, sure } => context.revoke(&of(&key).await?, &format!("key {}", key.key), sure).await,
    }
}
