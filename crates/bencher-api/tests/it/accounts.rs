//! `/v0/auth` and `/v0/users`.

use bencher_api::config::{SignUp, SignUpAllow};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    setup::refused,
    support::{Backend, TestServer, on_each_database},
};

#[tokio::test]
async fn the_first_user_is_an_admin_and_has_an_organization() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        assert_eq!(server.get(&format!("/v0/users/{}", ada.slug), &ada).await.1["admin"], true);
        assert_eq!(server.get(&format!("/v0/users/{}", bob.uuid), &bob).await.1["admin"], false);
        assert_eq!(server.list("/v0/organizations", Some(&bob), "name").await, (vec!["Bob".to_owned()], 1));
    })
    .await;
}

#[tokio::test]
async fn whoever_asks_learns_who_they_are() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        assert_eq!(server.get("/v0/auth/identity", &ada).await.1["user"]["email"], "ada@example.com");
        assert_eq!(server.send(Method::GET, "/v0/auth/identity", None, None).await, (StatusCode::OK, json!({})));
        let wrong = server.send(Method::GET, "/v0/auth/identity", Some("bencher_user_no"), None).await;
        assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn a_confirmation_is_good_for_one_log_in_even_of_many_at_once() {
    on_each_database(async |server| {
        server.sign_up("Ada").await;
        let confirm =
            async |token: &str| server.send(Method::POST, "/v0/auth/confirm", None, Some(json!({ "token": token }))).await;
        let (first, second) = (server.confirmation("ada@example.com"), server.confirmation("ada@example.com"));
        let answers = join_all((0..6).map(|_| confirm(&first))).await;
        let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == StatusCode::OK);
        assert_eq!((good.len(), bad.len()), (1, 5));
        for answer in bad {
            refused(answer, 401, "was used already");
        }
        assert_eq!(confirm(&second).await.0, StatusCode::OK, "another one, of the same second");
    })
    .await;
}

#[tokio::test]
async fn of_many_first_users_at_once_one_is_admin() {
    on_each_database(async |server| {
        let names: Vec<String> = (0..8).map(|number| format!("user{number}")).collect();
        join_all(names.iter().map(|name| server.sign_up(name))).await;
        let mut admins = 0;
        for name in &names {
            let user = server.confirm(&format!("{name}@example.com")).await;
            admins += usize::from(server.get(&format!("/v0/users/{}", user.uuid), &user).await.1["admin"] == true);
        }
        assert_eq!(admins, 1);
    })
    .await;
}

#[tokio::test]
async fn an_address_signs_up_once_in_any_case() {
    on_each_database(async |server| {
        server.sign_up("Ada").await;
        let again = json!({ "name": "Somebody", "email": "ADA@example.com", "i_agree": true });
        let answer = server.send(Method::POST, "/v0/auth/signup", None, Some(again)).await;
        assert_eq!(answer, (StatusCode::ACCEPTED, json!({ "email": "ada@example.com" })));
        let ada = server.confirm("ada@example.com").await;
        assert_eq!(server.list("/v0/users", Some(&ada), "name").await, (vec!["Ada".to_owned()], 1));
    })
    .await;
}

#[tokio::test]
async fn signing_up_needs_consent_and_a_valid_address() {
    let server = TestServer::start().await;
    let signup = json!({ "name": "Ada", "email": "ada@example.com", "i_agree": false });
    refused(server.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await, 400, "i_agree");
    let signup = json!({ "name": "Ada", "email": "nobody", "i_agree": true });
    refused(server.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await, 400, "e-mail address");
}

#[tokio::test]
async fn login_does_not_tell_whether_there_is_an_account() {
    on_each_database(async |server| {
        server.sign_up("Ada").await;
        for email in ["Ada@example.com", "nobody@example.com"] {
            let (status, body) = server.send(Method::POST, "/v0/auth/login", None, Some(json!({ "email": email }))).await;
            assert_eq!((status, body), (StatusCode::ACCEPTED, json!({ "email": email.to_lowercase() })));
        }
    })
    .await;
}

#[tokio::test]
async fn a_confirmation_is_not_a_session_and_a_session_is_no_confirmation() {
    let server = TestServer::start().await;
    let ada = server.sign_up("Ada").await;
    let confirmation = server.confirmation("ada@example.com");
    refused(server.send(Method::GET, "/v0/users", Some(&confirmation), None).await, 401, "another purpose");
    let (status, _) = server.send(Method::POST, "/v0/auth/confirm", None, Some(json!({ "token": ada.token }))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let nobody = json!({ "token": server.confirmation("nobody@example.com") });
    refused(server.send(Method::POST, "/v0/auth/confirm", None, Some(nobody)).await, 401, "log in again");
}

#[tokio::test]
async fn a_locked_user_gets_nowhere() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let path = format!("/v0/users/{}", bob.uuid);
        assert_eq!(server.patch(&path, &admin, json!({ "locked": true })).await.0, StatusCode::OK);
        refused(server.get(&path, &bob).await, 401, "locked");
        let token = json!({ "token": server.confirmation("bob@example.com") });
        refused(server.send(Method::POST, "/v0/auth/confirm", None, Some(token)).await, 401, "locked");
    })
    .await;
}

#[tokio::test]
async fn users_see_and_change_only_themselves() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let (ada_path, bob_path) = (format!("/v0/users/{}", admin.uuid), format!("/v0/users/{}", bob.slug));
        refused(server.get(&ada_path, &bob).await, 403, "itself or an admin");
        refused(server.get("/v0/users/nobody", &bob).await, 403, "itself or an admin");
        refused(server.get("/v0/users/nobody", &admin).await, 404, "User (nobody) not found");
        refused(server.get("/v0/users", &bob).await, 403, "admin");
        assert_eq!(server.get(&bob_path, &admin).await.0, StatusCode::OK);

        refused(server.patch(&bob_path, &bob, json!({ "admin": true })).await, 403, "admin");
        let (status, changed) = server.patch(&bob_path, &bob, json!({ "name": "Robert" })).await;
        assert_eq!((status, &changed["name"], &changed["slug"]), (StatusCode::OK, &json!("Robert"), &json!("bob")));
        refused(server.patch(&bob_path, &bob, json!({ "slug": admin.slug })).await, 409, "slug");
        refused(server.patch(&ada_path, &admin, json!({ "admin": false })).await, 409, "without an admin");
        assert_eq!(server.list("/v0/users?direction=desc", Some(&admin), "name").await, (vec!["Robert".into(), "Ada".into()], 2));
    })
    .await;
}

#[tokio::test]
async fn a_session_of_an_old_address_is_void_for_whoever_has_that_address_next() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let path = format!("/v0/users/{}", bob.uuid);
        let (status, _) = server.patch(&path, &admin, json!({ "email": "Robert@example.com" })).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(server.get(&path, &bob).await.0, StatusCode::UNAUTHORIZED);
        let robert = server.confirm("robert@example.com").await;
        assert_eq!(server.get(&path, &robert).await.0, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn a_key_logs_in_until_it_is_revoked_or_expires() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let keys = format!("/v0/users/{}/keys", ada.uuid);
        let created = server.create(&keys, &ada, json!({ "name": "ci" })).await;
        let key = created["key"].as_str().unwrap();
        assert!(key.starts_with("bencher_user_"));
        assert_eq!(server.send(Method::GET, "/v0/users", Some(key), None).await.0, StatusCode::OK);

        let path = format!("{keys}/{}", created["uuid"].as_str().unwrap());
        let (_, renamed) = server.patch(&path, &ada, json!({ "name": "nightly" })).await;
        assert_eq!((&renamed["name"], renamed.get("key")), (&json!("nightly"), None));
        assert_eq!(server.list(&keys, Some(&ada), "name").await, (vec!["nightly".to_owned()], 1));

        assert_eq!(server.delete(&path, &ada).await.0, StatusCode::NO_CONTENT);
        refused(server.send(Method::GET, "/v0/users", Some(key), None).await, 401, "revoked");
        assert_eq!(server.list(&keys, Some(&ada), "name").await.1, 0);
        assert_eq!(server.list(&format!("{keys}?revoked=true"), Some(&ada), "name").await.1, 1);
        assert!(server.get(&path, &ada).await.1["revoked"].is_string());

        let expired = server.create(&keys, &ada, json!({ "name": "short", "ttl": 0 })).await;
        let key = expired["key"].as_str().unwrap();
        assert_eq!(server.send(Method::GET, "/v0/users", Some(key), None).await.0, StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn keys_are_their_users_alone() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let key = server.create(&format!("/v0/users/{}/keys", ada.uuid), &ada, json!({ "name": "ci" })).await;
        refused(server.get(&format!("/v0/users/{}/keys", ada.uuid), &bob).await, 403, "itself or an admin");
        let path = format!("/v0/users/{}/keys/{}", bob.uuid, key["uuid"].as_str().unwrap());
        refused(server.get(&path, &bob).await, 404, "User key");
        refused(server.delete(&path, &bob).await, 404, "User key");
    })
    .await;
}

/// Signs up on a server with this policy, and returns the status.
async fn signup_status(server: &TestServer, email: &str) -> StatusCode {
    let signup = json!({ "name": "Somebody", "email": email, "i_agree": true });
    server.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await.0
}

#[tokio::test]
async fn where_only_who_is_invited_may_sign_up_the_first_user_still_can() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let invited = SignUp { allow: SignUpAllow::Invited, domains: Vec::new() };
        let Some(server) = TestServer::start_with(backend, |config| config.sign_up = Some(invited)).await else { continue };
        let ada = server.sign_up("Ada").await;
        for email in ["eve@example.com", "ada@example.com"] {
            let signup = json!({ "name": "Eve", "email": email, "i_agree": true });
            refused(server.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await, 403, "only who is invited");
        }
        let invite = json!({ "email": "bob@example.org", "role": "viewer" });
        assert_eq!(server.post("/v0/organizations/ada/members", &ada, invite).await.0, StatusCode::ACCEPTED);
        let invite = server.invitation("bob@example.org").await;
        let signup = json!({ "name": "Bob", "email": "bob@example.org", "i_agree": true, "invite": invite });
        assert_eq!(server.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await.0, StatusCode::ACCEPTED);
        assert_eq!(server.list("/v0/users", Some(&ada), "name").await.0, ["Ada", "Bob"]);
    }
}

#[tokio::test]
async fn where_domains_decide_others_need_an_invitation() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let domains = SignUp { allow: SignUpAllow::Domains, domains: vec!["Example.com".to_owned()] };
        let Some(server) = TestServer::start_with(backend, |config| config.sign_up = Some(domains)).await else { continue };
        for (email, status) in [
            ("eve@example.org", 403),
            ("eve@sub.example.com", 403),
            ("eve@notexample.com", 403),
            ("eve@example.com.org", 403),
            ("Ada@EXAMPLE.COM", 202),
        ] {
            assert_eq!(signup_status(&server, email).await, status, "{email}");
        }
        let ada = server.confirm("ada@example.com").await;
        let invite = json!({ "email": "bob@example.org", "role": "viewer" });
        server.post(&format!("/v0/organizations/{}/members", ada.slug), &ada, invite).await;
        let invite = server.invitation("bob@example.org").await;
        let signup = json!({ "name": "Bob", "email": "bob@example.org", "i_agree": true, "invite": invite });
        assert_eq!(server.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await.0, StatusCode::ACCEPTED);
    }
}
