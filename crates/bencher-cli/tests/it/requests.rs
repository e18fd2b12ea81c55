//! What is sent, what is repeated, and how refusals are told.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

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
    let ended = world.table(&["project", "list", "--retry-after", "0", "-v"]);
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
    assert!(ended.stderr.contains("; attempt 1 of 4, the next in 0 s"), "a log is told: {}", ended.stderr);
}

/// A server with a certificate that nobody vouches for; counts connections.
fn untrusted() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let (config, connections) = (Arc::new(config), Arc::new(AtomicUsize::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, counted) = (listener.local_addr().unwrap(), connections.clone());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut connection = rustls::ServerConnection::new(config.clone()).unwrap();
            // The client is who gives up.
            while connection.complete_io(&mut stream).is_ok_and(|(read, written)| read + written > 0) {}
        }
    });
    (address, connections)
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_at_once() {
    let world = World::always(200, json!([]));
    let (address, connections) = untrusted();
    let ended = world.bencher(&["project", "list", "--host", &format!("https://localhost:{}", address.port())]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.starts_with("error: no secure connection to https://localhost"), "{}", ended.stderr);
    assert!(ended.stderr.contains("SSL_CERT_FILE") && ended.stderr.contains("--insecure-host"), "{}", ended.stderr);
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[test]
fn a_server_without_tls_is_told_at_once() {
    let world = World::always(200, json!([]));
    let ended = world.bencher(&["project", "list", "--host", &format!("https://{}", world.address())]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains("an http:// address may be what is meant"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("attempt"), "{}", ended.stderr);
}

#[test]
fn a_host_that_nobody_knows_is_tried_a_few_times() {
    let world = World::always(200, json!([]));
    let ended = world.bencher(&["project", "list", "--host", "http://nobody.invalid", "--retry-after", "0"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    // A machine without a resolver cannot tell.
    if !ended.stderr.contains("no answer from") {
        assert!(
            ended.stderr.contains("nobody.invalid is not a name that this machine knows after 4 attempts"),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("check the name"), "{}", ended.stderr);
    }
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
fn a_busy_server_says_when_to_come_back() {
    let mut busy = true;
    let world = World::new(move |_| {
        if std::mem::take(&mut busy) {
            return Reply::error(429, "too many requests").header("retry-after", "0");
        }
        Reply::ok(json!([shapes::project("shop")]))
    });
    let ended = world.bencher(&["project", "list", "--retry-after", "0"]);
    assert_eq!((ended.code, world.asked().len()), (Some(0), 2), "{ended:?}");

    let world = World::new(|_| Reply::error(429, "too many requests").header("retry-after", "86400"));
    assert_snapshot!(world.bencher(&["project", "list"]).all(), @r"
    exit 3
    == stdout
    == stderr
    error: too many requests (429 from GET /v0/projects, request 01234567-89ab-cdef-0123-456789abcdef)
      hint: this is too much at once; try again in 86400 s
    ");
}

#[test]
fn an_empty_credential_is_none() {
    let world = World::always(200, json!([]));
    let mut command = world.command(&["project", "list"]);
    assert!(command.env("BENCHER_API_KEY", "").env("BENCHER_API_TOKEN", "").status().unwrap().success());
    assert_eq!(world.asked()[0].authorization, None);
}

#[test]
fn a_server_of_another_version_is_told_once_and_last() {
    let world = World::always(200, json!([]));
    world.set_version(json!({ "version": "0.6.12", "product_version": "7.1.0" }));
    let ended = world.bencher(&["project", "list"]);
    assert!(ended.stderr.starts_with("warning: this is bencher "), "{ended:?}");
    assert_eq!((ended.stderr.lines().count(), ended.stdout.as_str()), (1, "[]\n"));

    world.set_version(json!("nonsense"));
    assert_eq!(world.bencher(&["project", "list"]).stderr, "", "what is no version is no reason to complain");
}

#[test]
fn what_looks_like_a_slug_may_be_the_name_of_what_is_archived() {
    let world = World::new(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PATCH", path) if path.ends_with(shapes::JOB) => Reply::ok(json!({ "uuid": shapes::JOB })),
        ("GET", _) => Reply::ok(json!([{ "uuid": shapes::JOB }])),
        _ => Reply::error(404, "no such branch"),
    });
    let ended = world.table(&["archive", "--project", "shop", "--branch", "main", "--testbed", "My Box"]);
    assert_eq!(ended.all(), "exit 0\n== stdout\nbranch main archived\ntestbed My Box archived\n== stderr\n");
    assert_snapshot!(world.paths().join("\n"), @r"
    PATCH /v0/projects/shop/branches/main
    GET /v0/projects/shop/branches?name=main&archived=false&per_page=1
    PATCH /v0/projects/shop/branches/00000000-0000-4000-8000-000000000010
    GET /v0/projects/shop/testbeds?name=My+Box&archived=false&per_page=1
    PATCH /v0/projects/shop/testbeds/00000000-0000-4000-8000-000000000010
    ");
}

#[test]
fn a_name_that_is_not_there_cannot_be_archived() {
    let world = World::always(200, json!([]));
    assert_snapshot!(world.bencher(&["unarchive", "--project", "shop", "--benchmark", "a b"]).all(), @r"
    exit 3
    == stdout
    == stderr
    error: there is no `a b` among the benchmarks
      hint: what is archived already is not looked through, and so the other way round; see `bencher benchmark list`
    ");
}

#[test]
fn a_report_is_made_of_texts_files_or_what_is_piped_in() {
    let world = World::always(201, shapes::report(1));
    std::fs::write(world.dir.path().join("out.json"), "from a file").unwrap();
    let args = [
        "report",
        "create",
        "shop",
        "--branch",
        "main",
        "--testbed",
        "box",
        "--start-time",
        "1000",
        "--end-time",
        "1001",
        "--results",
        "typed",
        "--file",
        "out.json",
        "--adapter",
        "json",
        "--fold",
        "median",
        "--average",
        "mean",
        "--hash",
        HASH,
        "--start-point",
        "old",
        "--threshold-measure",
        "latency",
        "--threshold-test",
        "t",
        "--threshold-upper-boundary",
        "0.99",
    ];
    assert_eq!(world.bencher(&args).code, Some(0));
    let mut asked = world.asked().remove(0);
    assert_eq!(asked.body["idempotency_key"].as_str().map(str::len), Some(36));
    asked.body.as_object_mut().unwrap().remove("idempotency_key");
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v0/projects/shop/reports"));
    assert_eq!(
        asked.body,
        json!({
            "branch": "main", "testbed": "box", "hash": HASH, "start_point": { "branch": "old" },
            "start_time": "1970-01-01T00:16:40Z", "end_time": "1970-01-01T00:16:41Z", "results": ["typed", "from a file"],
            "settings": { "adapter": "json", "average": "mean", "fold": "median" },
            "thresholds": { "models": { "latency": { "test": "t_test", "upper_boundary": 0.99 } } }
        })
    );

    let ended = world.bencher(&["report", "create", "shop"]);
    assert_eq!((ended.code, world.asked().len()), (Some(2), 1), "an empty pipe is no result: {ended:?}");
}

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn a_key_is_named_by_its_uuid_or_by_a_name_that_is_its_own() {
    const ONE: &str = "00000000-0000-4000-8000-000000000001";
    const TWO: &str = "00000000-0000-4000-8000-000000000002";
    let world = World::new(|asked| match asked.path.as_str() {
        path if path.contains("name=ci&revoked=false") => Reply::ok(json!([{ "uuid": ONE }])),
        path if path.contains("name=old&revoked=true") => Reply::ok(json!([{ "uuid": ONE }])),
        path if path.contains("name=twice&revoked=false") => Reply::ok(json!([{ "uuid": ONE }, { "uuid": TWO }])),
        path if path.contains('?') => Reply::ok(json!([])),
        _ => Reply::text(204, ""),
    });
    let revoke = |key: &str| world.bencher(&["user", "key", "revoke", "bob", key, "--yes"]);
    for key in [ONE, "ci", "old"] {
        assert_eq!(revoke(key).code, Some(0), "{key}");
        assert_eq!(world.paths().last().map(String::as_str), Some(&*format!("/v0/users/bob/keys/{ONE}")), "{key}");
    }
    let ended = revoke("twice");
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains(&format!("2 keys are called `twice`: say which one by its UUID, {ONE} or {TWO}")), "{ended:?}");
    let ended = world.bencher(&["project", "key", "view", "shop", "nope"]);
    assert!(ended.stderr.contains("no key with the name or UUID `nope`"), "{ended:?}");
    assert!(world.bencher(&["token", "view", "bob", "nope"]).stderr.contains("no token with the name"));
}

#[test]
fn what_was_deleted_is_listed_and_brought_back_and_an_invitation_is_taken_back() {
    const UUID: &str = "00000000-0000-4000-8000-000000000001";
    let world = World::new(|asked| match asked.method.as_str() {
        "GET" => Reply::ok(json!([])),
        "DELETE" => Reply::text(204, ""),
        _ => Reply::new(201, shapes::project("shop")),
    });
    let commands: [&[&str]; 6] = [
        &["project", "list", "--deleted"],
        &["organization", "list", "--deleted"],
        &["project", "restore", UUID],
        &["organization", "restore", UUID],
        &["member", "invitations", "acme", "--page", "2"],
        &["member", "withdraw", "acme", "eve@example.com", "--yes"],
    ];
    for command in commands {
        assert_eq!(world.bencher(command).code, Some(0), "{command:?}");
    }
    let asked: Vec<_> = world.asked().into_iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
    assert_eq!(
        asked,
        [
            "GET /v0/projects?deleted=true",
            "GET /v0/organizations?deleted=true",
            &*format!("POST /v0/projects/{UUID}/restore"),
            &*format!("POST /v0/organizations/{UUID}/restore"),
            "GET /v0/organizations/acme/invitations?page=2",
            "DELETE /v0/organizations/acme/invitations/eve@example.com",
        ]
    );
}
