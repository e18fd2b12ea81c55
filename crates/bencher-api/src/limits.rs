//! Every bound and default of the server that is not configuration, with its unit and its reason.

use std::time::Duration;

/// Items on a page of a list where the client names no number (the contract's default).
pub const DEFAULT_PER_PAGE: u8 = 8;
/// Characters of a search that are looked at: more than the longest name has, and fewer than SQLite's 50,000 bytes of a pattern, even
/// where each is escaped.
pub const MAX_SEARCH_CHARS: usize = 2048;

/// The largest request body outside of the registry, and the largest frame of the runner channel, in bytes; an admin may change it.
pub const DEFAULT_REQUEST_BODY_MAX_BYTES: usize = 4 << 20;

/// How long a sign-up or log-in confirmation is valid.
pub const CONFIRM_TTL: Duration = Duration::from_secs(30 * 60);
/// How long a session lasts.
pub const SESSION_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The lifetime of a key whose creator names none, in seconds (the contract's default, also its maximum).
pub const DEFAULT_KEY_TTL_SECS: u32 = u32::MAX;
/// How long a registry token for people and tools is valid.
pub const OCI_TOKEN_TTL: Duration = Duration::from_secs(300);

/// How long a runner may be silent in a job before the job is failed; an admin may change it.
pub const DEFAULT_HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(90);
/// What a job may take beyond its timeout before the server stops it; an admin may change it.
pub const DEFAULT_JOB_TIMEOUT_GRACE_PERIOD: Duration = Duration::from_secs(60);
/// What a runner may take to fetch and build an image before the benchmark starts; an admin may change it.
pub const DEFAULT_FETCH_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// The timeout of an iteration where the job names none, in seconds (the contract's default).
pub const DEFAULT_JOB_TIMEOUT_SECS: u32 = 3600;
/// The priority of an organization's jobs, between those of nobody's (0) and of those that an admin puts first (200).
pub const DEFAULT_JOB_PRIORITY: i64 = 100;
/// How long a `ready` runner waits for a job where it names no time.
pub const DEFAULT_POLL_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that all iterations of a job of a project nobody has claimed may take together, in seconds (the contract's bound).
pub const UNCLAIMED_JOB_SECS: u32 = 60;
/// Over which time what is created in a project is counted; an admin may change it.
pub const CREATION_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
/// Things of one kind that may be created in an unclaimed project per window (the contract's default); an admin may change it.
pub const UNCLAIMED_CREATIONS: u32 = 255;
/// Things of one kind that may be created in a claimed project per window (the contract's default); an admin may change it.
pub const CLAIMED_CREATIONS: u32 = 65_535;
/// How often a runner looks for a job again after another runner was given one of the same source at the same moment. Each time some
/// runner did get a job.
pub const MAX_CLAIM_CONFLICTS: usize = 16;

/// How often a job is handed out to runners that go away without beginning it; then it fails, so that a job that no runner survives
/// ends.
pub const MAX_HANDOUTS: i64 = 10;

/// How long the requests at hand may take once the server is told to stop.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a frame to a runner may take to leave before the connection counts as gone.
pub const CHANNEL_SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest blob of the registry, in bytes; an admin may change it.
pub const DEFAULT_MAX_BLOB_BYTES: u64 = 10 << 30;
/// The largest manifest, in bytes (OCI distribution specification asks for at least this).
pub const MAX_MANIFEST_BYTES: usize = 4 << 20;
/// The largest image configuration that is read to tell which platform an image is for, in bytes. Real ones are a few KiB.
pub const MAX_IMAGE_CONFIG_BYTES: u64 = 1 << 20;
/// How long an upload may rest before it is forgotten; an admin may change it.
pub const DEFAULT_UPLOAD_TIMEOUT: Duration = Duration::from_secs(3600);
/// How often uploads are looked through for ones that rested too long.
pub const UPLOAD_UPKEEP_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// Bytes of an upload that are collected before they are hashed and written in one go. Two such batches are in memory per upload:
/// one that fills and one that is being written.
pub const UPLOAD_BATCH_BYTES: usize = 1 << 20;
/// How long the sender of a request's body may be silent before the connection counts as lost.
pub const BODY_STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may take none of what is sent to it before its connection is closed.
pub const SEND_STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long nothing may pass over a connection in either direction. More than the longest heartbeat timeout of a runner and the longest
/// poll for a job, 15 minutes each, after which something is sent.
pub const CONNECTION_IDLE_TIMEOUT: Duration = Duration::from_secs(20 * 60);
/// How long a request on an upload waits for an earlier one on the same upload to stop. Long enough to hash a large blob once.
pub const UPLOAD_TURN_TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes that are read from disk at a time to serve or hash a blob.
pub const BLOB_READ_BYTES: usize = 256 << 10;
/// What is read and thrown away of the body of a refused request, in bytes, so that its sender reads the refusal instead of a reset
/// connection.
pub const DRAIN_BYTES: usize = 8 << 20;
/// How long such a body is read.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Blobs and manifests that one manifest may refer to. Real images have up to about 130 layers; indexes fewer entries.
pub const MAX_MANIFEST_REFERENCES: usize = 1024;
/// Scopes of one token. Tools ask for two at most, for a mount.
pub const MAX_TOKEN_SCOPES: usize = 16;
/// Tags on a page where the client names no number (the contract's default).
pub const DEFAULT_TAGS_PER_PAGE: u32 = 100;
/// Tags on a page at most (the contract's bound).
pub const MAX_TAGS_PER_PAGE: u32 = 10_000;
/// Referrers on a page.
pub const REFERRERS_PER_PAGE: u32 = 100;

/// Connections that read SQLite at once. Reads are short; more only cost memory.
pub const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL from one server.
pub const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a request waits for a database connection before it is refused.
pub const DATABASE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long SQLite waits for another process's lock.
pub const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Parameters of one statement. SQLite takes 32,766 and PostgreSQL 65,535; fewer keep statements short enough to plan quickly.
pub const MAX_STATEMENT_VALUES: usize = 8_000;
