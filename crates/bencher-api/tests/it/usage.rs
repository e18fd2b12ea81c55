//! What an organization used.

use std::time::Duration;

use bencher_api::store::queue::{Ended, Ending};
use bencher_types::{JobEvent, JobStatus};
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

        let other = rows::runner(store, spec).await;
        store.claim_job(other.id, lease, at(1600)).await.unwrap().unwrap();
        assert_eq!(store.finish_job(runner.id, job, &ending, at(1650)).await.unwrap(), Ended::Superseded);
        assert_eq!(total().await, expected, "nor is what another attempt has taken the place of");
        assert!(store.end_job(job, 2, JobEvent::Fail, "silence", at(1690)).await.unwrap());
        expected += 2;
        assert_eq!(total().await, expected, "a lost runner counts until it was given up");
        assert_eq!(store.finish_job(other.id, job, &ending, at(1900)).await.unwrap(), Ended::Now(JobStatus::Completed));
        assert_eq!(total().await, expected, "a late result is not worked for again");
    })
    .await;
}

#[tokio::test]
async fn what_was_worked_for_a_project_stays_counted_when_it_is_deleted_for_good() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let before = server.list("/v0/organizations?per_page=100", Some(&admin), "uuid").await.0;
        let job = rows::job(store, spec, 0, at(0)).await;
        let runner = rows::runner(store, spec).await;
        store.claim_job(runner.id, Duration::from_secs(90), at(1000)).await.unwrap().unwrap();
        let ending = Ending { event: JobEvent::Complete, output_key: None, message: None, failure: None };
        store.finish_job(runner.id, job, &ending, at(1100)).await.unwrap();
        let after = server.list("/v0/organizations?per_page=100", Some(&admin), "uuid").await.0;
        let organization = after.iter().find(|organization| !before.contains(organization)).unwrap();
        let path = format!("/v0/organizations/{organization}/usage?start_time=0&end_time=2000000");
        let (_, usage) = server.get(&path, &admin).await;
        let [project] = usage["projects"].as_array().unwrap().as_slice() else { panic!("{usage}") };
        assert_eq!((&project["runner_minutes"], &project["attempts"]), (&json!(2), &json!(1)));
        let slug = project["slug"].as_str().unwrap();
        assert_eq!(server.delete(&format!("/v0/projects/{slug}?hard=true"), &admin).await.0, 204);
        let (_, usage) = server.get(&path, &admin).await;
        assert_eq!(counts(&usage)[2], 2);
        assert_eq!(usage["projects"][0]["slug"], Value::Null);
    })
    .await;
}
