//! Who is answered what, on every route: `tests/contract/access.txt` against a server.
//!
//! Everybody gets a server of their own with the same content, so that nobody finds what another one has changed or deleted. Every
//! request is one that is served where it is allowed: its target is there and its body is good.

use std::{cmp::Reverse, collections::BTreeMap, fmt::Write as _, time::Duration};

use bencher_api::{openapi, token::Audience, values};
use bencher_types::Digest;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    filing::text,
    rows::{self, at},
    setup::TestUser,
    support::{Backend, TestServer},
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/access.txt");

const HEAD: &str = "\
# Who is answered with which status, on every route. A project is private here; a line below tells where a public one differs.
#
# nobody: without credentials   other: a user who is no member   viewer, devel, leader: members of the organization
# admin: of the server, no member   expired: the leader's session   revoked: a key of the leader's
# key: the project's   otherkey: another project's   runner: a runner's key
#
# {user} is the leader, except among members. {organization} to be claimed is one that came about without a log-in, and what is to be
# restored was deleted before. `POST /v0/auth/oci/token` has the credentials in its form. The runner is answered
# 400 by its channel because the request opens no WebSocket.
# Written by the test `matrix` with BENCHER_BLESS=1; look at every change.
";

const PRINCIPALS: [&str; 11] =
    ["nobody", "other", "viewer", "devel", "leader", "admin", "expired", "revoked", "key", "otherkey", "runner"];

/// Who may not know that a private project or organization is there.
const OUTSIDERS: [&str; 6] = ["nobody", "other", "expired", "revoked", "otherkey", "runner"];

/// Routes that look at no credentials: whoever logs in again may still send what has expired.
const OPEN: [&str; 7] = [
    "GET /",
    "GET /v0/server/config/console",
    "GET /v0/server/spec",
    "GET /v0/server/version",
    "POST /v0/auth/confirm",
    "POST /v0/auth/login",
    "POST /v0/auth/signup",
];

const CHANNEL: &str = "GET /v0/runners/{runner}/channel";
/// The same for agents without a socket.
const ASK: &str = "POST /v0/runners/{runner}/jobs";
const SAY: &str = "POST /v0/runners/{runner}/jobs/{job}/channel";

/// The registry's routes, which our document does not describe.
const REGISTRY: [&str; 13] = [
    "GET /v2/",
    "GET /v2/{project}/tags/list",
    "GET /v2/{project}/manifests/v1",
    "GET /v2/{project}/blobs/{digest}",
    "GET /v2/{project}/referrers/{digest}",
    "GET /v2/{project}/blobs/uploads/{upload}",
    "POST /v2/{project}/blobs/uploads/",
    "PATCH /v2/{project}/blobs/uploads/{upload}",
    "PUT /v2/{project}/blobs/uploads/{upload}",
    "PUT /v2/{project}/manifests/v2",
    "DELETE /v2/{project}/blobs/uploads/{upload}",
    "DELETE /v2/{project}/manifests/v1",
    "DELETE /v2/{project}/blobs/{digest}",
];

/// Every route, as `METHOD path`, in an order in which nothing is deleted that a later one needs.
fn routes() -> Vec<String> {
    let document = openapi::document();
    let paths = document["paths"].as_object().unwrap().iter();
    let described = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    let mut routes: Vec<String> = described.chain(REGISTRY.map(str::to_owned)).collect();
    routes.sort_by_key(|route| match route.split_once(' ').unwrap().0 {
        // An invitation makes a member: last. A project goes before its organization.
        _ if route.ends_with("/accept") => (6, Reverse(0)),
        "GET" => (0, Reverse(0)),
        // Before the job is canceled.
        "POST" if route.ends_with("/retry") => (0, Reverse(0)),
        "POST" => (1, Reverse(0)),
        "DELETE" if route.ends_with("/{organization}") => (5, Reverse(0)),
        "DELETE" => (3, Reverse(route.matches('/').count())),
        _ => (2, Reverse(0)),
    });
    routes
}

/// A server with something of every kind.
struct World {
    server: TestServer,
    credentials: BTreeMap<&'static str, String>,
    /// What the parameters in paths stand for, where it is not the same word everywhere.
    ids: BTreeMap<&'static str, String>,
    plot: Value,
    manifest: Value,
    invitation: String,
    confirmation: String,
}

fn results(latency: u32, more: Value) -> Value {
    let mut run = json!({
        "branch": "main", "testbed": "box", "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
        "results": [json!({ "sort": { "latency": { "value": latency } } }).to_string()],
    });
    run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    run
}

async fn users(server: &TestServer, visibility: &str) -> BTreeMap<&'static str, TestUser> {
    let mut users = BTreeMap::new();
    for (who, name) in
        [("admin", "Ada"), ("leader", "Lea"), ("devel", "Dev"), ("viewer", "Vic"), ("other", "Eve"), ("spare", "Mo")]
    {
        users.insert(who, server.sign_up(name).await);
    }
    server.create("/v0/organizations", &users["leader"], json!({ "name": "Acme" })).await;
    for (who, role) in [("devel", "developer"), ("viewer", "viewer"), ("spare", "viewer")] {
        server.join(&users[who], &users["leader"], "acme", role).await;
    }
    let shop = json!({ "name": "Shop", "visibility": visibility });
    server.create("/v0/organizations/acme/projects", &users["leader"], shop).await;
    server.project(&users["other"], "Vault", "private").await;
    users
}

/// A change point with this metric. One that is no longer found: nobody looks for it.
async fn change_point(server: &TestServer, metric: &str) -> String {
    let uuid = uuid::Uuid::new_v4().to_string();
    let sql = "INSERT INTO change_point (uuid, project_id, head_id, testbed_id, spec_id, benchmark_id, measure_id, version_number, \
               start_time, report_id, metric_id, before_points, before_mean, before_deviation, after_points, after_mean, \
               after_deviation, p_value, status, gone, created, modified) \
               SELECT $1, report.project_id, metric.head_id, metric.testbed_id, metric.spec_id, metric.benchmark_id, \
               metric.measure_id, metric.version_number, metric.start_time, report.id, metric.id, 1, 1, 1, 1, 1, 1, 1, \
               'accepted', 0, 0, 0 FROM metric JOIN report_benchmark ON report_benchmark.id = metric.report_benchmark_id \
               JOIN report ON report.id = report_benchmark.report_id WHERE metric.uuid = $2 RETURNING id";
    rows::insert(&server.app.store, sql, values![uuid.as_str(), metric]).await;
    uuid
}

async fn world(visibility: &str) -> World {
    let server = TestServer::start_on(Backend::Sqlite).await.unwrap();
    let users = users(&server, visibility).await;
    let (lea, admin) = (&users["leader"], &users["admin"]);
    let mut credentials: BTreeMap<&'static str, String> = users.iter().map(|(who, user)| (*who, user.token.clone())).collect();
    let mut ids = BTreeMap::from([("leader", lea.uuid.clone())]);
    for (what, path) in [("gone", "/v0/organizations/acme/projects"), ("past", "/v0/organizations")] {
        let made = text(&server.create(path, lea, json!({ "name": what })).await, "uuid");
        let path = format!("/v0/{}/{made}", if what == "gone" { "projects" } else { "organizations" });
        assert_eq!(server.delete(&path, lea).await.0, StatusCode::NO_CONTENT);
        ids.insert(what, made);
    }

    let expired = server.app.tokens.issue(Audience::Client, "lea@example.com", None, at(1), Duration::ZERO).0;
    credentials.insert("expired", expired.expose().to_owned());
    let keys = format!("/v0/users/{}/keys", lea.uuid);
    let key = server.create(&keys, lea, json!({ "name": "old" })).await;
    server.delete(&format!("{keys}/{}", text(&key, "uuid")), lea).await;
    credentials.insert("revoked", text(&key, "key"));
    ids.insert("user_key", text(&server.create(&keys, lea, json!({ "name": "ci" })).await, "uuid"));
    let tokens = format!("/v0/users/{}/tokens", lea.uuid);
    ids.insert("token", text(&server.create(&tokens, lea, json!({ "name": "ci" })).await, "uuid"));
    let key = server.create("/v0/projects/shop/keys", lea, json!({ "name": "ci" })).await;
    credentials.insert("key", text(&key, "key"));
    let spare = server.create("/v0/projects/shop/keys", lea, json!({ "name": "spare" })).await;
    ids.insert("project_key", text(&spare, "uuid"));
    let key = server.create("/v0/projects/vault/keys", &users["other"], json!({ "name": "ci" })).await;
    credentials.insert("otherkey", text(&key, "key"));

    server.spec(admin, "Small", true).await;
    server.spec(admin, "Tiny", false).await;
    let runner = server.create("/v0/runners", admin, json!({ "name": "box" })).await;
    server.create("/v0/runners", admin, json!({ "name": "bench" })).await;
    credentials.insert("runner", text(&runner, "key"));
    server.create("/v0/runners/box/specs", admin, json!({ "spec": "tiny" })).await;

    let (manifest, digest) = server.push_image("shop", lea, "v1", 1).await;
    ids.insert("digest", text(&manifest["layers"][0], "digest"));
    let upload = server.begin_upload("shop", lea).await;
    ids.insert("upload", upload.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned());

    let limit = json!({ "models": { "latency": { "test": "static", "upper_boundary": 10 } } });
    let report = server.create("/v0/run", lea, results(20, json!({ "project": "shop", "thresholds": limit }))).await;
    let alert = &report["alerts"][0];
    ids.insert("report", text(&report, "uuid"));
    ids.insert("alert", text(alert, "uuid"));
    ids.insert("metric", text(&alert["metric"], "uuid"));
    ids.insert("change_point", change_point(&server, &text(&alert["metric"], "uuid")).await);
    ids.insert("threshold", text(&alert["threshold"], "uuid"));
    let job = json!({ "project": "shop", "job": { "image": format!("shop@{digest}") }, "results": [] });
    ids.insert("job", text(&server.create("/v0/run", lea, results(1, job)).await, "job"));

    for (kind, name) in
        [("branches", "spare"), ("testbeds", "spare"), ("benchmarks", "spare"), ("measures", "spare"), ("measures", "size")]
    {
        let units = if kind == "measures" { json!({ "name": name, "units": "B" }) } else { json!({ "name": name }) };
        server.create(&format!("/v0/projects/shop/{kind}"), lea, units).await;
    }
    let mut plot = json!({
        "title": "T", "lower_value": false, "upper_value": true, "lower_boundary": false, "upper_boundary": true,
        "x_axis": "date_time", "window": 3600,
    });
    for (kind, of) in [("branches", "branch"), ("testbeds", "testbed")] {
        plot[kind] = json!([report[of]["uuid"]]);
    }
    plot["benchmarks"] = json!([alert["benchmark"]["uuid"]]);
    plot["measures"] = json!([alert["threshold"]["measure"]["uuid"]]);
    ids.insert("plot", text(&server.create("/v0/projects/shop/plots", lea, plot.clone()).await, "uuid"));

    let context = json!({ "context": {
        "bencher.dev/v0/repo/name": "Tool", "bencher.dev/v0/repo/hash": "aaa", "bencher.dev/v0/testbed/fingerprint": "a1",
    } });
    let (_, unclaimed) = server.send(Method::POST, "/v0/run", None, Some(results(1, context))).await;
    ids.insert("unclaimed", text(&unclaimed["project"], "organization"));
    let invited = json!({ "email": "eve@example.com", "role": "viewer" });
    assert_eq!(server.post("/v0/organizations/acme/members", lea, invited).await.0, StatusCode::ACCEPTED);
    let waiting = json!({ "email": "waiting@example.com", "role": "viewer" });
    assert_eq!(server.post("/v0/organizations/acme/members", lea, waiting).await.0, StatusCode::ACCEPTED);
    ids.insert("invitation", "waiting@example.com".to_owned());
    let (invitation, confirmation) = (server.invitation("eve@example.com").await, server.confirmation("lea@example.com"));
    World { server, credentials, ids, plot, manifest, invitation, confirmation }
}

impl World {
    /// The path of a route, in a project and an organization of these names.
    fn path(&self, route: &str, (project, organization): (&str, &str)) -> String {
        let (method, template) = route.split_once(' ').unwrap();
        let id = |name: &str| self.ids[name].as_str();
        let project = if template.ends_with("restore") && project == "shop" { id("gone") } else { project };
        let organization = match template.rsplit('/').next() {
            Some("claim") if organization == "acme" => id("unclaimed"),
            Some("restore") if organization == "acme" => id("past"),
            _ => organization,
        };
        let mut path = template.to_owned();
        for (name, value) in [
            ("project", project),
            ("organization", organization),
            ("user", if template.contains("/members/") { "mo" } else { id("leader") }),
            ("key", id(if template.contains("/users/") { "user_key" } else { "project_key" })),
            ("permission", "view"),
            ("runner", "box"),
            ("spec", "tiny"),
        ] {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        for name in ["branch", "testbed", "benchmark", "measure"] {
            path = path.replace(&format!("{{{name}}}"), "spare");
        }
        for (name, value) in &self.ids {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        if method == "PUT" && template.ends_with("{upload}") {
            path += &format!("?digest={}", Digest::sha256(b"x"));
        }
        if template.ends_with("/compare") {
            path += &format!("?old={0}&new={0}", self.ids["report"]);
        }
        if template.ends_with("/registry/signatures") {
            path += &format!("?image={project}:v1");
        }
        if template.contains("/perf") {
            let query = ["branches", "testbeds", "benchmarks", "measures"]
                .map(|kind| format!("{kind}={}", self.plot[kind][0].as_str().unwrap()));
            path += &format!("?{}", query.join("&"));
        }
        path
    }

    fn body(&self, route: &str, project: &str) -> Option<Value> {
        let name = |name: &str| json!({ "name": name });
        Some(match route.split_once(' ').unwrap() {
            ("POST", "/v0/auth/signup") => json!({ "name": "New", "email": "new@example.com", "i_agree": true }),
            ("POST", "/v0/auth/login") => json!({ "email": "lea@example.com" }),
            ("POST", "/v0/auth/confirm") => json!({ "token": self.confirmation }),
            ("POST", "/v0/auth/accept") => json!({ "invite": self.invitation }),
            ("POST", "/v0/run") => results(1, json!({ "project": project })),
            ("POST", path) if path.ends_with("/reports") => results(1, json!({})),
            ("POST", path) if path.ends_with("/members") => json!({ "email": "more@example.com", "role": "viewer" }),
            ("PATCH", path) if path.contains("/members/") => json!({ "role": "developer" }),
            ("POST", path) if path.ends_with("/measures") => json!({ "name": "more", "units": "B" }),
            ("POST", path) if path.ends_with("/plots") => self.plot.clone(),
            ("PATCH", path) if path.contains("/plots/") => json!({ "title": "Other" }),
            ("PATCH", path) if path.contains("/change-points/") => json!({ "status": "dismissed" }),
            ("PATCH", path) if path.contains("/alerts/") => json!({ "status": "dismissed" }),
            ("POST", path) if path.ends_with("/thresholds") => {
                json!({ "branch": "main", "testbed": "box", "measure": "size", "test": "static", "upper_boundary": 1 })
            }
            ("PUT", path) if path.contains("/thresholds/") => json!({ "test": "static", "upper_boundary": 2 }),
            _ if route == ASK => json!({ "poll_timeout": 1 }),
            _ if route == SAY => json!({ "event": "heartbeat" }),
            ("PUT", path) if path.ends_with("/billing") => json!({ "customer": "cus_1" }),
            ("PUT", path) if path.ends_with("/registry/quota") => json!({ "bytes": 1 << 30 }),
            (_, path) if path.contains("/registry/retention") => json!({ "keep_days": 30 }),
            ("PUT", path) if path.ends_with("/registry/signing") => {
                json!({ "keys": [{ "public_key": include_str!("../signed/keys/p256.pub") }] })
            }
            ("POST", "/v0/runners/{runner}/specs") => json!({ "spec": "small" }),
            ("POST", "/v0/specs") => json!({
                "name": "Large", "os": "linux", "architecture": "x86_64", "cpu": 2, "memory": 1_u64 << 30, "disk": 4_u64 << 30,
            }),
            ("POST", path) if ["/backup", "/claim", "/restore", "/cancel", "/retry"].iter().any(|end| path.ends_with(end)) => {
                json!({})
            }
            ("POST", _) => name("more"),
            ("PATCH", path) if path.starts_with("/v0/") => {
                json!({ "name": if path.contains("{branch}") { "spare" } else { "Named" } })
            }
            _ => return None,
        })
    }

    /// What somebody is answered, and the status of it.
    async fn ask(&self, who: &str, route: &str, names: (&str, &str)) -> (u16, String) {
        let (method, _) = route.split_once(' ').unwrap();
        let url = format!("{}{}", self.server.url, self.path(route, names));
        let mut request = self.server.client.request(method.parse().unwrap(), url);
        if let Some(credential) = self.credentials.get(who) {
            request = request.bearer_auth(credential);
        }
        request = match self.body(route, names.0) {
            _ if route == "POST /v0/auth/oci/token" => request.header("content-type", "application/x-www-form-urlencoded").body(
                format!("grant_type=password&username=x&password={}", self.credentials.get(who).map_or("x", String::as_str)),
            ),
            _ if route.starts_with("PUT /v2/{project}/manifests") => {
                request.header("content-type", text(&self.manifest, "mediaType")).body(self.manifest.to_string())
            }
            _ if route.starts_with("PATCH /v2/") => request.body("x"),
            Some(body) => request.json(&body),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status();
        // A stream of events has no end.
        if status == StatusCode::OK && route.ends_with("/events") {
            return (status.as_u16(), String::new());
        }
        (status.as_u16(), response.text().await.unwrap_or_default())
    }
}

/// An answer without what is different each time.
fn general((status, body): (u16, String), (project, organization): (&str, &str)) -> (u16, String) {
    let mut body: Value = serde_json::from_str(&body).unwrap_or(Value::String(body));
    if body.get("request_id").is_some() {
        body["request_id"] = json!("ID");
    }
    (status, body.to_string().replace(project, "PROJECT").replace(organization, "ORGANIZATION"))
}

/// Rules that hold whatever the table says.
fn broken_rule(who: &str, route: &str, status: u16, visibility: &str) -> Option<String> {
    let is_right = if status >= 500 {
        false
    } else if OPEN.contains(&route) {
        status < 300
    } else {
        match who {
            "runner" if route == CHANNEL => status == 400,
            "runner" if route == ASK => status == 204,
            "runner" if route == SAY => status == 200,
            // What OAuth2 says.
            "expired" | "revoked" | "runner" if route == "POST /v0/auth/oci/token" => status == 400,
            "expired" | "revoked" | "runner" => status == 401,
            _ => true,
        }
    };
    (!is_right).then(|| format!("{route} answers {who} {status} ({visibility})"))
}

/// What one principal is answered on every route, and the rules that this breaks.
async fn column(who: &str, visibility: &str, routes: &[String]) -> (Vec<u16>, Vec<String>) {
    const HERE: (&str, &str) = ("shop", "acme");
    const MISSING: (&str, &str) = ("nothing", "nowhere");
    let world = world(visibility).await;
    let (mut statuses, mut broken) = (Vec::new(), Vec::new());
    for route in routes {
        // A push to a name that is free makes a project, and so cannot hide that one is taken.
        let is_push = route.contains("/v2/") && (!route.starts_with("GET") || route.contains("/uploads/"));
        let named = route.contains("{project}") || route.contains("{organization}") || route == "POST /v0/run";
        let hidden = (named && !is_push && visibility == "private" && OUTSIDERS.contains(&who)) && !route.ends_with("/claim");
        let missing = if hidden { Some(world.ask(who, route, MISSING).await) } else { None };
        let found = world.ask(who, route, HERE).await;
        broken.extend(broken_rule(who, route, found.0, visibility));
        statuses.push(found.0);
        if missing.is_some_and(|missing| general(found, HERE) != general(missing, MISSING)) {
            broken.push(format!("{route} tells {who} what is there"));
        }
    }
    if who == "runner" {
        for route in [CHANNEL, ASK, SAY] {
            let (method, path) = route.split_once(' ').unwrap();
            let path = path.replace("{runner}", "bench").replace("{job}", &world.ids["job"]);
            let body = world.body(route, HERE.0);
            let others = world.server.send(method.parse().unwrap(), &path, Some(&world.credentials[who]), body).await;
            assert_eq!(others.0, StatusCode::UNAUTHORIZED, "another runner's {route}");
        }
    }
    (statuses, broken)
}

/// The table as the server answers it, and the rules that it breaks.
async fn table() -> (String, Vec<String>) {
    let routes = routes();
    let (mut columns, mut broken) = (BTreeMap::new(), Vec::new());
    for visibility in ["private", "public"] {
        for who in PRINCIPALS {
            let (statuses, rules) = column(who, visibility, &routes).await;
            columns.insert((visibility, who), statuses);
            broken.extend(rules);
        }
    }
    let mut lines: Vec<(&str, &str, String)> = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        let (method, path) = route.split_once(' ').unwrap();
        let row = |visibility| PRINCIPALS.map(|who| format!("{:<9}", columns[&(visibility, who)][index])).concat();
        let (private, public) = (row("private"), row("public"));
        let mut line = format!("{:<67}{}\n", format!("{method:<7}{path}"), private.trim_end());
        if public != private {
            writeln!(line, "{:<67}{}", "       if it is public", public.trim_end()).unwrap();
        }
        lines.push((path, method, line));
    }
    lines.sort();
    let head = format!("{:<67}{}", "# route", PRINCIPALS.map(|who| format!("{who:<9}")).concat());
    let lines: String = lines.into_iter().map(|(_, _, line)| line).collect();
    (format!("{HEAD}\n{}\n{lines}", head.trim_end()), broken)
}

#[tokio::test]
async fn everybody_is_answered_as_the_table_says() {
    let (found, broken) = table().await;
    if std::env::var_os("BENCHER_BLESS").is_some() {
        std::fs::write(FILE, &found).unwrap();
    }
    let written = std::fs::read_to_string(FILE).unwrap_or_default();
    let only_in = |one: &str, other: &str| -> String {
        one.lines().filter(|line| !other.lines().any(|also| also == *line)).map(|line| format!("\n  {line}")).collect()
    };
    let (new, gone) = (only_in(&found, &written), only_in(&written, &found));
    assert!(found == written, "access is not as {FILE} says. The server answers:{new}\nThe file says:{gone}");
    assert!(broken.is_empty(), "{broken:#?}");
}
