//! The runner's end of the channel: one WebSocket to the server over which jobs come and results go.
//!
//! [`machine`] decides, without I/O and without a clock; `link` opens and closes sockets; the daemon carries one's decisions
//! to the other. Nothing here knows what a job does.
//!
//! ```text
//!            ┌──────────────── connected ────────────────┐
//!            ▼                     │                     ▼
//!   Delivering (oldest result) ── ack ──▶ Polling ─ job ─▶ Working ─ finished ─▶ Delivering
//!            │                        ready/no_job       heartbeats
//!            └── no proof in time ──▶ new connection, same result
//! ```
//!
//! # Whose acknowledgement is it?
//!
//! A result may be deleted only when the server has stored it, and the only proof is `ack` with the job's id. Servers differ:
//!
//! * This product's server acknowledges terminal messages and nothing else. Any `ack` of the job proves the result.
//! * A v0.6 server answers *every* message of a running job, in order, and a heartbeat's `ack` names the same job as the
//!   result's. With heartbeats still unanswered when the result goes out, the first `ack` to arrive is a heartbeat's.
//!
//! So the machine counts the messages of a connection that such a server still owes an answer for, and takes only the answer
//! after those as the result's. Which kind of server it is, `link` asks before each connection (`GET /v0/server/version`:
//! only this product says its `product_version`); a server that says nothing is taken for one that answers everything, and one
//! that answers a heartbeat is such a server whatever it said.
//!
//! Counting can only err on the side of waiting: a v0.6 server stops answering once it has given a job up, and answers no
//! heartbeat on a connection that was opened during the job. Then the proof does not come in time, and the machine opens a new
//! connection and sends the result as its first message, where the first `ack` can belong to nothing else. Both kinds of server
//! take a result at any time, repeatedly, and always acknowledge it there.

pub mod backoff;
pub(crate) mod limits;
pub(crate) mod link;
pub mod machine;
