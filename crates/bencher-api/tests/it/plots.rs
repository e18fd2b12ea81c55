//! Plots: their order, what they show, and what becomes of it.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

const PLOTS: &str = "/v0/projects/shop/plots";

/// A project with one branch, testbed, benchmark and measure, and a plot of them without a title.
async fn shop(server: &TestServer) -> (TestUser, Value) {
    server.sign_up("Ada").await;
    let bob = server.sign_up("Bob").await;
    server.project(&bob, "Shop", "public").await;
    let made = [
        ("branches", json!({ "name": "main" })),
        ("testbeds", json!({ "name": "box" })),
        ("benchmarks", json!({ "name": "sort" })),
        ("measures", json!({ "name": "Memory", "units": "bytes (B)" })),
    ];
    let mut plot = json!({
        "lower_value": false, "upper_value": true, "lower_boundary": false, "upper_boundary": true,
        "x_axis": "date_time", "window": 3600,
    });
    for (kind, new) in made {
        let uuid = server.create(&format!("/v0/projects/shop/{kind}"), &bob, new).await["uuid"].clone();
        plot[kind] = json!([uuid]);
    }
    (bob, plot)
}

fn titled(plot: &Value, title: &str, index: Option<u8>) -> Value {
    let mut plot = plot.clone();
    plot["title"] = json!(title);
    if let Some(index) = index {
        plot["index"] = json!(index);
    }
    plot
}

async fn titles(server: &TestServer, query: &str) -> Vec<String> {
    server.list(&format!("{PLOTS}?per_page=100{query}"), None, "title").await.0
}

fn path(plot: &Value) -> String {
    format!("{PLOTS}/{}", plot["uuid"].as_str().unwrap())
}

#[tokio::test]
async fn a_plot_is_made_shown_changed_and_removed() {
    on_each_database(async |server| {
        let (bob, new) = shop(&server).await;
        let made = server.create(PLOTS, &bob, titled(&new, "Nightly", None)).await;
        for field in ["upper_value", "x_axis", "window", "branches", "testbeds", "benchmarks", "measures"] {
            assert_eq!(made[field], new[field], "{field}");
        }
        assert_eq!((&made["title"], &made["y_axis"]), (&json!("Nightly"), &json!("auto")));
        assert_eq!(server.send(reqwest::Method::GET, &path(&made), None, None).await, (StatusCode::OK, made.clone()));

        let change = json!({ "upper_value": false, "y_axis": "log", "x_axis": "version", "window": 60, "branches": [] });
        let (_, changed) = server.patch(&path(&made), &bob, change).await;
        assert_eq!(
            (&changed["upper_value"], &changed["y_axis"], &changed["x_axis"]),
            (&json!(false), &json!("log"), &json!("version"))
        );
        assert_eq!(
            (&changed["branches"], &changed["testbeds"], &changed["title"]),
            (&json!([]), &made["testbeds"], &json!("Nightly"))
        );
        let (_, changed) = server.patch(&path(&made), &bob, json!({ "title": null })).await;
        assert_eq!((changed.get("title"), &changed["window"]), (None, &json!(60)));

        assert_eq!(server.delete(&path(&made), &bob).await.0, StatusCode::NO_CONTENT);
        for answer in [
            server.get(&path(&made), &bob).await,
            server.patch(&path(&made), &bob, json!({})).await,
            server.delete(&path(&made), &bob).await,
        ] {
            refused(answer, 404, "Plot");
        }
    })
    .await;
}

#[tokio::test]
async fn plots_are_in_an_order_of_their_own() {
    on_each_database(async |server| {
        let (bob, new) = shop(&server).await;
        let mut made = std::collections::HashMap::new();
        for (title, index) in [("a", None), ("b", None), ("c", Some(1)), ("d", Some(200)), ("e", Some(0))] {
            made.insert(title, server.create(PLOTS, &bob, titled(&new, title, index)).await);
        }
        assert_eq!(titles(&server, "").await, ["e", "b", "c", "a", "d"]);
        assert_eq!(titles(&server, "&sort=index&direction=desc").await, ["d", "a", "c", "b", "e"]);
        assert_eq!(titles(&server, "&sort=title").await, ["a", "b", "c", "d", "e"]);
        assert_eq!(titles(&server, "&title=c").await, ["c"]);
        assert!(titles(&server, "&search=D").await.contains(&"d".to_owned()));
        let moves =
            [("e", 2, ["b", "c", "e", "a", "d"]), ("d", 0, ["d", "b", "c", "e", "a"]), ("b", 255, ["d", "c", "e", "a", "b"])];
        for (title, index, expected) in moves {
            server.patch(&path(&made[title]), &bob, json!({ "index": index })).await;
            assert_eq!(titles(&server, "").await, expected, "{title} to {index}");
        }
        server.delete(&path(&made["c"]), &bob).await;
        server.create(PLOTS, &bob, titled(&new, "f", Some(1))).await;
        assert_eq!(titles(&server, "").await, ["d", "f", "e", "a", "b"]);
    })
    .await;
}

#[tokio::test]
async fn plots_made_at_once_have_places_of_their_own() {
    on_each_database(async |server| {
        let (bob, new) = shop(&server).await;
        let sent = (0..8).map(|number| server.create(PLOTS, &bob, titled(&new, &format!("p{number}"), Some(number))));
        futures::future::join_all(sent).await;
        let before = titles(&server, "").await;
        let last = server.list(&format!("{PLOTS}?direction=desc&per_page=1"), None, "uuid").await.0.remove(0);
        server.patch(&format!("{PLOTS}/{last}"), &bob, json!({ "index": 0 })).await;
        let mut expected = before;
        expected.rotate_right(1);
        assert_eq!(titles(&server, "").await, expected);
    })
    .await;
}

#[tokio::test]
async fn a_plot_shows_what_its_project_has() {
    on_each_database(async |server| {
        let (bob, new) = shop(&server).await;
        server.project(&bob, "Other", "public").await;
        let foreign = server.create("/v0/projects/other/benchmarks", &bob, json!({ "name": "sort" })).await["uuid"].clone();
        let mut wrong = new.clone();
        wrong["benchmarks"] = json!([new["benchmarks"][0], foreign]);
        refused(server.post(PLOTS, &bob, wrong).await, 404, &format!("Benchmark ({}) not found", foreign.as_str().unwrap()));
        assert_eq!(titles(&server, "").await.len(), 0);
        let made = server.create(PLOTS, &bob, titled(&new, "a", None)).await;
        refused(server.patch(&path(&made), &bob, json!({ "measures": [foreign] })).await, 404, "Measure (");
        let many: Vec<_> = (0..256).map(|_| foreign.clone()).collect();
        refused(server.patch(&path(&made), &bob, json!({ "testbeds": many })).await, 400, "at most 255");
        assert_eq!(server.get(&path(&made), &bob).await.1, made);

        for kind in ["branches", "testbeds", "benchmarks", "measures"] {
            let uuid = new[kind][0].as_str().unwrap();
            assert_eq!(
                server.delete(&format!("/v0/projects/shop/{kind}/{uuid}"), &bob).await.0,
                StatusCode::NO_CONTENT,
                "{kind}"
            );
            assert_eq!(server.get(&path(&made), &bob).await.1[kind], json!([]), "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn only_who_may_pins_plots_and_not_without_end() {
    on_each_database(async |server| {
        let (bob, new) = shop(&server).await;
        let eve = server.sign_up("Eve").await;
        let made = server.create(PLOTS, &bob, titled(&new, "a", None)).await;
        refused(server.post(PLOTS, &eve, new.clone()).await, 403, "no member");
        refused(server.patch(&path(&made), &eve, json!({ "index": 1 })).await, 403, "no member");
        refused(server.delete(&path(&made), &eve).await, 403, "no member");
        for _ in 1..64 {
            server.create(PLOTS, &bob, new.clone()).await;
        }
        refused(server.post(PLOTS, &bob, new.clone()).await, 409, "at most 64 plots");
    })
    .await;
}
