//! Every bound and default of the server that is not configuration, with its unit and its reason.

use std::time::Duration;

/// Items on a page of a list where the client names no number (the contract's default).
pub const DEFAULT_PER_PAGE: u8 = 8;
/// Characters of a search that are looked at: more than the longest name has, and fewer than SQLite's 50,000 bytes of a pattern, even
/// where each is escaped.
pub const MAX_SEARCH_CHARS: usize = 2048;

/// Series of one query of the history (the contract's bound).
pub const MAX_PERF_SERIES: usize = 255;
/// Points of one query of the history: about 20 MB of JSON, which is more than anybody looks at.
pub const MAX_PERF_POINTS: usize = 50_000;
/// Points of one query of the history in columns: about 12 MB of JSON, of which a plot of every series for years can be drawn.
pub const MAX_PERF_COLUMN_POINTS: usize = 500_000;
/// Characters of the title of a chart; what follows is cut off.
pub const MAX_CHART_TITLE_CHARS: usize = 128;
/// Measures in one chart: each has a panel of its own.
pub const MAX_CHART_PANELS: usize = 8;
/// Charts that are drawn at once. Each keeps a core busy for some tens of milliseconds.
pub const CHARTS_AT_ONCE: usize = 2;
/// How long a chart waits for others to be drawn before it is refused.
pub const CHART_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a chart may be shown again without asking, in seconds: it stands in documents that many people open.
pub const CHART_MAX_AGE_SECS: u32 = 300;
/// Plots of a project.
pub const MAX_PLOTS: u64 = 64;
/// Branches, testbeds, benchmarks or measures of a plot: as many as a query of the history may name.
pub const MAX_PLOT_ITEMS: usize = 255;

/// The largest request body outside of the registry, and the largest frame of the runner channel, in bytes; an admin may change it.
pub const DEFAULT_REQUEST_BODY_MAX_BYTES: usize = 4 << 20;

/// How long a sign-up or log-in confirmation is valid.
pub const CONFIRM_TTL: Duration = Duration::from_secs(30 * 60);
/// How long a session lasts.
pub const SESSION_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long an invitation to an organization can be accepted: long enough for a holiday.
pub const INVITATION_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
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
/// How long a `ready` runner waits for a job where it names no time.
pub const DEFAULT_POLL_TIMEOUT: Duration = Duration::from_secs(30);

/// How many versions of its start point a branch takes over where the client names no number (the contract's default).
pub const DEFAULT_START_POINT_VERSIONS: u32 = 255;
/// How many heads a history is gathered from: a branch's own, the one that began from, and so on. Each costs a look into an index for
/// every benchmark; a branch that is reset onto itself that often has long left the results of the first behind.
pub const MAX_LINEAGE: usize = 32;
/// Results that could not be read which a report names, each with a few hundred bytes of reason; of more only the number is told.
pub const MAX_PROBLEMS: usize = 64;
/// Benchmarks whose histories are in memory at once while a report is checked.
pub const HISTORIES_AT_ONCE: usize = 500;

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

/// After how long a waiting job counts as one of the next higher tier, so that none waits for ever; an admin may change it.
pub const DEFAULT_AGING: Duration = Duration::from_secs(60 * 60);
/// How long a job waits for another runner than the one that failed it, where another one is connected: a job of usual length.
pub const OTHER_RUNNER_WAIT: Duration = Duration::from_secs(10 * 60);
/// After how many failures in a row that no benchmark is to blame for a runner gets no more jobs; an admin may change it.
pub const DEFAULT_QUARANTINE_AFTER: u32 = 5;
/// The last place in the queue that is told to who asks for it; to know it, as many claims are gone through.
pub const MAX_SHOWN_POSITION: u32 = 1000;
/// The most characters of why an admin keeps jobs from a runner.
pub const MAX_MODE_REASON_CHARS: usize = 255;

/// How often in a row a job is handed out to runners that go away without beginning it; then it fails, so that a job that no runner survives
/// ends.
pub const MAX_HANDOUTS: u64 = 10;

/// How long the requests at hand may take once the server is told to stop.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a frame to a runner may take to leave before the connection counts as gone.
pub const CHANNEL_SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes that are read of or written to a runner's connection at once. Each connection keeps so many: messages are small, and a fleet is
/// large.
pub const CHANNEL_BUFFER_BYTES: usize = 4 << 10;
/// The most characters of what a runner says its version is that are kept: a version, a commit and a date fit.
pub const MAX_RUNNER_VERSION_CHARS: usize = 64;

/// The largest blob of the registry, in bytes; an admin may change it.
pub const DEFAULT_MAX_BLOB_BYTES: u64 = 10 << 30;
/// The largest image for one platform, in bytes: what its manifest refers to. An admin may change it.
pub const DEFAULT_MAX_IMAGE_BYTES: u64 = 10 << 30;
/// How often the registry's garbage is collected; an admin may change it. A run that finds nothing looks at an index for each blob.
pub const DEFAULT_COLLECTION_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);
/// How long something stays in the registry that nothing needs any more: long enough to find out that it was deleted by mistake, or that
/// the wrong backup was restored. An admin may change it.
pub const DEFAULT_COLLECTION_GRACE: Duration = Duration::from_secs(24 * 60 * 60);
/// After how long a blob at rest is read again; an admin may change it.
pub const DEFAULT_VERIFICATION_INTERVAL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// What is read per second of blobs at rest, in bytes: a small part of what disks give, and a terabyte in less than a day. An admin may
/// change it.
pub const DEFAULT_VERIFICATION_PACE: u64 = 16 << 20;
/// The least that can be asked for: a piece that is read at a time must take less than a turn.
pub const MIN_VERIFICATION_PACE: u64 = 64 << 10;
/// How often a server looks whether there is something to look after in the registry. With several servers, one of them does it.
pub const REGISTRY_CARE_CHECK: Duration = Duration::from_secs(5 * 60);
/// How long a turn at that lasts unless it is renewed: after it, another server goes on where one was killed.
pub const REGISTRY_TURN: Duration = Duration::from_secs(10 * 60);
/// Rows of the registry that are looked through or changed in one transaction: some milliseconds.
pub const REGISTRY_BATCH: i64 = 256;
/// Names in the blob store that are compared with the database at once.
pub const STRAY_BATCH: usize = 1000;
/// Blobs that the blob store does not give before the others are not tried any more.
pub const UNREADABLE_BLOBS: usize = 16;
/// Blobs in quarantine that are shown, and repositories of each that are.
pub const QUARANTINED_SHOWN: i64 = 100;
/// The largest manifest, in bytes (OCI distribution specification asks for at least this).
pub const MAX_MANIFEST_BYTES: usize = 4 << 20;
/// The largest image configuration that is read to tell which platform an image is for, in bytes. Real ones are a few KiB.
pub const MAX_IMAGE_CONFIG_BYTES: u64 = 1 << 20;
/// Configurations of images that the server keeps in mind: more than a busy server's jobs run at a time. A MiB at the very most.
pub const MAX_IMAGE_CONFIGS_REMEMBERED: usize = 256;
/// Bytes of a benchmark's label up to which its image's configuration is kept in mind. A usual one has some hundred.
pub const MAX_LABEL_BYTES_REMEMBERED: usize = 4 << 10;
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
/// Bytes that are sent to a bucket in one request; larger blobs are sent in several. An admin may change it.
pub const DEFAULT_BLOB_PART_BYTES: u64 = 8 << 20;
/// The smallest part that S3 takes, but for the last.
pub const MIN_BLOB_PART_BYTES: u64 = 5 << 20;
/// The largest part: [`BLOB_PARTS_AT_ONCE`] of them are in memory per blob that is being written.
pub const MAX_BLOB_PART_BYTES: u64 = 64 << 20;
/// Parts of a blob that S3 takes.
pub const MAX_BLOB_PARTS: u64 = 10_000;
/// Parts of one blob that are on their way to the bucket at once.
pub const BLOB_PARTS_AT_ONCE: usize = 2;
/// How long a bucket may say nothing, or take nothing of what is sent to it.
pub const BUCKET_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection to a bucket may take to open.
pub const BUCKET_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a request to a bucket is sent again after a failure that may pass.
pub const BUCKET_RETRIES: usize = 4;
/// Over which time a request to a bucket is sent again: less than most clients wait for their answer.
pub const BUCKET_RETRY_TIMEOUT: Duration = Duration::from_secs(30);
/// What is read and thrown away of the body of a refused request, in bytes, so that its sender reads the refusal instead of a reset
/// connection.
pub const DRAIN_BYTES: usize = 8 << 20;
/// How long such a body is read.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Images of an index that are looked into for parts that are missing, before a job is taken.
pub const MAX_IMAGES_LOOKED_INTO: usize = 16;
/// Keys that a project trusts for signatures: people and machines that make its images. Each signature is tried with each.
pub const MAX_SIGNING_KEYS: usize = 32;
/// Characters of a public key in PEM. One of RSA with 8192 bits has some 1500.
pub const MAX_PUBLIC_KEY_LEN: usize = 4096;
/// Manifests that refer to one image and are looked at for signatures, the newest first.
pub const MAX_ATTACHED: u32 = 64;
/// Indexes that list one image, and indexes that list those, which are looked at for signatures.
pub const MAX_INDEXES_LOOKED_AT: usize = 16;
/// The largest blob that is read as a signature, in bytes. Real ones have some KiB, provenance of large builds some hundred.
pub const MAX_SIGNATURE_BYTES: u64 = 1 << 20;
/// What is read to judge one image, in bytes: somebody who may push can attach as much as they like.
pub const MAX_SIGNATURE_BYTES_PER_IMAGE: u64 = 16 << 20;
/// Signatures that are tried with a key to judge one image; a try takes some 100 µs.
pub const MAX_SIGNATURE_TRIES_PER_IMAGE: u32 = 1024;
/// Manifests in each other: an image, the index that lists it, the index that lists that one, and so on. Nobody needs more than three.
pub const MAX_MANIFEST_DEPTH: u32 = 8;
/// Tags that one push of a manifest sets. The specification asks for ten at least; each is a header of the answer, and clients bound
/// their number.
pub const MAX_TAGS_PER_PUSH: usize = 32;
/// Repositories in which a blob is looked for that is to be mounted from wherever it is. The client sends the blob where none of them
/// will do.
pub const MAX_MOUNT_SOURCES: i64 = 16;
/// Bytes of the warnings of one answer (OCI distribution specification, "Warnings").
pub const MAX_WARNING_BYTES: usize = 4096;
/// Repositories per page of the catalog where the client does not say, and at most.
pub const DEFAULT_REPOSITORIES_PER_PAGE: u32 = 100;
pub const MAX_REPOSITORIES_PER_PAGE: u32 = 10_000;
/// Uploads that one user, key or runner may be sending at once, unless an admin says otherwise. Each takes some MiB of memory; tools send
/// up to ten at once.
pub const DEFAULT_MAX_UPLOADS: usize = 128;
/// Uploads that one of them may have begun and not ended: what nobody goes on with is forgotten after [`DEFAULT_UPLOAD_TIMEOUT`].
pub const MAX_OPEN_UPLOADS: i64 = 2048;
/// When a client should try again that sends too many uploads at once.
pub const UPLOADS_RETRY_SECS: u64 = 5;
/// Scopes of one token. Tools ask for two at most, for a mount.
pub const MAX_TOKEN_SCOPES: usize = 16;
/// Tags on a page where the client names no number (the contract's default).
pub const DEFAULT_TAGS_PER_PAGE: u32 = 100;
/// Tags on a page at most (the contract's bound).
pub const MAX_TAGS_PER_PAGE: u32 = 10_000;
/// Referrers on a page.
pub const REFERRERS_PER_PAGE: u32 = 100;

/// Mails that wait to be sent, those that are to be tried again included. More are not sent: somebody fills the queue, or the mail
/// server has been down for long, and those who wait can ask again.
pub const MAX_WAITING_MAILS: usize = 256;
/// Mails that are handed to the mail server at a time.
pub const MAIL_CONNECTIONS: usize = 4;
/// How long the mail server may take for one step of a conversation.
pub const MAIL_STEP_TIMEOUT: Duration = Duration::from_secs(20);
/// How long handing over one mail may take in all.
pub const MAIL_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait before a mail is tried again, in turn. What a mail is about expires: a confirmation after 30 minutes.
pub const MAIL_RETRIES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
];
/// How long a server that stops waits for mails at hand.
pub const MAIL_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Reports that are removed in one transaction, so that others can write in between.
pub const PURGE_REPORTS: i64 = 50;

/// Connections that read SQLite at once. Reads are short; more only cost memory.
pub const SQLITE_READERS: u32 = 4;
/// What the connection that writes SQLite keeps of the file, in KiB: the pages that a report of 10,000 metrics changes fit in, so that
/// none is written twice.
pub const SQLITE_WRITER_CACHE_KIB: u32 = 16 << 10;
/// After how many pages of 4 KiB SQLite's log of changes is folded into the file. A report changes a page for each of its benchmarks,
/// which are the same at the next report: so many are folded in once, and not at every second report. Also how much of the disk the log
/// takes, and what is read when the server starts after it was killed.
pub const SQLITE_CHECKPOINT_PAGES: u32 = 8 << 10;
/// Connections to PostgreSQL from one server.
pub const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a request waits for a database connection before it is refused.
pub const DATABASE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long PostgreSQL may take for one statement before its connection counts as lost: longer than any of ours takes, and shorter
/// than most clients wait for their answer. An admin may change it.
pub const DEFAULT_DATABASE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection to PostgreSQL that rested may take to show that it is there still: one round trip.
pub const DATABASE_PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection to PostgreSQL that was tried, and rested since, is taken to be there still.
pub const DATABASE_FRESH: Duration = Duration::from_secs(1);
/// After how long PostgreSQL gives up a transaction in which nothing is said: its server is gone without a word, and others wait for
/// what it has locked. Nothing of ours waits for anything else in a transaction.
pub const DATABASE_SILENT_TRANSACTION: Duration = Duration::from_secs(10);
/// After how much silence a connection of PostgreSQL is tried that is kept open: the one that tells of events, the one that syncs for all.
pub const DATABASE_IDLE_PROBE: Duration = Duration::from_secs(10);
/// Between two tries to reach PostgreSQL again for commits to be confirmed.
pub const DATABASE_REOPEN_PAUSE: Duration = Duration::from_millis(100);
/// How long the question may take whether a server can serve. Load balancers ask every few seconds, and wait as long.
pub const READY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a command looks whether the connections of servers to PostgreSQL are gone: its processes end a moment after them.
pub const LEAVING_CHECKS: u32 = 10;
/// How long it waits before it looks again.
pub const LEAVING_CHECK_INTERVAL: Duration = Duration::from_millis(300);
/// How long SQLite waits for another process's lock.
pub const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Parameters of one statement. SQLite takes 32,766 and PostgreSQL 65,535; fewer keep statements short enough to plan quickly.
pub const MAX_STATEMENT_VALUES: usize = 8_000;

/// What may happen per minute, hour and day (the contract's defaults; an admin may change each). Requests without valid credentials,
/// of one address:
pub const PUBLIC_REQUESTS: [u32; 3] = [1024, 4096, 8192];
/// Sign-ups, log-ins, confirmations and invalid credentials from one address.
pub const PUBLIC_ATTEMPTS: [u32; 3] = [32, 64, 128];
/// Runs of nobody in particular from one address.
pub const PUBLIC_RUNS: [u32; 3] = [64, 128, 256];
/// Requests of one user.
pub const USER_REQUESTS: [u32; 3] = [2048, 8192, 16_384];
/// Log-ins and confirmations of one account.
pub const USER_ATTEMPTS: [u32; 3] = [2, 4, 8];
/// Keys and tokens that one user makes.
pub const USER_CREDENTIALS: [u32; 3] = [4, 8, 16];
/// Organizations that one user makes.
pub const USER_ORGANIZATIONS: [u32; 3] = [2, 4, 8];
/// Invitations that one user sends.
pub const USER_INVITES: [u32; 3] = [8, 16, 32];
/// Runs of one user.
pub const USER_RUNS: [u32; 3] = [64, 1024, 4096];
/// Requests with the keys of one project.
pub const PROJECT_REQUESTS: [u32; 3] = [2048, 8192, 16_384];
/// Runs with the keys of one project.
pub const PROJECT_RUNS: [u32; 3] = [64, 1024, 4096];
/// The same of requests to the registry, which come by the dozen: an image of forty layers, pushed, is two hundred.
pub const PUBLIC_REGISTRY_REQUESTS: [u32; 3] = [8192, 131_072, 1_048_576];
pub const USER_REGISTRY_REQUESTS: [u32; 3] = [65_536, 1_048_576, 8_388_608];
pub const PROJECT_REGISTRY_REQUESTS: [u32; 3] = [65_536, 1_048_576, 8_388_608];
/// Connects of one runner to its channel.
pub const RUNNER_CONNECTS: [u32; 3] = [16, 256, 4096];
/// Addresses, users or the like of one count before they share buckets. About 100 bytes each.
pub const MAX_RATE_KEYS: usize = 100_000;
/// The buckets that they share then.
pub const SHARED_RATE_KEYS: u64 = 1 << 14;
/// How many are charged between two looks at the number of keys, which takes a while.
pub const RATE_CHECKS_PER_COUNT: u32 = 256;
/// How often servers on the same database tell each other what they counted.
pub const RATE_EXCHANGE_INTERVAL: Duration = Duration::from_secs(1);
/// Subjects of which others are told per exchange; more than this come from nobody in particular.
pub const MAX_RATES_EXCHANGED: usize = 2048;
/// Bytes of one text that tells of them, up to its last entry. PostgreSQL takes less than 8000 in all.
pub const MAX_RATES_TEXT_BYTES: usize = 7500;
/// How often the buckets of the idle are thrown away.
pub const RATE_SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Connections at once, unless an admin says otherwise or the system allows fewer open files.
pub const DEFAULT_MAX_CONNECTIONS: usize = 10_000;
/// The part of all connections that one address may have, as a divisor. Trusted proxies may have all.
pub const CONNECTIONS_SHARE_OF_ADDRESS: usize = 4;
/// Open files that are not connections: databases, blobs, logs.
pub const RESERVED_FILES: u64 = 256;
/// How long the head of a request may take, and a connection rest between two requests.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a TLS handshake may take.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Benchmarks' measures of two reports that are compared at once. Each takes some milliseconds of a processor.
pub const MAX_COMPARED: usize = 4_096;

/// Headers of a request.
pub const MAX_HEADERS: usize = 100;
/// Bytes of a request's line and headers together; also what is read of a body at a time.
pub const MAX_HEAD_BYTES: usize = 64 << 10;
/// Bytes of a request's path and query: what fits into [`MAX_HEAD_BYTES`] with a few headers. A plot of many benchmarks names them
/// all, 37 bytes each.
pub const MAX_TARGET_BYTES: usize = 62 << 10;
/// How long an answer may take, the receipt of the request's body included, unless an admin says otherwise. Not for the registry,
/// whose bodies are large.
pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// What has to arrive of a body within [`BODY_STALL_TIMEOUT`], in bytes: slower than this is no upload but an attempt to hold a
/// connection.
pub const MIN_BODY_BYTES_PER_STALL: usize = 64 << 10;

/// How often unfinished job output is looked for.
pub const SCRAP_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// How long ago unfinished job output was written when nobody can be writing it any more, whichever server that was.
pub const SCRAP_AGE: Duration = Duration::from_secs(60 * 60);
/// The same at the start of a server that is the only one: what is older than the server. Files carry the time of the kernel's last tick.
pub const SCRAP_AGE_ALONE: Duration = Duration::from_millis(100);
/// How often work that is to be billed is looked for, where a billing provider is configured. Nobody waits for it.
pub const BILLING_INTERVAL: Duration = Duration::from_secs(60);
/// Events that are read at once.
pub const BILLING_BATCH: u32 = 100;
/// How long one request to the billing provider may take.
pub const BILLING_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an event is one server's, from the first of its request on: longer than that may take.
pub const BILLING_HOLD: Duration = Duration::from_secs(120);
/// First and longest wait before an event is told again.
pub const BILLING_BACKOFF: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(60 * 60));
/// How long a provider surely knows an event again: Stripe does for 24 hours.
pub const BILLING_IDENTIFIER_LIFE: Duration = Duration::from_secs(23 * 60 * 60);
/// Bytes that are read of a provider's complaint.
pub const BILLING_ANSWER_BYTES: usize = 64 << 10;
/// Characters that are kept of it.
pub const BILLING_MESSAGE_CHARS: usize = 500;
/// Events that could not be told which are shown at once.
pub const BILLING_PROBLEMS_SHOWN: u32 = 100;
/// Characters of a customer's id.
pub const MAX_BILLING_CUSTOMER_CHARS: usize = 255;

/// How often the files of a certificate are looked at for a change.
pub const TLS_RELOAD_INTERVAL: Duration = Duration::from_secs(10);
/// How long before its end a certificate is warned about, every day.
pub const TLS_EXPIRY_WARNING: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How long browsers that were here are to use HTTPS only, in seconds: a year, as is usual.
pub const HSTS_MAX_AGE_SECS: u32 = 31_536_000;

/// How long what changed is kept for those whose stream of events broke: as long as a machine sleeps over lunch.
pub const EVENT_AGE: Duration = Duration::from_secs(60 * 60);
/// How often what is older is removed.
pub const EVENT_SWEEP_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// Changes that are read or removed at a time.
pub const EVENT_BATCH: u32 = 1000;
/// Changes that a stream may be behind before it reads them from the database again. About 100 bytes each, once for all streams.
pub const EVENTS_IN_MEMORY: usize = 4096;
/// How often a stream of events says that it lives. Proxies close connections after 30 to 60 seconds of silence.
pub const EVENT_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a stream of events may last before its client has to come again, and who it is and what it may see is looked at anew.
pub const EVENT_STREAM_AGE: Duration = Duration::from_secs(15 * 60);
/// When clients are asked to come again after a stream of events has ended.
pub const EVENT_RETRY: Duration = Duration::from_secs(1);
/// Within which time clients are asked to come again where the server stops: not all at once.
pub const EVENT_RETRY_SPREAD: Duration = Duration::from_secs(5);
/// Streams of events at once of one user, project key or address. A browser has six connections to a server.
pub const EVENT_STREAMS_EACH: usize = 32;
/// When clients that have too many streams may try again.
pub const EVENT_STREAM_RETRY: Duration = Duration::from_secs(10);
/// Streams of events at once of all.
pub const EVENT_STREAMS: usize = 2000;
/// How long to wait after the log of events could not be read, or not be listened to.
pub const BUS_RETRY: Duration = Duration::from_secs(1);
/// How long results that arrived may wait for the server that took them in before another one looks whether they still do.
pub const PROCESS_TAKEOVER: Duration = Duration::from_secs(15);
/// Over which time a server that stops closes the connections of its runners, so that the others do not get them all at once.
pub const SOCKET_CLOSE_SPREAD: Duration = Duration::from_secs(10);
/// How many connections are closed per second where there are few of them.
pub const SOCKET_CLOSES_PER_SECOND: u32 = 100;

/// Metrics of one series that are looked through for change points: the newest, at least so many (where there are so many) and fewer than
/// twice as many. From where on that is changes only once in so many metrics, so that what is found does not change with each.
pub const CHANGE_POINT_METRICS: i64 = 1024;
/// Points that a change point may move by and still be the same: those that follow a change say where it was.
pub const CHANGE_POINT_MOVES: usize = 10;
/// Series that are looked through at once, in one transaction on PostgreSQL: some tenths of a second.
pub const CHANGE_POINT_BATCH: usize = 200;
/// Series whose names are in memory while those of some reports are looked through.
pub const CHANGE_POINT_PAGE: usize = 20_000;
/// Reports that are looked through together: a history that is imported is looked through once for so many of its reports.
pub const CHANGE_POINT_REPORTS: usize = 64;
/// How long to wait for more reports before their series are looked through.
pub const CHANGE_POINT_PATIENCE: Duration = Duration::from_millis(500);
/// How long to rest after a look while more is filed, in times of what the look took: looking is a fifth of a processor's work then.
pub const CHANGE_POINT_REST: u32 = 4;
/// The longest such rest.
pub const CHANGE_POINT_LONGEST_REST: Duration = Duration::from_secs(30);
/// When to see whether another server that was looking has done what was due; it may have been killed.
pub const CHANGE_POINT_TAKEOVER: Duration = Duration::from_secs(15);
/// How long to wait after the database failed.
pub const CHANGE_POINT_RETRY: Duration = Duration::from_secs(5);
