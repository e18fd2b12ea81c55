//! The server: REST API, job queue, runner channel and image registry.

pub mod account;
pub mod app;
pub mod auth;
mod chain;
pub mod channel;
pub mod clock;
pub mod config;
pub mod error;
pub mod http;
pub mod job;
pub mod limits;
pub mod log;
pub mod openapi;
pub mod permission;
pub mod process;
pub mod queue;
pub mod rate;
pub mod registry;
pub mod report;
pub mod run;
pub mod seal;
pub mod store;
pub mod tls;
pub mod token;
