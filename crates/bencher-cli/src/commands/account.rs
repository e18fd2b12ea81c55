//! `auth`, `user`, `organization` and `project`.

use bencher_types::wire::{
    auth::{AuthAck, AuthUser, Confirm, Login, NewUserKey, Signup, UserKeyCreated, UserKeyInfo},
    organization::{NewOrganization, Organization},
    project::{NewProject, Project},
};

use super::Context;
use crate::{
    cli::{account as args, pairs},
    error::CliError,
};

pub(super) async fn auth(context: &Context, args: args::Auth) -> Result<(), CliError> {
    let Context { client, out, .. } = context;
    let answer = match args {
        args::Auth::Signup(args::Signup { name, slug, email, invite, i_agree }) => {
            let body = Signup { name, slug, email, i_agree, invite, claim: None };
            client.post::<AuthAck>(&["v0", "auth", "signup"], &body).await?
        }
        args::Auth::Login { email, invite } => client.post::<AuthAck>(&["v0", "auth", "login"], &Login { email, invite }).await?,
        args::Auth::Docker(args) => return super::docker::docker(context, args).await,
        args::Auth::Confirm { token } => {
            let answer = client.post::<AuthUser>(&["v0", "auth", "confirm"], &Confirm { token }).await?;
            out.show(&answer)?;
            out.done("pass the token with --token, or set BENCHER_API_TOKEN; `bencher user key create` makes a key for CI");
            return Ok(());
        }
    };
    out.show(&answer)?;
    out.done("a server without mail writes the token to its log; go on with `bencher auth confirm TOKEN`");
    Ok(())
}

pub(super) async fn user(context: &Context, args: args::User) -> Result<(), CliError> {
    let args::User::Key(args) = args;
    let Context { client, out, .. } = context;
    match args {
        args::UserKey::List { user, revoked, filter } => {
            let path = ["v0", "users", &user.to_string(), "keys"];
            let mut query = filter.query();
            query.extend(pairs([("revoked", revoked.then(|| "true".to_owned()))]));
            out.show_list(&client.get::<Vec<UserKeyInfo>>(&path, &query).await?)
        }
        args::UserKey::Create { user, name, ttl } => {
            let path = ["v0", "users", &user.to_string(), "keys"];
            let answer = client.post::<UserKeyCreated>(&path, &NewUserKey { name, ttl }).await?;
            out.show(&answer)?;
            out.done("keep the key: it is not shown again. Pass it with --key, or set BENCHER_API_KEY");
            Ok(())
        }
        args::UserKey::View { user, key } => {
            let path = ["v0", "users", &user.to_string(), "keys", &key.to_string()];
            out.show(&client.get::<UserKeyInfo>(&path, &[]).await?)
        }
        args::UserKey::Revoke { user, key } => {
            client.delete(&["v0", "users", &user.to_string(), "keys", &key.to_string()]).await?;
            out.done("revoked");
            Ok(())
        }
    }
}

pub(super) async fn organization(context: &Context, args: args::Organization) -> Result<(), CliError> {
    let Context { client, out, .. } = context;
    let path = ["v0", "organizations"];
    match args {
        args::Organization::List(filter) => out.show_list(&client.get::<Vec<Organization>>(&path, &filter.query()).await?),
        args::Organization::Create { name, slug } => {
            out.show(&client.post::<Organization>(&path, &NewOrganization { name, slug }).await?)
        }
        args::Organization::View { organization } => {
            out.show(&client.get::<Organization>(&["v0", "organizations", &organization.to_string()], &[]).await?)
        }
    }
}

pub(super) async fn project(context: &Context, args: args::Project) -> Result<(), CliError> {
    let Context { client, out, .. } = context;
    match args {
        args::Project::List { organization, filter } => {
            let organization = organization.map(|organization| organization.to_string());
            let path = match &organization {
                Some(organization) => vec!["v0", "organizations", organization, "projects"],
                None => vec!["v0", "projects"],
            };
            out.show_list(&client.get::<Vec<Project>>(&path, &filter.query()).await?)
        }
        args::Project::Create { organization, name, slug, url, visibility } => {
            let body = NewProject { name, slug, url, visibility: visibility.map(Into::into) };
            let path = ["v0", "organizations", &organization.to_string(), "projects"];
            out.show(&client.post::<Project>(&path, &body).await?)
        }
        args::Project::View { project } => {
            out.show(&client.get::<Project>(&["v0", "projects", &project.to_string()], &[]).await?)
        }
    }
}
