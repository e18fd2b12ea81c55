//! The vocabulary of the system: ids, validated names, wire messages and the pure rules of a job's life.
//!
//! Data and rules only. This crate knows no I/O, no SQL, no HTTP and no clock; everything that reads the outside
//! world lives in the crates that depend on it.

pub mod failure;
pub mod id;
pub mod iterations;
pub mod job;
pub mod name;
pub mod oci;
pub mod quantity;
pub mod role;
mod schema;
pub mod secret;
pub mod tier;
pub mod time;
pub mod wire;

pub use failure::JobFailure;
pub use id::{
    AlertUuid, BenchmarkUuid, BranchUuid, ChangePointUuid, HeadUuid, InvitationUuid, JobUuid, MeasureUuid, MetricUuid, ModelUuid,
    OrganizationUuid, PlotUuid, ProjectKeyUuid, ProjectUuid, ReportIdempotencyKey, ReportUuid, RunnerUuid, ServerUuid, SpecUuid,
    TestbedUuid, ThresholdUuid, TokenUuid, UserKeyUuid, UserUuid,
};
pub use iterations::{Iterations, ReportPart};
pub use job::{JobEvent, JobStatus, Transition, TransitionDenied};
pub use name::{BenchmarkName, BranchName, Email, GitHash, InvalidName, Label, NameId, ResourceId, ResourceName, Slug, UserName};
pub use oci::{digest::Digest, reference::ImageRef};
pub use quantity::{Cpu, DiskBytes, InvalidQuantity, MemoryBytes, SampleSize, Timeout, Window};
pub use role::{Permission, Role};
pub use secret::{InvalidKey, Jwt, KeyHash, ProjectKey, RunnerKey, Secret, UserKey};
pub use tier::Tier;
pub use time::DateTime;
