//! The history of metrics, as numbers and as a picture.

use bencher_api::{store::Queries as _, values};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

const PERF: &str = "/v0/projects/shop/perf";

/// A user with the project `shop`.
async fn shop(server: &TestServer, visibility: &str) -> TestUser {
    server.sign_up("Ada").await;
    let bob = server.sign_up("Bob").await;
    server.project(&bob, "Shop", visibility).await;
    bob
}

/// Results of this day of January 2026: each benchmark with a latency and a size.
async fn report(server: &TestServer, user: &TestUser, (branch, testbed): (&str, &str), day: u8, benchmarks: &[&str]) -> Value {
    let results: serde_json::Map<String, Value> = benchmarks
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "latency": { "value": day }, "size": { "value": u32::from(day) * 100 } })))
        .collect();
    let sent = json!({
        "project": "shop", "branch": branch, "testbed": testbed, "results": [Value::Object(results).to_string()],
        "start_time": format!("2026-01-{day:02}T00:00:00Z"), "end_time": format!("2026-01-{day:02}T01:00:00Z"),
    });
    server.create("/v0/run", user, sent).await
}

/// The UUIDs of things of the project by their names, with commas between them.
async fn uuids(server: &TestServer, user: &TestUser, kind: &str, names: &[&str]) -> String {
    let mut uuids = Vec::new();
    for name in names {
        let (_, found) = server.get(&format!("/v0/projects/shop/{kind}/{name}"), user).await;
        uuids.push(found["uuid"].as_str().unwrap().to_owned());
    }
    uuids.join(",")
}

async fn query(server: &TestServer, user: &TestUser, [branches, testbeds, benchmarks, measures]: [&[&str]; 4]) -> String {
    let branches = uuids(server, user, "branches", branches).await;
    let testbeds = uuids(server, user, "testbeds", testbeds).await;
    let benchmarks = uuids(server, user, "benchmarks", benchmarks).await;
    let measures = uuids(server, user, "measures", measures).await;
    format!("?branches={branches}&testbeds={testbeds}&benchmarks={benchmarks}&measures={measures}")
}

/// Of each series its names and its values.
fn series(perf: &Value) -> Vec<(String, Vec<f64>)> {
    let name = |series: &Value, of: &str| series[of]["name"].as_str().unwrap().to_owned();
    let of = |series: &Value| {
        let names = ["branch", "testbed", "benchmark", "measure"].map(|of| name(series, of)).join(" ");
        let values = series["metrics"].as_array().unwrap().iter().map(|point| point["metric"]["value"].as_f64().unwrap());
        (names, values.collect())
    };
    perf["results"].as_array().unwrap().iter().map(of).collect()
}

fn named(expected: &[(&str, &[f64])]) -> Vec<(String, Vec<f64>)> {
    expected.iter().map(|(name, values)| ((*name).to_owned(), values.to_vec())).collect()
}

#[tokio::test]
async fn every_permutation_with_data_is_a_series_in_the_order_that_was_asked_for() {
    on_each_database(async |server| {
        let bob = shop(&server, "public").await;
        let first = report(&server, &bob, ("main", "box"), 1, &["sort", "search"]).await;
        report(&server, &bob, ("dev", "box"), 2, &["sort"]).await;
        report(&server, &bob, ("main", "other"), 3, &["sort"]).await;
        report(&server, &bob, ("main", "box"), 4, &["sort"]).await;

        let all = query(&server, &bob, [&["main", "dev"], &["other", "box"], &["search", "sort"], &["size", "latency"]]).await;
        let (status, perf) = server.send(reqwest::Method::GET, &format!("{PERF}{all}"), None, None).await;
        assert_eq!(status, StatusCode::OK, "{perf}");
        let expected = named(&[
            ("main other sort size", &[300.0]),
            ("main other sort Latency", &[3.0]),
            ("main box search size", &[100.0]),
            ("main box search Latency", &[1.0]),
            ("main box sort size", &[100.0, 400.0]),
            ("main box sort Latency", &[1.0, 4.0]),
            ("dev box sort size", &[200.0]),
            ("dev box sort Latency", &[2.0]),
        ]);
        assert_eq!(series(&perf), expected);
        assert_eq!(perf["project"]["slug"], "shop");
        let last = &perf["results"][5];
        let point = json!({
            "report": first["uuid"], "iteration": 0, "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T01:00:00Z",
            "version": { "number": 0 }, "metric": last["metrics"][0]["metric"],
        });
        assert_eq!(last["metrics"][0], point);
        assert_eq!(last["branch"]["head"]["version"]["number"], 2);

        // 2026-01-02 and 2026-01-03T01:00
        let (_, some) = server.get(&format!("{PERF}{all}&start_time=1767312000000&end_time=1767402000000"), &bob).await;
        assert_eq!(
            series(&some).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["main other sort size", "main other sort Latency", "dev box sort size", "dev box sort Latency"]
        );
        assert_eq!((&some["start_time"], &some["end_time"]), (&json!("2026-01-02T00:00:00Z"), &json!("2026-01-03T01:00:00Z")));
    })
    .await;
}

#[tokio::test]
async fn heads_and_specs_narrow_a_query() {
    on_each_database(async |server| {
        let bob = shop(&server, "public").await;
        let sent = report(&server, &bob, ("main", "box"), 1, &["sort"]).await;
        let head = sent["branch"]["head"]["uuid"].as_str().unwrap();
        let of = query(&server, &bob, [&["main"], &["box"], &["sort"], &["latency"]]).await;
        let count = |more: String| {
            let (server, bob, of) = (&server, &bob, &of);
            async move {
                let (status, perf) = server.get(&format!("{PERF}{of}{more}"), bob).await;
                assert_eq!(status, StatusCode::OK, "{perf}");
                series(&perf).len()
            }
        };
        let unknown = uuid::Uuid::new_v4();
        assert_eq!(count(format!("&heads={head}&specs=")).await, 1);
        assert_eq!(count("&heads=".to_owned()).await, 1);
        assert_eq!(count(format!("&heads={unknown}")).await, 0);
        // The results were measured here, on no spec.
        assert_eq!(count(format!("&specs={unknown}")).await, 0);

        let admin = server.confirm("ada@example.com").await;
        let spec = server.spec(&admin, "Big", false).await;
        assert_eq!(count(format!("&specs={}", spec["uuid"].as_str().unwrap())).await, 0);
        refused(server.get(&format!("{PERF}{of}&heads=,"), &bob).await, 400, "`heads` has 2 places, but `branches` only 1");
    })
    .await;
}

#[tokio::test]
async fn a_query_must_be_valid_and_not_too_large() {
    on_each_database(async |server| {
        let bob = shop(&server, "public").await;
        let one = uuid::Uuid::new_v4().to_string();
        let many: Vec<String> = (0..256).map(|_| uuid::Uuid::new_v4().to_string()).collect();
        let path = |benchmarks: &str| format!("{PERF}?branches={one}&testbeds={one}&benchmarks={benchmarks}&measures={one}");
        refused(server.get(&format!("{PERF}?branches={one}"), &bob).await, 400, "testbeds");
        refused(server.get(&path(""), &bob).await, 400, "`benchmarks` must be UUIDs");
        refused(server.get(&path("sort"), &bob).await, 400, "`sort` is none");
        refused(server.get(&path(&many.join(",")), &bob).await, 400, "256 permutations");
        // What does not exist has no data; what is named twice is shown once.
        assert_eq!(server.get(&path(&many[..255].join(",")), &bob).await.1["results"], json!([]));
        assert_eq!(server.get(&path(&vec![one.as_str(); 300].join(",")), &bob).await.1["results"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn many_series_come_whole() {
    on_each_database(async |server| {
        let bob = shop(&server, "public").await;
        let names: Vec<String> = (0..120).map(|number| format!("b{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for day in 1..=6 {
            report(&server, &bob, ("main", "box"), day, &names).await;
        }
        let of = query(&server, &bob, [&["main"], &["box"], &names, &["latency", "size"]]).await;
        let (_, perf) = server.get(&format!("{PERF}{of}"), &bob).await;
        let found = series(&perf);
        assert_eq!(found.len(), 240);
        assert!(found.iter().step_by(2).all(|(_, values)| values == &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    })
    .await;
}

#[tokio::test]
async fn a_private_project_has_no_history_for_others() {
    on_each_database(async |server| {
        let bob = shop(&server, "private").await;
        report(&server, &bob, ("main", "box"), 1, &["sort"]).await;
        let of = query(&server, &bob, [&["main"], &["box"], &["sort"], &["latency"]]).await;
        for path in [format!("{PERF}{of}"), format!("{PERF}/img{of}")] {
            refused(server.send(reqwest::Method::GET, &path, None, None).await, 404, "Project (shop)");
        }
        // Nor does another project show it.
        server.project(&bob, "Open", "public").await;
        let (_, perf) = server.send(reqwest::Method::GET, &format!("/v0/projects/open/perf{of}"), None, None).await;
        assert_eq!(perf["results"], json!([]));
        let image = server.client.get(format!("{}{PERF}/img{of}", server.url)).bearer_auth(&bob.token).send().await.unwrap();
        assert_eq!(image.headers()[header::CACHE_CONTROL], "private, max-age=300");
    })
    .await;
}

#[tokio::test]
async fn the_history_is_drawn_as_png_or_svg() {
    on_each_database(async |server| {
        let bob = shop(&server, "public").await;
        for day in 1..=5 {
            report(&server, &bob, ("main", "box"), day, &["sort", "search"]).await;
        }
        let of = query(&server, &bob, [&["main"], &["box"], &["sort", "search"], &["latency"]]).await;
        let get = |more: &str, accept: &'static str| {
            let request = server.client.get(format!("{}{PERF}/img{of}{more}", server.url)).header(header::ACCEPT, accept);
            async move {
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::OK);
                let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
                let (kind, cache, policy) =
                    (header(header::CONTENT_TYPE), header(header::CACHE_CONTROL), header(header::CONTENT_SECURITY_POLICY));
                assert_eq!(cache, "public, max-age=300");
                assert!(policy.starts_with("default-src 'none'"), "{policy}");
                (kind, answer.bytes().await.unwrap())
            }
        };
        let (kind, png) = get("", "image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8").await;
        assert_eq!((kind.as_str(), &png[..8]), ("image/png", &b"\x89PNG\r\n\x1a\n"[..]));
        // Width and height stand in the header.
        assert_eq!((&png[16..20], &png[20..24]), (&1024_u32.to_be_bytes()[..], &548_u32.to_be_bytes()[..]));

        let (kind, svg) = get("&title=%3Cb%3EOurs&x_axis=version", "image/svg+xml").await;
        let svg = String::from_utf8(svg.to_vec()).unwrap();
        assert_eq!(kind, "image/svg+xml");
        for text in ["&lt;b&gt;Ours", "Latency: nanoseconds (ns)", "sort", "search", "version"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert_eq!(get("&format=svg", "image/png").await.0, "image/svg+xml");
        assert_eq!(get("&format=png", "image/svg+xml").await.0, "image/png");
        refused(server.get(&format!("{PERF}/img{of}&format=gif"), &bob).await, 400, "format");
    })
    .await;
}

#[tokio::test]
async fn too_many_points_are_refused_with_what_to_do() {
    on_each_database(async |server| {
        let bob = shop(&server, "public").await;
        report(&server, &bob, ("main", "box"), 1, &["sort"]).await;
        report(&server, &bob, ("main", "box"), 2, &["sort"]).await;
        // As many iterations more of the first report as there may be points.
        let numbers = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 50000)";
        let uuid = "'00000000-0000-4000-8000-' || CAST(100000000000 + n AS TEXT)";
        let of_first = "(SELECT MIN(id) FROM report_benchmark)";
        let mut tx = server.app.store.begin().await.unwrap();
        let sql = format!(
            "INSERT INTO report_benchmark (uuid, report_id, iteration, benchmark_id) {numbers} \
             SELECT {uuid}, report_id, n, benchmark_id FROM number CROSS JOIN report_benchmark WHERE id = {of_first}"
        );
        assert_eq!(tx.execute(sql, values![]).await.unwrap(), 50_000);
        let sql = "INSERT INTO metric (uuid, report_benchmark_id, measure_id, value, head_id, testbed_id, benchmark_id, version_number, \
                   start_time, iteration, report_id) \
                   SELECT report_benchmark.uuid, report_benchmark.id, metric.measure_id, 1.5, metric.head_id, metric.testbed_id, \
                   metric.benchmark_id, metric.version_number, metric.start_time, report_benchmark.iteration, report_benchmark.report_id \
                   FROM report_benchmark CROSS JOIN metric JOIN measure ON measure.id = metric.measure_id \
                   WHERE report_benchmark.iteration > 0 AND measure.slug = 'latency' \
                   AND metric.report_benchmark_id = (SELECT MIN(id) FROM report_benchmark)";
        assert_eq!(tx.execute(sql, values![]).await.unwrap(), 50_000);
        tx.commit().await.unwrap();

        let of = query(&server, &bob, [&["main"], &["box"], &["sort"], &["latency"]]).await;
        for path in [format!("{PERF}{of}"), format!("{PERF}/img{of}")] {
            refused(server.get(&path, &bob).await, 400, "more than 50000 points; ask for fewer series, or for less time");
        }
        let (_, second) = server.get(&format!("{PERF}{of}&start_time=1767312000000"), &bob).await;
        assert_eq!(series(&second), named(&[("main box sort Latency", &[2.0])]));
    })
    .await;
}
