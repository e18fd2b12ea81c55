//! What an organization used.

use std::time::Duration;

use bencher_api::store::queue::Ending;
use bencher_types::JobEvent;
use serde_json::{Value, json};

use crate::{
    rows::{self, at},
    setup::refused,
    support::{at_rest_on_each_database, on_each_database},
};

fn counts(usage: &Value) -> [u64; 3] {
    ["metrics", "active_series", "runner_minutes"].map(|count| usage[count].as_u64().unwrap())
}

#[tokio::test]
async fn metrics_and_series_of_the_month_are_counted() {
    on_each_database(async |server| {
        server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let eve = server.sign_up("Eve").await;
        server.project(&bob, "Shop", "public").await;
        let slug = server.list("/v0/organizations", Some(&bob), "slug").await.0.remove(0);
        let path = format!("/v0/organizations/{slug}/usage");
        assert_eq!(counts(&server.get(&path, &bob).await.1), [0, 0, 0]);

        let results = json!({ "sort": { "latency": { "value": 1 }, "size": { "value": 2 } } }).to_string();
        for branch in ["main", "main", "dev"] {
            // When it was measured is another thing than when it came.
            let sent = json!({
                "project": "shop", "branch": branch, "results": [results.clone(), results.clone()],
                "start_time": "2020-01-01T00:00:00Z", "end_time": "2020-01-01T00:00:01Z",
            });
            server.create("/v0/run", &bob, sent).await;
        }
        let (_, usage) = server.get(&path, &bob).await;
        assert_eq!(counts(&usage), [12, 4, 0]);
        assert_eq!(usage["kind"], "self_hosted_free");
        assert!(usage["start_time"].as_str().unwrap().ends_with("-01T00:00:00Z"), "{usage}");
        let (_, then) = server.get(&format!("{path}?start_time=1577836800000&end_time=1577923200000"), &bob).await;
        assert_eq!(counts(&then), [0, 0, 0]);
        assert_eq!(then["end_time"], "2020-01-02T00:00:00Z");

        refused(server.get(&path, &eve).await, 404, "Organization");
        refused(server.get(&format!("{path}?start_time=1&end_time=0"), &bob).await, 400, "is after");
    })
    .await;
}

#[tokio::test]
async fn runners_are_counted_in_minutes_that_they_began() {
    at_rest_on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let lease = Duration::from_secs(90);
        let ending = Ending { event: JobEvent::Complete, output_key: None, message: None, failure: None };
        let total = || async {
            let organizations = server.list("/v0/organizations?per_page=100", Some(&admin), "uuid").await.0;
            let mut total = 0;
            for organization in &organizations {
                let path = format!("/v0/organizations/{organization}/usage?start_time=0&end_time=2000000");
                total += counts(&server.get(&path, &admin).await.1)[2];
            }
            total
        };
        let mut expected = 0;
        for (seconds, minutes) in [(0, 1), (60, 1), (61, 2)] {
            let job = rows::job(store, spec, 0, at(0)).await;
            let runner = rows::runner(store, spec).await;
            store.claim_job(runner.id, lease, at(1000)).await.unwrap().unwrap();
            assert_eq!(total().await, expected, "what is under way is not counted yet");
            store.finish_job(runner.id, job, &ending, at(1000 + seconds)).await.unwrap();
            expected += minutes;
            assert_eq!(total().await, expected, "{seconds} seconds");
        }
        let job = rows::job(store, spec, 0, at(0)).await;
        let runner = rows::runner(store, spec).await;
        store.claim_job(runner.id, lease, at(1000)).await.unwrap().unwrap();
        assert!(store.release_job(job, 1, at(1500)).await.unwrap());
        assert_eq!(total().await, expected, "what was given back was nobody's work");
    })
    .await;
}
