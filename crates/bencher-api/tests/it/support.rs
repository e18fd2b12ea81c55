//! A real server on a loopback port with a database of its own, and a client for it.

use std::{future::Future, net::SocketAddr, sync::Arc};

use bencher_api::{
    app::{App, Background},
    clock::Clock,
    config::{Config, rate_limiting::RateLimiting},
    http,
    store::DatabaseLocation,
};
use bencher_types::Secret;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::{sync::oneshot, task::JoinHandle};

/// A running server. Stops, and its data goes, when it is dropped.
pub(crate) struct TestServer {
    pub(crate) app: Arc<App>,
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
    _background: Option<Background>,
    shutdown: oneshot::Sender<()>,
    served: JoinHandle<()>,
    _folder: Arc<tempfile::TempDir>,
}

/// Whether a server does what it does beside answering requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tasks {
    Running,
    /// For tests in which it is 1970, where every lease has run out long ago.
    AtRest,
}

/// Which database a server is to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_on(Backend::Sqlite).await.expect("SQLite is always there")
    }

    /// `None` where there is no PostgreSQL to use and none is required.
    pub(crate) async fn start_on(backend: Backend) -> Option<Self> {
        Self::start_with(backend, |_| {}).await
    }

    /// As [`Self::start_on`], but the server only answers requests.
    pub(crate) async fn start_at_rest(backend: Backend) -> Option<Self> {
        Self::configured(backend, |_| {}, Tasks::AtRest).await
    }

    /// As [`Self::start_on`], with a configuration that is changed before the server sees it.
    pub(crate) async fn start_with(backend: Backend, change: impl FnOnce(&mut Config)) -> Option<Self> {
        Self::configured(backend, change, Tasks::Running).await
    }

    async fn configured(backend: Backend, change: impl FnOnce(&mut Config), tasks: Tasks) -> Option<Self> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        let mut config = Config::new(folder.path(), address, Secret::new("a secret key for tests only"));
        if backend == Backend::Postgres {
            config.database.file = None;
            config.database.url = Some(postgres_database().await?);
        }
        // Tests are quicker than people, and come from one address.
        let rate_limiting = RateLimiting { enabled: Some(false), ..RateLimiting::default() };
        config.plus.get_or_insert_default().rate_limiting = Some(rate_limiting);
        change(&mut config);
        Some(Self::open(listener, config, Arc::new(folder), tasks).await)
    }

    /// Another server on the data of this one, which stops.
    pub(crate) async fn restart(self) -> Self {
        let Self { app, _folder: folder, .. } = self;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::open(listener, app.config.clone(), folder, Tasks::Running).await
    }

    /// Another server on the data of this one, which goes on. Only on PostgreSQL.
    pub(crate) async fn beside(&self) -> Self {
        self.beside_with(|_| {}).await
    }

    /// The same, with a configuration that is changed before the server sees it.
    pub(crate) async fn beside_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut config = self.app.config.clone();
        change(&mut config);
        Self::open(listener, config, self._folder.clone(), Tasks::Running).await
    }

    /// Two servers on one database; `None` where there is no PostgreSQL to use and none is required.
    pub(crate) async fn two() -> Option<(Self, Self)> {
        let one = Self::start_on(Backend::Postgres).await?;
        let other = one.beside().await;
        Some((one, other))
    }

    /// Tells the server to stop, as a signal would, and waits until it has.
    pub(crate) async fn stop(self) {
        self.shutdown.send(()).ok();
        self.served.await.expect("the server stops");
    }

    async fn open(listener: tokio::net::TcpListener, config: Config, folder: Arc<tempfile::TempDir>, tasks: Tasks) -> Self {
        let address = listener.local_addr().expect("an address");
        let app = App::open(config, Clock::System).await.expect("the server opens");
        let background = match tasks {
            Tasks::Running => Some(app.start_background().await.expect("the server starts")),
            Tasks::AtRest => None,
        };
        let (shutdown, stopped) = oneshot::channel::<()>();
        let served = app.clone();
        let served = tokio::spawn(async move {
            let app = served;
            http::serve(listener, app, async {
                stopped.await.ok();
            })
            .await;
        });
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { app, url: format!("http://{address}"), client, _background: background, shutdown, served, _folder: folder }
    }

    /// Sends a request and returns the status and the body, `null` where it is not JSON.
    pub(crate) async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

/// A new database on the server that `TEST_DATABASE_URL` names.
pub(crate) async fn postgres_database() -> Option<Secret> {
    let Ok(url) = std::env::var("TEST_DATABASE_URL") else {
        assert!(
            std::env::var_os("BENCHER_TEST_REQUIRE").is_none(),
            "TEST_DATABASE_URL is not set: `cargo xtask test` starts a PostgreSQL and sets it"
        );
        return None;
    };
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let mut url: url::Url = url.parse().expect("TEST_DATABASE_URL is a URL");
    bencher_api::store::postgres::create_database(&Secret::new(url.as_str()), &name).await.expect("a new database");
    url.set_path(&name);
    Some(Secret::new(url.as_str()))
}

/// Runs a test on each database.
pub(crate) async fn on_each_database<F, Fut>(test: F)
where
    F: Fn(TestServer) -> Fut,
    Fut: Future<Output = ()>,
{
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if let Some(server) = TestServer::start_on(backend).await {
            test(server).await;
        }
    }
}

/// Runs a test on each database, with a server that only answers requests.
pub(crate) async fn at_rest_on_each_database<F, Fut>(test: F)
where
    F: Fn(TestServer) -> Fut,
    Fut: Future<Output = ()>,
{
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if let Some(server) = TestServer::start_at_rest(backend).await {
            test(server).await;
        }
    }
}

/// The location of a server's database, for tests that open it twice.
#[expect(dead_code, reason = "for tests of restarts")]
pub(crate) fn location(server: &TestServer) -> DatabaseLocation {
    server.app.config.database().expect("a valid configuration")
}
