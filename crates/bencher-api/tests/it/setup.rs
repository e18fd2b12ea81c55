//! What tests begin with: users, a project, a spec, a runner.

use bencher_api::token::Audience;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::TestServer;

/// A user with a session.
#[derive(Clone, Debug)]
pub(crate) struct TestUser {
    pub(crate) token: String,
    pub(crate) uuid: String,
    pub(crate) slug: String,
}

impl TestServer {
    /// Signs up and confirms. The first user of a server is its admin.
    pub(crate) async fn sign_up(&self, name: &str) -> TestUser {
        let email = format!("{}@example.com", name.to_lowercase());
        let signup = json!({ "name": name, "email": email, "i_agree": true });
        let (status, body) = self.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        self.confirm(&email).await
    }

    /// Confirms a log-in as if the token had been read from the log.
    pub(crate) async fn confirm(&self, email: &str) -> TestUser {
        let (status, body) =
            self.send(Method::POST, "/v0/auth/confirm", None, Some(json!({ "token": self.confirmation(email) }))).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        TestUser { token: text(&body["token"]), uuid: text(&body["user"]["uuid"]), slug: text(&body["user"]["slug"]) }
    }

    pub(crate) fn confirmation(&self, email: &str) -> String {
        let ttl = std::time::Duration::from_secs(60);
        self.app.tokens.issue(Audience::Auth, email, None, self.app.clock.now(), ttl).0.expose().to_owned()
    }

    pub(crate) async fn get(&self, path: &str, user: &TestUser) -> (StatusCode, Value) {
        self.send(Method::GET, path, Some(&user.token), None).await
    }

    pub(crate) async fn post(&self, path: &str, user: &TestUser, body: Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, Some(&user.token), Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, user: &TestUser, body: Value) -> (StatusCode, Value) {
        self.send(Method::PATCH, path, Some(&user.token), Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, user: &TestUser) -> (StatusCode, Value) {
        self.send(Method::DELETE, path, Some(&user.token), None).await
    }

    /// Posts what must be created, and returns it.
    pub(crate) async fn create(&self, path: &str, user: &TestUser, body: Value) -> Value {
        let (status, answer) = self.post(path, user, body).await;
        assert_eq!(status, StatusCode::CREATED, "{path}: {answer}");
        answer
    }

    /// A list's items by one of their fields, and the total that its header tells.
    pub(crate) async fn list(&self, path: &str, user: Option<&TestUser>, field: &str) -> (Vec<String>, u64) {
        let mut request = self.client.get(format!("{}{path}", self.url));
        if let Some(user) = user {
            request = request.bearer_auth(&user.token);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let total = response.headers()["x-total-count"].to_str().expect("a number").parse().expect("a number");
        let items: Vec<Value> = response.json().await.expect("a list");
        (items.iter().map(|item| item[field].as_str().expect("a text").to_owned()).collect(), total)
    }

    /// A project in the user's own organization.
    pub(crate) async fn project(&self, user: &TestUser, name: &str, visibility: &str) -> Value {
        let (organizations, _) = self.list("/v0/organizations?sort=created", Some(user), "slug").await;
        let path = format!("/v0/organizations/{}/projects", organizations[0]);
        self.create(&path, user, json!({ "name": name, "visibility": visibility })).await
    }

    /// A spec of this machine's kind.
    pub(crate) async fn spec(&self, admin: &TestUser, name: &str, fallback: bool) -> Value {
        let spec = json!({
            "name": name, "os": "linux", "architecture": "x86_64", "cpu": 2,
            "memory": 1_u64 << 30, "disk": 4_u64 << 30, "fallback": fallback,
        });
        self.create("/v0/specs", admin, spec).await
    }
}

/// The status and the message of an error, which has to contain `part`.
#[track_caller]
pub(crate) fn refused(answer: (StatusCode, Value), status: u16, part: &str) {
    assert_eq!(answer.0.as_u16(), status, "{}", answer.1);
    let message = answer.1["message"].as_str().unwrap_or_default();
    assert!(message.contains(part), "expected `{part}` in: {message}");
}

/// A report without the mark of an answer to a key that was sent before, and whether it had one.
pub(crate) fn unmarked(mut report: Value) -> (Value, bool) {
    let mark = report.as_object_mut().and_then(|report| report.remove("repeated"));
    (report, mark == Some(Value::Bool(true)))
}
