//! What is sent, what is repeated, and how refusals are told.

use std::net::TcpListener;

use insta::assert_snapshot;
use serde_json::json;

use crate::{
    shapes,
    support::{Reply, World},
};

#[test]
fn a_failing_server_is_tried_again() {
    let mut left = 2;
    let world = World::new(move |_| {
        if left > 0 {
            left -= 1;
            return Reply::error(503, "starting");
        }
        Reply::ok(json!([shapes::project("shop")]))
    });
    let ended = world.bencher(&["project", "list", "--retry-after", "0", "-v"]);
    assert_snapshot!(ended.all(), @r"
    exit 0
    == stdout
    SLUG  NAME      VISIBILITY  UUID                                  CREATED
    shop  The Shop  public      00000000-0000-4000-8000-000000000001  2026-01-02 03:04:05Z
    == stderr
    starting (503 from GET /v0/projects, request 01234567-89ab-cdef-0123-456789abcdef); attempt 1 of 35, the next in 0 s
    starting (503 from GET /v0/projects, request 01234567-89ab-cdef-0123-456789abcdef); attempt 2 of 35, the next in 0 s
    ");
    assert_eq!(world.asked().len(), 3);
}

#[test]
fn retries_are_silent_where_nobody_watches() {
    let mut first = true;
    let world =
        World::new(
            move |_| if std::mem::take(&mut first) { Reply::text(500, "") } else { Reply::ok(json!([shapes::project("shop")])) },
        );
    let ended = world.bencher(&["project", "list", "--retry-after", "0"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("; attempt 1 of 35, the next in 0 s"), "a log is told: {}", ended.stderr);
}

#[test]
fn a_server_that_keeps_failing_is_given_up() {
    let world = World::new(|_| Reply::text(502, "<html>Bad Gateway</html>"));
    assert_snapshot!(world.bencher(&["project", "list", "--retry-after", "0", "--attempts", "3"]).all(), @r"
    exit 4
    == stdout
    == stderr
    Bad Gateway (502 from GET /v0/projects); attempt 1 of 3, the next in 0 s
    error: Bad Gateway (502 from GET /v0/projects) after 3 attempts
    ");
    assert_eq!(world.asked().len(), 3);
}

#[test]
fn a_refusal_is_told_as_the_server_says_it_and_not_repeated() {
    let world = World::new(|_| Reply::error(404, "Project (nope) not found"));
    assert_snapshot!(world.bencher(&["project", "view", "nope"]).all(), @r"
    exit 3
    == stdout
    == stderr
    error: Project (nope) not found (404 from GET /v0/projects/nope, request 01234567-89ab-cdef-0123-456789abcdef)
    ");
    assert_eq!(world.asked().len(), 1);
}

#[test]
fn a_missing_credential_says_how_to_give_one() {
    let world = World::new(|_| Reply::error(401, "no valid credentials"));
    assert_snapshot!(world.bencher(&["runner", "list"]).all(), @r"
    exit 3
    == stdout
    == stderr
    error: no valid credentials (401 from GET /v0/runners, request 01234567-89ab-cdef-0123-456789abcdef)
      hint: say who you are with --key (BENCHER_API_KEY) or --token (BENCHER_API_TOKEN); `bencher auth login` makes a token
    ");
}

#[test]
fn no_server_is_said_with_its_address() {
    let world = World::always(200, json!([]));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = world.bencher(&["project", "list", "--host", &format!("http://{free}"), "--attempts", "2", "--retry-after", "0"]);
    assert_snapshot!(ended.all().replace(&free.to_string(), "NOWHERE"), @r"
    exit 4
    == stdout
    == stderr
    no answer from http://NOWHERE/v0/projects; attempt 1 of 2, the next in 0 s
    error: no answer from http://NOWHERE/v0/projects after 2 attempts
      cause: error sending request
      cause: client error (Connect)
      cause: tcp connect error
      cause: Connection refused (os error 111)
      hint: is the server running? tried http://NOWHERE; --host or BENCHER_HOST names another
    ");
}

#[test]
fn something_else_that_answers_is_no_bencher_server() {
    let world = World::new(|_| Reply::text(200, "<html>hello</html>"));
    let ended = world.bencher(&["project", "list"]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("is http://SERVER a bencher server?"), "{ended:?}");
}

#[test]
fn keys_and_tokens_are_bearers_and_what_is_typed_wins() {
    let world = World::always(200, json!([]));
    world.bencher(&["project", "list"]);
    world.bencher(&["project", "list", "--key", "bencher_user_x"]);
    let mut both = world.command(&["project", "list", "--token", "typed"]);
    assert!(both.env("BENCHER_API_KEY", "bencher_user_y").status().unwrap().success());
    let seen: Vec<_> = world.asked().into_iter().map(|asked| asked.authorization).collect();
    assert_eq!(seen, [None, Some("Bearer bencher_user_x".to_owned()), Some("Bearer typed".to_owned())]);
}

#[test]
fn wrong_arguments_exit_with_2_and_send_nothing() {
    let world = World::always(200, json!([]));
    for args in [
        &["project", "lsit"][..],
        &["project", "list", "--token", "a", "--key", "b"],
        &["project", "list", "--host", "ftp://x"],
        &["run"],
        &["run", "--iter", "0", "true"],
        &[
            "spec",
            "create",
            "--name",
            "s",
            "--os",
            "linux",
            "--architecture",
            "x86_64",
            "--cpu",
            "0",
            "--memory",
            "1",
            "--disk",
            "1",
        ],
    ] {
        let ended = world.bencher(args);
        assert_eq!(ended.code, Some(2), "{args:?}: {ended:?}");
        assert!(!ended.stderr.is_empty());
    }
    assert_eq!(world.paths(), Vec::<String>::new());
}

#[test]
fn ids_cannot_break_out_of_their_place_in_a_path() {
    let world = World::always(200, json!([]));
    world.bencher(&["report", "list", "shop", "--branch", "feature/a b&c", "--per-page", "3"]);
    assert_eq!(world.paths(), ["GET /v0/projects/shop/reports?branch=feature%2Fa+b%26c&per_page=3"]);
}

#[test]
fn every_verb_asks_what_the_contract_says() {
    let world = World::always(200, json!(null));
    let uuid = shapes::JOB;
    for args in [
        &["auth", "signup", "--name", "Ann", "--i-agree", "ann@example.com"][..],
        &["auth", "login", "ann@example.com"],
        &["auth", "confirm", "a.b.c"],
        &["user", "key", "list", "ann"],
        &["user", "key", "create", "ann", "--name", "ci", "--ttl", "60"],
        &["user", "key", "view", "ann", uuid],
        &["user", "key", "revoke", "ann", uuid],
        &["org", "create", "--name", "Acme"],
        &["organization", "view", "acme"],
        &["project", "create", "acme", "--name", "Shop", "--visibility", "private"],
        &["project", "ls", "acme", "--search", "sh"],
        &["runner", "create", "--name", "Box"],
        &["runner", "update", "box", "--archive"],
        &["runner", "key", "box"],
        &["runner", "spec", "list", "box"],
        &["runner", "spec", "add", "box", "--spec", "small"],
        &["runner", "spec", "remove", "box", "small"],
        &["spec", "update", "small", "--fallback", "true", "--unarchive"],
        &["spec", "delete", "small"],
        &["job", "list", "shop", "--status", "pending", "--page", "2"],
        &["job", "cancel", "shop", uuid],
        &["report", "view", "shop", uuid],
        &["branch", "create", "shop", "--name", "next", "--start-point", "main"],
        &["testbed", "create", "shop", "--name", "Box", "--spec", "small"],
        &["benchmark", "list", "shop", "--archived"],
        &["measure", "create", "shop", "--name", "Score", "--units", "points"],
        &["server", "version"],
        &["server", "config", "console"],
    ] {
        world.bencher(args);
    }
    let asked: Vec<_> = world
        .asked()
        .iter()
        .map(|asked| match &asked.body {
            serde_json::Value::Null => format!("{} {}", asked.method, asked.path),
            body => format!("{} {} {body}", asked.method, asked.path),
        })
        .collect();
    assert_snapshot!(asked.join("\n"), @r#"
    POST /v0/auth/signup {"email":"ann@example.com","i_agree":true,"name":"Ann"}
    POST /v0/auth/login {"email":"ann@example.com"}
    POST /v0/auth/confirm {"token":"a.b.c"}
    GET /v0/users/ann/keys
    POST /v0/users/ann/keys {"name":"ci","ttl":60}
    GET /v0/users/ann/keys/00000000-0000-4000-8000-000000000010
    DELETE /v0/users/ann/keys/00000000-0000-4000-8000-000000000010
    POST /v0/organizations {"name":"Acme"}
    GET /v0/organizations/acme
    POST /v0/organizations/acme/projects {"name":"Shop","visibility":"private"}
    GET /v0/organizations/acme/projects?search=sh
    POST /v0/runners {"name":"Box"}
    PATCH /v0/runners/box {"archived":true}
    POST /v0/runners/box/key
    GET /v0/runners/box/specs
    POST /v0/runners/box/specs {"spec":"small"}
    DELETE /v0/runners/box/specs/small
    PATCH /v0/specs/small {"archived":false,"fallback":true}
    DELETE /v0/specs/small
    GET /v0/projects/shop/jobs?status=pending&page=2
    POST /v0/projects/shop/jobs/00000000-0000-4000-8000-000000000010/cancel
    GET /v0/projects/shop/reports/00000000-0000-4000-8000-000000000010
    POST /v0/projects/shop/branches {"name":"next","start_point":{"branch":"main"}}
    POST /v0/projects/shop/testbeds {"name":"Box","spec":"small"}
    GET /v0/projects/shop/benchmarks?archived=true
    POST /v0/projects/shop/measures {"name":"Score","units":"points"}
    GET /v0/server/version
    GET /v0/server/config/console
    "#);
}
