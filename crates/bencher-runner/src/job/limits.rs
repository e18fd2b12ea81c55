//! Sizes and times of a job, apart from one iteration's own.

/// The least that a message may have to fit into, in bytes: room for a failure's text however it is escaped.
pub(crate) const MIN_MESSAGE_SIZE: usize = 64 * 1024;
/// The longest error text in bytes; with each byte escaped (six for one) it still fits the smallest message.
pub(crate) const MAX_ERROR_LEN: usize = 8 * 1024;
/// What a message is cut down to when the server drops the connection over it, in bytes; below what is suspected of that.
pub(crate) const CUT_DOWN_SIZE: usize = 128 * 1024;
/// Below this many bytes of a cut stream, whole iterations are left out instead.
pub(crate) const MIN_STREAM_LEN: usize = 128;
