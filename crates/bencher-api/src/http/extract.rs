//! Extractors whose refusals are our own errors.

use axum::{
    extract::{FromRequest, FromRequestParts, rejection::JsonRejection},
    http::request::Parts,
};
use http::header;
use serde::de::DeserializeOwned;

use super::{AppState, visit::Visit};
use crate::{
    auth::{self, Admin, Authenticated, Principal, User},
    error::ApiError,
};

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: axum::extract::Request, state: &AppState) -> Result<Self, ApiError> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(ApiError::bad_request("expected a JSON body with the header `Content-Type: application/json`"))
            }
            Err(rejection) if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE => Err(ApiError::too_large(format!(
                "the request body is larger than {} bytes, which is this server's limit (`server.request_body_max_bytes`)",
                state.config.server.request_body_max_bytes
            ))),
            Err(rejection) => Err(ApiError::bad_request(rejection.body_text())),
        }
    }
}

/// A query string.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(ApiError::bad_request(rejection.body_text())),
        }
    }
}

/// The parameters in the path.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(ApiError::bad_request(rejection.body_text())),
        }
    }
}

/// The bearer token of a request, without a word on whose it is.
pub(crate) fn bearer(parts: &Parts) -> Result<Option<&str>, ApiError> {
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else { return Ok(None) };
    value
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("bearer ")))
        .map(|token| Some(token.trim()))
        .ok_or_else(|| ApiError::unauthorized("expected the header `Authorization: Bearer` and a token or key"))
}

/// The bearer token that a request must have, for those that do not come from users.
pub struct Bearer(pub String);

impl FromRequestParts<AppState> for Bearer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let token =
            bearer(parts)?.ok_or_else(|| ApiError::unauthorized("expected the header `Authorization: Bearer` and a key"))?;
        Ok(Self(token.to_owned()))
    }
}

impl FromRequestParts<AppState> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match bearer(parts)? {
            Some(token) => {
                let principal = auth::authenticate(state, token).await?;
                match &principal {
                    Self::User(user) => Visit::of(parts).user(user.uuid)?,
                    Self::ProjectKey(holder) => Visit::of(parts).project(holder.project)?,
                    Self::Anonymous => {}
                }
                Ok(principal)
            }
            // Counted where it came in.
            None => Ok(Self::Anonymous),
        }
    }
}

impl FromRequestParts<AppState> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match Principal::from_request_parts(parts, state).await? {
            // 400, not 401, is what clients of the v0.6 series are answered here.
            Principal::Anonymous => {
                Err(ApiError::bad_request("this needs a log-in: send the header `Authorization: Bearer` and a token or key"))
            }
            principal => Ok(Self(principal)),
        }
    }
}

impl FromRequestParts<AppState> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match Authenticated::from_request_parts(parts, state).await?.0 {
            Principal::User(user) => Ok(user),
            Principal::Anonymous | Principal::ProjectKey(_) => {
                Err(ApiError::unauthorized("this needs a user: a project's key is good for what is in its project only"))
            }
        }
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let user = User::from_request_parts(parts, state).await?;
        if user.admin { Ok(Self(user)) } else { Err(ApiError::forbidden("only an admin of this server may do this")) }
    }
}
