//! Limits and defaults of the command line, with their units and reasons.

use std::time::Duration;

/// Where a server is looked for when nobody says otherwise: this machine, never somebody else's.
pub(crate) const DEFAULT_HOST: &str = "http://localhost:6610";

/// Seconds one request may take, connecting included.
pub(crate) const DEFAULT_TIMEOUT_SECS: u32 = 15;
/// How often a request is sent before giving up; with the waits below, about a quarter of an hour.
pub(crate) const DEFAULT_ATTEMPTS: u32 = 35;
/// How often a request is sent at most where another attempt hardly helps: a defect of the server, or a name that nobody knows, which
/// may belong to a container that is just starting.
pub(crate) const FEW_ATTEMPTS: u32 = 4;
/// Seconds before the second attempt; doubles from then on.
pub(crate) const DEFAULT_RETRY_AFTER_SECS: u32 = 1;
/// The longest wait between two attempts, in seconds.
pub(crate) const DEFAULT_MAX_RETRY_AFTER_SECS: u32 = 30;
/// How often a log, unlike a person at a terminal, is told that a request is still repeated.
pub(crate) const RETRY_NEWS_INTERVAL: Duration = Duration::from_secs(30);
/// The longest of the durations above that may be asked for, in seconds.
pub(crate) const MAX_WAIT_SECS: i64 = 900;

/// The longest wait that a server may ask for; whoever asks for more is not waited for.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(900);
/// How long the question for the server's version may take. Nobody needs the answer to go on.
pub(crate) const VERSION_TIMEOUT: Duration = Duration::from_secs(2);

/// The largest answer that is read into memory, in bytes. Reports of tens of thousands of benchmarks fit.
pub(crate) const MAX_ANSWER_BYTES: usize = 256 << 20;

/// Seconds between two looks at a job of a server that has no events. Short, because a look is cheap and people wait.
pub(crate) const DEFAULT_JOB_POLL_SECS: u32 = 1;
/// How long a stream of events may last, whatever the server thinks of it.
pub(crate) const MAX_STREAM_AGE: Duration = Duration::from_secs(60 * 60);
/// How long a stream of events may be silent: three of the signs of life that the server sends.
pub(crate) const MAX_STREAM_SILENCE: Duration = Duration::from_secs(45);
/// The longest wait for a new stream that a server may ask for.
pub(crate) const MAX_STREAM_RETRY: Duration = Duration::from_secs(30);
/// The most bytes of one event. Ours have a few hundred.
pub(crate) const MAX_STREAMED_EVENT_BYTES: usize = 1 << 20;
/// How often a job that waits is looked at beside the events: what it waits for changes without one.
pub(crate) const PENDING_JOB_LOOK: Duration = Duration::from_secs(15);
/// How often any other job is looked at beside the events, which tell of all its changes.
pub(crate) const JOB_LOOK: Duration = Duration::from_secs(60);
/// The first wait between two looks at a job, so that short jobs are reported at once; doubles up to the interval.
pub(crate) const FIRST_JOB_POLL: Duration = Duration::from_millis(50);
/// What a job's own time bound is taken to be where none was given, in seconds: the server's default.
pub(crate) const ASSUMED_JOB_TIMEOUT_SECS: u32 = 3600;
/// Waiting for a job ends after this many times its time bound: once for the queue, once for the run.
pub(crate) const WAIT_TIMEOUTS: u32 = 2;

/// The most bytes of a job's stdout or stderr that are shown after a run; `bencher job logs` shows everything.
pub(crate) const SHOWN_OUTPUT_BYTES: usize = 64 << 10;

/// The most bytes of a local command's stdout, or of a result file, that are read.
pub(crate) const MAX_LOCAL_OUTPUT_BYTES: u64 = 64 << 20;

/// How long one question to git may take. Only finding the first commit of a long history comes near it.
pub(crate) const GIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long git may take to look up the commits of an import, thousands of them at once.
pub(crate) const GIT_HISTORY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long another process may have the file with log-ins: it reads and writes a few kilobytes.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long another transfer to the same place is waited for: a large image over a slow line.
pub(crate) const TRANSFER_PATIENCE: Duration = Duration::from_secs(60 * 60);
/// The wait between two looks at whether it still has it.
pub(crate) const LOCK_POLL: Duration = Duration::from_millis(10);

/// How long git may take to clone a repository that an image is built from.
pub(crate) const GIT_CLONE_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// How long the command may take that builds what goes into an image.
pub(crate) const SETUP_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);

/// How far a new plot looks back, in seconds: four weeks.
pub(crate) const DEFAULT_PLOT_WINDOW_SECS: &str = "2419200";

/// How often a server that is not ours is asked: the results are stored already, and whoever waits pays for the minutes.
pub(crate) const OTHER_SERVER_ATTEMPTS: u32 = 5;
/// The longest wait that a server which is not ours may ask for.
pub(crate) const OTHER_SERVER_PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes of the file that describes a CI event. GitHub's own limit for events is 25 MB.
pub(crate) const MAX_EVENT_BYTES: u64 = 32 << 20;
/// The most bytes of a comment. GitHub takes 65,536 characters, which are never fewer bytes.
pub(crate) const MAX_COMMENT_BYTES: usize = 65_536;
/// The most bytes of the summary of a check, which GitHub documents as 65,535 characters.
pub(crate) const MAX_CHECK_BYTES: usize = 65_535;
/// The most bytes of the summary of a job's step: what is longer GitHub does not show at all.
pub(crate) const MAX_STEP_SUMMARY_BYTES: u64 = 1 << 20;
/// The most annotations of one kind that GitHub shows of a step.
pub(crate) const MAX_ANNOTATIONS: usize = 10;
/// Comments per page: the most that GitHub gives.
pub(crate) const COMMENTS_PER_PAGE: usize = 100;
/// The most pages of comments that are looked through for our own.
pub(crate) const MAX_COMMENT_PAGES: usize = 50;
