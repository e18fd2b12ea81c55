//! The server: REST API, job queue, runner channel and image registry.

pub mod account;
pub mod app;
pub mod auth;
mod chain;
pub mod channel;
pub mod claim;
pub mod clock;
pub mod config;
pub mod creation;
pub mod error;
pub mod http;
pub mod job;
pub mod limits;
pub mod log;
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
