//! `/v0/auth`: sign-up, log-in and accepting an invitation. Confirmations go by mail, or to the log.

use axum::extract::State;
use bencher_types::wire::{
    auth::{AuthAck, AuthUser, Confirm, Identity, Login, Signup},
    member::Accept,
};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{AppState, extract::Json, visit::Visit};
use crate::{
    account::{self, ConfirmError, SignupError},
    auth::{Principal, User},
    error::ApiError,
    member,
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(auth_signup))
        .routes(routes!(auth_login))
        .routes(routes!(auth_confirm))
        .routes(routes!(auth_identity))
        .routes(routes!(auth_accept))
}

/// Signs up. The first user of a server is its admin. Says nothing of whether the account existed.
#[utoipa::path(post, path = "/v0/auth/signup", tag = "auth", request_body = Signup, responses((status = 202, body = AuthAck)))]
async fn auth_signup(
    State(app): State<AppState>,
    visit: Visit,
    Json(signup): Json<Signup>,
) -> Result<(StatusCode, axum::Json<AuthAck>), ApiError> {
    visit.attempt(&signup.email)?;
    let email = account::sign_up(&app, &signup).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(AuthAck { email })))
}

/// Logs in. Says nothing of whether the account exists.
#[utoipa::path(post, path = "/v0/auth/login", tag = "auth", request_body = Login, responses((status = 202, body = AuthAck)))]
async fn auth_login(
    State(app): State<AppState>,
    visit: Visit,
    Json(login): Json<Login>,
) -> Result<(StatusCode, axum::Json<AuthAck>), ApiError> {
    visit.attempt(&login.email)?;
    let email = account::log_in(&app, &login).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(AuthAck { email })))
}

/// Says whose the credential of this very request is.
#[utoipa::path(get, path = "/v0/auth/identity", tag = "auth", responses((status = 200, body = Identity)))]
async fn auth_identity(State(app): State<AppState>, principal: Principal) -> Result<axum::Json<Identity>, ApiError> {
    Ok(axum::Json(account::identity(&app, &principal).await?))
}

/// Turns a confirmation token into a session token.
#[utoipa::path(post, path = "/v0/auth/confirm", tag = "auth", request_body = Confirm, responses((status = 200, body = AuthUser)))]
async fn auth_confirm(
    State(app): State<AppState>,
    visit: Visit,
    Json(confirm): Json<Confirm>,
) -> Result<axum::Json<AuthUser>, ApiError> {
    // A confirmation was sent to its account, whose attempts were counted then.
    visit.failed()?;
    Ok(axum::Json(account::confirm(&app, &confirm.token).await?))
}

/// Accepts an invitation, which must be for the caller's address.
#[utoipa::path(post, path = "/v0/auth/accept", tag = "auth", request_body = Accept, responses((status = 202, body = AuthAck)))]
async fn auth_accept(
    State(app): State<AppState>,
    caller: User,
    Json(accept): Json<Accept>,
) -> Result<(StatusCode, axum::Json<AuthAck>), ApiError> {
    let email = member::accept(&app, &caller, &accept.invite).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(AuthAck { email })))
}

impl From<SignupError> for ApiError {
    fn from(error: SignupError) -> Self {
        match error {
            SignupError::NotAgreed | SignupError::Claim | SignupError::TwoHomes => Self::bad_request(error.to_string()),
            SignupError::OnlyInvited | SignupError::OtherDomain => Self::forbidden(error.to_string()),
            SignupError::Invitation(invitation) => invitation.into(),
            SignupError::Store(store) => store.into(),
        }
    }
}

impl From<ConfirmError> for ApiError {
    fn from(error: ConfirmError) -> Self {
        match error {
            ConfirmError::Token(_) | ConfirmError::NoUser | ConfirmError::Used | ConfirmError::Locked => {
                Self::unauthorized(error.to_string())
            }
            ConfirmError::Store(store) => store.into(),
        }
    }
}
