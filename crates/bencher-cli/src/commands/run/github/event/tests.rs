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
fn a_forks_pull_request_must_not_see_secrets() {
    let fork = pull_request(repository("eve/shop"));
    assert_eq!(fork.fork("pull_request_target"), Some(Fork { head: "eve/shop".into(), base: "acme/shop".into() }));
    assert_eq!(fork.fork("pull_request"), None, "it sees none there");
}

#[test]
fn a_deleted_fork_is_a_fork() {
    assert_eq!(pull_request(Value::Null).fork("pull_request_target").unwrap().head, "a repository that is gone");
}

#[test]
fn the_repositorys_own_pull_request_is_no_fork() {
    assert_eq!(pull_request(repository("acme/shop")).fork("pull_request_target"), None);
    assert_eq!(event(json!({})).fork("pull_request_target"), None);
}

#[test]
fn the_target_is_the_events_pull_request_unless_told_otherwise() {
    let target = |number| Some(Target { owner: "acme".into(), repository: "shop".into(), number });
    let pull = pull_request(repository("acme/shop"));
    assert_eq!(pull.target(None, None), target(7));
    assert_eq!(pull.target(Some("acme/shop"), Some(9)), target(9));
    assert_eq!(event(json!({})).target(Some("acme/shop"), Some(9)), target(9));
}

#[test]
fn a_comment_on_a_pull_request_is_about_it_and_one_on_an_issue_is_not() {
    let issue = json!({ "issue": { "number": 3, "pull_request": { "url": "u" } } });
    assert_eq!(event(issue).target(Some("acme/shop"), None).unwrap().number, 3);
    assert_eq!(event(json!({ "issue": { "number": 3 } })).target(Some("acme/shop"), None), None);
}

#[test]
fn a_push_is_about_no_pull_request() {
    assert_eq!(event(json!({ "ref": "refs/heads/main" })).target(Some("acme/shop"), None), None);
}
