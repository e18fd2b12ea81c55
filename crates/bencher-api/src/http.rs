//! The HTTP edge: routes, and what happens around every one of them.
//!
//! A handler takes a request apart, makes one call and wraps the answer; decisions live in the domain modules.

pub mod accounts;
pub mod benchmarks;
pub mod branches;
pub mod channel;
pub mod dimension;
pub mod extract;
pub mod images;
pub mod jobs;
pub mod measures;
pub mod metrics;
pub mod organizations;
pub mod page;
mod patience;
pub mod project_keys;
pub mod projects;
pub mod registry;
pub mod reports;
pub mod request;
pub mod run;
pub mod runners;
pub mod server;
pub mod specs;
pub mod testbeds;
pub mod users;

use std::sync::Arc;

use axum::{Router, extract::ConnectInfo, serve::IncomingStream};
use tower::Layer as _;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, error::ApiError, limits, openapi};

/// State of every handler.
pub type AppState = Arc<App>;

/// The routes of the REST API with their OpenAPI description.
pub(crate) fn api() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(server::root))
        .routes(routes!(server::version))
        .routes(routes!(server::openapi_spec))
        .routes(routes!(server::console))
        .routes(routes!(channel::channel))
        .merge(accounts::routes())
        .merge(users::routes())
        .merge(organizations::routes())
        .merge(projects::routes())
        .merge(project_keys::routes())
        .merge(specs::routes())
        .merge(runners::routes())
        .routes(routes!(registry::token::get, registry::token::post))
        .merge(branches::routes())
        .merge(testbeds::routes())
        .merge(benchmarks::routes())
        .merge(measures::routes())
        .merge(run::routes())
        .merge(reports::routes())
        .merge(metrics::routes())
        .merge(jobs::routes())
        .merge(images::routes())
}

/// The whole service, ready to be served.
pub fn service(
    app: AppState,
) -> impl tower::Service<axum::extract::Request, Response = axum::response::Response, Error = std::convert::Infallible, Future: Send>
+ Clone
+ Send
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
        .layer(axum::middleware::from_fn(request::envelope))
        .layer(request::cors())
        .with_state(app);
    // Outside of the router, because routes are matched on the path that this leaves.
    tower::util::MapRequestLayer::new(request::normalize_path).layer(router)
}

/// Serves until `shutdown` resolves, then finishes the requests at hand.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: tokio::net::TcpListener,
    app: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let hub = app.hub.clone();
    let service = service(app);
    let connected = tower::service_fn(move |stream: IncomingStream<'_, patience::PatientListener>| {
        let peer = ConnectInfo(*stream.remote_addr());
        std::future::ready(Ok::<_, std::convert::Infallible>(axum::Extension(peer).layer(service.clone())))
    });
    let serving = axum::serve(patience::PatientListener(listener), connected).with_graceful_shutdown(async move {
        shutdown.await;
        hub.shut_down();
        stopping.send(()).ok();
    });
    let overdue = async {
        // An error means that the server ended by itself.
        stopped.await.ok();
        tokio::time::sleep(limits::SHUTDOWN_TIMEOUT).await;
    };
    tokio::select! {
        served = async { serving.await } => served,
        () = overdue => {
            tracing::warn!("requests that took too long were cut off");
            Ok(())
        }
    }
}
