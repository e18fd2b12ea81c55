//! What GitHub is told, against a server that holds comments and checks and minds what GitHub documents.

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

const HEAD: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// Comments as GitHub keeps them, and what of its rules a request broke.
#[derive(Default)]
struct GitHub {
    comments: Vec<(u64, String)>,
    checks: Vec<Value>,
    broken: Vec<String>,
    /// Comments that only their author may change.
    foreign: Vec<u64>,
    refuse: Option<u16>,
    /// A right that the token does not have.
    no_checks: bool,
    /// Answers that come before any other, the last first, whatever is asked.
    first: Vec<Reply>,
    /// A comment is taken, and its maker does not learn of it.
    lose_answer: bool,
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
        if let Some(reply) = self.first.pop() {
            return reply;
        }
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        match (asked.method.as_str(), path.strip_prefix("/gh/repos/acme/shop/issues/").unwrap_or(path)) {
            ("GET", "7/comments") => Reply::ok(self.page(query)),
            ("POST", "7/comments") => {
                self.must_be_a_comment(&asked.body);
                let id = 1000 + self.comments.len() as u64;
                self.comments.push((id, asked.body["body"].as_str().unwrap().to_owned()));
                if std::mem::take(&mut self.lose_answer) {
                    return Reply::text(502, "<html>");
                }
                Reply::new(201, comment(self.comments.last().unwrap()))
            }
            ("POST", "/gh/repos/acme/shop/check-runs") if self.no_checks => {
                Reply::new(403, json!({ "message": "Resource not accessible by integration" }))
            }
            ("POST", "/gh/repos/acme/shop/check-runs") => {
                self.must_be_a_check(&asked.body);
                self.checks.push(asked.body.clone());
                Reply::new(201, json!({ "id": self.checks.len(), "status": "completed" }))
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
                let reply = Reply::ok(comment(found));
                self.must_be_a_comment(&asked.body);
                reply
            }
            (method, path) => {
                self.broken.push(format!("{method} {path}"));
                Reply::new(404, json!({ "message": "Not Found" }))
            }
        }
    }

    /// The parameters that GitHub documents for comments on issues.
    fn must_be_a_comment(&mut self, body: &Value) {
        let keys: Vec<_> = body.as_object().unwrap().keys().collect();
        if keys != ["body"] || body["body"].as_str().is_none_or(|text| text.chars().count() > 65_536) {
            self.broken.push(format!("a comment with {keys:?}"));
        }
    }

    /// The parameters that GitHub documents for check runs, as far as a completed one has them.
    fn must_be_a_check(&mut self, body: &Value) {
        let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty() && text.chars().count() <= 65_535);
        let is_hash = body["head_sha"].as_str().is_some_and(|hash| hash.len() == 40);
        let is_conclusion = matches!(body["conclusion"].as_str(), Some("success" | "failure" | "neutral"));
        let texts = [&body["name"], &body["output"]["title"], &body["output"]["summary"]].into_iter().all(is_text);
        if !(is_hash && is_conclusion && texts && body["status"] == "completed" && body["external_id"].is_string()) {
            self.broken.push(format!("a check: {body}"));
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
                "number": 7, "head": { "repo": { "full_name": head }, "sha": HEAD }, "base": { "repo": { "full_name": "acme/shop" } }
            },
            "repository": { "full_name": "acme/shop" }
        });
        fs::write(self.world.dir.path().join("event.json"), event.to_string()).unwrap();
    }

    fn run(&self, name: &str, flags: &[&str]) -> Ended {
        let token: &[&str] =
            if flags.iter().any(|flag| flag.starts_with("--github-actions")) { &[] } else { &["--github-actions", "gh-token"] };
        let args = [&["run", "--project", "shop", "--quiet"], token, flags, &["echo results"]].concat();
        let mut command = self.world.command(&args);
        command
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_API_URL", format!("http://{}/gh", self.world.address()))
            .env("GITHUB_REPOSITORY", "acme/shop")
            .env("GITHUB_EVENT_NAME", name)
            .env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567")
            .env("GITHUB_STEP_SUMMARY", self.world.dir.path().join("summary.md"))
            .env("GITHUB_EVENT_PATH", self.world.dir.path().join("event.json"));
        let ended = self.world.end(command.output().unwrap());
        assert_eq!(self.github.lock().unwrap().broken, Vec::<String>::new());
        ended
    }

    fn checks(&self) -> Vec<Value> {
        self.github.lock().unwrap().checks.clone()
    }

    fn summary(&self) -> String {
        fs::read_to_string(self.world.dir.path().join("summary.md")).unwrap_or_default()
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
fn a_token_that_may_not_comment_is_one_warning_and_the_run_ends_as_it_would() {
    let ci = Ci::new(shapes::report(1));
    ci.github.lock().unwrap().refuse = Some(403);
    let ended = ci.run("pull_request", &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("gzip -6"), "{ended:?}");
    let warning = ended.stderr.split("warning: ").nth(1).unwrap_or_default();
    assert_snapshot!(warning, @r"
    the results are stored, but GitHub could not be told of them: Resource not accessible by integration (403 from GET /gh/repos/acme/shop/issues/7/comments); they are in the job's summary
      hint: the workflow needs `permissions:` with `pull-requests: write` for comments and `checks: write` for checks
    ::warning title=bencher::the results are stored, but GitHub could not be told of them: Resource not accessible by integration (403 from GET /gh/repos/acme/shop/issues/7/comments); they are in the job's summary. the workflow needs `permissions:` with `pull-requests: write` for comments and `checks: write` for checks
    ");
    assert_eq!(ended.stderr.matches("::warning ").count(), 1, "{ended:?}");
    assert!(ci.summary().contains("gzip -6"));
}

#[test]
fn a_forks_pull_request_gets_the_summary_and_a_hint() {
    let ci = Ci::new(shapes::report(1));
    ci.event("eve/shop");
    ci.github.lock().unwrap().refuse = Some(403);
    let ended = ci.run("pull_request", &[]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("hint: a fork's pull request gets a token that may only read"), "{ended:?}");
    assert!(ended.stderr.contains("they are in the job's summary"), "{ended:?}");
}

#[test]
fn an_alert_decides_the_exit_code_even_where_nobody_could_be_told() {
    let ci = Ci::new(shapes::guarded_report());
    ci.github.lock().unwrap().refuse = Some(403);
    assert_eq!(ci.run("pull_request", &["--err"]).code, Some(5));
}

#[test]
fn github_is_asked_again_when_it_fails_or_says_when() {
    let soon = || Reply::new(403, json!({ "message": "You have exceeded a secondary rate limit." })).header("retry-after", "0");
    let spent = || Reply::new(429, json!({ "message": "API rate limit exceeded" })).header("x-ratelimit-remaining", "0");
    let ci = Ci::new(shapes::report(1));
    ci.github.lock().unwrap().first = vec![spent().header("x-ratelimit-reset", "1"), soon(), Reply::text(502, "<html>")];
    let ended = ci.run("pull_request", &["--retry-after", "0"]);
    assert_eq!((ended.code, ci.comments().len()), (Some(0), 1), "{ended:?}");
    assert!(!ended.stderr.contains("warning: "), "{ended:?}");
}

#[test]
fn github_that_keeps_failing_or_says_much_later_is_given_up() {
    let ci = Ci::new(shapes::report(1));
    ci.github.lock().unwrap().refuse = Some(502);
    let ended = ci.run("pull_request", &["--retry-after", "0"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("after 5 attempts") && ended.stderr.contains("GitHub could not be told of them"), "{ended:?}");

    let ci = Ci::new(shapes::report(1));
    let later = Reply::new(403, json!({ "message": "API rate limit exceeded" })).header("retry-after", "1800");
    ci.github.lock().unwrap().first = vec![later];
    let ended = ci.run("pull_request", &[]);
    assert_eq!((ended.code, ci.comments().len()), (Some(0), 0), "{ended:?}");
}

#[test]
fn a_comment_whose_answer_was_lost_is_not_made_twice() {
    let ci = Ci::new(shapes::report(1));
    ci.github.lock().unwrap().lose_answer = true;
    let ended = ci.run("pull_request", &["--retry-after", "0"]);
    assert_eq!((ended.code, ci.comments().len()), (Some(0), 1), "{ended:?}");
}

#[test]
fn a_check_says_how_the_commit_did() {
    let ci = Ci::new(shapes::guarded_report());
    ci.run("pull_request", &["--err"]);
    ci.run("pull_request", &["--ci-id", "linux"]);
    let checks = ci.checks();
    assert_snapshot!(checks[0]["output"]["summary"].as_str().unwrap());
    let of = |check: &Value| ["name", "head_sha", "conclusion"].map(|key| check[key].as_str().unwrap().to_owned());
    assert_eq!(of(&checks[0]), ["bencher: The Shop on Small", HEAD, "failure"]);
    assert_eq!(of(&checks[1]), ["bencher: linux", HEAD, "neutral"]);
    assert_eq!((&checks[0]["output"]["title"], &checks[0]["external_id"]), (&json!("1 active alert"), &json!(shapes::REPORT)));

    let push = Ci::new(shapes::report(1));
    fs::write(push.world.dir.path().join("event.json"), r#"{ "ref": "refs/heads/main" }"#).unwrap();
    let ended = push.run("push", &[]);
    assert!(ended.stderr.contains("checked acme/shop@0123456789ab"), "{ended:?}");
    assert_eq!(push.checks()[0]["conclusion"], "success");
    push.run("push", &["--hash", HEAD]);
    assert_eq!(push.checks()[1]["head_sha"], HEAD);
}

#[test]
fn a_token_that_may_only_comment_makes_no_check_and_no_fuss() {
    let ci = Ci::new(shapes::report(1));
    ci.github.lock().unwrap().no_checks = true;
    let ended = ci.run("pull_request", &[]);
    assert_eq!((ended.code, ci.comments().len()), (Some(0), 1));
    assert!(ended.stderr.contains("no check: that needs `permissions: checks: write`"), "{ended:?}");
    assert!(!ended.stderr.contains("warning"), "{ended:?}");
}

#[test]
fn alerts_are_annotations_and_every_run_of_a_step_adds_to_its_summary() {
    let mut report = shapes::guarded_report();
    report["alerts"][0]["benchmark"]["name"] = json!("100%\n::set-env name=A::b");
    let ci = Ci::new(report);
    let lines = |ended: &Ended| ended.stderr.lines().filter(|line| line.starts_with("::")).collect::<Vec<_>>().join("\n");
    assert_snapshot!(lines(&ci.run("pull_request", &[])), @"::warning title=benchmark alert::100%25%0A::set-env name=A::b: Latency is 999 ns, above the upper limit 900 ns");
    assert_snapshot!(lines(&ci.run("pull_request", &["--err"])), @"::error title=benchmark alert::100%25%0A::set-env name=A::b: Latency is 999 ns, above the upper limit 900 ns");
    assert_eq!(ci.summary().matches("## Benchmark results").count(), 2);
}

#[test]
fn only_as_many_annotations_are_made_as_are_shown() {
    let mut report = shapes::guarded_report();
    report["alerts"] = json!(vec![report["alerts"][0].clone(); 30]);
    let ended = Ci::new(report).run("pull_request", &[]);
    assert_eq!(ended.stderr.matches("::warning title=").count(), 10);
    assert!(ended.stderr.contains("::21 more active alerts"), "{ended:?}");
}

#[test]
fn an_empty_token_leaves_the_summary() {
    let ci = Ci::new(shapes::report(1));
    let ended = ci.run("pull_request", &["--github-actions="]);
    assert_eq!((ended.code, ci.comments().len()), (Some(0), 0));
    assert!(ended.stderr.contains("no comment: the token is empty"), "{ended:?}");
    assert!(ci.summary().contains("gzip -6"));
}

#[test]
fn outside_of_a_workflow_there_is_no_comment() {
    let world = World::always(201, shapes::report(1));
    let ended = world.bencher(&["run", "--github-actions", "t", "--project", "shop", "echo x"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("no comment: this is no GitHub workflow (GITHUB_API_URL is not set)"), "{ended:?}");
}

#[test]
fn a_report_that_is_too_long_for_a_comment_is_cut_and_says_so() {
    let mut report = shapes::guarded_report();
    let result = report["results"][0][0].clone();
    report["results"][0] = json!(vec![result; 2000]);
    let ci = Ci::new(report);
    assert_eq!(ci.run("pull_request", &[]).code, Some(0));
    let comment = ci.comments().remove(0);
    assert!(comment.chars().count() < 65_536 && comment.contains("1 active alert"), "{} characters", comment.len());
    assert!(comment.contains("rows left out, for length") && comment.ends_with("</p>\n"), "{comment}");
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
fn markdown_is_what_others_post_themselves() {
    let mut report = shapes::guarded_report();
    report["results"][0][0]["benchmark"]["name"] = json!("@eve `a|b` ![x](http://example.com)\n\n# no");
    let ci = Ci::new(report);
    let ended = ci.world.bencher(&["run", "--project", "shop", "--format", "markdown", "--quiet", "echo x"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_snapshot!(ended.stdout);
    assert_eq!(ci.world.bencher(&["report", "list", "shop", "--format", "md"]).code, Some(2));
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
