//! `/v0/users`: users, their keys and their API tokens. A user sees and changes only itself; an admin everybody.

use axum::extract::State;
use bencher_types::{
    ResourceId, TokenUuid, UserKeyUuid,
    wire::{
        auth::{NewUserKey, UpdateUser, UpdateUserKey, User as UserJson, UserKeyCreated, UserKeyInfo},
        key::{NewToken, Token, UpdateToken},
    },
};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page::{KeysQuery, Listing, NamesQuery},
};
use crate::{
    account,
    app::App,
    auth::{Admin, User},
    error::ApiError,
    store::{user::UserRow, user_key::UserKeyRow, user_token::UserTokenRow},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(users_list))
        .routes(routes!(user_view, user_update))
        .routes(routes!(user_keys_list, user_key_create))
        .routes(routes!(user_key_view, user_key_update, user_key_revoke))
        .routes(routes!(user_tokens_list, user_token_create))
        .routes(routes!(user_token_view, user_token_update, user_token_revoke))
}

/// Lists users.
#[utoipa::path(get, path = "/v0/users", tag = "users", params(NamesQuery), responses((status = 200, body = Vec<UserJson>)))]
async fn users_list(
    State(app): State<AppState>,
    _: Admin,
    Query(query): Query<NamesQuery>,
) -> Result<Listing<UserJson>, ApiError> {
    Ok(Listing::of(app.store.users(&query.by()).await?))
}

/// Shows a user.
#[utoipa::path(get, path = "/v0/users/{user}", tag = "users", params(("user" = ResourceId, Path)), responses((status = 200, body = UserJson)))]
async fn user_view(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
) -> Result<axum::Json<UserJson>, ApiError> {
    Ok(axum::Json(itself_or_admin(&app, &caller, &id).await?.into()))
}

/// Changes a user. Only an admin makes admins, locks accounts and changes addresses.
#[utoipa::path(patch, path = "/v0/users/{user}", tag = "users", params(("user" = ResourceId, Path)), request_body = UpdateUser, responses((status = 200, body = UserJson)))]
async fn user_update(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Json(mut update): Json<UpdateUser>,
) -> Result<axum::Json<UserJson>, ApiError> {
    let user = itself_or_admin(&app, &caller, &id).await?;
    if !caller.admin && (update.admin.is_some() || update.locked.is_some() || update.email.is_some()) {
        return Err(ApiError::forbidden("only an admin of this server makes admins, locks accounts and changes addresses"));
    }
    update.email = update.email.as_ref().map(account::normalized);
    let user = app.store.update_user(user.id, &update, app.clock.now()).await?;
    let user =
        user.ok_or_else(|| ApiError::conflict("this would leave the server without an admin; make another user one first"))?;
    Ok(axum::Json(user.into()))
}

/// Lists a user's keys.
#[utoipa::path(get, path = "/v0/users/{user}/keys", tag = "users", params(("user" = ResourceId, Path), KeysQuery), responses((status = 200, body = Vec<UserKeyInfo>)))]
async fn user_keys_list(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Query(query): Query<KeysQuery>,
) -> Result<Listing<UserKeyInfo>, ApiError> {
    let user = itself_or_admin(&app, &caller, &id).await?;
    Ok(Listing::of(app.store.credentials::<UserKeyRow>(user.id, query.revoked.unwrap_or(false), &query.by()).await?))
}

/// Makes a key. It is shown this once.
#[utoipa::path(post, path = "/v0/users/{user}/keys", tag = "users", params(("user" = ResourceId, Path)), request_body = NewUserKey, responses((status = 201, body = UserKeyCreated)))]
async fn user_key_create(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Json(new): Json<NewUserKey>,
) -> Result<(StatusCode, axum::Json<UserKeyCreated>), ApiError> {
    let user = itself_or_admin(&app, &caller, &id).await?;
    Ok((StatusCode::CREATED, axum::Json(account::create_key(&app, &user, new).await?)))
}

/// Shows a key's record, without the key.
#[utoipa::path(get, path = "/v0/users/{user}/keys/{key}", tag = "users", params(("user" = ResourceId, Path), ("key" = UserKeyUuid, Path)), responses((status = 200, body = UserKeyInfo)))]
async fn user_key_view(
    State(app): State<AppState>,
    caller: User,
    Path((id, key)): Path<(ResourceId, UserKeyUuid)>,
) -> Result<axum::Json<UserKeyInfo>, ApiError> {
    let user = itself_or_admin(&app, &caller, &id).await?;
    Ok(axum::Json(view_key(&app, &user, key).await?))
}

/// Renames a key.
#[utoipa::path(patch, path = "/v0/users/{user}/keys/{key}", tag = "users", params(("user" = ResourceId, Path), ("key" = UserKeyUuid, Path)), request_body = UpdateUserKey, responses((status = 200, body = UserKeyInfo)))]
async fn user_key_update(
    State(app): State<AppState>,
    caller: User,
    Path((id, key)): Path<(ResourceId, UserKeyUuid)>,
    Json(update): Json<UpdateUserKey>,
) -> Result<axum::Json<UserKeyInfo>, ApiError> {
    let user = itself_or_admin(&app, &caller, &id).await?;
    if let Some(name) = &update.name {
        app.store.rename_credential::<UserKeyRow>(user.id, key, name).await?;
    }
    Ok(axum::Json(view_key(&app, &user, key).await?))
}

/// Revokes a key for good. Its record stays.
#[utoipa::path(delete, path = "/v0/users/{user}/keys/{key}", tag = "users", params(("user" = ResourceId, Path), ("key" = UserKeyUuid, Path)), responses((status = 204)))]
async fn user_key_revoke(
    State(app): State<AppState>,
    caller: User,
    Path((id, key)): Path<(ResourceId, UserKeyUuid)>,
) -> Result<StatusCode, ApiError> {
    let user = itself_or_admin(&app, &caller, &id).await?;
    let found = app.store.revoke_credential::<UserKeyRow>(user.id, key, app.clock.now()).await?;
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found("User key", key)) }
}

/// Lists a user's API tokens.
#[utoipa::path(get, path = "/v0/users/{user}/tokens", tag = "users", params(("user" = ResourceId, Path), KeysQuery), responses((status = 200, body = Vec<Token>)))]
async fn user_tokens_list(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Query(query): Query<KeysQuery>,
) -> Result<Listing<Token>, ApiError> {
    let user = itself_or_admin(&app, &caller, &id).await?;
    let (rows, total) = app.store.credentials::<UserTokenRow>(user.id, query.revoked.unwrap_or(false), &query.by()).await?;
    Ok(Listing { items: rows.into_iter().map(|row| account::show_token(&app, row)).collect(), total })
}

/// Makes an API token. Unlike a key, it is shown again.
#[utoipa::path(post, path = "/v0/users/{user}/tokens", tag = "users", params(("user" = ResourceId, Path)), request_body = NewToken, responses((status = 201, body = Token)))]
async fn user_token_create(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, axum::Json<Token>), ApiError> {
    let user = itself_or_admin(&app, &caller, &id).await?;
    Ok((StatusCode::CREATED, axum::Json(account::create_token(&app, &user, &new).await?)))
}

/// Shows an API token.
#[utoipa::path(get, path = "/v0/users/{user}/tokens/{token}", tag = "users", params(("user" = ResourceId, Path), ("token" = TokenUuid, Path)), responses((status = 200, body = Token)))]
async fn user_token_view(
    State(app): State<AppState>,
    caller: User,
    Path((id, token)): Path<(ResourceId, TokenUuid)>,
) -> Result<axum::Json<Token>, ApiError> {
    let user = itself_or_admin(&app, &caller, &id).await?;
    Ok(axum::Json(view_token(&app, &user, token).await?))
}

/// Renames an API token.
#[utoipa::path(patch, path = "/v0/users/{user}/tokens/{token}", tag = "users", params(("user" = ResourceId, Path), ("token" = TokenUuid, Path)), request_body = UpdateToken, responses((status = 200, body = Token)))]
async fn user_token_update(
    State(app): State<AppState>,
    caller: User,
    Path((id, token)): Path<(ResourceId, TokenUuid)>,
    Json(update): Json<UpdateToken>,
) -> Result<axum::Json<Token>, ApiError> {
    let user = itself_or_admin(&app, &caller, &id).await?;
    if let Some(name) = &update.name {
        app.store.rename_credential::<UserTokenRow>(user.id, token, name).await?;
    }
    Ok(axum::Json(view_token(&app, &user, token).await?))
}

/// Revokes an API token for good. Its record stays.
#[utoipa::path(delete, path = "/v0/users/{user}/tokens/{token}", tag = "users", params(("user" = ResourceId, Path), ("token" = TokenUuid, Path)), responses((status = 204)))]
async fn user_token_revoke(
    State(app): State<AppState>,
    caller: User,
    Path((id, token)): Path<(ResourceId, TokenUuid)>,
) -> Result<StatusCode, ApiError> {
    let user = itself_or_admin(&app, &caller, &id).await?;
    let found = app.store.revoke_credential::<UserTokenRow>(user.id, token, app.clock.now()).await?;
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found("Token", token)) }
}

async fn view_token(app: &App, user: &UserRow, token: TokenUuid) -> Result<Token, ApiError> {
    let row = app.store.credential::<UserTokenRow>(user.id, token).await?;
    row.map(|row| account::show_token(app, row)).ok_or_else(|| ApiError::not_found("Token", token))
}

async fn view_key(app: &App, user: &UserRow, key: UserKeyUuid) -> Result<UserKeyInfo, ApiError> {
    let row = app.store.credential::<UserKeyRow>(user.id, key).await?;
    row.map(UserKeyInfo::from).ok_or_else(|| ApiError::not_found("User key", key))
}

/// The user of this id, if the caller is that user or an admin. Others do not learn whether there is such a user.
async fn itself_or_admin(app: &App, caller: &User, id: &ResourceId) -> Result<UserRow, ApiError> {
    match app.store.user(id).await? {
        Some(user) if caller.admin || user.id == caller.id => Ok(user),
        None if caller.admin => Err(ApiError::not_found("User", id)),
        _ => Err(ApiError::forbidden("only the user itself or an admin of this server may do this")),
    }
}
