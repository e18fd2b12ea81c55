//! `/v0/projects/{project}/perf`: the history of metrics, as numbers and as a picture.

use std::{fmt::Display, str::FromStr};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bencher_types::{
    DateTime, Permission, ResourceId,
    wire::{
        perf::{PERF_COLUMNS_TYPE, Perf, PerfColumns},
        plot::XAxis,
        project::{Project, Visibility},
    },
};
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Path, Query},
};
use crate::{
    app::App,
    auth::Principal,
    chart::{self, Chart, ChartError, Format},
    error::ApiError,
    limits, permission,
    store::{
        perf::{Columns, PerfError, PerfQuery},
        project::ProjectRow,
    },
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(perf_view)).routes(routes!(perf_image))
}

/// Which series, as a query string names them: lists of UUIDs with commas between them.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesQuery {
    /// UUIDs of branches.
    branches: String,
    /// UUIDs of heads, one for each branch in the same order; an empty one stands for the branch's current head.
    heads: Option<String>,
    /// UUIDs of testbeds.
    testbeds: String,
    /// UUIDs of specs, one for each testbed in the same order; an empty one stands for any spec or none.
    specs: Option<String>,
    /// UUIDs of benchmarks.
    benchmarks: String,
    /// UUIDs of measures.
    measures: String,
    /// Milliseconds since 1970: measured then or later.
    start_time: Option<i64>,
    /// Milliseconds since 1970: measured then or earlier.
    end_time: Option<i64>,
}

/// What a picture is asked for beside its series.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImageQuery {
    /// What stands above the picture; the project's name when absent.
    title: Option<String>,
    /// `png` or `svg`; when absent what the header `Accept` prefers, and `png` where it does not matter.
    format: Option<Format>,
    /// What the horizontal axis counts; when the measurements were made when absent.
    x_axis: Option<XAxis>,
}

impl SeriesQuery {
    fn parse(&self) -> Result<PerfQuery, ApiError> {
        let time = |millis: Option<i64>| {
            let time = millis.map(|millis| DateTime::from_micros(millis.saturating_mul(1000)));
            time.transpose().map_err(|error| ApiError::bad_request(error.to_string()))
        };
        let query = PerfQuery {
            branches: paired(("branches", &self.branches), ("heads", self.heads.as_deref()))?,
            testbeds: paired(("testbeds", &self.testbeds), ("specs", self.specs.as_deref()))?,
            benchmarks: distinct(list("benchmarks", &self.benchmarks)?),
            measures: distinct(list("measures", &self.measures)?),
            start_time: time(self.start_time)?,
            end_time: time(self.end_time)?,
        };
        let (asked, most) = (query.permutations(), limits::MAX_PERF_SERIES);
        if asked > most {
            return Err(ApiError::bad_request(format!(
                "these are {asked} permutations of branches, testbeds, benchmarks and measures; at most {most} can be asked for at once"
            )));
        }
        Ok(query)
    }
}

/// The ids of a list that may not be empty.
fn list<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<Vec<T>, ApiError> {
    text.split(',').map(|id| parse(name, id)).collect()
}

/// Two parallel lists; the second may have empty places or be shorter.
fn paired<A, B>((name, text): (&str, &str), (of_name, of): (&str, Option<&str>)) -> Result<Vec<(A, Option<B>)>, ApiError>
where
    A: FromStr<Err: Display> + Copy + PartialEq,
    B: FromStr<Err: Display> + Copy + PartialEq,
{
    let ids: Vec<A> = list(name, text)?;
    let of = of.filter(|of| !of.is_empty()).map(|of| of.split(','));
    let mut of: Vec<Option<B>> = of
        .into_iter()
        .flatten()
        .map(|id| if id.trim().is_empty() { Ok(None) } else { parse(of_name, id).map(Some) })
        .collect::<Result<_, _>>()?;
    if of.len() > ids.len() {
        return Err(ApiError::bad_request(format!(
            "`{of_name}` has {} places, but `{name}` only {}: expected one for each, which may be empty",
            of.len(),
            ids.len()
        )));
    }
    of.resize(ids.len(), None);
    Ok(distinct(ids.into_iter().zip(of).collect()))
}

fn parse<T: FromStr<Err: Display>>(name: &str, id: &str) -> Result<T, ApiError> {
    id.trim().parse().map_err(|error: T::Err| {
        ApiError::bad_request(format!("`{name}` must be UUIDs with commas between them, and `{id}` is none: {error}"))
    })
}

/// Without repetitions, in the same order.
fn distinct<T: Copy + PartialEq>(items: Vec<T>) -> Vec<T> {
    let mut kept = Vec::with_capacity(items.len().min(limits::MAX_PERF_SERIES));
    for item in items {
        // What is more than can be asked for needs no comparing.
        if kept.len() > limits::MAX_PERF_SERIES || !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

/// What is asked for beside values where the answer is in columns.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ColumnsQuery {
    /// What columns have beside values, with commas between: `bounds` (lower and upper values), `thresholds` (thresholds, baselines,
    /// limits and alerts), `changes` (change points). For answers in columns only.
    columns: Option<String>,
}

impl ColumnsQuery {
    fn parse(&self) -> Result<Columns, ApiError> {
        let names = self.columns.iter().flat_map(|names| names.split(',')).map(str::trim).filter(|name| !name.is_empty());
        let mut columns = Columns::default();
        for name in names {
            let column = match name {
                "bounds" => &mut columns.bounds,
                "thresholds" => &mut columns.thresholds,
                "changes" => &mut columns.changes,
                other => {
                    return Err(ApiError::bad_request(format!(
                        "`columns` may have `bounds`, `thresholds` and `changes`, but names `{other}`"
                    )));
                }
            };
            *column = true;
        }
        Ok(columns)
    }
}

async fn perf(app: &App, project: ProjectRow, query: &PerfQuery) -> Result<Perf, ApiError> {
    let results = app.store.perf(&project, query).await?;
    Ok(Perf { project: Project::from(project), start_time: query.start_time, end_time: query.end_time, results })
}

/// The history of metrics: a series for each permutation of branches, testbeds, benchmarks and measures that has data.
///
/// Where the header `Accept` names `application/vnd.bencher.perf-columns+json`, the answer is in columns: it names branches, testbeds,
/// benchmarks, measures, reports and thresholds once, and of each series lists of numbers. That is much less to send and to read.
#[utoipa::path(get, path = "/v0/projects/{project}/perf", tag = "perf", params(("project" = ResourceId, Path), SeriesQuery, ColumnsQuery), responses((status = 200, content((Perf = "application/json"), (PerfColumns = "application/vnd.bencher.perf-columns+json")))))]
async fn perf_view(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<SeriesQuery>,
    Query(columns): Query<ColumnsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let (query, columns) = (query.parse()?, columns.parse()?);
    let accepted = Accepted::of(&headers);
    let vary = [(header::VARY, HeaderValue::from_static("Accept"))];
    if accepted.names(PERF_COLUMNS_TYPE) && accepted.weight(PERF_COLUMNS_TYPE) >= accepted.weight("application/json") {
        let answer = app.store.perf_columns(&project, &query, columns).await?;
        let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(PERF_COLUMNS_TYPE))];
        return Ok((vary, content_type, serde_json::to_vec(&answer).map_err(|error| ApiError::internal(&error))?).into_response());
    }
    Ok((vary, axum::Json(perf(&app, project, &query).await?)).into_response())
}

/// The history of metrics as a picture: a panel for each measure, a line for each series.
#[utoipa::path(get, path = "/v0/projects/{project}/perf/img", tag = "perf", params(("project" = ResourceId, Path), SeriesQuery, ImageQuery), responses((status = 200, content((Vec<u8> = "image/png"), (String = "image/svg+xml")))))]
async fn perf_image(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(series): Query<SeriesQuery>,
    Query(image): Query<ImageQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let perf = perf(&app, project, &series.parse()?).await?;
    let visibility = perf.project.visibility;
    let format = image.format.unwrap_or_else(|| preferred(&headers));
    let chart = Chart::of(&perf, image.title.as_deref(), image.x_axis.unwrap_or(XAxis::DateTime))?;
    let picture = chart::render(chart, format).await?;
    let cache = match visibility {
        Visibility::Public => format!("public, max-age={}", limits::CHART_MAX_AGE_SECS),
        Visibility::Private => format!("private, max-age={}", limits::CHART_MAX_AGE_SECS),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.content_type())),
        (header::CACHE_CONTROL, HeaderValue::try_from(cache).expect("words and a number make a header")),
        (header::VARY, HeaderValue::from_static("Accept, Authorization")),
        // A picture that is opened by itself is a document of this origin: it may do nothing.
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, picture).into_response())
}

/// SVG where the client wants that more than PNG. Browsers say that they take anything, so they get a PNG.
fn preferred(headers: &HeaderMap) -> Format {
    let accepted = Accepted::of(headers);
    if accepted.weight(Format::Svg.content_type()) > accepted.weight(Format::Png.content_type()) {
        Format::Svg
    } else {
        Format::Png
    }
}

/// The media ranges of the headers `Accept`, in lower case, and how much each is wanted.
struct Accepted(Vec<(String, f32)>);

impl Accepted {
    fn of(headers: &HeaderMap) -> Self {
        let range = |part: &str| {
            let mut words = part.split(';').map(str::trim);
            let range = words.next().unwrap_or_default().to_ascii_lowercase();
            let weight = words.find_map(|word| word.strip_prefix("q=")).map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            (range, weight)
        };
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        Self(values.flat_map(|value| value.split(',')).map(range).collect())
    }

    /// How much a media type is wanted, by the range that says the most about it.
    fn weight(&self, wanted: &str) -> f32 {
        let kind = wanted.split_once('/').map_or(wanted, |(kind, _)| kind);
        let mut best = (0, 0.0);
        for (range, weight) in &self.0 {
            let specific = match range.split_once('/') {
                Some(("*", "*")) => 1,
                Some((of, "*")) if of == kind => 2,
                _ if range == wanted => 3,
                _ => continue,
            };
            if specific > best.0 {
                best = (specific, *weight);
            }
        }
        best.1
    }

    /// Whether a media type is named itself, not only by a range with a `*`.
    fn names(&self, wanted: &str) -> bool {
        self.0.iter().any(|(range, weight)| range == wanted && *weight > 0.0)
    }
}

impl From<PerfError> for ApiError {
    fn from(error: PerfError) -> Self {
        match error {
            PerfError::TooManyPoints(_) => Self::bad_request(error.to_string()),
            PerfError::Store(store) => store.into(),
        }
    }
}

impl From<ChartError> for ApiError {
    fn from(error: ChartError) -> Self {
        match error {
            ChartError::TooManyPanels { .. } => Self::bad_request(error.to_string()),
            ChartError::Busy => Self::unavailable("too many charts are being drawn; try again in a moment", &error),
            ChartError::Draw(_) | ChartError::Encode(_) | ChartError::Panicked => Self::internal(&error),
        }
    }
}
