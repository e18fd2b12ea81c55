//! `/v2/`: the OCI distribution API. Takes requests apart and wraps answers; what they mean is in [`crate::registry`].
//!
//! Names of repositories have any number of segments, which routes cannot express, so there is one route and `path` reads the rest.

mod accept;
mod blob;
mod condition;
mod content;
mod error;
mod list;
mod manifest;
mod path;
pub(crate) mod token;
mod upload;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use bencher_types::Secret;
use futures::{StreamExt as _, TryStreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};

use self::{
    error::OciError,
    path::{Target, percent_decode},
};
use super::{AppState, visit::Visit};
use crate::{
    rate::Limited,
    registry::{
        access::{self, Access, AccessError, Caller, Credentials, Grant},
        blob::ByteStream,
        name::RepositoryName,
    },
    token::OciAction,
};

/// Tells clients of old that this is a registry of the second version.
const API_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("docker-distribution-api-version"), HeaderValue::from_static("registry/2.0"));
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The routes of the registry.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/v2", axum::routing::any(handle)).route("/v2/{*path}", axum::routing::any(handle))
}

/// A request whose sender and target are known, but not yet whether the one may reach the other.
struct Call {
    app: AppState,
    parts: Parts,
    caller: Caller,
}

async fn handle(State(app): State<AppState>, request: Request) -> Response {
    let (parts, mut body) = request.into_parts();
    let expects_to_be_asked = parts.headers.contains_key(header::EXPECT);
    let registry = app.config.registry_url();
    let mut response = match dispatch(app, parts, &mut body).await {
        Ok(response) => response,
        Err(error) => {
            if !expects_to_be_asked {
                crate::registry::upload::drain(&mut stream(body)).await;
            }
            error.challenged(&registry).into_response()
        }
    };
    let (name, value) = API_VERSION;
    response.headers_mut().insert(name, value);
    response
}

/// `body` is taken by whoever reads it, so that what nobody read is still there afterwards.
async fn dispatch(app: AppState, parts: Parts, body: &mut Body) -> Result<Response, OciError> {
    let decoded = percent_decode(parts.uri.path().strip_prefix("/v2").unwrap_or_default()).ok_or_else(OciError::not_found)?;
    let target = Target::parse(&decoded)?;
    let caller = access::identify(&app, &credentials(&parts.headers)?).await?;
    charge(Visit::of(&parts), &caller)?;
    let method = parts.method.clone();
    let allowed = target.allowed();
    let call = Call { app, parts, caller };
    match (method, target) {
        (Method::GET | Method::HEAD, Target::Base) => call.base(),
        (Method::GET | Method::HEAD, Target::Catalog) => call.catalog().await,
        (Method::GET | Method::HEAD, Target::Blob { name, digest }) => call.get_blob(name, digest).await,
        (Method::DELETE, Target::Blob { name, digest }) => call.delete_blob(name, digest).await,
        (Method::POST, Target::Uploads { name }) => call.begin_upload(name, body).await,
        (Method::PUT, Target::Uploads { name }) => call.put_whole(name, body).await,
        (Method::GET | Method::HEAD, Target::Upload { name, upload }) => call.upload_status(name, upload).await,
        (Method::PATCH, Target::Upload { name, upload }) => call.append(name, upload, body).await,
        (Method::PUT, Target::Upload { name, upload }) => call.finish_upload(name, upload, body).await,
        (Method::DELETE, Target::Upload { name, upload }) => call.cancel_upload(name, upload).await,
        (Method::GET | Method::HEAD, Target::Manifest { name, reference }) => call.get_manifest(name, reference).await,
        (Method::PUT, Target::Manifest { name, reference }) => call.put_manifest(name, reference, body).await,
        (Method::DELETE, Target::Manifest { name, reference }) => call.delete_manifest(name, reference).await,
        (Method::GET | Method::HEAD, Target::Tags { name }) => call.tags(name).await,
        (Method::GET | Method::HEAD, Target::Referrers { name, digest }) => call.referrers(name, digest).await,
        (method, _) => Err(OciError::method_not_allowed(&method, allowed)),
    }
}

/// Counts a request whose sender is known.
fn charge(visit: &Visit, caller: &Caller) -> Result<(), Limited> {
    match caller {
        Caller::Anonymous(_) => visit.nobody(),
        Caller::User(user, _) => visit.user(user.uuid),
        Caller::ProjectKey(holder, _) => visit.project(holder.project),
        // It fetches what its job needs, which is limited by there being a job.
        Caller::Runner(..) => {
            visit.uncounted();
            Ok(())
        }
    }
}

/// A request that comes too early, before anybody looked at it.
pub(super) fn refusal(limited: Limited) -> Response {
    OciError::from(limited).into_response()
}

impl Call {
    /// Says that this is a registry, and whether the credentials are good.
    fn base(&self) -> Result<Response, OciError> {
        match &self.caller {
            Caller::Anonymous(Grant::Everything) => {
                Err(AccessError::Unauthorized("log in, or ask for a token".to_owned()).into())
            }
            _ => Ok(axum::Json(serde_json::json!({})).into_response()),
        }
    }

    /// For a request that brings content, and so may be the first of its project.
    async fn authorize_first_push(&self, name: &RepositoryName) -> Result<Access, OciError> {
        access::authorize_first_push(&self.app, &self.caller, name)
            .await
            .map_err(|error| OciError::from(error).for_scope(name, OciAction::Push))
    }

    async fn authorize(&self, name: &RepositoryName, action: OciAction) -> Result<Access, OciError> {
        access::authorize(&self.app, &self.caller, name, action)
            .await
            .map_err(|error| OciError::from(error).for_scope(name, action))
    }

    /// The parameters of the query, in order; a name may be repeated.
    fn query(&self) -> Result<Vec<(String, String)>, OciError> {
        let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&self.parts.uri);
        let query = query.map(|query| query.0).map_err(|error| OciError::bad_request(error.body_text()))?;
        // No name of anything has one, and not every database could compare with it.
        if query.iter().any(|(_, value)| value.contains('\0')) {
            return Err(OciError::bad_request("a parameter has a zero byte in it"));
        }
        Ok(query)
    }
}

/// The first parameter of this name.
fn parameter<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn credentials(headers: &HeaderMap) -> Result<Credentials, OciError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(Credentials::None) };
    let invalid = || AccessError::Unauthorized("the Authorization header is neither Basic nor Bearer".to_owned());
    let (scheme, rest) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(invalid)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Bearer(Secret::new(rest.trim())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(invalid().into());
    }
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid)?;
    let (user, password) = decoded.split_once(':').ok_or_else(invalid)?;
    if user.is_empty() && password.is_empty() {
        // Some tools write the header even where they have nothing to write into it.
        return Ok(Credentials::None);
    }
    Ok(Credentials::Basic { user: Secret::new(user), password: Secret::new(password) })
}

/// A body as the registry takes it in. Takes the body out of its place.
fn stream(body: Body) -> ByteStream {
    body.into_data_stream().map_err(std::io::Error::other).boxed()
}

/// A response without a body.
fn empty(status: StatusCode, headers: impl IntoIterator<Item = (HeaderName, String)>) -> Response {
    let mut response = status.into_response();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
