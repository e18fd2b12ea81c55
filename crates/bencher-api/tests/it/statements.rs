//! How many statements a request costs the database: what a CI job waits for, and what one writer can do in a second.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing::{
    Event,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt as _};

use crate::{
    filing::{PROJECT, hash, run, shop, text},
    setup::TestUser,
    support::{TestServer, at_rest_on_each_database},
};

/// The statements of this thread, which a test and its server share.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        struct Sql<'a>(&'a mut Vec<String>);

        impl Visit for Sql<'_> {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "sql" {
                    self.0.push(format!("{value:?}"));
                }
            }
        }

        if event.metadata().target() == "bencher_api::sql" {
            event.record(&mut Sql(&mut self.0.lock().unwrap()));
        }
    }
}

/// What a request answers, and the statements it cost beside the beginning and end of transactions.
async fn counted<T>(request: impl Future<Output = T>) -> (T, Vec<String>) {
    let statements = Statements::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(statements.clone()));
    let answer = request.await;
    let mut list = statements.0.lock().unwrap().clone();
    // Whoever follows events looks for new ones in its own time.
    list.retain(|statement| !statement.contains("FROM event WHERE"));
    (answer, list)
}

#[track_caller]
fn assert_at_most(most: usize, statements: &[String]) {
    let found = statements.len();
    assert!(found <= most, "expected at most {most} statements, found {found}:\n{}", statements.join("\n"));
}

/// Ten benchmarks with these measures.
fn ten(measures: &[&str]) -> Value {
    let of_benchmark = |number: u32| {
        let values = measures.iter().map(|measure| ((*measure).to_owned(), json!({ "value": number })));
        (format!("benchmark {number}"), Value::Object(values.collect()))
    };
    Value::Object((0..10).map(of_benchmark).collect())
}

async fn file(server: &TestServer, user: &TestUser, measures: &[&str], more: Value) -> (Value, Vec<String>) {
    let body = run(&[ten(measures)], more);
    counted(server.create("/v0/run", user, body)).await
}

fn key() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[tokio::test]
async fn a_run_of_benchmarks_that_are_known_costs_few_statements_however_many_measures_it_has() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        let measures = ["latency", "throughput", "build-time"];
        file(&server, &bob, &measures, json!({ "idempotency_key": key(), "hash": hash('a') })).await;
        let again = json!({ "idempotency_key": key(), "hash": hash('b') });
        let (report, statements) = file(&server, &bob, &measures, again).await;
        // On PostgreSQL, one of them locks the project.
        assert_at_most(15, &statements);
        let (_, again) = server.get(&format!("{PROJECT}/reports/{}", text(&report, "uuid")), &bob).await;
        assert_eq!(report, again, "what was answered is what is there");
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_checked_against_thresholds_answers_what_is_stored() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        let thresholds = json!({ "models": { "latency": { "test": "static", "upper_boundary": 5.0 } } });
        let first = json!({ "thresholds": thresholds, "hash": hash('a') });
        file(&server, &bob, &["latency", "throughput"], first).await;
        let (report, statements) = file(&server, &bob, &["latency", "throughput"], json!({ "hash": hash('a') })).await;
        // To show alerts, what they refer to is read.
        assert_at_most(23, &statements);
        let (_, again) = server.get(&format!("{PROJECT}/reports/{}", text(&report, "uuid")), &bob).await;
        assert_eq!(report, again, "what was answered is what is there");
        assert_eq!(report["alerts"].as_array().map(Vec::len), Some(4));
    })
    .await;
}

#[tokio::test]
async fn a_run_costs_as_many_statements_as_another_with_more_benchmarks_and_a_longer_history() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        let model = json!({ "test": "t_test", "max_sample_size": 64, "upper_boundary": 0.99 });
        let thresholds = json!({ "models": { "latency": model, "throughput": model } });
        let results = |benchmarks: u32, of: u32| -> Value {
            let values = |number: u32| json!({ "latency": { "value": number + of }, "throughput": { "value": number } });
            (0..benchmarks).map(|number| (format!("benchmark {number}"), values(number))).collect()
        };
        let mut costs = Vec::new();
        for (branch, benchmarks, reports) in [("few", 10, 2), ("many", 200, 5)] {
            let more = json!({ "branch": branch, "thresholds": thresholds });
            for number in 0..reports {
                let body = run(&[results(benchmarks, number)], more.clone());
                let (_, statements) = counted(server.create("/v0/run", &bob, body)).await;
                costs.push(statements.len());
            }
        }
        // The second of either branch and the last: nothing was new then.
        assert_eq!((costs[1], costs[3], costs[6]), (costs[1], costs[1], costs[1]), "{costs:?}");
        // On PostgreSQL, one of them locks the project.
        assert!(costs[1] <= 21, "{costs:?}");
    })
    .await;
}

#[tokio::test]
async fn a_run_that_takes_things_out_of_the_archive_answers_what_is_stored() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        file(&server, &bob, &["latency"], json!({})).await;
        for path in ["branches/main", "testbeds/box", "measures/latency", "benchmarks/benchmark-3"] {
            let (status, archived) = server.patch(&format!("{PROJECT}/{path}"), &bob, json!({ "archived": true })).await;
            assert!(status.is_success() && archived["archived"].is_string(), "{path}: {archived}");
        }
        // Two spellings of one measure, in two iterations.
        let spelled = |measure: &str| json!({ "benchmark 3": { measure: { "value": 0.1 } } });
        let report = server.create("/v0/run", &bob, run(&[spelled("latency"), spelled("Latency")], json!({}))).await;
        let (_, again) = server.get(&format!("{PROJECT}/reports/{}", text(&report, "uuid")), &bob).await;
        assert_eq!(report, again, "what was answered is what is there");
        assert!(!report.to_string().contains("archived"), "{report:#}");
    })
    .await;
}
