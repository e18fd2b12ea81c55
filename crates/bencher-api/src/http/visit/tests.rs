use std::collections::BTreeSet;

use super::*;

/// Routes that make something which is limited, by how their paths end.
const LIMITED: [&str; 6] = ["/run", "/reports", "/keys", "/tokens", "/organizations", "/members"];

#[test]
fn every_route_that_makes_something_limited_is_counted() {
    let document = serde_json::to_value(crate::openapi::document()).unwrap();
    let mut counted = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        if methods.get("post").is_none() {
            continue;
        }
        let found = counter(&Method::POST, path);
        let is_limited = LIMITED.iter().any(|end| path.ends_with(end));
        assert_eq!(found.is_some(), is_limited, "POST {path}");
        counted.extend(found);
    }
    assert!(counted.contains(&Counter::Runs) && counted.contains(&Counter::Credentials), "{counted:?}");
}

#[test]
fn only_the_same_path_and_method_are_counted() {
    assert_eq!(counter(&Method::POST, "/v0/users/{user}/keys"), Some(Counter::Credentials));
    assert_eq!(counter(&Method::POST, "/v0/users/{whatever}/keys"), Some(Counter::Credentials));
    assert_eq!(counter(&Method::GET, "/v0/users/{user}/keys"), None);
    assert_eq!(counter(&Method::POST, "/v0/users/{user}/keys/{key}"), None);
    assert_eq!(counter(&Method::POST, "/v0/users/keys"), None);
}
