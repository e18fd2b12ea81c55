//! What runners worked becomes events of a billing provider, each once: against a server that checks what Stripe's API requires of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Form, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use bencher_api::{
    billing::{self, MeterEvent, Provider as _, stripe::Stripe},
    config::billing::{Billing, Stripe as StripeConfig},
    store::{Queries as _, queue::Ending},
    values,
};
use bencher_types::{DateTime, JobEvent, JobUuid, Secret};
use serde_json::{Value, json};

use crate::{
    rows,
    setup::refused,
    support::{Backend, TestServer},
};

const KEY: &str = "sk_test_of_no_value";
const CUSTOMER: &str = "cus_ada";

/// What the next request meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    /// It is served, and the answer gets lost.
    LostAnswer,
    /// The provider's own failure, which it repeats to the same request.
    Failure,
    /// The key is not accepted.
    BadKey,
}

type Fields = BTreeMap<String, String>;

#[derive(Default)]
struct Account {
    fault: Fault,
    /// By `Idempotency-Key`: the parameters, and what they were answered.
    answers: BTreeMap<String, (Fields, StatusCode, Value)>,
    events: Vec<Fields>,
    requests: usize,
}

/// A server that takes meter events as Stripe's reference says.
#[derive(Clone, Default)]
struct StripeServer(Arc<Mutex<Account>>);

impl StripeServer {
    async fn start(&self) -> url::Url {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/billing/meter_events", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url.parse().unwrap()
    }

    fn meets(&self, fault: Fault) {
        self.0.lock().unwrap().fault = fault;
    }

    fn events(&self) -> Vec<(String, String)> {
        let account = self.0.lock().unwrap();
        account
            .events
            .iter()
            .map(|event| (event["payload[stripe_customer_id]"].clone(), event["payload[value]"].clone()))
            .collect()
    }

    fn requests(&self) -> usize {
        self.0.lock().unwrap().requests
    }
}

fn complaint(kind: &str, message: &str) -> Value {
    json!({ "error": { "type": kind, "message": message } })
}

async fn take(State(server): State<StripeServer>, headers: HeaderMap, Form(fields): Form<Fields>) -> Response {
    let (status, body) = {
        let mut account = server.0.lock().unwrap();
        account.requests += 1;
        answer(&mut account, &headers, fields)
    };
    let fault = std::mem::take(&mut server.0.lock().unwrap().fault);
    if fault == Fault::LostAnswer {
        // Ends the connection without a word, and without a panic's message.
        std::panic::resume_unwind(Box::new("the answer is lost"));
    }
    (status, axum::Json(body)).into_response()
}

fn answer(account: &mut Account, headers: &HeaderMap, fields: Fields) -> (StatusCode, Value) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    assert!(!header("stripe-version").is_empty(), "the version of the API is named");
    if header("authorization") != format!("Bearer {KEY}") || account.fault == Fault::BadKey {
        return (StatusCode::UNAUTHORIZED, complaint("invalid_request_error", "Invalid API Key provided"));
    }
    let key = header("idempotency-key").to_owned();
    assert!((1..=255).contains(&key.len()), "an idempotency key");
    if let Some((before, status, body)) = account.answers.get(&key) {
        return if *before == fields {
            (*status, body.clone())
        } else {
            let message = "Keys for idempotent requests can only be used with the same parameters they were first used with.";
            (StatusCode::BAD_REQUEST, complaint("idempotency_error", message))
        };
    }
    let (status, body) = if account.fault == Fault::Failure {
        (StatusCode::INTERNAL_SERVER_ERROR, complaint("api_error", "An unknown error occurred"))
    } else {
        check(account, &fields)
    };
    account.answers.insert(key, (fields, status, body.clone()));
    (status, body)
}

fn check(account: &mut Account, fields: &Fields) -> (StatusCode, Value) {
    let wrong = |message: &str| (StatusCode::BAD_REQUEST, complaint("invalid_request_error", message));
    let known = ["event_name", "payload[stripe_customer_id]", "payload[value]", "identifier", "timestamp"];
    if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return wrong(&format!("Received unknown parameter: {unknown}"));
    }
    if let Some(missing) = known.iter().find(|name| !fields.contains_key(**name)) {
        return wrong(&format!("Missing required param: {missing}."));
    }
    if fields["event_name"] != "runner_minutes" {
        return wrong("No active meter found for the event name");
    }
    if fields["payload[stripe_customer_id]"] != CUSTOMER {
        return wrong("No such customer");
    }
    let (value, timestamp) = (fields["payload[value]"].parse::<u64>(), fields["timestamp"].parse::<i64>());
    if value.is_err() || timestamp.is_err() || fields["identifier"].len() > 100 {
        return wrong("Invalid value");
    }
    if account.events.iter().any(|event| event["identifier"] == fields["identifier"]) {
        return wrong(&format!("An event already exists with identifier {}.", fields["identifier"]));
    }
    account.events.push(fields.clone());
    (StatusCode::OK, json!({ "object": "billing.meter_event", "identifier": fields["identifier"] }))
}

struct World {
    server: TestServer,
    stripe: StripeServer,
    provider: Stripe,
    admin: crate::setup::TestUser,
    spec: i64,
}

impl World {
    async fn start(backend: Backend) -> Option<Self> {
        let stripe = StripeServer::default();
        let url = stripe.start().await;
        // The server's own look-out would be one more who tells: here the test says when.
        let server = TestServer::start_on(backend).await?;
        let config = StripeConfig {
            secret_key: Secret::new(KEY),
            event_name: "runner_minutes".to_owned(),
            base_url: Some(url),
            api_version: None,
        };
        let admin = server.sign_up("Ada").await;
        let spec = rows::spec(&server.app.store).await;
        Some(Self { provider: Stripe::new(&config).unwrap(), server, stripe, admin, spec })
    }

    /// An organization whose job runs for so long, and ends now.
    async fn works(&self, customer: Option<&str>, seconds: i64) -> (String, JobUuid) {
        let store = &self.server.app.store;
        let before = self.organizations().await;
        let job = rows::job(store, self.spec, 0, rows::at(0)).await;
        let organization = self.organizations().await.difference(&before).next().unwrap().clone();
        if let Some(customer) = customer {
            self.bill(&organization, Some(customer)).await;
        }
        let runner = rows::runner(store, self.spec).await;
        let now = self.server.app.clock.now();
        let claimed = DateTime::from_micros(now.as_micros() - seconds * 1_000_000).unwrap();
        store.claim_job(runner.id, Duration::from_secs(90), claimed).await.unwrap().unwrap();
        let ending = Ending { event: JobEvent::Complete, output_key: None, message: None, failure: None };
        store.finish_job(runner.id, job, &ending, now).await.unwrap();
        (organization, job)
    }

    async fn organizations(&self) -> BTreeSet<String> {
        self.server.list("/v0/organizations?per_page=100", Some(&self.admin), "uuid").await.0.into_iter().collect()
    }

    async fn bill(&self, organization: &str, customer: Option<&str>) {
        let path = format!("/v0/organizations/{organization}/billing");
        let (status, body) = self.put(&path, json!({ "customer": customer })).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["customer"].as_str(), customer);
    }

    async fn put(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.server.send(reqwest::Method::PUT, path, Some(&self.admin.token), Some(body)).await
    }

    async fn report(&self) -> usize {
        billing::report_due(&self.server.app, &self.provider).await.unwrap()
    }

    /// What waits for a later time is due now.
    async fn later(&self) {
        self.change("UPDATE runner_usage SET billing_next = 0").await;
    }

    async fn change(&self, sql: &'static str) {
        let mut tx = self.server.app.store.begin().await.unwrap();
        tx.execute(sql, values![]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn shown(&self, organization: &str) -> Value {
        self.server.get(&format!("/v0/organizations/{organization}/billing"), &self.admin).await.1
    }
}

async fn on_each<F: AsyncFn(World)>(test: F) {
    test(World::start(Backend::Sqlite).await.unwrap()).await;
    if let Some(world) = World::start(Backend::Postgres).await {
        test(world).await;
    }
}

fn once(minutes: &str) -> Vec<(String, String)> {
    vec![(CUSTOMER.to_owned(), minutes.to_owned())]
}

#[tokio::test]
async fn each_attempt_of_a_billed_organization_is_told_once() {
    on_each(async |world| {
        world.works(None, 600).await;
        let (organization, _) = world.works(Some(CUSTOMER), 61).await;
        assert_eq!(world.shown(&organization).await["pending"], json!({ "runner_minutes": 2, "attempts": 1 }));
        assert_eq!(world.report().await, 1);
        assert_eq!(world.report().await, 0);
        assert_eq!(world.stripe.events(), once("2"));
        assert_eq!(world.shown(&organization).await["sent"], json!({ "runner_minutes": 2, "attempts": 1 }));
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_doubles_nothing() {
    on_each(async |world| {
        let (organization, _) = world.works(Some(CUSTOMER), 1).await;
        world.stripe.meets(Fault::LostAnswer);
        assert_eq!(world.report().await, 0);
        assert_eq!(world.report().await, 0, "not again at once");
        let problem = world.shown(&organization).await["problems"][0].clone();
        assert_eq!((&problem["state"], &problem["tries"]), (&json!("pending"), &json!(1)), "{problem}");
        world.later().await;
        // A customer who is another by then is not whom the first try named.
        world.bill(&organization, Some("cus_other")).await;
        assert_eq!(world.report().await, 1);
        assert_eq!((world.stripe.events(), world.stripe.requests()), (once("1"), 2));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_dies_after_it_told_of_work_neither_loses_nor_doubles_it() {
    on_each(async |world| {
        let (_, job) = world.works(Some(CUSTOMER), 1).await;
        let app = &world.server.app;
        let due = app.store.due_billing(app.clock.now().saturating_add(Duration::from_secs(60)), 10).await.unwrap().remove(0);
        let hold = Duration::from_secs(120);
        assert!(app.store.take_billing(&due, hold, app.clock.now()).await.unwrap());
        assert!(!app.store.take_billing(&due, hold, app.clock.now()).await.unwrap(), "one server has it in hand");
        let identifier = billing::identifier(job, 1);
        let event = MeterEvent {
            idempotency_key: format!("{identifier}-0"),
            identifier,
            customer: CUSTOMER.to_owned(),
            minutes: due.minutes,
            ended: due.ended.0,
        };
        world.provider.report(&event).await.unwrap();
        assert_eq!(world.report().await, 0, "it is in hand");
        world.later().await;
        assert_eq!(world.report().await, 1);
        assert_eq!((world.stripe.events(), world.stripe.requests()), (once("1"), 2));
    })
    .await;
}

#[tokio::test]
async fn the_providers_own_failure_is_not_asked_for_again_but_the_work_is_told() {
    on_each(async |world| {
        world.works(Some(CUSTOMER), 1).await;
        world.stripe.meets(Fault::Failure);
        assert_eq!(world.report().await, 0);
        world.later().await;
        assert_eq!(world.report().await, 1, "with the same idempotency key the failure would be repeated");
        assert_eq!(world.stripe.events(), once("1"));
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_is_shown_and_what_a_person_can_mend_waits() {
    on_each(async |world| {
        let (stranger, _) = world.works(Some("cus_unknown"), 1).await;
        assert_eq!(world.report().await, 0);
        let shown = world.shown(&stranger).await;
        assert_eq!(shown["refused"], json!({ "runner_minutes": 1, "attempts": 1 }));
        assert!(shown["problems"][0]["message"].as_str().unwrap().contains("No such customer"), "{shown}");
        world.later().await;
        let requests = world.stripe.requests();
        world.report().await;
        assert_eq!(world.stripe.requests(), requests, "what was refused is not told again");

        world.works(Some(CUSTOMER), 1).await;
        world.stripe.meets(Fault::BadKey);
        assert_eq!(world.report().await, 0);
        world.later().await;
        // However long that takes: it was surely not taken.
        world.change("UPDATE runner_usage SET billing_first_try = 0 WHERE billing_first_try IS NOT NULL").await;
        assert_eq!(world.report().await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_may_have_been_taken_is_not_told_again_after_a_day() {
    on_each(async |world| {
        let (organization, _) = world.works(Some(CUSTOMER), 1).await;
        world.stripe.meets(Fault::LostAnswer);
        world.report().await;
        world.change("UPDATE runner_usage SET billing_next = 0, billing_first_try = 0").await;
        assert_eq!((world.report().await, world.stripe.requests()), (0, 1));
        assert_eq!(world.shown(&organization).await["uncertain"]["attempts"], 1);
    })
    .await;
}

#[tokio::test]
async fn billing_is_for_admins_and_wants_a_customer() {
    let world = World::start(Backend::Sqlite).await.unwrap();
    let (organization, _) = world.works(None, 1).await;
    let path = format!("/v0/organizations/{organization}/billing");
    let eve = world.server.sign_up("Eve").await;
    assert_eq!(world.server.get(&path, &eve).await.0, 403);
    refused(world.put(&path, json!({ "customer": " " })).await, 400, "customer");
    assert_eq!(world.shown(&organization).await["provider"], Value::Null);
    world.bill(&organization, Some(CUSTOMER)).await;
    assert_eq!(world.report().await, 0, "what was worked before is not billed");
    world.bill(&organization, None).await;
}

#[tokio::test]
async fn the_configured_provider_is_shown_without_its_secret() {
    let stripe = Billing::Stripe(StripeConfig {
        secret_key: Secret::new(KEY),
        event_name: "runner_minutes".to_owned(),
        base_url: Some("http://127.0.0.1:1/".parse().unwrap()),
        api_version: None,
    });
    let server =
        TestServer::start_with(Backend::Sqlite, |config| config.plus.get_or_insert_default().billing = Some(stripe)).await;
    let server = server.unwrap();
    let admin = server.sign_up("Ada").await;
    let (_, config) = server.get("/v0/server/config", &admin).await;
    assert_eq!(config["plus"]["billing"]["stripe"]["event_name"], "runner_minutes", "{config}");
    assert!(!config.to_string().contains(KEY));
}
