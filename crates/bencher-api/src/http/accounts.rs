//! `/v0/auth`: sign-up and log-in. The confirmation goes by mail, or to the log.

use axum::extract::State;
use bencher_types::wire::auth::{AuthAck, AuthUser, Confirm, Identity, Login, Signup};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{AppState, extract::Json};
use crate::{
    account::{self, ConfirmError, SignupError},
    auth::Principal,
    error::ApiError,
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(auth_signup))
        .routes(routes!(auth_login))
        .routes(routes!(auth_confirm))
        .routes(routes!(auth_identity))
}

/// Signs up. The first user of a server is its admin.
#[utoipa::path(post, path = "/v0/auth/signup", tag = "auth", request_body = Signup, responses((status = 202, body = AuthAck)))]
async fn auth_signup(
    State(app): State<AppState>,
    Json(signup): Json<Signup>,
) -> Result<(StatusCode, axum::Json<AuthAck>), ApiError> {
    let user = account::sign_up(&app, &signup).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(AuthAck { email: user.email.0 })))
}

/// Logs in. Says nothing of whether the account exists.
#[utoipa::path(post, path = "/v0/auth/login", tag = "auth", request_body = Login, responses((status = 202, body = AuthAck)))]
async fn auth_login(
    State(app): State<AppState>,
    Json(login): Json<Login>,
) -> Result<(StatusCode, axum::Json<AuthAck>), ApiError> {
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
async fn auth_confirm(State(app): State<AppState>, Json(confirm): Json<Confirm>) -> Result<axum::Json<AuthUser>, ApiError> {
    Ok(axum::Json(account::confirm(&app, &confirm.token).await?))
}

impl From<SignupError> for ApiError {
    fn from(error: SignupError) -> Self {
        match error {
            SignupError::NotAgreed | SignupError::Invitation | SignupError::Claim => Self::bad_request(error.to_string()),
            SignupError::Exists(_) => Self::conflict(error.to_string()),
            SignupError::Store(store) => store.into(),
        }
    }
}

impl From<ConfirmError> for ApiError {
    fn from(error: ConfirmError) -> Self {
        match error {
            ConfirmError::Token(_) | ConfirmError::NoUser | ConfirmError::Locked => Self::unauthorized(error.to_string()),
            ConfirmError::Store(store) => store.into(),
        }
    }
}
