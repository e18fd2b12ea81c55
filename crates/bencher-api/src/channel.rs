//! The runner channel: one WebSocket per runner, over which it gets jobs and delivers results.

pub mod hub;
pub mod session;
pub(crate) mod socket;
