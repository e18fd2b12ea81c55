//! Who may do what, and what they are told.

use bencher_api::config::Config;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Answer, keeper, sha256, shop};
use crate::{
    setup::TestUser,
    support::{Backend, TestServer, on_each_database},
};

impl TestServer {
    pub(super) async fn key(&self, user: &TestUser) -> String {
        let path = format!("/v0/users/{}/keys", user.uuid);
        let created = self.create(&path, user, json!({ "name": "for tests" })).await;
        created["key"].as_str().unwrap().to_owned()
    }

    pub(super) fn v2(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/v2/{path}", self.url))
    }

    /// A token from the endpoint that the challenge names.
    pub(super) async fn token(&self, credentials: Option<(&str, &str)>, scopes: &[&str]) -> String {
        let mut request = self.client.get(format!("{}/v0/auth/oci/token", self.url)).query(&[("service", "any")]);
        for scope in scopes {
            request = request.query(&[("scope", scope)]);
        }
        if let Some((user, password)) = credentials {
            request = request.basic_auth(user, Some(password));
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["expires_in"], 300);
        body["token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn who_is_not_logged_in_is_told_where_to_get_a_token() {
    let (server, _) = shop().await;
    let host = server.url.strip_prefix("http://").unwrap();
    let challenge = format!("Bearer realm=\"{}/v0/auth/oci/token\",service=\"{host}\"", server.url);

    let answer = Answer::of(server.v2(Method::GET, "")).await.expect_error(401, "UNAUTHORIZED");
    assert_eq!(answer.header("www-authenticate"), challenge);
    let answer = Answer::of(server.v2(Method::POST, "shop/web/blobs/uploads/")).await.expect_error(401, "UNAUTHORIZED");
    assert_eq!(answer.header("www-authenticate"), format!("{challenge},scope=\"repository:shop/web:pull,push\""));
    let answer = Answer::of(server.v2(Method::GET, "none/manifests/v1")).await.expect_error(401, "UNAUTHORIZED");
    assert_eq!(answer.header("www-authenticate"), format!("{challenge},scope=\"repository:none:pull\""));
}

#[tokio::test]
async fn a_key_is_good_in_every_place_that_tools_put_it_into() {
    let (server, user) = shop().await;
    let key = server.key(&user).await;
    let session = user.token.as_str();
    for (name, password) in [("keeper@example.com", &*key), ("anything", &key), (&key, ""), (&key, "x"), ("x", session)] {
        Answer::of(server.v2(Method::GET, "").basic_auth(name, Some(password))).await.expect(200);
        let token = server.token(Some((name, password)), &["repository:shop:pull,push"]).await;
        Answer::of(server.v2(Method::POST, "shop/blobs/uploads/").bearer_auth(token)).await.expect(202);
    }
    Answer::of(server.v2(Method::POST, "shop/blobs/uploads/").bearer_auth(&key)).await.expect(202);
    for (name, password) in [("keeper@example.com", "wrong"), ("keeper@example.com", ""), ("bencher_user_short", "")] {
        Answer::of(server.v2(Method::GET, "").basic_auth(name, Some(password))).await.expect_error(401, "UNAUTHORIZED");
        let endpoint = format!("{}/v0/auth/oci/token", server.url);
        let response = server.client.get(endpoint).basic_auth(name, Some(password)).send().await.unwrap();
        assert_eq!(response.status(), 401);
    }
    Answer::of(server.v2(Method::GET, "").header("authorization", "Digest nonsense")).await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_token_does_what_its_scope_says_and_no_more() {
    let (server, user) = shop().await;
    server.push_image("shop", &user, "v1", 1).await;
    let key = server.key(&user).await;
    let who = Some(("keeper", &*key));
    let pull = server.token(who, &["repository:shop:pull"]).await;
    Answer::of(server.v2(Method::GET, "shop/manifests/v1").bearer_auth(&pull)).await.expect(200);
    let answer = Answer::of(server.v2(Method::POST, "shop/blobs/uploads/").bearer_auth(&pull)).await;
    let answer = answer.expect_error(401, "UNAUTHORIZED");
    assert!(answer.header("www-authenticate").ends_with("scope=\"repository:shop:pull,push\",error=\"insufficient_scope\""));
    Answer::of(server.v2(Method::GET, "shop/web/tags/list").bearer_auth(&pull)).await.expect_error(401, "UNAUTHORIZED");

    let nothing = server.token(who, &[]).await;
    Answer::of(server.v2(Method::GET, "").bearer_auth(&nothing)).await.expect(200);
    Answer::of(server.v2(Method::GET, "shop/manifests/v1").bearer_auth(&nothing)).await.expect_error(401, "UNAUTHORIZED");

    // A registry token is not an API token, nor does it get another one.
    let (status, _) = server.send(Method::GET, "/v0/organizations", Some(&pull), None).await;
    assert_eq!(status, 401);
    let exchange = server.client.get(format!("{}/v0/auth/oci/token", server.url)).bearer_auth(&pull).send().await.unwrap();
    assert_eq!(exchange.status(), 401);
}

#[tokio::test]
async fn a_projects_slug_and_uuid_are_the_same_to_a_token() {
    let (server, user) = shop().await;
    server.push_image("shop/web", &user, "v1", 1).await;
    let (_, shown) = server.get("/v0/projects/shop", &user).await;
    let uuid = shown["uuid"].as_str().unwrap();
    let key = server.key(&user).await;
    for (asked, used) in [("shop/web".to_owned(), format!("{uuid}/web")), (format!("{uuid}/web"), "shop/web".to_owned())] {
        let token = server.token(Some(("keeper", &*key)), &[&format!("repository:{asked}:pull")]).await;
        Answer::of(server.v2(Method::GET, &format!("{used}/manifests/v1")).bearer_auth(token)).await.expect(200);
    }
}

#[tokio::test]
async fn anybody_pulls_from_a_public_project_and_pushes_to_none() {
    let (server, user) = shop().await;
    server.push_image("shop", &user, "v1", 1).await;
    let token = server.token(None, &["repository:shop:pull,push"]).await;
    Answer::of(server.v2(Method::GET, "").bearer_auth(&token)).await.expect(200);
    Answer::of(server.v2(Method::GET, "shop/manifests/v1").bearer_auth(&token)).await.expect(200);
    Answer::of(server.v2(Method::GET, "shop/manifests/v1")).await.expect(200);
    Answer::of(server.v2(Method::POST, "shop/blobs/uploads/").bearer_auth(&token)).await.expect_error(401, "UNAUTHORIZED");

    let stranger = server.sign_up("Stranger").await;
    Answer::of(server.oci(Method::GET, "shop/manifests/v1", &stranger)).await.expect(200);
    Answer::of(server.oci(Method::POST, "shop/blobs/uploads/", &stranger)).await.expect_error(403, "DENIED");
    Answer::of(server.oci(Method::DELETE, "shop/manifests/v1", &stranger)).await.expect_error(403, "DENIED");
}

#[tokio::test]
async fn a_private_project_looks_like_none_to_who_may_not_see_it() {
    let server = TestServer::start().await;
    let user = keeper(&server).await;
    server.project(&user, "bank", "private").await;
    let (_, digest) = server.push_image("bank", &user, "v1", 1).await;
    let stranger = server.sign_up("Stranger").await;
    let key = server.key(&stranger).await;

    let mut answers = Vec::new();
    for name in ["bank", "none"] {
        let mut seen = Vec::new();
        for (method, path) in [
            (Method::GET, format!("{name}/manifests/v1")),
            (Method::HEAD, format!("{name}/blobs/{digest}")),
            (Method::GET, format!("{name}/tags/list")),
        ] {
            let scope = format!("repository:{name}:pull");
            let tokens = [server.token(None, &[&scope]).await, server.token(Some(("x", &*key)), &[&scope]).await];
            let anonymous = Answer::of(server.v2(method.clone(), &path)).await;
            let known = Answer::of(server.oci(method.clone(), &path, &stranger)).await;
            assert_eq!((anonymous.status.as_u16(), known.status.as_u16()), (401, 404), "{path}");
            let mut all = vec![anonymous, known];
            for token in &tokens {
                all.push(Answer::of(server.v2(method.clone(), &path).bearer_auth(token)).await);
            }
            seen.extend(all.into_iter().map(|answer| {
                let body = String::from_utf8(answer.body.clone()).unwrap().replace(name, "NAME");
                (answer.status, body, answer.header("www-authenticate").replace(name, "NAME"))
            }));
        }
        answers.push(seen);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_mount_from_another_project_needs_the_source_in_the_token_too() {
    let (server, user) = shop().await;
    server.project(&user, "bank", "private").await;
    let digest = server.push_blob("bank", &user, b"secret").await;
    let key = server.key(&user).await;
    let mount = async |key: &str, scopes: &[&str], query: &str| {
        let token = server.token(Some(("anybody", key)), scopes).await;
        Answer::of(server.v2(Method::POST, &format!("shop/blobs/uploads/?{query}")).bearer_auth(token)).await
    };
    let (narrow, wide) = ("repository:shop:pull,push", "repository:shop:pull,push repository:bank:pull");
    let from = format!("mount={digest}&from=bank");
    let answer = mount(&key, &[narrow], &from).await.expect_error(401, "UNAUTHORIZED");
    assert!(answer.header("www-authenticate").contains(&format!("scope=\"{wide}\"")), "{}", answer.header("www-authenticate"));
    // Who has no token yet is told of both at once.
    let answer =
        Answer::of(server.v2(Method::POST, &format!("shop/blobs/uploads/?{from}"))).await.expect_error(401, "UNAUTHORIZED");
    assert!(answer.header("www-authenticate").contains(&format!("scope=\"{wide}\"")), "{}", answer.header("www-authenticate"));
    // What is not there could not be mounted with any token.
    mount(&key, &[narrow], &format!("mount={}&from=bank", sha256(b"none"))).await.expect(202);
    mount(&key, &[narrow], &format!("mount={digest}&from=none")).await.expect(202);
    mount(&key, &[narrow], &format!("mount={digest}")).await.expect(202);
    mount(&key, &[wide], &format!("mount={digest}")).await.expect(201);
    Answer::of(server.oci(Method::DELETE, &format!("shop/blobs/{digest}"), &user)).await.expect(202);
    mount(&key, &[wide], &from).await.expect(201);

    // To who has no right to the source it is as if it were not there, whatever the scope.
    let stranger = server.sign_up("Stranger").await;
    server.project(&stranger, "stall", "public").await;
    let key = server.key(&stranger).await;
    let scopes = ["repository:stall:pull,push", "repository:bank:pull"];
    let token = server.token(Some(("anybody", &*key)), &scopes).await;
    for query in [from, format!("mount={digest}")] {
        Answer::of(server.v2(Method::POST, &format!("stall/blobs/uploads/?{query}")).bearer_auth(&token)).await.expect(202);
    }
}

#[tokio::test]
async fn a_token_for_one_repository_mounts_from_the_others_of_its_project() {
    let (server, user) = shop().await;
    let digest = server.push_blob("shop/base", &user, b"base").await;
    let key = server.key(&user).await;
    for (number, from) in ["&from=shop/base", ""].into_iter().enumerate() {
        let target = format!("shop/web{number}");
        let token = server.token(Some(("anybody", &*key)), &[&format!("repository:{target}:pull,push")]).await;
        let path = format!("{target}/blobs/uploads/?mount={digest}{from}");
        Answer::of(server.v2(Method::POST, &path).bearer_auth(token)).await.expect(201);
        assert_eq!(server.blob(&target, &user, &digest).await.expect(200).body, b"base");
    }
}

#[tokio::test]
async fn nobody_in_particular_mounts_from_the_same_project_too() {
    let server = TestServer::start().await;
    let push = server.token(None, &["repository:stall/base:pull,push"]).await;
    let digest = sha256(b"base");
    let path = format!("stall/base/blobs/uploads/?digest={digest}");
    Answer::of(server.v2(Method::POST, &path).bearer_auth(push).body("base")).await.expect(201);
    for (number, from) in ["&from=stall/base", ""].into_iter().enumerate() {
        let target = format!("stall/web{number}");
        let token = server.token(None, &[&format!("repository:{target}:pull,push")]).await;
        let path = format!("{target}/blobs/uploads/?mount={digest}{from}");
        Answer::of(server.v2(Method::POST, &path).bearer_auth(token)).await.expect(201);
    }
}

#[tokio::test]
async fn all_repositories_are_listed_to_admins_only() {
    crate::support::on_each_database(async |server| {
        let user = keeper(&server).await;
        let admin = server.confirm("admin@example.com").await;
        server.project(&user, "shop-2", "private").await;
        for repository in ["shop/web", "shop", "shop-2/a", "shop/web/b"] {
            server.push_blob(repository, &user, b"blob").await;
        }
        let list = async |query: &str| {
            let answer = Answer::of(server.oci(Method::GET, &format!("_catalog{query}"), &admin)).await.expect(200);
            (answer.json()["repositories"].clone(), answer.header("link").to_owned())
        };
        // In the order of bytes, in which a hyphen comes before a slash.
        assert_eq!(list("").await, (json!(["shop", "shop-2/a", "shop/web", "shop/web/b"]), String::new()));
        let next = "</v2/_catalog?n=2&last=shop-2/a>; rel=\"next\"".to_owned();
        assert_eq!(list("?n=2").await, (json!(["shop", "shop-2/a"]), next));
        assert_eq!(list("?n=2&last=shop-2/a").await, (json!(["shop/web", "shop/web/b"]), String::new()));
        assert_eq!(list("?n=0").await, (json!([]), String::new()));
        assert_eq!(list("?last=z").await, (json!([]), String::new()));

        Answer::of(server.oci(Method::GET, "_catalog", &user)).await.expect_error(403, "DENIED");
        Answer::of(server.v2(Method::GET, "_catalog")).await.expect_error(401, "UNAUTHORIZED");
        let key = server.key(&admin).await;
        let token = server.token(Some(("admin", &*key)), &["repository:shop:pull"]).await;
        let answer = Answer::of(server.v2(Method::GET, "_catalog").bearer_auth(token)).await.expect_error(401, "UNAUTHORIZED");
        let challenge = answer.header("www-authenticate").to_owned();
        assert!(challenge.contains("scope=\"registry:catalog:*\",error=\"insufficient_scope\""), "{challenge}");
        let token = server.token(Some(("admin", &*key)), &["registry:catalog:*"]).await;
        Answer::of(server.v2(Method::GET, "_catalog").bearer_auth(&token)).await.expect(200);
        Answer::of(server.v2(Method::GET, "shop/tags/list").bearer_auth(&token)).await.expect_error(401, "UNAUTHORIZED");
        let key = server.key(&user).await;
        let token = server.token(Some(("keeper", &*key)), &["registry:catalog:*"]).await;
        Answer::of(server.v2(Method::GET, "_catalog").bearer_auth(token)).await.expect_error(403, "DENIED");
    })
    .await;
}

#[tokio::test]
async fn tokens_are_given_the_oauth2_way_too() {
    let (server, user) = shop().await;
    let key = server.key(&user).await;
    let post = async |form: &[(&str, &str)]| {
        let response = server.client.post(format!("{}/v0/auth/oci/token", server.url)).form(form).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    let scope = "repository:shop:pull,push repository:none:pull";
    let mut form = vec![("grant_type", "password"), ("username", "keeper"), ("password", &*key), ("scope", scope)];
    form.extend([("service", "any"), ("client_id", "tests")]);
    let (status, body) = post(&form).await;
    assert_eq!((status, &body["scope"], &body["expires_in"]), (200, &json!("repository:shop:pull,push"), &json!(300)));
    let token = body["access_token"].as_str().unwrap();
    Answer::of(server.v2(Method::POST, "shop/blobs/uploads/").bearer_auth(token)).await.expect(202);

    let (status, body) = post(&[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
    assert_eq!((status, &body["error"]), (400, &json!("unsupported_grant_type")));
    let (status, body) = post(&[("grant_type", "password"), ("username", "keeper"), ("password", "wrong")]).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
    assert!(body["error_description"].is_string());
    let (status, body) = post(&[("scope", "x")]).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
}

/// A key of the project `shop`, which its leader made.
async fn project_key(server: &TestServer, user: &TestUser, project: &str) -> (String, String) {
    let created = server.create(&format!("/v0/projects/{project}/keys"), user, json!({ "name": "ci" })).await;
    let text = |field: &str| created[field].as_str().unwrap().to_owned();
    (text("key"), text("uuid"))
}

#[tokio::test]
async fn a_project_key_pulls_and_pushes_in_its_project_until_it_is_revoked() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        server.project(&user, "bank", "private").await;
        server.push_image("bank", &user, "v1", 1).await;
        let (key, uuid) = project_key(&server, &user, "bank").await;
        for (name, password) in [("bank", &*key), ("anything", &key), (&key, "")] {
            Answer::of(server.v2(Method::GET, "").basic_auth(name, Some(password))).await.expect(200);
            let scopes = ["repository:bank/web:pull,push"];
            let token = server.token(Some((name, password)), &scopes).await;
            Answer::of(server.v2(Method::GET, "").bearer_auth(&token)).await.expect(200);
            Answer::of(server.v2(Method::POST, "bank/web/blobs/uploads/").bearer_auth(&token)).await.expect(202);
        }
        let pull = server.token(Some(("bank", &*key)), &["repository:bank:pull"]).await;
        Answer::of(server.v2(Method::GET, "bank/manifests/v1").bearer_auth(&pull)).await.expect(200);
        Answer::of(server.v2(Method::POST, "bank/blobs/uploads/").bearer_auth(&pull)).await.expect_error(401, "UNAUTHORIZED");
        Answer::of(server.v2(Method::GET, "bank/manifests/v1").bearer_auth(&key)).await.expect(200);
        // It is no key to the rest of the API.
        assert_eq!(server.send(Method::GET, "/v0/projects/bank", Some(&pull), None).await.0, 401);

        let path = format!("/v0/projects/bank/keys/{uuid}");
        assert_eq!(server.delete(&path, &user).await.0, 204);
        for token in [&pull, &key] {
            Answer::of(server.v2(Method::GET, "bank/manifests/v1").bearer_auth(token)).await.expect_error(401, "UNAUTHORIZED");
        }
    })
    .await;
}

#[tokio::test]
async fn a_project_key_is_nobody_in_other_projects() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        server.project(&user, "bank", "private").await;
        server.push_image("bank", &user, "v1", 1).await;
        server.project(&user, "open", "public").await;
        server.push_image("open", &user, "v1", 1).await;
        let (key, _) = project_key(&server, &user, "shop").await;
        let scopes = ["repository:open:pull,push", "repository:bank:pull,push", "repository:new:pull,push"];
        let token = server.token(Some(("shop", &*key)), &scopes).await;
        for bearer in [&key, &token] {
            Answer::of(server.v2(Method::GET, "open/manifests/v1").bearer_auth(bearer)).await.expect(200);
            Answer::of(server.v2(Method::POST, "open/blobs/uploads/").bearer_auth(bearer)).await.expect_error(403, "DENIED");
            let mut answers = Vec::new();
            for name in ["bank", "none"] {
                for (method, path) in [(Method::GET, "manifests/v1"), (Method::POST, "blobs/uploads/")] {
                    let answer = Answer::of(server.v2(method, &format!("{name}/{path}")).bearer_auth(bearer)).await;
                    let answer = answer.expect_error(404, "NAME_UNKNOWN");
                    answers.push(String::from_utf8(answer.body).unwrap().replace(name, "NAME"));
                }
            }
            assert_eq!(answers[..2], answers[2..]);
            // A key makes no projects.
            Answer::of(server.v2(Method::POST, "new/blobs/uploads/").bearer_auth(bearer)).await.expect_error(404, "NAME_UNKNOWN");
        }
    })
    .await;
}

#[tokio::test]
async fn an_api_token_is_a_password_until_it_is_revoked() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let tokens = format!("/v0/users/{}/tokens", user.uuid);
        let created = server.create(&tokens, &user, json!({ "name": "docker" })).await;
        let jwt = created["token"].as_str().unwrap();
        let token = server.token(Some(("keeper@example.com", jwt)), &["repository:shop:pull,push"]).await;
        Answer::of(server.v2(Method::POST, "shop/blobs/uploads/").bearer_auth(token)).await.expect(202);
        Answer::of(server.v2(Method::POST, "shop/blobs/uploads/").bearer_auth(jwt)).await.expect(202);
        let path = format!("{tokens}/{}", created["uuid"].as_str().unwrap());
        assert_eq!(server.delete(&path, &user).await.0, 204);
        Answer::of(server.v2(Method::GET, "").bearer_auth(jwt)).await.expect_error(401, "UNAUTHORIZED");
    })
    .await;
}

#[tokio::test]
async fn anybodys_first_push_makes_a_project_that_a_users_push_claims() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let stranger = server.sign_up("Stranger").await;
        // Without a token, tools are told to get one.
        Answer::of(server.v2(Method::POST, "tool/blobs/uploads/")).await.expect_error(401, "UNAUTHORIZED");
        assert_eq!(server.send(Method::GET, "/v0/projects/tool", None, None).await.0, 404);
        let token = server.token(None, &["repository:tool:pull,push"]).await;
        assert_eq!(server.send(Method::GET, "/v0/projects/tool", None, None).await.0, 404, "a token makes nothing");
        let anybody = TestUser { token, uuid: String::new(), slug: String::new() };
        // Tools look first, and go on where there is nothing.
        Answer::of(server.oci(Method::GET, "tool/manifests/v1", &anybody)).await.expect_error(404, "NAME_UNKNOWN");
        server.push_image("tool", &anybody, "v1", 1).await;
        let (_, project) = server.send(Method::GET, "/v0/projects/tool", None, None).await;
        assert_eq!((&project["visibility"], project.get("claimed")), (&json!("public"), None));
        server.push_image("tool", &anybody, "v2", 2).await;
        Answer::of(server.oci(Method::GET, "tool/manifests/v1", &anybody)).await.expect(200);

        // Looking claims nothing.
        Answer::of(server.oci(Method::GET, "tool/manifests/v1", &stranger)).await.expect(200);
        server.push_image("tool", &user, "v3", 3).await;
        let (_, project) = server.get("/v0/projects/tool", &user).await;
        assert!(project["claimed"].is_string());
        assert_eq!(server.post("/v0/projects/tool/keys", &user, json!({ "name": "ci" })).await.0, 201);
        Answer::of(server.oci(Method::POST, "tool/blobs/uploads/", &anybody)).await.expect_error(401, "UNAUTHORIZED");
        Answer::of(server.oci(Method::POST, "tool/blobs/uploads/", &stranger)).await.expect_error(403, "DENIED");
    })
    .await;
}

#[tokio::test]
async fn only_what_brings_content_makes_a_project() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let upload = format!("free/blobs/uploads/{}", uuid::Uuid::new_v4());
        for (method, path) in [
            (Method::GET, upload.as_str()),
            (Method::PATCH, upload.as_str()),
            (Method::DELETE, upload.as_str()),
            (Method::DELETE, "free/manifests/v1"),
        ] {
            Answer::of(server.oci(method.clone(), path, &user)).await.expect_error(404, "NAME_UNKNOWN");
            assert_eq!(server.get("/v0/projects/free", &user).await.0, 404, "{method} {path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_users_first_push_makes_a_project_of_its_own() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        server.push_image("fresh/web", &user, "v1", 1).await;
        let (_, project) = server.get("/v0/projects/fresh", &user).await;
        assert!(project["claimed"].is_string());
        let (organizations, _) = server.list("/v0/organizations", Some(&user), "uuid").await;
        assert_eq!(organizations, [project["organization"].as_str().unwrap()]);

        // A UUID names what is there, and a name that somebody hides is no free one.
        let uuid = uuid::Uuid::new_v4();
        Answer::of(server.oci(Method::POST, &format!("{uuid}/blobs/uploads/"), &user)).await.expect_error(404, "NAME_UNKNOWN");
        server.project(&user, "bank", "private").await;
        let stranger = server.sign_up("Stranger").await;
        Answer::of(server.oci(Method::POST, "bank/blobs/uploads/", &stranger)).await.expect_error(404, "NAME_UNKNOWN");
        let token = server.token(None, &["repository:bank:pull,push", &format!("repository:{uuid}:push")]).await;
        for path in ["bank/blobs/uploads/".to_owned(), format!("{uuid}/blobs/uploads/")] {
            let answer = Answer::of(server.v2(Method::POST, &path).bearer_auth(&token)).await;
            answer.expect_error(401, "UNAUTHORIZED");
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_may_take_no_anonymous_pushes() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let change = |config: &mut Config| config.plus.as_mut().unwrap().anonymous_runs = Some(false);
        let Some(server) = TestServer::start_with(backend, change).await else { continue };
        let token = server.token(None, &["repository:tool:pull,push"]).await;
        let answer = Answer::of(server.v2(Method::POST, "tool/blobs/uploads/").bearer_auth(&token)).await;
        answer.expect_error(401, "UNAUTHORIZED");
        assert_eq!(server.send(Method::GET, "/v0/projects/tool", None, None).await.0, 404);
    }
}
