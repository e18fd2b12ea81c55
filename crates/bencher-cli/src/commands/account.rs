//! `auth`, `user` and `token`.

use bencher_types::{
    ResourceId,
    wire::{
        auth::{
            AuthAck, AuthUser, Confirm, Login, NewUserKey, Signup, UpdateUser, UpdateUserKey, User, UserKeyCreated, UserKeyInfo,
        },
        key::{NewToken, Token, UpdateToken},
        member::Accept,
    },
};

use super::{Context, resource::path};
use crate::{
    cli::{Query, account as args, pairs},
    error::CliError,
};

pub(super) async fn auth(context: &Context, args: args::Auth) -> Result<(), CliError> {
    let Context { client, out, .. } = context;
    let answer = match args {
        args::Auth::Signup(args::Signup { name, slug, email, invite, claim, i_agree }) => {
            let body = Signup { name, slug, email, i_agree, invite, claim };
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
        args::Auth::Accept { invite } => {
            let answer = client.post::<AuthAck>(&["v0", "auth", "accept"], &Accept { invite }).await?;
            return match answer.body() {
                Ok(ack) => out.changed(&answer.json, &format!("{} is a member now", ack.email)),
                Err(_) => out.show(&answer),
            };
        }
    };
    out.show(&answer)?;
    out.done("a server without mail writes the token to its log; go on with `bencher auth confirm TOKEN`");
    Ok(())
}

pub(super) async fn user(context: &Context, args: args::User) -> Result<(), CliError> {
    match args {
        args::User::List(filter) => context.list::<User>(&path([&"users"]), &filter.query()).await,
        args::User::View { user } => context.view::<User>(&path([&"users", &user]), &Vec::new()).await,
        args::User::Update(args::UpdateUser { user, name, slug, email, admin, locked }) => {
            let body = UpdateUser { name, slug, email, admin, locked };
            context.update::<User>(&path([&"users", &user]), &body).await
        }
        args::User::Key(args) => key(context, args).await,
    }
}

fn with_revoked(mut query: Query, revoked: bool) -> Query {
    query.extend(pairs([("revoked", revoked.then(|| "true".to_owned()))]));
    query
}

async fn key(context: &Context, args: args::UserKey) -> Result<(), CliError> {
    let keys = |user: &ResourceId| path([&"users", user, &"keys"]);
    match args {
        args::UserKey::List { user, revoked, filter } => {
            context.list::<UserKeyInfo>(&keys(&user), &with_revoked(filter.query(), revoked)).await
        }
        args::UserKey::Create { user, name, ttl } => {
            context.create::<UserKeyCreated>(&keys(&user), &NewUserKey { name, ttl }).await?;
            context.out.done("keep the key: it is not shown again. Pass it with --key, or set BENCHER_API_KEY");
            Ok(())
        }
        args::UserKey::View { user, key } => {
            context.view::<UserKeyInfo>(&context.named(keys(&user), "key", &key).await?, &Vec::new()).await
        }
        args::UserKey::Update { user, key, name } => {
            context.update::<UserKeyInfo>(&context.named(keys(&user), "key", &key).await?, &UpdateUserKey { name }).await
        }
        args::UserKey::Revoke { user, key, sure } => {
            context.revoke(&context.named(keys(&user), "key", &key).await?, &format!("key {key}"), sure).await
        }
    }
}

pub(super) async fn token(context: &Context, args: args::Token) -> Result<(), CliError> {
    let tokens = |user: &ResourceId| path([&"users", user, &"tokens"]);
    match args {
        args::Token::List { user, revoked, filter } => {
            context.list::<Token>(&tokens(&user), &with_revoked(filter.query(), revoked)).await
        }
        args::Token::Create { user, name, ttl } => context.create::<Token>(&tokens(&user), &NewToken { name, ttl }).await,
        args::Token::View { user, token } => {
            context.view::<Token>(&context.named(tokens(&user), "token", &token).await?, &Vec::new()).await
        }
        args::Token::Update { user, token, name } => {
            context.update::<Token>(&context.named(tokens(&user), "token", &token).await?, &UpdateToken { name }).await
        }
        args::Token::Revoke { user, token, sure } => {
            context.revoke(&context.named(tokens(&user), "token", &token).await?, &format!("token {token}"), sure).await
        }
    }
}
