//! The vsock ports of the host. The guest connects, the host listens.

/// What the benchmark wrote to its standard output, after its end.
pub const STDOUT: u32 = 5000;
/// What it wrote to its standard error, after its end.
pub const STDERR: u32 = 5001;
/// The conversation: greeting, start, exit code, end. Open as long as the guest lives.
pub const CONTROL: u32 = 5002;
/// What the benchmark prints while it runs, where that is wanted.
pub const LIVE: u32 = 5003;
/// The files that were asked for, after its end.
pub const FILES: u32 = 5005;

/// All of them.
pub const ALL: [u32; 5] = [STDOUT, STDERR, CONTROL, LIVE, FILES];
