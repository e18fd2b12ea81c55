//! One job, from its claim to its outcome. Knows images and sandboxes; knows nothing of the channel or the spool.
//!
//! ```text
//! Claimed ── prepare ──▶ Prepared ── run ──▶ Ran ── outcome ──▶ JobOutcome ── delivery ──▶ terminal message
//! checked    fetch, unpack,        iterations         completed,
//!            resolve the plan      in the sandbox     failed or canceled
//! ```
//! Each phase is a type that the next step consumes, so that no step can be left out or done twice. What a phase holds (an
//! image's place in the cache) it releases when it is dropped.

pub(crate) mod admit;
pub(crate) mod delivery;
pub mod image;
pub(crate) mod limits;
pub(crate) mod metrics;
pub mod outcome;
pub(crate) mod phase;
pub(crate) mod plan;
pub mod progress;
pub mod sandboxes;
pub mod worker;
