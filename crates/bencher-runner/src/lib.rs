//! The benchmark machine's daemon: claims jobs from a server, runs them, and delivers what came of them.

mod channel;
mod clock;
