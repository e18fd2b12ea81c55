//! The benchmark machine's daemon: claims jobs from a server, runs them, and delivers what came of them.

pub mod cache;
pub mod chain;
pub mod channel;
pub mod cli;
mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod data_dir;
pub mod doctor;
pub mod exit;
pub mod install;
pub mod job;
pub mod limits;
pub mod live;
pub mod local;
pub mod notify;
pub mod sandbox;
mod size;
mod spool;
pub mod verbs;
