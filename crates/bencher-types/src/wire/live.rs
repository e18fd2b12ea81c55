//! What a job prints while it runs, where it asked for that (`live`): pieces of its output, from the runner to the server and from there
//! to whoever follows the job.
//!
//! Pieces may be missing, and nothing waits for one: the whole of the output comes when the job ends. Each says where it belongs, so that
//! a reader knows what is missing.

use serde::{Deserialize, Serialize};

use crate::{DateTime, JobUuid};

/// Bytes of text of one piece.
pub const MAX_PIECE_BYTES: usize = 16 << 10;
/// Bytes of text of the pieces of one message.
pub const MAX_MESSAGE_BYTES: usize = 32 << 10;
/// Bytes of text of all pieces of an attempt: what a person may want to read while waiting.
pub const MAX_LIVE_BYTES: u64 = 1 << 20;
/// Pieces of an attempt. Two streams at two messages a second fill them in an hour.
pub const MAX_PIECES: u32 = 16 << 10;

/// One of the two streams of a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OutputStream)]
pub enum OutputStream {
    Stdout,
    Stderr,
}

impl OutputStream {
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

impl std::fmt::Display for OutputStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for OutputStream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|stream| stream.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not an output stream: expected stdout or stderr"))
    }
}

/// A part of what one run of a benchmark wrote to one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonOutputPiece)]
pub struct OutputPiece {
    /// Counts from 0 within an attempt.
    pub sequence: u32,
    /// Whether it is of a warm-up run.
    pub warmup: bool,
    /// Which iteration, or which warm-up run, from 0.
    pub iteration: u32,
    pub stream: OutputStream,
    /// Where in the stream's text, as it is delivered in the end, the piece begins, in bytes of UTF-8.
    pub offset: u64,
    pub text: String,
}

impl OutputPiece {
    /// Where in the stream's text it ends, in bytes.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.offset.saturating_add(self.text.len() as u64)
    }
}

/// What is known of the output of a job that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonLiveOutput)]
pub struct LiveOutput {
    /// Which attempt it is of: another one begins anew.
    pub attempt: u32,
    /// In their order. Empty also where the job prints nothing live, or has ended: its output is the job's then.
    pub pieces: Vec<OutputPiece>,
}

/// A job has printed something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonJobPrinted)]
pub struct JobPrinted {
    pub job: JobUuid,
    pub attempt: u32,
    pub piece: OutputPiece,
    pub time: DateTime,
}
