//! Plots: pinned views of a project's results.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{BenchmarkUuid, BranchUuid, DateTime, MeasureUuid, PlotUuid, ProjectUuid, ResourceName, TestbedUuid, Window};

/// What a plot's horizontal axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum XAxis {
    DateTime,
    Version,
}

/// How a plot's vertical axis is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum YAxis {
    #[default]
    Auto,
    Linear,
    Log,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonPlot)]
pub struct Plot {
    pub uuid: PlotUuid,
    pub project: ProjectUuid,
    pub title: Option<ResourceName>,
    pub lower_value: bool,
    pub upper_value: bool,
    pub lower_boundary: bool,
    pub upper_boundary: bool,
    pub x_axis: XAxis,
    pub y_axis: YAxis,
    /// How far back the plot looks.
    pub window: Window,
    pub branches: Vec<BranchUuid>,
    pub testbeds: Vec<TestbedUuid>,
    pub benchmarks: Vec<BenchmarkUuid>,
    pub measures: Vec<MeasureUuid>,
    pub created: DateTime,
    pub modified: DateTime,
}

/// Body of `POST /v0/projects/{project}/plots`.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewPlot)]
pub struct NewPlot {
    /// Its place among the project's plots, from 0; the first when absent.
    pub index: Option<u8>,
    pub title: Option<ResourceName>,
    pub lower_value: bool,
    pub upper_value: bool,
    pub lower_boundary: bool,
    pub upper_boundary: bool,
    pub x_axis: XAxis,
    pub y_axis: Option<YAxis>,
    pub window: Window,
    pub branches: Vec<BranchUuid>,
    pub testbeds: Vec<TestbedUuid>,
    pub benchmarks: Vec<BenchmarkUuid>,
    pub measures: Vec<MeasureUuid>,
}

/// Body of `PATCH` on a plot: what is absent stays, and a `null` title is removed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdatePlot)]
pub struct UpdatePlot {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u8>,
    #[serde(default, with = "serde_with::rust::double_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ResourceName>)]
    pub title: Option<Option<ResourceName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower_value: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper_value: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower_boundary: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper_boundary: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_axis: Option<XAxis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y_axis: Option<YAxis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branches: Option<Vec<BranchUuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub testbeds: Option<Vec<TestbedUuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub benchmarks: Option<Vec<BenchmarkUuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measures: Option<Vec<MeasureUuid>>,
}
