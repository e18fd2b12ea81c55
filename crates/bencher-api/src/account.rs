//! Accounts: sign-up, log-in and its confirmation, keys.

use std::time::Duration;

use bencher_types::{
    DateTime, Email, Jwt, ProjectKey, ResourceId, UserKey,
    wire::{
        auth::{AuthUser, Identity, Login, NewUserKey, Signup, UserKeyCreated},
        key::{NewProjectKey, NewToken, ProjectKeyCreated, Token},
    },
};

use crate::{
    app::App,
    auth::{Principal, User},
    limits,
    store::{
        StoreError,
        project::ProjectRow,
        project_key::NewProjectKeyRow,
        user::UserRow,
        user_key::NewUserKeyRow,
        user_token::{NewUserTokenRow, UserTokenRow},
    },
    token::{Audience, Claims, TokenError},
};

/// A sign-up that was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SignupError {
    #[error("to sign up, agree to the terms of whoever runs this server (`i_agree`)")]
    NotAgreed,
    #[error("this server does not take invitations at sign-up; sign up without, then ask a leader to add you")]
    Invitation,
    #[error("there is no organization with this UUID that nobody has claimed; sign up without a claim")]
    Claim,
    #[error("{0} has an account already; log in instead")]
    Exists(Email),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A confirmation that was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("the account of this confirmation does not exist, or not under this address any more; log in again")]
    NoUser,
    #[error("this account is locked; ask an admin of this server")]
    Locked,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Addresses are compared and stored in lower case.
#[must_use]
pub fn normalized(email: &Email) -> Email {
    Email::new(email.as_str().to_lowercase()).unwrap_or_else(|_| email.clone())
}

/// Makes an account with an organization of its own, a new one or one that nobody had claimed, and sends the confirmation.
///
/// # Errors
/// The terms were not agreed to, the address or slug is taken, or the organization cannot be claimed.
pub async fn sign_up(app: &App, signup: &Signup) -> Result<UserRow, SignupError> {
    if !signup.i_agree {
        return Err(SignupError::NotAgreed);
    }
    if signup.invite.is_some() {
        return Err(SignupError::Invitation);
    }
    let email = normalized(&signup.email);
    let created = app.store.create_user(&signup.name, signup.slug.as_ref(), &email, signup.claim, app.clock.now()).await;
    let user = match created {
        Ok(Some(user)) => user,
        Ok(None) => return Err(SignupError::Claim),
        Err(StoreError::Unique { constraint }) if constraint.contains("email") => return Err(SignupError::Exists(email)),
        Err(error) => return Err(error.into()),
    };
    tracing::info!(user.uuid = %user.uuid.0, admin = user.admin != 0, "a user signed up");
    send_confirmation(app, &user.email.0);
    Ok(user)
}

/// Sends a confirmation, if there is somebody to send it to: what the caller learns is the same either way.
///
/// # Errors
/// The database failed.
pub async fn log_in(app: &App, login: &Login) -> Result<Email, StoreError> {
    let email = normalized(&login.email);
    match app.store.user_by_email(&email).await? {
        Some(user) if user.locked == 0 => send_confirmation(app, &email),
        Some(user) => tracing::info!(user.uuid = %user.uuid.0, "a locked user tried to log in"),
        None => tracing::info!(%email, "somebody without an account tried to log in; they can sign up: bencher auth signup"),
    }
    Ok(email)
}

/// Turns a confirmation into a session.
///
/// # Errors
/// The confirmation is not valid any more, or its account is gone or locked.
pub async fn confirm(app: &App, token: &Jwt) -> Result<AuthUser, ConfirmError> {
    let now = app.clock.now();
    let claims = app.tokens.check(token.expose(), &[Audience::Auth], now)?;
    let email = Email::new(claims.sub).map_err(|_| ConfirmError::NoUser)?;
    let user = app.store.user_by_email(&email).await?;
    let user = user.filter(|user| claims.iat >= user.tokens_from.0.timestamp().as_second()).ok_or(ConfirmError::NoUser)?;
    if user.locked != 0 {
        return Err(ConfirmError::Locked);
    }
    let (token, expiration) = app.tokens.issue(Audience::Client, email.as_str(), None, now, limits::SESSION_TTL);
    Ok(AuthUser { user: user.into(), token, creation: now, expiration })
}

/// Whose a request is.
///
/// # Errors
/// The database failed.
pub async fn identity(app: &App, principal: &Principal) -> Result<Identity, StoreError> {
    match principal {
        Principal::Anonymous => Ok(Identity { user: None, project: None }),
        Principal::User(user) => {
            let row = app.store.user(&ResourceId::Uuid(user.uuid.as_uuid())).await?;
            Ok(Identity { user: row.map(Into::into), project: None })
        }
        Principal::ProjectKey(holder) => {
            let row = app.store.project(&ResourceId::Uuid(holder.project.as_uuid()), None).await?;
            Ok(Identity { user: None, project: row.map(Into::into) })
        }
    }
}

/// Makes a key for a user. It is in the answer and nowhere else.
///
/// # Errors
/// The database failed.
pub async fn create_key(app: &App, user: &UserRow, new: NewUserKey) -> Result<UserKeyCreated, StoreError> {
    let (key, creation) = (UserKey::generate(), app.clock.now());
    let expiration = expiration(creation, new.ttl);
    let row = NewUserKeyRow { user: user.id, name: &new.name, hash: key.hash(), creation, expiration };
    let uuid = app.store.create_user_key(&row).await?;
    tracing::info!(user.uuid = %user.uuid.0, key.uuid = %uuid, "a user key was made");
    Ok(UserKeyCreated { uuid, user: user.uuid.0, name: new.name, key, creation, expiration })
}

/// Makes a key for a project. It is in the answer and nowhere else.
///
/// # Errors
/// The database failed.
pub async fn create_project_key(
    app: &App,
    creator: &User,
    project: &ProjectRow,
    new: NewProjectKey,
) -> Result<ProjectKeyCreated, StoreError> {
    let (key, creation) = (ProjectKey::generate(), app.clock.now());
    let expiration = expiration(creation, new.ttl);
    let row =
        NewProjectKeyRow { project: project.id, creator: creator.id, name: &new.name, hash: key.hash(), creation, expiration };
    let uuid = app.store.create_project_key(&row).await?;
    tracing::info!(user.uuid = %creator.uuid, project.uuid = %project.uuid.0, key.uuid = %uuid, "a project key was made");
    Ok(ProjectKeyCreated { uuid, project: project.uuid.0, name: new.name, key, creation, expiration })
}

/// Makes an API token for a user.
///
/// # Errors
/// The database failed.
pub async fn create_token(app: &App, user: &UserRow, new: &NewToken) -> Result<Token, StoreError> {
    let creation = app.clock.now();
    let row = NewUserTokenRow {
        user: user.id,
        name: &new.name,
        issuer: app.tokens.issuer(),
        subject: &user.email.0,
        creation,
        expiration: expiration(creation, new.ttl),
    };
    let row = app.store.create_user_token(&row).await?;
    tracing::info!(user.uuid = %user.uuid.0, token.uuid = %row.uuid.0, "an API token was made");
    Ok(show_token(app, row))
}

/// An API token as it was when it was made: signed again, from what is stored of it.
#[must_use]
pub fn show_token(app: &App, row: UserTokenRow) -> Token {
    let claims = Claims {
        iss: row.issuer,
        jti: Some(row.uuid.0.as_uuid()),
        ..app.tokens.claims(Audience::ApiKey, row.subject, row.creation.0, row.expiration.0)
    };
    Token {
        uuid: row.uuid.0,
        user: row.user_uuid.0,
        name: row.name.0,
        token: app.tokens.sign(&claims),
        creation: row.creation.0,
        expiration: row.expiration.0,
        revoked: row.revoked.map(|time| time.0),
    }
}

fn expiration(creation: DateTime, ttl: Option<u32>) -> DateTime {
    creation.saturating_add(Duration::from_secs(u64::from(ttl.unwrap_or(limits::DEFAULT_KEY_TTL_SECS))))
}

/// Without a mail server the confirmation goes to the log, where only whoever runs this server can read it.
fn send_confirmation(app: &App, email: &Email) {
    let (token, _) = app.tokens.issue(Audience::Auth, email.as_str(), None, app.clock.now(), limits::CONFIRM_TTL);
    tracing::info!("{}", confirmation_line(email, &token));
}

fn confirmation_line(email: &Email, token: &Jwt) -> String {
    let minutes = limits::CONFIRM_TTL.as_secs() / 60;
    format!("to confirm {email} within {minutes} minutes, run: bencher auth confirm {}", token.expose())
}

#[cfg(test)]
mod tests {
    use super::{confirmation_line, normalized};
    use bencher_types::{Email, Jwt};

    #[test]
    fn a_confirmation_is_one_line_that_ends_with_a_command() {
        let line = confirmation_line(&Email::new("ada@example.com").unwrap(), &Jwt::new("a.b.c"));
        assert_eq!(line, "to confirm ada@example.com within 30 minutes, run: bencher auth confirm a.b.c");
    }

    #[test]
    fn addresses_are_compared_in_lower_case() {
        assert_eq!(normalized(&Email::new("Ada@Example.COM").unwrap()).as_str(), "ada@example.com");
    }
}
