//! The whole way of jobs in one process and one thread: a server, runners, the network between them and every clock, driven by
//! the numbers that one seed gives.
//!
//! What decides in the product decides here: [`bencher_api::channel::session::Session`], [`bencher_runner::channel::machine::Machine`]
//! and the rules of [`bencher_types::JobStatus`]. What only carries (sockets, tasks, disks) is played, so that it can fail at any
//! moment: connections break or go silent with messages under way, processes are killed between two steps and started again, the
//! database answers nothing for a while or does what it was told without saying so, clocks jump. The queue's database is a
//! [`model::Model`] of it; the tests run the same seeds with the real one and want the same answers.
//!
//! After every step the [`invariants`] hold; when the faults have ended, every job comes to its end.

pub mod invariants;
pub mod kept;
pub mod model;
pub mod queue;
pub mod scales;
pub mod world;
