//! The server: REST API, job queue, runner channel and image registry.

pub mod account;
pub mod app;
pub mod auth;
pub mod backup;
mod chain;
pub mod channel;
pub mod chart;
pub mod clock;
pub mod config;
pub mod error;
pub mod http;
pub mod job;
pub mod limits;
pub mod log;
pub mod notify;
pub mod openapi;
pub mod permission;
pub mod process;
pub mod queue;
pub mod registry;
pub mod report;
pub mod run;
pub mod seal;
pub mod store;
pub mod token;
pub mod usage;
