use super::*;

#[track_caller]
fn check_one(path: &str, text: &str, expected: &[&str]) {
    let module = |name: &str| TextFile { path: format!("crates/{name}.rs"), text: String::new() };
    let api =
        ["app", "channel", "error", "http", "job", "limits", "store"].map(|name| module(&format!("bencher-api/src/{name}")));
    let runner = ["job"].map(|name| module(&format!("bencher-runner/src/{name}")));
    let checked = TextFile { path: path.to_owned(), text: text.to_owned() };
    let files: Vec<_> = [checked].into_iter().chain(api).chain(runner).collect();
    let found = super::check(&files);
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn the_store_knows_no_http() {
    check_one(
        "crates/bencher-api/src/store/job.rs",
        "use axum::Json;\nuse http::StatusCode;\n",
        &[
            "crates/bencher-api/src/store/job.rs:1: store must not know `axum`",
            "crates/bencher-api/src/store/job.rs:2: store must not know `StatusCode`",
        ],
    );
}

#[test]
fn the_store_uses_nothing_above_it() {
    let path = "crates/bencher-api/src/store/job.rs";
    let found = |module: &str| format!("{path}:1: store must not use `crate::{module}`");
    check_one(path, "use crate::{limits::X, http::jobs, store::Store};", &[&found("http")]);
    check_one(path, "use crate::job::claim;", &[&found("job")]);
    check_one(path, "use super::super::channel::Hub;", &[&found("channel")]);
    check_one(path, "use super::report::X;", &[]);
    check_one(path, "use crate::a_macro;", &[]);
    check_one(
        "crates/bencher-api/src/store.rs",
        "fn f(app: &super::app::App) {}",
        &["crates/bencher-api/src/store.rs:1: store must not use `crate::app`"],
    );
}

#[test]
fn the_domain_uses_the_store_and_not_the_edge() {
    check_one("crates/bencher-api/src/job.rs", "use crate::{app::App, store};", &[]);
    check_one(
        "crates/bencher-api/src/job.rs",
        "use crate::error::ApiError;\nuse axum::Json;",
        &[
            "crates/bencher-api/src/job.rs:1: domain must not use `crate::error`",
            "crates/bencher-api/src/job.rs:2: domain must not know `axum`",
        ],
    );
}

#[test]
fn the_edge_speaks_no_sql() {
    check_one("crates/bencher-api/src/http/jobs.rs", "use axum::Json;\nuse crate::{job, store};", &[]);
    check_one(
        "crates/bencher-api/src/http/jobs.rs",
        "sqlx::query(X);",
        &["crates/bencher-api/src/http/jobs.rs:1: edge must not know `sqlx`"],
    );
}

#[test]
fn a_sandbox_knows_nothing_of_jobs_or_the_network() {
    check_one(
        "crates/bencher-runner/src/sandbox/host.rs",
        "use crate::job::Plan;\nuse reqwest::Client;",
        &[
            "crates/bencher-runner/src/sandbox/host.rs:1: sandbox and tuning must not use `crate::job`",
            "crates/bencher-runner/src/sandbox/host.rs:2: sandbox and tuning must not know `reqwest`",
        ],
    );
}

#[test]
fn the_vocabulary_reads_no_files_and_never_waits() {
    check_one(
        "crates/bencher-types/src/name.rs",
        "use std::{fmt, fs};\nasync fn f() {}",
        &[
            "crates/bencher-types/src/name.rs:1: vocabulary must not know `std::fs`",
            "crates/bencher-types/src/name.rs:2: vocabulary must not know `async`",
        ],
    );
}

#[test]
fn prose_and_tests_may_name_anything() {
    check_one("crates/bencher-api/src/store.rs", "//! Knows no axum and no `crate::http`.\nconst X: &str = \"axum\";", &[]);
    check_one("crates/bencher-api/src/store/tests.rs", "use crate::app::App;", &[]);
}
