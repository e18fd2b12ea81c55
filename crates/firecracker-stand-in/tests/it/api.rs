//! The API by a table: `api/answers.txt` has scenarios, each a fresh stand-in, of requests and their answers.

use std::fs;

use crate::support::{KERNEL, StandIn, has_guests};

const TABLE: &str = include_str!("api/answers.txt");

/// What stands in the table for paths of the test.
fn fill(text: &str, stand_in: &StandIn) -> String {
    text.replace("{dir}", stand_in.dir.path().to_str().unwrap()).replace("{kernel}", KERNEL)
}

fn play(name: &str, lines: &[&str]) -> Vec<String> {
    let stand_in = StandIn::start();
    fs::write(stand_in.path("disk"), [0; 4096]).unwrap();
    fs::write(stand_in.path("file"), "not a kernel").unwrap();
    let mut wrong = Vec::new();
    let mut pairs = lines.iter();
    while let (Some(asked), Some(expected)) = (pairs.next(), pairs.next()) {
        let mut words = asked.splitn(3, ' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let answer = stand_in.request(method, path, &fill(words.next().unwrap_or_default(), &stand_in));
        let body = match serde_json::from_str::<serde_json::Value>(&answer.body) {
            Ok(value) => value.get("fault_message").and_then(|text| text.as_str()).map_or(value.to_string(), str::to_owned),
            Err(_) => answer.body,
        };
        let got = format!("{} {body}", answer.status);
        let expected = fill(expected.trim(), &stand_in);
        if got.trim() != expected {
            wrong.push(format!("{name}: {asked}\n    expected {expected}\n    got      {}", got.trim()));
        }
    }
    wrong
}

#[test]
fn every_request_of_the_table_is_answered_as_it_says() {
    if !has_guests() {
        return;
    }
    let mut wrong = Vec::new();
    for scenario in TABLE.split("\n== ").skip(1) {
        let mut lines = scenario.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let name = lines.next().unwrap();
        wrong.extend(play(name, &lines.collect::<Vec<_>>()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_answer_has_no_reason_phrase_and_an_empty_one_no_length() {
    let stand_in = StandIn::start();
    let empty = stand_in.request("PUT", "/machine-config", r#"{"vcpu_count": 1, "mem_size_mib": 128}"#);
    assert_eq!(empty.head, "HTTP/1.1 204 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n\r\n");
    let version = stand_in.request("GET", "/version", "");
    assert!(version.head.starts_with("HTTP/1.1 200 \r\n"), "{}", version.head);
    assert!(version.head.contains("Content-Type: application/json\r\n"), "{}", version.head);
}

#[test]
fn a_deprecated_field_is_marked_in_the_answer() {
    let stand_in = StandIn::start();
    let answer = stand_in.request("PUT", "/machine-config", r#"{"vcpu_count": 1, "mem_size_mib": 128, "cpu_template": "None"}"#);
    assert!(answer.head.contains("Deprecation: true\r\n"), "{}", answer.head);
}

#[test]
fn a_body_beyond_the_limit_is_refused() {
    let stand_in = StandIn::start();
    let body = " ".repeat(51_201);
    assert_eq!(stand_in.request("PUT", "/machine-config", &body).status, 400);
}
