//! Accounts: sign-up, log-in and its confirmation, keys.

use std::time::Duration;

use bencher_types::{
    DateTime, Email, Jwt, ProjectKey, ResourceId, UserKey,
    wire::{
        auth::{AuthUser, Identity, Login, NewUserKey, Signup, UserKeyCreated},
        key::{NewProjectKey, NewToken, ProjectKeyCreated, Token},
    },
};
use sha2::{Digest as _, Sha256};

use crate::{
    app::App,
    auth::{Principal, User},
    config::SignUpAllow,
    limits,
    mail::{Letter, letters::Occasion},
    member::{self, InvitationError},
    store::{
        StoreError,
        member::InvitationRow,
        project::ProjectRow,
        project_key::NewProjectKeyRow,
        user::{Home, UserRow},
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
    #[error("there is no organization with this UUID that nobody has claimed; sign up without a claim")]
    Claim,
    #[error("an account begins in one organization: sign up with an invitation or with a claim, not with both")]
    TwoHomes,
    #[error("only who is invited may sign up at this server; ask a leader of an organization for an invitation")]
    OnlyInvited,
    #[error("only addresses of certain domains may sign up at this server; use yours, or ask for an invitation")]
    OtherDomain,
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A confirmation that was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("this confirmation was used already, and is good for one log-in; log in again for another")]
    Used,
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

/// Makes an account with an organization of its own (a new one, or one that nobody had claimed), or in the one that it is invited to,
/// and sends the confirmation. Where there is
/// an account already, its owner gets a mail that says so: what the caller learns is the same.
///
/// # Errors
/// The terms were not agreed to, the address may not sign up, the invitation does not hold, or the slug is taken.
pub async fn sign_up(app: &App, signup: &Signup) -> Result<Email, SignupError> {
    if !signup.i_agree {
        return Err(SignupError::NotAgreed);
    }
    if signup.claim.is_some() && signup.invite.is_some() {
        return Err(SignupError::TwoHomes);
    }
    let email = normalized(&signup.email);
    let invitation = match &signup.invite {
        Some(token) => Some(member::open_invitation(app, token, &email).await?),
        None => {
            may_sign_up(app, &email).await?;
            None
        }
    };
    if let Some(user) = app.store.user_by_email(&email).await? {
        greet_again(app, &user, invitation.as_ref(), Occasion::SignUpAgain).await?;
        return Ok(email);
    }
    let home = match (&invitation, signup.claim) {
        (Some(invitation), _) => Home::Invited(invitation),
        (None, Some(organization)) => Home::Claimed(organization),
        (None, None) => Home::Own,
    };
    match app.store.create_user(&signup.name, signup.slug.as_ref(), &email, home, app.clock.now()).await {
        Ok(Some(user)) => {
            tracing::info!(user.uuid = %user.uuid.0, admin = user.admin != 0, "a user signed up");
            send_confirmation(app, &user, Occasion::SignUp);
        }
        Ok(None) if invitation.is_some() => return Err(InvitationError::Revoked.into()),
        Ok(None) => return Err(SignupError::Claim),
        // Of two sign-ups at once, the other came first.
        Err(StoreError::Unique { constraint }) if constraint.contains("email") => {
            if let Some(user) = app.store.user_by_email(&email).await? {
                greet_again(app, &user, invitation.as_ref(), Occasion::SignUpAgain).await?;
            }
        }
        Err(error) => return Err(error.into()),
    }
    Ok(email)
}

/// Whether an address may sign up without an invitation. Never depends on whether it did before.
async fn may_sign_up(app: &App, email: &Email) -> Result<(), SignupError> {
    let Some(policy) = &app.config.sign_up else { return Ok(()) };
    match policy.allow {
        SignUpAllow::Everyone => Ok(()),
        // Somebody has to be there before anybody can be invited.
        SignUpAllow::Invited if app.store.has_users().await? => Err(SignupError::OnlyInvited),
        SignUpAllow::Invited => Ok(()),
        SignUpAllow::Domains => {
            let domain = email.as_str().rsplit_once('@').map_or("", |(_, domain)| domain);
            let allowed = policy.domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain));
            if allowed { Ok(()) } else { Err(SignupError::OtherDomain) }
        }
    }
}

/// Sends a confirmation, if there is somebody to send it to: what the caller learns is the same either way. An invitation is accepted
/// on the way; only the mailbox that it is for has it.
///
/// # Errors
/// The invitation does not hold, or the database failed.
pub async fn log_in(app: &App, login: &Login) -> Result<Email, InvitationError> {
    let email = normalized(&login.email);
    let invitation = match &login.invite {
        Some(token) => Some(member::open_invitation(app, token, &email).await?),
        None => None,
    };
    match app.store.user_by_email(&email).await? {
        Some(user) => greet_again(app, &user, invitation.as_ref(), Occasion::LogIn).await?,
        None => tracing::info!(%email, "somebody without an account tried to log in; they can sign up: bencher auth signup"),
    }
    Ok(email)
}

/// What happens for an account that is there.
async fn greet_again(
    app: &App,
    user: &UserRow,
    invitation: Option<&InvitationRow>,
    occasion: Occasion,
) -> Result<(), InvitationError> {
    if user.locked != 0 {
        tracing::info!(user.uuid = %user.uuid.0, "a locked user tried to log in");
        return Ok(());
    }
    if let Some(invitation) = invitation {
        member::join(app, invitation, user.id).await?;
    }
    send_confirmation(app, user, occasion);
    Ok(())
}

/// Turns a confirmation into a session, once: what was read over somebody's shoulder or left in a log is worth nothing.
///
/// # Errors
/// The confirmation is not valid any more or was used, or its account is gone or locked.
pub async fn confirm(app: &App, token: &Jwt) -> Result<AuthUser, ConfirmError> {
    let now = app.clock.now();
    let claims = app.tokens.check(token.expose(), &[Audience::Auth], now)?;
    let hash = hex::encode(Sha256::digest(token.expose().as_bytes()));
    let expires = DateTime::from_micros(claims.exp.saturating_mul(1_000_000)).map_err(|_| TokenError::Invalid)?;
    let email = Email::new(claims.sub).map_err(|_| ConfirmError::NoUser)?;
    let user = app.store.user_by_email(&email).await?;
    let user = user.filter(|user| claims.iat >= user.tokens_from.0.timestamp().as_second()).ok_or(ConfirmError::NoUser)?;
    if user.locked != 0 {
        return Err(ConfirmError::Locked);
    }
    if !app.store.use_confirmation(&hash, expires, now).await? {
        return Err(ConfirmError::Used);
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

fn send_confirmation(app: &App, user: &UserRow, occasion: Occasion) {
    let email = &user.email.0;
    let (token, _) = app.tokens.issue(Audience::Auth, email.as_str(), None, app.clock.now(), limits::CONFIRM_TTL);
    app.mail.send(email, Letter::confirmation(&app.config.console.url, email, &user.name.0, occasion, &token));
}

#[cfg(test)]
mod tests {
    use super::normalized;
    use bencher_types::Email;

    #[test]
    fn addresses_are_compared_in_lower_case() {
        assert_eq!(normalized(&Email::new("Ada@Example.COM").unwrap()).as_str(), "ada@example.com");
    }
}
