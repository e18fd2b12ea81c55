//! The command line's everyday work, against the real server: make, look at, change, put away, delete.

use serde_json::{Value, json};

use crate::support::{BMF, PROJECT, SPEC, World, text};

/// What a command prints for scripts.
async fn json(world: &World, command: &str) -> Value {
    world.bencher(&command.split(' ').collect::<Vec<_>>()).await.json()
}

#[tokio::test]
async fn what_results_are_filed_under_is_made_changed_put_away_and_deleted() {
    let Some(world) = World::start().await else { return };
    for (kind, more, name) in [
        ("branch", "", "next"),
        ("testbed", " --spec shape", "box"),
        ("benchmark", "", "sort::fast"),
        ("measure", " --units points", "Score"),
    ] {
        let more = more.replace("shape", SPEC);
        let made = json(&world, &format!("{kind} create {PROJECT} --name {name}{more}")).await;
        let uuid = text(&made, "uuid");
        assert_eq!(json(&world, &format!("{kind} list {PROJECT} --name {name}")).await[0], made);
        let renamed = json(&world, &format!("{kind} update {PROJECT} {uuid} --slug renamed")).await;
        assert_eq!((&renamed["slug"], &renamed["name"]), (&json!("renamed"), &made["name"]));

        let archived = json(&world, &format!("archive --project {PROJECT} --{kind} {name}")).await;
        assert!(archived["archived"].is_string(), "{archived}");
        assert_eq!(json(&world, &format!("{kind} list {PROJECT} --archived")).await[0]["uuid"], made["uuid"]);
        let back = json(&world, &format!("unarchive --project {PROJECT} --{kind} {name}")).await;
        assert!(back["archived"].is_null(), "{back}");

        let deleted = world.bencher(&[kind, "delete", PROJECT, "renamed"]).await.done();
        assert_eq!((deleted.stdout.as_str(), deleted.stderr.as_str()), ("", ""), "no question, no warning");
        assert_eq!(world.bencher(&[kind, "view", PROJECT, &uuid]).await.code, Some(3));
    }
}

#[tokio::test]
async fn results_that_were_measured_elsewhere_become_a_report_whose_metrics_can_be_looked_at() {
    let Some(world) = World::start().await else { return };
    let create =
        ["report", "create", PROJECT, "--branch", "main", "--testbed", "elsewhere", "--adapter", "json", "--start-time", "1000"];
    let report = world.bencher(&[&create[..], &["--results", BMF]].concat()).await.json();
    let uuid = text(&report, "uuid");
    let metric = text(&report["results"][0][0]["measures"][0]["metric"], "uuid");
    assert_eq!(json(&world, &format!("metric view {PROJECT} {metric}")).await["report"], json!(uuid));

    let within = json(&world, &format!("report list {PROJECT} --start-time 999 --end-time 1001")).await;
    assert_eq!(within.as_array().map(Vec::len), Some(1));
    let before = json(&world, &format!("report list {PROJECT} --end-time 999")).await;
    assert_eq!(before, json!([]));

    world.bencher(&[&create[..], &["--results", BMF]].concat()).await.done();
    let page = world.bencher(&["report", "list", PROJECT, "--per-page", "1", "--format", "table"]).await.done();
    assert!(page.stderr.contains("1 of 2 shown; --page 2 shows the next"), "{page:#?}");

    world.bencher(&["report", "delete", PROJECT, &uuid, "--yes"]).await.done();
    assert_eq!(world.bencher(&["report", "view", PROJECT, &uuid]).await.code, Some(3));
}

#[tokio::test]
async fn accounts_and_projects_are_changed_and_keys_end() {
    let Some(world) = World::start().await else { return };
    let user = json(&world, "user update ada --name Countess").await;
    assert_eq!(user["name"], "Countess");
    let url = json(&world, &format!("project update {PROJECT} --url http://shop.example/ --visibility private")).await;
    assert_eq!((&url["url"], &url["visibility"]), (&json!("http://shop.example/"), &json!("private")));
    assert!(json(&world, &format!("project update {PROJECT} --remove-url")).await["url"].is_null());

    let key = json(&world, "user key create ada --name old --ttl 60").await;
    let uuid = text(&key, "uuid");
    assert_eq!(json(&world, &format!("user key update ada {uuid} --name new")).await["name"], "new");
    let view = ["user", "view", "ada", "--key", &text(&key, "key")];
    world.bencher(&view).await.done();
    world.bencher(&["user", "key", "revoke", "ada", &uuid]).await.done();
    assert_eq!(world.bencher(&view).await.code, Some(3));
    assert!(json(&world, "user key list ada --revoked").await.to_string().contains(&uuid));
}
