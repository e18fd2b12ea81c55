//! Streams of server-sent events: what changes, as it happens, to be taken up again where it was cut off.

use std::{convert::Infallible, pin::Pin, sync::Arc};

use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use bencher_types::{
    JobUuid, Permission, ResourceId,
    wire::{
        event::{JOB, JobChanged, LAST_EVENT_ID_HEADER, OPEN, OUTPUT, REPORT, RESET, RUNNER, ReportChanged, RunnerChanged},
        live::JobPrinted,
    },
};
use futures::stream;
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::time::{Sleep, sleep};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{AppState, extract::Path, source::Source};
use crate::{
    auth::{Admin, Principal},
    chain::chain,
    error::ApiError,
    event::{Feed, Follower, Opening, Seat, TooManyStreams},
    job, limits, permission,
    rate::address_key,
    store::{
        StoreError,
        event::{Change, Logged, Topic},
    },
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(job_events)).routes(routes!(project_events)).routes(routes!(runner_events))
}

/// The last event that a client has seen, by the header that browsers send when they come again.
struct LastEventId(Option<i64>);

impl FromRequestParts<AppState> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Infallible> {
        let value = parts.headers.get(LAST_EVENT_ID_HEADER);
        // What is none of our ids is from somewhere else: the stream says that it begins anew.
        Ok(Self(value.map(|value| value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(-1))))
    }
}

/// Follows a job: server-sent events, from its present status until it has ended, and what it prints from now on if it is live.
#[utoipa::path(
    get, path = "/v0/projects/{project}/jobs/{job}/events", tag = "jobs",
    params(("project" = ResourceId, Path), ("job" = JobUuid, Path), ("Last-Event-ID" = Option<i64>, Header)),
    responses(
        (status = 200, body = JobChanged, content_type = "text/event-stream"),
        (status = 204, description = "The job has ended, and the client knows how"),
    )
)]
async fn job_events(
    State(app): State<AppState>,
    principal: Principal,
    source: Source,
    LastEventId(after): LastEventId,
    Path((project, uuid)): Path<(ResourceId, JobUuid)>,
) -> Result<Response, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let seat = app.streams.seat(follower(&principal, source))?;
    let (feed, opening) = Feed::open(&app, Topic::Job { project: project.id, job: uuid }, after).await?;
    // After the feed was opened: what changes from here on, it tells.
    let (job, row) = app.store.job(&project, uuid).await?.ok_or_else(|| ApiError::not_found("Job", uuid))?;
    let mut follow = Follow::new(&app, feed, seat);
    follow.shows_output = job::shows_output(&principal, &project);
    match opening {
        Opening::Fresh(id) | Opening::Reset(id) => {
            let change =
                Change::Job { project: project.id, job: uuid, status: job.status, attempt: row.attempt, report: job.report };
            let name = if matches!(opening, Opening::Fresh(_)) { OPEN } else { RESET };
            follow.say(first(name, id));
            follow.tell(&Logged { id, at: job.modified, change });
        }
        Opening::Resumed if job.status.is_final() && follow.is_over().await? => {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        Opening::Resumed => {}
    }
    Ok(follow.respond())
}

/// Follows a project's jobs and reports: server-sent events.
#[utoipa::path(
    get, path = "/v0/projects/{project}/events", tag = "projects",
    params(("project" = ResourceId, Path), ("Last-Event-ID" = Option<i64>, Header)),
    responses((status = 200, body = JobChanged, content_type = "text/event-stream"))
)]
async fn project_events(
    State(app): State<AppState>,
    principal: Principal,
    source: Source,
    LastEventId(after): LastEventId,
    Path(project): Path<ResourceId>,
) -> Result<Response, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let seat = app.streams.seat(follower(&principal, source))?;
    Follow::open(&app, Topic::Project(project.id), after, seat).await
}

/// Follows all runners: server-sent events.
#[utoipa::path(
    get, path = "/v0/runners/events", tag = "runners",
    params(("Last-Event-ID" = Option<i64>, Header)),
    responses((status = 200, body = RunnerChanged, content_type = "text/event-stream"))
)]
async fn runner_events(
    State(app): State<AppState>,
    Admin(user): Admin,
    LastEventId(after): LastEventId,
) -> Result<Response, ApiError> {
    let seat = app.streams.seat(Follower::User(user.uuid))?;
    Follow::open(&app, Topic::Runners, after, seat).await
}

fn follower(principal: &Principal, source: Source) -> Follower {
    match principal {
        Principal::User(user) => Follower::User(user.uuid),
        Principal::ProjectKey(holder) => Follower::Project(holder.project),
        Principal::Anonymous => Follower::Address(address_key(source.address())),
    }
}

/// One client's stream.
struct Follow {
    app: AppState,
    feed: Feed,
    /// What is to be said before the feed goes on.
    said: std::collections::VecDeque<Event>,
    /// What jobs print is told too.
    shows_output: bool,
    /// Nothing comes after what was said.
    is_last: bool,
    age: Pin<Box<Sleep>>,
    _seat: Seat,
}

impl Follow {
    fn new(app: &AppState, feed: Feed, seat: Seat) -> Self {
        let age = Box::pin(sleep(limits::EVENT_STREAM_AGE));
        Self {
            app: app.clone(),
            feed,
            said: [Event::default().retry(limits::EVENT_RETRY)].into(),
            shows_output: false,
            is_last: false,
            age,
            _seat: seat,
        }
    }

    async fn open(app: &AppState, topic: Topic, after: Option<i64>, seat: Seat) -> Result<Response, ApiError> {
        let (feed, opening) = Feed::open(app, topic, after).await?;
        let mut follow = Self::new(app, feed, seat);
        match opening {
            Opening::Fresh(id) => follow.say(first(OPEN, id)),
            Opening::Reset(id) => follow.say(first(RESET, id)),
            Opening::Resumed => {}
        }
        Ok(follow.respond())
    }

    /// Whether nothing has happened since the client was here last.
    async fn is_over(&self) -> Result<bool, ApiError> {
        Ok(self.feed.is_caught_up(&self.app).await?)
    }

    fn say(&mut self, event: Event) {
        self.said.push_back(event);
    }

    fn tell(&mut self, logged: &Logged) {
        let ends = matches!(self.feed.topic(), Topic::Job { .. })
            && matches!(logged.change, Change::Job { status, .. } if status.is_final());
        self.is_last |= ends;
        if let Some(event) = written(logged) {
            self.say(event);
        }
    }

    async fn hear(&mut self, changed: Result<Arc<Logged>, StoreError>) -> Result<(), StoreError> {
        let logged = changed?;
        match logged.change {
            Change::Output { .. } => self.tell_output(&logged).await?,
            _ => self.tell(&logged),
        }
        Ok(())
    }

    /// Tells what a job has printed, unless the whole of its output is there by now.
    async fn tell_output(&mut self, logged: &Logged) -> Result<(), StoreError> {
        let Change::Output { job, attempt, sequence, .. } = logged.change else { return Ok(()) };
        if !self.shows_output {
            return Ok(());
        }
        let Some(piece) = self.app.store.output_piece(job, attempt, sequence).await? else { return Ok(()) };
        let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
        let printed = JobPrinted { job, attempt, piece, time: logged.at };
        let json = serde_json::to_string(&printed).expect("a change is plain JSON");
        self.say(Event::default().event(OUTPUT).id(logged.id.to_string()).data(json));
        Ok(())
    }

    /// The next thing to say; `None` where the stream ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.said.pop_front() {
                return Some(event);
            }
            if self.is_last {
                return None;
            }
            let app = Arc::clone(&self.app);
            tokio::select! {
                changed = self.feed.next(&app) => match self.hear(changed).await {
                    Ok(()) => {}
                    Err(error) => {
                        // The client comes again and goes on from what it had.
                        tracing::warn!(error = chain(&error), "a stream of events could not go on");
                        self.is_last = true;
                    }
                },
                () = app.stopping.cancelled() => {
                    let share = rand::random_range(0.0..1.0);
                    self.say(Event::default().retry(limits::EVENT_RETRY + limits::EVENT_RETRY_SPREAD.mul_f64(share)));
                    self.is_last = true;
                }
                () = self.age.as_mut() => self.is_last = true,
            }
        }
    }

    fn respond(self) -> Response {
        let events = stream::unfold(self, |mut follow| async move {
            let event = follow.next().await?;
            Some((Ok::<_, Infallible>(event), follow))
        });
        let keep_alive = KeepAlive::new().interval(limits::EVENT_KEEP_ALIVE);
        let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
        // A proxy that collects an answer before it passes it on would pass on nothing.
        response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        response
    }
}

/// The event that says where a stream begins.
fn first(name: &str, id: i64) -> Event {
    Event::default().event(name).id(id.to_string()).data("{}")
}

/// A change as a client reads it; `None` for what is the servers' own.
fn written(logged: &Logged) -> Option<Event> {
    let time = logged.at;
    let (name, json) = match &logged.change {
        Change::Job { job, status, attempt, report, .. } => {
            let attempt = u32::try_from(*attempt).unwrap_or(u32::MAX);
            let changed = JobChanged { job: *job, status: *status, attempt, report: *report, time };
            (JOB, serde_json::to_string(&changed))
        }
        Change::Report { report, .. } => (REPORT, serde_json::to_string(&ReportChanged { report: *report, time })),
        Change::Runner { runner, state } => {
            (RUNNER, serde_json::to_string(&RunnerChanged { runner: *runner, state: *state, time }))
        }
        // The text of output is elsewhere.
        Change::Output { .. } | Change::Session { .. } => return None,
    };
    let json = json.expect("a change is plain JSON");
    Some(Event::default().event(name).id(logged.id.to_string()).data(json))
}

impl From<TooManyStreams> for ApiError {
    fn from(error: TooManyStreams) -> Self {
        Self::too_many(error.to_string(), limits::EVENT_STREAM_RETRY)
    }
}
