//! What results are filed under: branch, testbed, benchmark and measure.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{run::UpdateStartPoint, spec::Spec};
use crate::{
    BenchmarkName, BenchmarkUuid, BranchName, BranchUuid, DateTime, GitHash, HeadUuid, MeasureUuid, ProjectUuid, ResourceId,
    ResourceName, Slug, TestbedUuid,
};

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonBranch)]
pub struct Branch {
    pub uuid: BranchUuid,
    pub project: ProjectUuid,
    pub name: BranchName,
    pub slug: Slug,
    pub head: Head,
    pub created: DateTime,
    pub modified: DateTime,
    pub archived: Option<DateTime>,
}

/// One incarnation of a branch.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonHead)]
pub struct Head {
    pub uuid: HeadUuid,
    pub start_point: Option<StartPoint>,
    /// The newest version, or the one a report belongs to.
    pub version: Option<Version>,
    pub created: DateTime,
    pub replaced: Option<DateTime>,
}

/// Where a head began: a version of another branch's head.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonStartPoint)]
pub struct StartPoint {
    pub branch: BranchUuid,
    pub head: HeadUuid,
    pub version: Version,
}

/// A step in the history of a head.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonVersion)]
pub struct Version {
    pub number: u32,
    pub hash: Option<GitHash>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewBranch)]
pub struct NewBranch {
    pub name: BranchName,
    pub slug: Option<Slug>,
    pub start_point: Option<UpdateStartPoint>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonTestbed)]
pub struct Testbed {
    pub uuid: TestbedUuid,
    pub project: ProjectUuid,
    pub name: ResourceName,
    pub slug: Slug,
    pub spec: Option<Spec>,
    pub created: DateTime,
    pub modified: DateTime,
    pub archived: Option<DateTime>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewTestbed)]
pub struct NewTestbed {
    pub name: ResourceName,
    pub slug: Option<Slug>,
    pub spec: Option<ResourceId>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonBenchmark)]
pub struct Benchmark {
    pub uuid: BenchmarkUuid,
    pub project: ProjectUuid,
    pub name: BenchmarkName,
    pub slug: Slug,
    pub created: DateTime,
    pub modified: DateTime,
    pub archived: Option<DateTime>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewBenchmark)]
pub struct NewBenchmark {
    pub name: BenchmarkName,
    pub slug: Option<Slug>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonMeasure)]
pub struct Measure {
    pub uuid: MeasureUuid,
    pub project: ProjectUuid,
    pub name: ResourceName,
    pub slug: Slug,
    pub units: ResourceName,
    pub created: DateTime,
    pub modified: DateTime,
    pub archived: Option<DateTime>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewMeasure)]
pub struct NewMeasure {
    pub name: ResourceName,
    pub slug: Option<Slug>,
    pub units: ResourceName,
}

/// Body of `PATCH` on a branch: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateBranch)]
pub struct UpdateBranch {
    pub name: Option<BranchName>,
    pub slug: Option<Slug>,
    pub start_point: Option<UpdateStartPoint>,
    pub archived: Option<bool>,
}

/// Body of `PATCH` on a benchmark: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateBenchmark)]
pub struct UpdateBenchmark {
    pub name: Option<BenchmarkName>,
    pub slug: Option<Slug>,
    pub archived: Option<bool>,
}

/// Body of `PATCH` on a measure: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateMeasure)]
pub struct UpdateMeasure {
    pub name: Option<ResourceName>,
    pub slug: Option<Slug>,
    pub units: Option<ResourceName>,
    pub archived: Option<bool>,
}

/// Body of `PATCH` on a testbed: what is absent stays, and a `null` spec is removed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateTestbed)]
pub struct UpdateTestbed {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ResourceName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<Slug>,
    #[serde(default, with = "serde_with::rust::double_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ResourceId>)]
    pub spec: Option<Option<ResourceId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
}
