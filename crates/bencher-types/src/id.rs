//! One UUID type per kind of thing, so that a job's id can never be passed where a runner's is wanted.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(Uuid);

        impl $name {
            /// A new random (version 4) id.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// The plain UUID, for storage and formatting.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )+};
}

uuid_ids! {
    /// An invitation to an organization.
    InvitationUuid;
    /// This installation.
    ServerUuid;
    /// A person or a service account.
    UserUuid;
    /// A user's API key (the record, not the secret).
    UserKeyUuid;
    /// A user's API token (the record, not the token).
    TokenUuid;
    /// An organization: owns projects.
    OrganizationUuid;
    /// A project: owns branches, testbeds, benchmarks, measures, reports, jobs and images.
    ProjectUuid;
    /// A project's key (the record, not the secret).
    ProjectKeyUuid;
    /// A line of development whose results form one history.
    BranchUuid;
    /// One incarnation of a branch: resetting a branch gives it a new head.
    HeadUuid;
    /// Where benchmarks run, as results are filed under it.
    TestbedUuid;
    /// One benchmark.
    BenchmarkUuid;
    /// What is measured, with its unit.
    MeasureUuid;
    /// One measured value.
    MetricUuid;
    /// What guards one measure of one branch on one testbed.
    ThresholdUuid;
    /// One state of a threshold's statistical model.
    ModelUuid;
    /// A metric outside of a threshold's limits.
    AlertUuid;
    /// Where a series of metrics began to be another one.
    ChangePointUuid;
    /// A pinned view of a project's results.
    PlotUuid;
    /// The results of one run.
    ReportUuid;
    /// A client's own id for a run, so that a retry does not make a second report.
    ReportIdempotencyKey;
    /// A registered benchmark machine and its daemon.
    RunnerUuid;
    /// The shape of machine a job must run on.
    SpecUuid;
    /// One unit of work for one spec and image.
    JobUuid;
}
