//! `/v0/users/{user}/tokens`: API tokens.

use bencher_api::token::{Audience, Tokens};
use bencher_types::Secret;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

async fn whoami(server: &TestServer, user: &TestUser, token: &str) -> (StatusCode, Value) {
    server.send(Method::GET, &format!("/v0/users/{}", user.uuid), Some(token), None).await
}

/// A token's claims, as anybody can read them.
fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_logs_in_is_shown_again_and_is_revoked_for_good() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let tokens = format!("/v0/users/{}/tokens", ada.uuid);
        let created = server.create(&tokens, &ada, json!({ "name": "ci" })).await;
        let token = text(&created["token"]);
        assert_eq!((&created["user"], &created["name"], created.get("revoked")), (&json!(ada.uuid), &json!("ci"), None));
        let said = claims(&token);
        assert_eq!((&said["aud"], &said["sub"], &said["jti"]), (&json!("api_key"), &json!("ada@example.com"), &created["uuid"]));
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), i64::from(u32::MAX));
        assert_eq!(whoami(&server, &ada, &token).await.0, StatusCode::OK);

        // It is in no table, and yet the same when it is asked for.
        let path = format!("{tokens}/{}", text(&created["uuid"]));
        assert_eq!(server.get(&path, &ada).await, (StatusCode::OK, created.clone()));
        assert_eq!(server.list(&tokens, Some(&ada), "token").await, (vec![token.clone()], 1));
        let (_, renamed) = server.patch(&path, &ada, json!({ "name": "nightly" })).await;
        assert_eq!((&renamed["name"], &renamed["token"]), (&json!("nightly"), &created["token"]));
        assert_eq!(server.list(&format!("{tokens}?name=nightly"), Some(&ada), "uuid").await.1, 1);
        assert_eq!(server.list(&format!("{tokens}?search=ci"), Some(&ada), "uuid").await.1, 0);

        assert_eq!(server.delete(&path, &ada).await.0, StatusCode::NO_CONTENT);
        refused(whoami(&server, &ada, &token).await, 401, "revoked");
        assert_eq!(server.list(&tokens, Some(&ada), "uuid").await.1, 0);
        assert_eq!(server.list(&format!("{tokens}?revoked=true"), Some(&ada), "uuid").await.1, 1);
        let (_, shown) = server.get(&path, &ada).await;
        assert!(shown["revoked"].is_string());
        // Revoking it again, or renaming it, does not bring it back.
        assert_eq!(server.delete(&path, &ada).await.0, StatusCode::NO_CONTENT);
        server.patch(&path, &ada, json!({ "name": "again" })).await;
        assert_eq!(server.get(&path, &ada).await.1["revoked"], shown["revoked"]);
        refused(whoami(&server, &ada, &token).await, 401, "revoked");
    })
    .await;
}

#[tokio::test]
async fn a_token_lives_as_long_as_was_asked() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let tokens = format!("/v0/users/{}/tokens", ada.uuid);
        let short = server.create(&tokens, &ada, json!({ "name": "short", "ttl": 0 })).await;
        refused(whoami(&server, &ada, &text(&short["token"])).await, 401, "expired");
        let long = server.create(&tokens, &ada, json!({ "name": "long", "ttl": 60 })).await;
        assert_eq!(whoami(&server, &ada, &text(&long["token"])).await.0, StatusCode::OK);
        for ttl in [json!(u64::from(u32::MAX) + 1), json!(-1)] {
            let (status, _) = server.post(&tokens, &ada, json!({ "name": "endless", "ttl": ttl })).await;
            assert_eq!(status, StatusCode::BAD_REQUEST);
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_goes_with_the_address_and_with_the_account() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let created = server.create(&format!("/v0/users/{}/tokens", bob.uuid), &bob, json!({ "name": "ci" })).await;
        let token = text(&created["token"]);
        let path = format!("/v0/users/{}", bob.uuid);
        server.patch(&path, &admin, json!({ "locked": true })).await;
        refused(whoami(&server, &bob, &token).await, 401, "locked");
        server.patch(&path, &admin, json!({ "locked": false })).await;
        assert_eq!(whoami(&server, &bob, &token).await.0, StatusCode::OK);

        server.patch(&path, &admin, json!({ "email": "robert@example.com" })).await;
        assert_eq!(whoami(&server, &bob, &token).await.0, StatusCode::UNAUTHORIZED);
        // Nor is it the token of whoever has the address next.
        server.sign_up("Bob").await;
        assert_eq!(whoami(&server, &bob, &token).await.0, StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn only_this_servers_own_tokens_are_taken() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let created = server.create(&format!("/v0/users/{}/tokens", ada.uuid), &ada, json!({ "name": "ci" })).await;
        let token = text(&created["token"]);
        let claims = server.app.tokens.check(&token, &[Audience::ApiKey], server.app.clock.now()).unwrap();
        let sign = |secret: &str, issuer: &str, claims: &bencher_api::token::Claims| {
            Tokens::new(&Secret::new(secret), issuer.to_owned()).sign(claims).expose().to_owned()
        };
        let (secret, issuer) = ("a secret key for tests only", claims.iss.clone());
        assert_eq!(sign(secret, &issuer, &claims), token);
        let change = |change: fn(&mut bencher_api::token::Claims)| {
            let mut changed = claims.clone();
            change(&mut changed);
            changed
        };
        for forged in [
            sign("another secret key", &issuer, &claims),
            sign(secret, &issuer, &change(|claims| claims.iss = "http://elsewhere/".to_owned())),
            sign(secret, &issuer, &change(|claims| claims.jti = None)),
            sign(secret, &issuer, &change(|claims| claims.jti = Some(uuid::Uuid::new_v4()))),
            sign(secret, &issuer, &change(|claims| claims.sub = "eve@example.com".to_owned())),
            sign(secret, &issuer, &change(|claims| claims.aud = Audience::OciAuth)),
        ] {
            assert_eq!(whoami(&server, &ada, &forged).await.0, StatusCode::UNAUTHORIZED);
        }
    })
    .await;
}

#[tokio::test]
async fn tokens_are_their_users_alone() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let tokens = format!("/v0/users/{}/tokens", ada.uuid);
        let created = server.create(&tokens, &ada, json!({ "name": "ci" })).await;
        refused(server.get(&tokens, &bob).await, 403, "itself or an admin");
        refused(server.post(&tokens, &bob, json!({ "name": "mine" })).await, 403, "itself or an admin");
        let path = format!("/v0/users/{}/tokens/{}", bob.uuid, text(&created["uuid"]));
        refused(server.get(&path, &bob).await, 404, "Token");
        refused(server.delete(&path, &bob).await, 404, "Token");
        refused(server.patch(&path, &bob, json!({ "name": "mine" })).await, 404, "Token");
    })
    .await;
}
