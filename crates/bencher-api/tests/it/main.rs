//! The server over real HTTP, on both databases.

mod server;
mod specs;
mod support;
