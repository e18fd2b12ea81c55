//! The API's socket: HTTP around [`request`](crate::request) and [`vmm`](crate::vmm), with Firecracker's headers.

use std::{convert::Infallible, rc::Rc};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    ext::ReasonPhrase,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, SERVER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Mutex, mpsc},
    task::spawn_local,
};

use crate::{
    fault::Fault,
    log::Log,
    request,
    vmm::{Answer, Vmm},
};

/// What every connection needs. Requests are handled one after the other, whoever sends them.
pub(crate) struct Api {
    pub(crate) vmm: Mutex<Vmm>,
    pub(crate) max_payload: usize,
    pub(crate) log: Rc<Log>,
    /// Where the guest's first process goes when it was started.
    pub(crate) started: mpsc::Sender<tokio::process::Child>,
}

/// Serves until the process ends.
pub(crate) async fn serve(listener: UnixListener, api: Rc<Api>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(spawn_local(connection(stream, Rc::clone(&api)))),
            Err(error) => api.log.error(&format!("a connection could not be accepted: {error}")),
        }
    }
}

async fn connection(stream: UnixStream, api: Rc<Api>) {
    let service = service_fn(|request| {
        let api = Rc::clone(&api);
        async move { Ok::<_, Infallible>(api.answer(request).await) }
    });
    let mut http = http1::Builder::new();
    http.auto_date_header(false).title_case_headers(true).header_read_timeout(None);
    // A client that goes away is its own business.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

impl Api {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let announced = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if let Some(size) = announced.filter(|size| *size > self.max_payload) {
            return too_large(size, self.max_payload);
        }
        let Ok(body) = body.collect().await else { return response(StatusCode::BAD_REQUEST, None) };
        let body = body.to_bytes();
        self.log.info(&format!("The API server received a {} request on {:?}.", parts.method, parts.uri.path()));
        let action = request::parse(parts.method.as_str(), parts.uri.path(), &body);
        let deprecated = action.as_ref().is_ok_and(request::Action::is_deprecated);
        let answer = match action {
            Ok(action) => self.handle(action).await,
            Err(fault) => Err(fault),
        };
        let mut response = match answer {
            Ok(Answer::Empty) => response(StatusCode::NO_CONTENT, None),
            Ok(Answer::Json(value)) => response(StatusCode::OK, Some(value)),
            Err(fault) => {
                let text = fault.to_string();
                self.log.error(&format!("Received Error. Status code: 400 Bad Request. Message: {text}"));
                response(StatusCode::BAD_REQUEST, Some(json!({ "fault_message": text })))
            }
        };
        if deprecated {
            response.headers_mut().insert(HeaderName::from_static("deprecation"), HeaderValue::from_static("true"));
        }
        response
    }

    async fn handle(&self, action: request::Action) -> Result<Answer, Fault> {
        let mut vmm = self.vmm.lock().await;
        let answer = vmm.handle(action).await;
        if let Some(child) = vmm.take_started() {
            // The receiver lives as long as the process.
            let _ = self.started.send(child).await;
        }
        answer
    }
}

/// Without a reason phrase, as Firecracker's server writes it.
fn response(status: StatusCode, body: Option<serde_json::Value>) -> Response<Full<Bytes>> {
    let text = body.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.extensions_mut().insert(ReasonPhrase::from_static(b""));
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("Firecracker API"));
    headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    if body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

fn too_large(size: usize, limit: usize) -> Response<Full<Bytes>> {
    let text = format!(
        "Request payload with size {size} is larger than the limit of {limit} allowed by server.\nAll previous unanswered requests will be dropped."
    );
    response(StatusCode::BAD_REQUEST, Some(json!({ "error": text })))
}
