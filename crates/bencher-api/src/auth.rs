//! Who is asking: tokens and keys to users.

use bencher_types::{Email, UserKey, UserUuid};

use crate::{
    app::App,
    store::{StoreError, user::UserRow},
    token::{Audience, Claims, TokenError},
};

/// Whoever sent a request.
#[derive(Clone, Debug)]
pub enum Principal {
    Anonymous,
    User(User),
}

/// A user who has shown a valid token or key.
#[derive(Clone, Debug)]
pub struct User {
    pub id: i64,
    pub uuid: UserUuid,
    pub email: Email,
    pub admin: bool,
}

impl Principal {
    /// The user's row, where there is one.
    #[must_use]
    pub const fn user_id(&self) -> Option<i64> {
        match self {
            Self::Anonymous => None,
            Self::User(user) => Some(user.id),
        }
    }
}

impl From<User> for Principal {
    fn from(user: User) -> Self {
        Self::User(user)
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
    #[error("the token or key belongs to no user, has expired or was revoked")]
    Nobody,
    #[error("this account is locked; ask an admin of this server")]
    Locked,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The user of a bearer token: a session, or a `bencher_user_…` key.
///
/// # Errors
/// It is neither, or it expired or was revoked, or the user is locked.
pub async fn authenticate(app: &App, token: &str) -> Result<User, AuthError> {
    let now = app.clock.now();
    if token.starts_with(UserKey::PREFIX) {
        let key: UserKey = token.parse()?;
        return accept(app.store.user_by_key(&key.hash(), now).await?);
    }
    let claims = app.tokens.check(token, &[Audience::Client, Audience::ApiKey], now)?;
    user_of_claims(app, claims).await
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

fn accept(user: Option<UserRow>) -> Result<User, AuthError> {
    let user = user.ok_or(AuthError::Nobody)?;
    if user.locked != 0 {
        return Err(AuthError::Locked);
    }
    Ok(User { id: user.id, uuid: user.uuid.0, email: user.email.0, admin: user.admin != 0 })
}
