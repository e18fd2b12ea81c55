//! `/v0/auth/oci/token`: tokens for the registry, as the Docker token and OAuth2 specifications have them.
//!
//! A scope that the caller may not have is left out of the token, without a word on why; the registry says so when it is used.

use axum::{
    Form, Json,
    extract::{RawQuery, State, rejection::FormRejection},
    response::{IntoResponse as _, Response},
};
use bencher_types::Secret;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{AppState, credentials, error::OciError};
use crate::{
    auth::Principal,
    http::visit::Visit,
    limits,
    rate::Limited,
    registry::{
        access::{self, AccessError, Caller, Credentials},
        scope::{self, Scope},
    },
    store::StoreError,
    token::{Audience, Claims},
};

/// Issues a registry token, to the user or project of the Basic credentials or to nobody in particular.
#[utoipa::path(
    get, path = "/v0/auth/oci/token", tag = "auth",
    params(("service" = Option<String>, Query), ("scope" = Option<Vec<String>>, Query)),
    responses((status = 200, body = Object))
)]
pub(crate) async fn get(State(app): State<AppState>, visit: Visit, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let scopes = query.iter().filter(|(name, _)| name == "scope").map(|(_, scope)| scope.as_str());
    let asked = Asked { catalog: scope::asks_for_catalog(scopes.clone()), scopes: Scope::parse_all(scopes) };
    let issued = async {
        let principal = principal(&app, &visit, &credentials(&headers)?).await?;
        Ok::<_, OciError>(issue(&app, &principal, asked).await?)
    };
    match issued.await {
        Ok(Issued { token, issued_at, .. }) => {
            let token = token.expose();
            let expires_in = limits::OCI_TOKEN_TTL.as_secs();
            let body = json!({ "token": token, "access_token": token, "expires_in": expires_in, "issued_at": issued_at });
            Json(body).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// The OAuth2 form of the request.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenForm {
    grant_type: String,
    username: Option<Secret>,
    password: Option<Secret>,
    scope: Option<String>,
}

/// Issues a registry token, OAuth2 style.
#[utoipa::path(
    post, path = "/v0/auth/oci/token", tag = "auth",
    request_body(content = Object, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = Object))
)]
pub(crate) async fn post(State(app): State<AppState>, visit: Visit, form: Result<Form<TokenForm>, FormRejection>) -> Response {
    let form = match form {
        Ok(Form(form)) => form,
        Err(rejection) => return refused("invalid_request", &rejection.body_text()),
    };
    if form.grant_type != "password" {
        return refused("unsupported_grant_type", "expected the grant type `password`; tokens are short-lived and not refreshed");
    }
    let (Some(user), Some(password)) = (form.username, form.password) else {
        return refused("invalid_request", "`username` and `password` are missing; the password is an API key or token");
    };
    let principal = match principal(&app, &visit, &Credentials::Basic { user, password }).await {
        Ok(principal) => principal,
        Err(NoPrincipal::Access(AccessError::Unauthorized(detail))) => {
            // The answer is none that would tell by itself that the credentials are not valid.
            return match visit.failed() {
                Ok(()) => refused("invalid_grant", &detail),
                Err(limited) => OciError::from(limited).into_response(),
            };
        }
        Err(error) => return OciError::from(error).into_response(),
    };
    let scope = form.scope.as_deref();
    let asked = Asked { catalog: scope::asks_for_catalog(scope), scopes: Scope::parse_all(scope) };
    match issue(&app, &principal, asked).await {
        Ok(Issued { token, granted, issued_at }) => Json(json!({
            "access_token": token.expose(),
            "token_type": "Bearer",
            "expires_in": limits::OCI_TOKEN_TTL.as_secs(),
            "scope": granted,
            "issued_at": issued_at,
        }))
        .into_response(),
        Err(error) => OciError::from(error).into_response(),
    }
}

/// What a token is to be for.
struct Asked {
    scopes: Vec<Scope>,
    /// The list of all repositories.
    catalog: bool,
}

struct Issued {
    token: Secret,
    /// The scopes of the token, with spaces between them.
    granted: String,
    issued_at: bencher_types::DateTime,
}

async fn issue(app: &AppState, principal: &Principal, asked: Asked) -> Result<Issued, StoreError> {
    let scopes = access::grantable(app, principal, asked.scopes).await?;
    let catalog = asked.catalog && matches!(principal, Principal::User(user) if user.admin);
    let granted = scopes.iter().map(ToString::to_string).chain(catalog.then(|| scope::CATALOG.to_owned()));
    let granted = granted.collect::<Vec<_>>().join(" ");
    let (audience, subject, jti) = match principal {
        Principal::User(user) => (Audience::OciAuth, user.email.to_string(), None),
        Principal::ProjectKey(holder) => (Audience::OciProject, holder.project.to_string(), Some(holder.key.as_uuid())),
        Principal::Anonymous => (Audience::OciPublic, "public".to_owned(), None),
    };
    let issued_at = app.clock.now();
    let claims = app.tokens.claims(audience, subject, issued_at, issued_at.saturating_add(limits::OCI_TOKEN_TTL));
    let token = app.tokens.sign(&Claims { jti, oci: scope::access_of(scopes, catalog), ..claims });
    Ok(Issued { token, granted, issued_at })
}

/// Why nobody gets a token.
enum NoPrincipal {
    Access(AccessError),
    Limited(Limited),
}

impl From<NoPrincipal> for OciError {
    fn from(error: NoPrincipal) -> Self {
        match error {
            NoPrincipal::Access(error) => error.into(),
            NoPrincipal::Limited(limited) => limited.into(),
        }
    }
}

/// Who asks for a token: only a key or an API token gets one, not another registry token.
async fn principal(app: &AppState, visit: &Visit, credentials: &Credentials) -> Result<Principal, NoPrincipal> {
    let caller = access::identify(app, credentials).await.map_err(NoPrincipal::Access)?;
    super::charge(visit, &caller).map_err(NoPrincipal::Limited)?;
    match caller {
        Caller::User(user, access::Grant::Everything) => Ok(Principal::User(user)),
        Caller::ProjectKey(holder, access::Grant::Everything) => Ok(Principal::ProjectKey(holder)),
        Caller::Anonymous(access::Grant::Everything) => Ok(Principal::Anonymous),
        _ => {
            let detail = "a registry token cannot be exchanged for another one".to_owned();
            Err(NoPrincipal::Access(AccessError::Unauthorized(detail)))
        }
    }
}

fn refused(error: &str, description: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error, "error_description": description }))).into_response()
}
