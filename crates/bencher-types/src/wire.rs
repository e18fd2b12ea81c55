//! The JSON that crosses the network: bodies of the REST API and messages of the runner channel.
//!
//! Names, optionality and numbers are a contract with clients and runners of the Bencher v0.6 series. Fields may be added;
//! none may change. Absent and `null` mean the same when read, and what is absent is not written.

pub mod adapter;
pub mod alert;
pub mod auth;
pub mod billing;
pub mod change_point;
pub mod channel;
pub mod compare;
pub mod dimension;
pub mod error;
pub mod event;
pub mod image;
pub mod job;
pub mod key;
pub mod live;
pub mod member;
pub mod organization;
pub mod perf;
pub mod plot;
pub mod project;
pub mod registry;
pub mod report;
pub mod run;
pub mod runner;
pub mod server;
pub mod signature;
pub mod spec;
pub mod threshold;

/// The header with the total number of items behind a page of a list.
pub const TOTAL_COUNT_HEADER: &str = "x-total-count";
/// The header with the id of a request, in every response and in every line that the server logs about it.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
