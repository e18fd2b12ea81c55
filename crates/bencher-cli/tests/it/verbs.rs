//! Every command that is one request asks what the contract says: `verbs.txt` is the table of it.

use serde_json::{Value, json};

use crate::support::World;

/// The lines of the table, with UUIDs for `U1` and the like.
fn table() -> Vec<(String, String)> {
    let text = (1..=9).rev().fold(include_str!("verbs.txt").to_owned(), |text, n| {
        text.replace(&format!("U{n}"), &format!("00000000-0000-4000-8000-00000000000{n}"))
    });
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(" => ").unwrap()).map(|(typed, asked)| (typed.to_owned(), asked.to_owned())).collect()
}

#[test]
fn every_command_asks_what_the_contract_says() {
    let world = World::always(200, json!(null));
    let mut wrong = Vec::new();
    for (typed, expected) in table() {
        let before = world.all_asked().len();
        let ended = world.bencher(&typed.split(' ').collect::<Vec<_>>());
        let mut asked = world.all_asked().split_off(before);
        // The question for the version that follows everything else.
        if asked.len() > 1 {
            asked.retain(|asked| asked.path != "/v0/server/version");
        }
        let asked: Vec<_> = asked
            .iter()
            .map(|asked| match &asked.body {
                Value::Null => format!("{} {}", asked.method, asked.path),
                body => format!("{} {} {body}", asked.method, asked.path),
            })
            .collect();
        if asked != [expected.as_str()] {
            wrong.push(format!("{typed}\n  expected {expected}\n  asked    {asked:?}\n  {}", ended.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
