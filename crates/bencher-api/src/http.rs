//! The HTTP edge: routes, and what happens around every one of them.
//!
//! A handler takes a request apart, makes one call and wraps the answer; decisions live in the domain modules.

pub mod accounts;
pub mod agent;
pub mod alerts;
pub mod benchmarks;
pub mod billing;
mod body;
mod branches;
pub mod change_points;
pub mod channel;
pub mod compare;
pub mod deletion;
pub mod dimension;
pub mod events;
pub mod extract;
pub mod images;
pub mod invitations;
pub mod jobs;
pub mod measures;
pub mod members;
pub mod metrics;
pub mod organizations;
pub mod page;
mod patience;
pub mod perf;
pub mod plots;
pub mod project_keys;
pub mod projects;
pub mod registry;
pub mod reports;
pub mod request;
pub mod run;
pub mod runners;
mod serve;
pub mod server;
pub mod signatures;
mod source;
pub mod specs;
pub mod storage;
pub mod testbeds;
pub mod thresholds;
pub mod usage;
pub mod users;
mod visit;

use std::{sync::Arc, time::Duration};

use axum::Router;
use tower::Layer as _;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, error::ApiError, limits, openapi};

pub use self::serve::raise_open_files;

/// State of every handler.
pub type AppState = Arc<App>;

/// The routes of the REST API with their OpenAPI description.
pub(crate) fn api() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(server::routes())
        .routes(routes!(channel::channel))
        .routes(routes!(agent::job_poll))
        .routes(routes!(agent::job_message))
        .merge(accounts::routes())
        .merge(users::routes())
        .merge(organizations::routes())
        .merge(usage::routes())
        .merge(billing::routes())
        .merge(members::routes())
        .merge(invitations::routes())
        .merge(projects::routes())
        .merge(project_keys::routes())
        .merge(specs::routes())
        .merge(runners::routes())
        .routes(routes!(registry::token::get, registry::token::post))
        .merge(branches::routes())
        .merge(testbeds::routes())
        .merge(benchmarks::routes())
        .merge(measures::routes())
        .merge(thresholds::routes())
        .merge(run::routes())
        .merge(reports::routes())
        .merge(compare::routes())
        .merge(metrics::routes())
        .merge(perf::routes())
        .merge(plots::routes())
        .merge(alerts::routes())
        .merge(change_points::routes())
        .merge(jobs::routes())
        .merge(events::routes())
        .merge(images::routes())
        .merge(signatures::routes())
        .merge(storage::routes())
}

/// The whole service, ready to be served.
pub fn service(
    app: AppState,
) -> impl tower::Service<axum::extract::Request, Response = axum::response::Response, Error = std::convert::Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let (router, _) = api().split_for_parts();
    let router: Router = router
        .route("/healthz", axum::routing::get(server::healthz))
        .route("/readyz", axum::routing::get(server::readyz))
        .merge(registry::router())
        .fallback(async || ApiError::no_route())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(CatchPanicLayer::custom(request::panicked))
        .layer(axum::extract::DefaultBodyLimit::max(app.config.server.request_body_max_bytes))
        .layer(axum::middleware::from_fn_with_state(app.clone(), request::in_time))
        .layer(axum::middleware::from_fn_with_state(app.clone(), visit::count))
        .layer(request::cors(&app.config.server))
        .layer(axum::middleware::from_fn_with_state(app.clone(), request::envelope))
        .with_state(app.clone());
    // Outside of the router, because routes are matched on the path that this leaves.
    tower::util::MapRequestLayer::new(move |request| request::prepare(request, &app.config.server)).layer(router)
}

/// Serves until `shutdown` resolves. Then no more connections are accepted, streams of events end, the requests at hand are finished, and
/// the runners' connections are closed one after the other, so that other servers on the same database do not get them all at once.
/// HTTPS where the configuration names a certificate.
pub async fn serve(listener: tokio::net::TcpListener, app: AppState, shutdown: impl Future<Output = ()>) {
    let stop = &app.stopping;
    let spread = if app.store.is_shared() { limits::SOCKET_CLOSE_SPREAD } else { Duration::ZERO };
    let stopping = async {
        shutdown.await;
        stop.cancel();
        app.hub.shut_down(spread).await;
    };
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(limits::SHUTDOWN_TIMEOUT).await;
    };
    tokio::select! {
        _ = async { tokio::join!(serve::serve(listener, &app, service(app.clone()), stop.clone()), stopping) } => {}
        () = overdue => tracing::warn!("requests that took too long were cut off"),
    }
}
