//! Who is asking: tokens and keys to users and projects.

use bencher_types::{
    Email, ProjectKey, ProjectKeyUuid, ProjectUuid, Slug, TokenUuid, UserKey, UserName, UserUuid, wire::auth::PubUser,
};

use crate::{
    app::App,
    store::{StoreError, project_key::ProjectKeyRow, user::UserRow},
    token::{Audience, Claims, TokenError},
};

/// Whoever sent a request.
#[derive(Clone, Debug)]
pub enum Principal {
    Anonymous,
    User(User),
    /// Whoever holds a project's key: a CI job, usually.
    ProjectKey(KeyHolder),
}

/// A user who has shown a valid token or key.
#[derive(Clone, Debug)]
pub struct User {
    pub id: i64,
    pub uuid: UserUuid,
    pub name: UserName,
    pub slug: Slug,
    pub email: Email,
    pub admin: bool,
}

impl From<&User> for PubUser {
    fn from(user: &User) -> Self {
        Self { uuid: user.uuid, name: user.name.clone(), slug: user.slug.clone() }
    }
}

/// Somebody who has shown a valid key of a project, and is no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    pub key: ProjectKeyUuid,
    /// The project's row.
    pub project_id: i64,
    pub project: ProjectUuid,
}

impl Principal {
    /// The user's row, where there is one.
    #[must_use]
    pub const fn user_id(&self) -> Option<i64> {
        match self {
            Self::Anonymous | Self::ProjectKey(_) => None,
            Self::User(user) => Some(user.id),
        }
    }

    /// Whether this is the holder of a key of the project with this row.
    #[must_use]
    pub const fn has_key_of(&self, project_id: i64) -> bool {
        matches!(self, Self::ProjectKey(holder) if holder.project_id == project_id)
    }
}

impl From<User> for Principal {
    fn from(user: User) -> Self {
        Self::User(user)
    }
}

impl From<ProjectKeyRow> for KeyHolder {
    fn from(row: ProjectKeyRow) -> Self {
        Self { key: row.uuid.0, project_id: row.project_id, project: row.project_uuid.0 }
    }
}

/// Whoever has shown a valid token or key, of whatever kind: never [`Principal::Anonymous`].
#[derive(Clone, Debug)]
pub struct Authenticated(pub Principal);

impl From<Authenticated> for Principal {
    fn from(authenticated: Authenticated) -> Self {
        authenticated.0
    }
}

/// A user who administers the server.
#[derive(Clone, Debug)]
pub struct Admin(pub User);

/// Who is asking could not be established.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error(transparent)]
    Key(#[from] bencher_types::InvalidKey),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("the token or key belongs to nobody, has expired or was revoked")]
    Nobody,
    #[error("this account is locked; ask an admin of this server")]
    Locked,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose a bearer token is: a session, an API token, or a `bencher_user_…` or `bencher_run_…` key.
///
/// # Errors
/// It is none of them, or it expired or was revoked, or the user is locked.
pub async fn authenticate(app: &App, token: &str) -> Result<Principal, AuthError> {
    let now = app.clock.now();
    if token.starts_with(UserKey::PREFIX) {
        let key: UserKey = token.parse()?;
        return Ok(accept(app.store.user_by_key(&key.hash(), now).await?)?.into());
    }
    if token.starts_with(ProjectKey::PREFIX) {
        let key: ProjectKey = token.parse()?;
        let row = app.store.project_key_by_hash(&key.hash(), now).await?.ok_or(AuthError::Nobody)?;
        return Ok(Principal::ProjectKey(row.into()));
    }
    let claims = app.tokens.check(token, &[Audience::Client, Audience::ApiKey], now)?;
    let user = match claims.aud {
        Audience::ApiKey => user_of_api_token(app, &claims).await?,
        _ => user_of_claims(app, claims).await?,
    };
    Ok(user.into())
}

/// The user whom the claims of a checked token name.
///
/// # Errors
/// There is none any more, or the token is older than the user's address, or the user is locked.
pub(crate) async fn user_of_claims(app: &App, claims: Claims) -> Result<User, AuthError> {
    let email = Email::new(claims.sub).map_err(|_| AuthError::Nobody)?;
    let user = app.store.user_by_email(&email).await?;
    accept(user.filter(|user| claims.iat >= user.tokens_from.0.timestamp().as_second()))
}

/// The user of an API token, which lives as long as its record is not revoked and its user has the address that it names.
async fn user_of_api_token(app: &App, claims: &Claims) -> Result<User, AuthError> {
    let token = TokenUuid::from(claims.jti.ok_or(AuthError::Nobody)?);
    let user = app.store.user_by_token(token, app.clock.now()).await?;
    let is_theirs =
        |user: &UserRow| user.email.0.as_str() == claims.sub && claims.iat >= user.tokens_from.0.timestamp().as_second();
    accept(user.filter(is_theirs))
}

fn accept(user: Option<UserRow>) -> Result<User, AuthError> {
    let user = user.ok_or(AuthError::Nobody)?;
    if user.locked != 0 {
        return Err(AuthError::Locked);
    }
    Ok(User { id: user.id, uuid: user.uuid.0, name: user.name.0, slug: user.slug.0, email: user.email.0, admin: user.admin != 0 })
}
