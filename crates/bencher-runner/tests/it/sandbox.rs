//! Host execution for real: an image of busybox, run by root.

mod command;
mod files;
mod harness;
mod isolation;
mod leftovers;
mod limits;
mod stop;
