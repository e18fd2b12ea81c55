//! Nobody reaches into another project: every route of the registry, with everything that somebody from elsewhere could show.

use std::time::Duration;

use bencher_api::registry::runner_pull_token;
use bencher_types::RunnerUuid;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{Answer, jobs, keeper, sha256};
use crate::{
    setup::TestUser,
    support::{TestServer, on_each_database},
};

/// Whether a request only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

/// Every route, with content that is there; `{upload}` is one that the project's own user has begun.
const ROUTES: &[(Kind, &str, &str)] = &[
    (Kind::Read, "GET", "tags/list"),
    (Kind::Read, "GET", "tags/list?n=1&last=a"),
    (Kind::Read, "HEAD", "manifests/v1"),
    (Kind::Read, "GET", "manifests/v1"),
    (Kind::Read, "GET", "manifests/{manifest}"),
    (Kind::Read, "HEAD", "blobs/{blob}"),
    (Kind::Read, "GET", "blobs/{blob}"),
    (Kind::Read, "GET", "referrers/{manifest}"),
    (Kind::Write, "POST", "blobs/uploads/"),
    (Kind::Write, "POST", "blobs/uploads/?digest={content}"),
    (Kind::Write, "PUT", "blobs/uploads/?digest={content}"),
    (Kind::Write, "POST", "blobs/uploads/?mount={blob}"),
    (Kind::Write, "POST", "blobs/uploads/?mount={blob}&from=stall"),
    (Kind::Write, "POST", "blobs/uploads/?digest-algorithm=sha512"),
    (Kind::Write, "GET", "blobs/uploads/{upload}"),
    (Kind::Write, "PATCH", "blobs/uploads/{upload}"),
    (Kind::Write, "PUT", "blobs/uploads/{upload}?digest={content}"),
    (Kind::Write, "DELETE", "blobs/uploads/{upload}"),
    (Kind::Write, "PUT", "manifests/v1"),
    (Kind::Write, "PUT", "manifests/v2"),
    (Kind::Write, "PUT", "manifests/{manifest}?tag=v3"),
    (Kind::Write, "DELETE", "manifests/v1"),
    (Kind::Write, "DELETE", "manifests/{manifest}"),
    (Kind::Write, "DELETE", "blobs/{blob}"),
];

/// What somebody sends along to say who they are.
#[derive(Clone, Debug)]
enum Shown {
    Nothing,
    Bearer(String),
    Basic(String),
}

impl Shown {
    fn on(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Nothing => request,
            Self::Bearer(token) => request.bearer_auth(token),
            Self::Basic(key) => request.basic_auth("anybody", Some(key)),
        }
    }
}

/// Everybody from elsewhere.
async fn outsiders(server: &TestServer, target: &str) -> Vec<(&'static str, Shown)> {
    let admin = server.confirm("admin@example.com").await;
    let stranger = server.confirm("stranger@example.com").await;
    let user_key = server.key(&stranger).await;
    let project_key = server.create("/v0/projects/stall/keys", &stranger, json!({ "name": "for tests" })).await;
    let project_key = project_key["key"].as_str().expect("a key").to_owned();
    let runner = server.create("/v0/runners", &admin, json!({ "name": format!("Of {target}") })).await;
    let runner: RunnerUuid = runner["uuid"].as_str().expect("a UUID").parse().expect("a UUID");
    let stall = jobs::project(server, "stall").await;
    let job = runner_pull_token(&server.app, runner, stall, Duration::from_secs(60)).expose().to_owned();
    // Whatever they ask for, they get a token for what is theirs.
    let scopes = [&*format!("repository:{target}:pull,push,delete"), "repository:stall:pull,push"];
    let token = async |credentials| Shown::Bearer(server.token(credentials, &scopes).await);
    vec![
        ("nobody", Shown::Nothing),
        ("nobody with a token", token(None).await),
        ("a user of another project", Shown::Bearer(stranger.token.clone())),
        ("a user's key", Shown::Basic(user_key.clone())),
        ("a user's token", token(Some(("anybody", &user_key))).await),
        ("another project's key", Shown::Basic(project_key.clone())),
        ("another project's token", token(Some(("anybody", &project_key))).await),
        ("the runner of another job", Shown::Bearer(job)),
        ("nonsense", Shown::Bearer("bencher_user_nonsense".to_owned())),
    ]
}

#[tokio::test]
async fn nobody_reaches_into_another_project_on_any_route() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let stranger = server.sign_up("Stranger").await;
        server.project(&user, "bank", "private").await;
        server.project(&stranger, "stall", "public").await;
        for (target, is_public) in [("bank/core", false), ("shop/web", true)] {
            check(&server, &user, target, is_public).await;
        }
    })
    .await;
}

async fn check(server: &TestServer, user: &TestUser, target: &str, is_public: bool) {
    let (manifest, digest) = server.push_image(target, user, "v1", 1).await;
    let blob = manifest["layers"][0]["digest"].as_str().expect("a digest").to_owned();
    let upload = server.begin_upload(target, user).await;
    Answer::of(server.oci(Method::PATCH, &upload, user).body("begun")).await.expect(202);
    let content = sha256(b"content");
    let spooled = server.spooled();

    for (who, shown) in outsiders(server, target).await {
        for &(kind, method, route) in ROUTES {
            let route = route
                .replace("{manifest}", &digest.to_string())
                .replace("{blob}", &blob)
                .replace("{content}", &content.to_string())
                .replace("{upload}", upload.rsplit('/').next().expect("an id"));
            let url = format!("{}/v2/{target}/{route}", server.url);
            let mut request = server.client.request(method.parse().expect("a method"), url);
            if kind == Kind::Write && method != "DELETE" && method != "GET" {
                let is_manifest = route.starts_with("manifests/");
                let body = if is_manifest { manifest.to_string() } else { "content".to_owned() };
                request = request.header("content-type", super::OCI_MANIFEST).body(body);
            }
            let answer = Answer::of(shown.on(request)).await;
            let status = answer.status.as_u16();
            let may = match kind {
                Kind::Write => false,
                Kind::Read => is_public && !["the runner of another job", "nonsense"].contains(&who),
            };
            // To who may know nothing, nothing refers to anything.
            let knows_nothing = route.starts_with("referrers/") && status == 200 && answer.json()["manifests"] == json!([]);
            let is_right = if may { status == 200 } else { [401, 403, 404].contains(&status) || knows_nothing };
            assert!(is_right, "{method} {target}/{route} answers {status} to {who}: {}", String::from_utf8_lossy(&answer.body));
            assert!(may || !String::from_utf8_lossy(&answer.body).contains("rootfs"), "{method} {route} shows content to {who}");
        }
    }

    // Everything is as it was.
    let tags = Answer::of(server.oci(Method::GET, &format!("{target}/tags/list"), user)).await.expect(200);
    assert_eq!(tags.json()["tags"], json!(["v1"]));
    assert_eq!(Answer::of(server.oci(Method::GET, &format!("{target}/manifests/v1"), user)).await.expect(200).json(), manifest);
    Answer::of(server.oci(Method::GET, &format!("{target}/blobs/{blob}"), user)).await.expect(200);
    Answer::of(server.oci(Method::GET, &format!("{target}/blobs/{content}"), user)).await.expect(404);
    assert_eq!(Answer::of(server.oci(Method::GET, &upload, user)).await.expect(204).header("range"), "0-4");
    assert_eq!(server.spooled(), spooled, "no upload was begun or ended");
    Answer::of(server.oci(Method::DELETE, &upload, user)).await.expect(204);
}
