//! The runner channel: one WebSocket per runner, over which it gets jobs and delivers results; or requests, for agents that cannot
//! hold one.

pub(crate) mod act;
pub(crate) mod agent;
pub mod hub;
mod look;
pub mod session;
pub(crate) mod socket;
