//! The comment on a pull request, against a server that holds comments and minds what GitHub documents.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{
    shapes,
    support::{Asked, Ended, Reply, World},
};

/// Comments as GitHub keeps them, and what of its rules a request broke.
#[derive(Default)]
struct GitHub {
    comments: Vec<(u64, String)>,
    broken: Vec<String>,
    /// Comments that only their author may change.
    foreign: Vec<u64>,
    refuse: Option<u16>,
}

impl GitHub {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let header = |name: &str| asked.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        for (name, expected) in [
            ("accept", "application/vnd.github+json"),
            ("x-github-api-version", "2022-11-28"),
            ("authorization", "Bearer gh-token"),
        ] {
            if header(name) != expected {
                self.broken.push(format!("{name}: {}", header(name)));
            }
        }
        if header("user-agent").is_empty() {
            self.broken.push("no user-agent".to_owned());
        }
        if let Some(status) = self.refuse {
            return Reply::new(status, json!({ "message": "Resource not accessible by integration", "documentation_url": "…" }));
        }
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        match (asked.method.as_str(), path.strip_prefix("/gh/repos/acme/shop/issues/").unwrap_or(path)) {
            ("GET", "7/comments") => Reply::ok(self.page(query)),
            ("POST", "7/comments") => {
                let id = 1000 + self.comments.len() as u64;
                self.comments.push((id, asked.body["body"].as_str().unwrap().to_owned()));
                Reply::new(201, comment(self.comments.last().unwrap()))
            }
            ("PATCH", path) => {
                let id = path.strip_prefix("comments/").and_then(|id| id.parse().ok()).unwrap_or_default();
                if self.foreign.contains(&id) {
                    return Reply::new(403, json!({ "message": "Must have admin rights to Repository." }));
                }
                let Some(found) = self.comments.iter_mut().find(|(known, _)| *known == id) else {
                    return Reply::new(404, json!({ "message": "Not Found" }));
                };
                found.1 = asked.body["body"].as_str().unwrap().to_owned();
                Reply::ok(comment(found))
            }
            (method, path) => {
                self.broken.push(format!("{method} {path}"));
                Reply::new(404, json!({ "message": "Not Found" }))
            }
        }
    }

    fn page(&self, query: &str) -> Value {
        let number = |name: &str| -> usize {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
            value.parse().unwrap()
        };
        let (size, page) = (number("per_page"), number("page"));
        assert!(size <= 100, "GitHub gives at most 100");
        json!(self.comments.iter().skip(size * (page - 1)).take(size).map(comment).collect::<Vec<_>>())
    }
}

fn comment((id, body): &(u64, String)) -> Value {
    json!({ "id": id, "body": body, "user": { "login": "github-actions[bot]", "type": "Bot" } })
}

/// A bencher server and GitHub, which are one server here.
struct Ci {
    world: World,
    github: Arc<Mutex<GitHub>>,
}

impl Ci {
    fn new(report: Value) -> Self {
        let github = Arc::new(Mutex::new(GitHub::default()));
        let shared = Arc::clone(&github);
        let world = World::new(move |asked| match asked.path.as_str() {
            path if path.starts_with("/gh/") => shared.lock().unwrap().answer(asked),
            "/v0/server/config/console" => Reply::ok(json!({ "url": "http://console.example/" })),
            _ => Reply::new(201, report.clone()),
        });
        let ci = Self { world, github };
        ci.event("acme/shop");
        ci
    }

    /// A pull request from this repository.
    fn event(&self, head: &str) {
        let event = json!({
            "action": "synchronize", "number": 7,
            "pull_request": {
                "number": 7, "head": { "repo": { "full_name": head } }, "base": { "repo": { "full_name": "acme/shop" } }
            },
            "repository": { "full_name": "acme/shop" }
        });
        fs::write(self.world.dir.path().join("event.json"), event.to_string()).unwrap();
    }

    fn run(&self, name: &str, flags: &[&str]) -> Ended {
        let args = [&["run", "--project", "shop", "--github-actions", "gh-token", "--quiet"], flags, &["echo results"]].concat();
        let mut command = self.world.command(&args);
        command
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_API_URL", format!("http://{}/gh", self.world.address()))
            .env("GITHUB_REPOSITORY", "acme/shop")
            .env("GITHUB_EVENT_NAME", name)
            .env("GITHUB_EVENT_PATH", self.world.dir.path().join("event.json"));
        let ended = self.world.end(command.output().unwrap());
        assert_eq!(self.github.lock().unwrap().broken, Vec::<String>::new());
        ended
    }

    fn comments(&self) -> Vec<String> {
        self.github.lock().unwrap().comments.iter().map(|(_, body)| body.clone()).collect()
    }
}

#[test]
fn a_pull_request_gets_one_comment_that_stays_up_to_date() {
    let ci = Ci::new(shapes::guarded_report());
    let ended = ci.run("pull_request", &[]);
    assert_eq!((ended.code, ended.stderr.contains("commented on acme/shop#7")), (Some(0), true), "{ended:?}");
    assert_eq!(ci.run("pull_request", &[]).code, Some(0));
    let comments = ci.comments();
    assert_eq!(comments.len(), 1);
    assert_snapshot!(comments[0]);
}

#[test]
fn a_comment_is_found_among_many_pages() {
    let ci = Ci::new(shapes::report(1));
    ci.run("pull_request", &[]);
    {
        let mut github = ci.github.lock().unwrap();
        let others = (0..250).map(|id| (id, format!("looks good {id}")));
        let ours = github.comments.remove(0);
        github.comments.extend(others);
        github.comments.push(ours);
    }
    ci.run("pull_request", &[]);
    assert_eq!(ci.comments().len(), 251);
}

#[test]
fn runs_that_say_so_keep_comments_of_their_own() {
    let ci = Ci::new(shapes::report(1));
    for id in ["linux", "macos", "linux", "--> x"] {
        assert_eq!(ci.run("pull_request", &[&format!("--ci-id={id}")]).code, Some(0));
    }
    let comments = ci.comments();
    assert_eq!(comments.len(), 3);
    assert!(comments[2].starts_with("<!-- bencher: --&gt; x -->\n"), "{}", comments[2]);
}

#[test]
fn somebody_elses_comment_is_left_alone() {
    let ci = Ci::new(shapes::report(1));
    ci.run("pull_request", &[]);
    ci.github.lock().unwrap().foreign.push(1000);
    assert_eq!(ci.run("pull_request", &[]).code, Some(0));
    assert_eq!(ci.comments().len(), 2);
}

#[test]
fn only_on_alert_begins_with_an_alert() {
    let ci = Ci::new(shapes::report(1));
    let ended = ci.run("pull_request", &["--ci-only-on-alert"]);
    assert_eq!((ended.code, ci.comments().len()), (Some(0), 0), "{ended:?}");
    assert!(ended.stderr.contains("no comment: there is no active alert"), "{ended:?}");
    // Once there is a comment, it also learns that all is well again.
    ci.run("pull_request", &[]);
    let before = ci.world.asked().len();
    ci.run("pull_request", &["--ci-only-on-alert"]);
    assert!(ci.world.asked().split_off(before).iter().any(|asked| asked.method == "PATCH"));

    let alerting = Ci::new(shapes::guarded_report());
    alerting.run("pull_request", &["--ci-only-on-alert"]);
    assert_eq!(alerting.comments().len(), 1);
}

#[test]
fn only_thresholds_wants_a_threshold() {
    let ci = Ci::new(shapes::report(1));
    assert_eq!(ci.run("pull_request", &["--ci-only-thresholds"]).code, Some(0));
    let guarded = Ci::new(shapes::guarded_report());
    assert_eq!(guarded.run("pull_request", &["--ci-only-thresholds"]).code, Some(0));
    assert_eq!((ci.comments().len(), guarded.comments().len()), (0, 1));
}

#[test]
fn public_links_lead_where_anybody_may_look() {
    let ci = Ci::new(shapes::report(1));
    ci.run("pull_request", &["--ci-public-links"]);
    let comment = ci.comments().remove(0);
    assert!(comment.contains(&format!("http://console.example/perf/shop/reports/{}", shapes::REPORT)), "{comment}");
}

#[test]
fn a_push_has_nobody_to_tell_unless_a_number_is_given() {
    let ci = Ci::new(shapes::report(1));
    fs::write(ci.world.dir.path().join("event.json"), r#"{ "ref": "refs/heads/main" }"#).unwrap();
    let ended = ci.run("push", &[]);
    assert_eq!((ended.code, ci.comments().len()), (Some(0), 0), "{ended:?}");
    assert!(ended.stderr.contains("no comment: there is no pull request; --ci-number names one"), "{ended:?}");
    ci.run("push", &["--ci-number", "7"]);
    assert_eq!(ci.comments().len(), 1);
}

#[test]
fn a_fork_that_could_read_secrets_is_refused_before_anything_runs() {
    let ci = Ci::new(shapes::report(1));
    ci.event("eve/shop");
    assert_snapshot!(ci.run("pull_request_target", &[]).all(), @r"
    exit 2
    == stdout
    == stderr
    error: a pull request of eve/shop must not run in a workflow that sees the secrets of acme/shop (pull_request_target)
      hint: its author could read the secrets. Measure in a `pull_request` workflow without secrets, hand the results to a `workflow_run` workflow, and comment from there with --ci-number
    ");
    assert!(ci.world.asked().is_empty());

    let ended = ci.run("pull_request_target", &["--ci-i-am-vulnerable-to-pwn-requests"]);
    assert_eq!((ended.code, ci.comments().len()), (Some(0), 1), "{ended:?}");
}

#[test]
fn a_token_that_may_not_comment_is_told_after_the_report() {
    let ci = Ci::new(shapes::report(1));
    ci.github.lock().unwrap().refuse = Some(403);
    let ended = ci.run("pull_request", &[]);
    assert_eq!(ended.code, Some(8), "{ended:?}");
    assert!(ended.stdout.contains("gzip -6"), "{ended:?}");
    let error = ended.stderr.split("error: ").nth(1).unwrap_or_default();
    assert_snapshot!(error, @r"
    the report is stored, but GitHub could not be told of it
      cause: Resource not accessible by integration (403 from GET /gh/repos/acme/shop/issues/7/comments)
      hint: the workflow needs `permissions: pull-requests: write`; a fork's pull request gets a token that may only read
    ");
}

#[test]
fn an_alert_decides_the_exit_code_even_where_nobody_could_be_told() {
    let ci = Ci::new(shapes::guarded_report());
    ci.github.lock().unwrap().refuse = Some(403);
    assert_eq!(ci.run("pull_request", &["--err"]).code, Some(5));
}

#[test]
fn outside_of_a_workflow_there_is_no_comment() {
    let world = World::always(201, shapes::report(1));
    let ended = world.bencher(&["run", "--github-actions", "t", "--project", "shop", "echo x"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("no comment: this is no GitHub workflow (GITHUB_API_URL is not set)"), "{ended:?}");
}

#[test]
fn a_report_that_is_too_long_for_a_comment_is_cut_to_its_summary() {
    let mut report = shapes::guarded_report();
    let result = report["results"][0][0].clone();
    report["results"][0] = json!(vec![result; 2000]);
    let ci = Ci::new(report);
    assert_eq!(ci.run("pull_request", &[]).code, Some(0));
    let comment = ci.comments().remove(0);
    assert!(comment.chars().count() < 65_536 && comment.contains("1 active alert"), "{} characters", comment.len());
}

#[test]
fn html_is_what_other_systems_post_themselves() {
    let mut report = shapes::guarded_report();
    report["results"][0][0]["benchmark"]["name"] = json!("<script>alert(1)</script>");
    let ci = Ci::new(report);
    let ended = ci.world.bencher(&["run", "--project", "shop", "--format", "html", "--quiet", "echo x"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(!ended.stdout.contains("<script>"));
    assert_snapshot!(ended.stdout);
}

#[test]
fn in_ci_no_project_is_made_by_accident() {
    let world = World::always(201, shapes::report(1));
    let run = |flags: &[&str], key: &str| {
        let mut command = world.command(&[&["run"], flags, &["echo x"]].concat());
        world.end(command.env("CI", "true").env("BENCHER_API_KEY", key).output().unwrap())
    };
    assert_snapshot!(run(&[], "").all(), @r"
    exit 2
    == stdout
    == stderr
    error: no project is named, and in CI (CI=true) none is made by accident: give --project (BENCHER_PROJECT), or --ci-on-the-fly
    ");
    assert_eq!(run(&["--ci-on-the-fly"], "").code, Some(0));
    assert_eq!(run(&["--project", "shop"], "").code, Some(0));
    let of_project = format!("bencher_run_{}", "x".repeat(30));
    let refused = run(&["--ci-on-the-fly"], &of_project);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("the key is a project's: name the project with --project"), "{refused:?}");
    assert_eq!(run(&["--project", "shop"], &of_project).code, Some(0));
    assert_eq!(world.asked().last().unwrap().authorization, Some(format!("Bearer {of_project}")));
}
