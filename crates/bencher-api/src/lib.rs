//! The server: REST API, job queue, runner channel and image registry.

pub mod app;
pub mod auth;
pub mod channel;
pub mod clock;
pub mod config;
pub mod error;
pub mod http;
pub mod limits;
pub mod openapi;
pub mod queue;
pub mod store;
pub mod token;
