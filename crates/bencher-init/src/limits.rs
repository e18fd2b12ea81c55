//! Bounds of the protocol. A message beyond them is refused before it is read.

/// Bytes of one frame on the control connection, and of a header on the others. An error message with a long path is the
/// largest real one.
pub const MAX_FRAME: usize = 64 * 1024;
/// Bytes of the guest's configuration. The kernel takes about 2 MiB of arguments and environment.
pub const MAX_CONFIG: usize = 8 * 1024 * 1024;
/// Bytes of the text of a failure. Longer ones are cut.
pub const MAX_MESSAGE: usize = 4 * 1024;
