use serde_json::{Value, json};

use super::*;

fn event(value: Value) -> Event {
    serde_json::from_value(value).unwrap()
}

fn pull_request(head: Value) -> Event {
    event(json!({
        "number": 7,
        "pull_request": { "number": 7, "head": { "repo": head }, "base": { "repo": { "full_name": "acme/shop" } } },
        "repository": { "full_name": "acme/shop" }
    }))
}

fn repository(name: &str) -> Value {
    json!({ "full_name": name })
}

#[test]
fn a_pull_request_from_another_repository_is_a_forks() {
    let fork = pull_request(repository("eve/shop"));
    assert_eq!(fork.fork(), Some(Fork { head: "eve/shop".into(), base: "acme/shop".into() }));
}

#[test]
fn a_deleted_fork_is_a_fork() {
    assert_eq!(pull_request(Value::Null).fork().unwrap().head, "a repository that is gone");
}

#[test]
fn the_repositorys_own_pull_request_is_no_fork() {
    assert_eq!(pull_request(repository("acme/shop")).fork(), None);
    assert_eq!(event(json!({})).fork(), None);
}

#[test]
fn the_number_is_the_events_pull_request_unless_told_otherwise() {
    let pull = pull_request(repository("acme/shop"));
    assert_eq!((pull.number(None), pull.number(Some(9)), event(json!({})).number(Some(9))), (Some(7), Some(9), Some(9)));
}

#[test]
fn the_repository_is_the_environments_or_else_the_events() {
    let shown = |event: &Event, given| event.repository(given).map(|repository| repository.to_string());
    let pull = pull_request(repository("acme/shop"));
    assert_eq!(shown(&pull, None).as_deref(), Some("acme/shop"));
    assert_eq!(shown(&pull, Some("acme/other")).as_deref(), Some("acme/other"));
    assert_eq!((shown(&event(json!({})), Some("")), shown(&event(json!({})), Some("shop"))), (None, None));
}

#[test]
fn a_comment_on_a_pull_request_is_about_it_and_one_on_an_issue_is_not() {
    let issue = json!({ "issue": { "number": 3, "pull_request": { "url": "u" } } });
    assert_eq!(event(issue).number(None), Some(3));
    assert_eq!(event(json!({ "issue": { "number": 3 } })).number(None), None);
}

#[test]
fn a_push_is_about_no_pull_request() {
    assert_eq!(event(json!({ "ref": "refs/heads/main" })).number(None), None);
}

#[test]
fn the_commit_of_a_pull_request_is_its_head_and_not_the_merge_of_the_environment() {
    let commit = |value: Value| event(value).commit(Some("of the environment"));
    let side = |sha: &str| json!({ "sha": sha });
    assert_eq!(commit(json!({ "pull_request": { "head": side("head"), "base": side("base") } })).as_deref(), Some("head"));
    assert_eq!(commit(json!({ "workflow_run": { "head_sha": "followed" } })).as_deref(), Some("followed"));
    assert_eq!(commit(json!({ "ref": "refs/heads/main" })).as_deref(), Some("of the environment"));
    assert_eq!(commit(json!({ "issue": { "number": 3 } })), None);
}
