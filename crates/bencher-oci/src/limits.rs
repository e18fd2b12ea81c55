//! Every bound and default of this crate, with its unit and its reason. Callers pass their own values where an owner may
//! choose; tests pass small ones.

use std::time::Duration;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// Symbolic links followed while one path is resolved inside an image; the kernel's own number.
pub(crate) const MAX_SYMLINKS: usize = 40;
/// How deep an index may point to further indexes. Real ones never nest.
pub(crate) const MAX_INDEX_DEPTH: usize = 3;
/// How much of a registry's error body is read, in bytes: enough for a sentence.
pub(crate) const MAX_ERROR_BODY: usize = 8 * 1024;
/// How long all of a registry's error body is waited for.
pub(crate) const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Tags that are asked for at once.
pub(crate) const TAGS_PER_PAGE: usize = 1000;
/// The most of one page of tags, in bytes: a registry may send all it has at once.
pub(crate) const MAX_TAG_PAGE: usize = 16 * 1024 * 1024;
/// The most pages of tags. A million tags are more than anybody reads.
pub(crate) const MAX_TAG_PAGES: usize = 1000;
/// From this size on, in bytes, an upload is begun so that it can go on after an interruption; below it, sending it again costs
/// less than the further request does.
pub(crate) const RESUMABLE_UPLOAD: u64 = 8 * MIB;
/// The longest address of an upload that is remembered, in bytes. Some registries put a signed state into it.
pub(crate) const MAX_UPLOAD_ADDRESS: u64 = 16 * KIB;
/// Manifests that one index may lead to. Real ones have one per platform, and perhaps an attestation for each.
pub(crate) const MAX_MANIFESTS: usize = 512;
/// Transfers at once where no registry has its own bound.
pub(crate) const PARALLEL_COPIES: usize = 4;
/// Members of an archive of images: a few per layer of each image.
pub(crate) const MAX_ARCHIVE_MEMBERS: usize = 65_536;
/// Bytes that all members of an archive of images may have together, before layers are compressed again: several images fit.
pub(crate) const MAX_ARCHIVE_BYTES: u64 = 64 * GIB;
/// How long an engine may think before it sends the first byte of an image: some write the whole archive first.
pub(crate) const ENGINE_RESPONSE: Duration = Duration::from_secs(10 * 60);
/// How much of an engine's answer about an image is read, in bytes.
pub(crate) const MAX_ENGINE_ANSWER: usize = 4 * 1024 * 1024;
/// How long a program that keeps log-ins may take. It may ask a person to unlock them.
pub(crate) const HELPER_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest file of log-ins that is read, in bytes.
pub(crate) const MAX_LOGINS: u64 = 4 * MIB;
/// How much of a token service's answer is read, in bytes. Tokens with many claims reach a few kilobytes.
pub(crate) const MAX_TOKEN_BODY: usize = 256 * 1024;
/// The unit in which content is read, hashed, decompressed and written, in bytes.
pub(crate) const CHUNK: usize = 256 * 1024;
/// Bytes of a disk that are copied between two looks at whether that is still wanted.
pub(crate) const COPY_STEP: usize = 8 * 1024 * 1024;
/// Chunks that may wait between two stages of a pipeline. Bounds its memory to a few mebibytes.
pub(crate) const PIPELINE_CHUNKS: usize = 8;
/// An interrupted download that nobody came back for is removed after this.
pub(crate) const PARTIAL_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// The pause between two looks at a lock another process holds. In-process waiters are woken instead.
pub(crate) const LOCK_POLL: Duration = Duration::from_millis(25);
/// How often the rest of a copy that failed is tried to be removed, [`LOCK_POLL`] apart: a second, for threads that are ending.
pub(crate) const CLEAR_TRIES: usize = 40;
/// How often a cached image may vanish under a waiter before it gives up.
pub(crate) const MAX_CACHE_RACES: usize = 16;
/// The largest metadata file of a cached image that is read, in bytes: the configuration and a little.
pub(crate) const MAX_CACHE_METADATA: u64 = 16 * MIB;

/// What an image may be. Everything a registry or a layer says is held against these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size of one manifest or index, in bytes. The distribution specification asks registries to take 4 MiB.
    pub manifest_bytes: u64,
    /// Size of an image configuration, in bytes. It is held in memory.
    pub config_bytes: u64,
    /// Number of layers. Builders stop at 127.
    pub layers: usize,
    /// Size of an image in bytes: once for all compressed layers together, once for everything they unpack to,
    /// headers and holes included.
    pub image_bytes: u64,
    /// Members of all layers together. Each costs some hundred bytes of memory.
    pub entries: u64,
    /// Bytes of all names, link targets and extended attributes together; they are held in memory.
    pub metadata_bytes: u64,
    /// Length of a path inside the image, in bytes, as the kernel bounds it.
    pub path_bytes: usize,
    /// Length of one name, in bytes, as file systems bound it.
    pub name_bytes: usize,
    /// Folders in folders. Each open level costs the writer a file descriptor.
    pub depth: usize,
    /// Bytes of one extended header of an archive (long names, extended attributes).
    pub extension_bytes: u64,
    /// Bytes one compressed byte may become, counted from `ratio_floor_bytes` on. Gzip cannot exceed 1032, so only
    /// content made to exhaust its reader does.
    pub ratio: u64,
    /// Below this many bytes the ratio is not looked at.
    pub ratio_floor_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 * MIB,
            config_bytes: 4 * MIB,
            layers: 512,
            image_bytes: 10 * GIB,
            entries: 1_000_000,
            metadata_bytes: 256 * MIB,
            path_bytes: 4095,
            name_bytes: 255,
            depth: 256,
            extension_bytes: MIB,
            ratio: 1100,
            ratio_floor_bytes: 64 * MIB,
        }
    }
}

/// How long and how often the network is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferLimits {
    /// Blobs in flight at once. More gain nothing on one connection's bandwidth.
    pub parallel: usize,
    /// Bound on establishing a connection.
    pub connect: Duration,
    /// Bound on the first byte of an answer.
    pub response: Duration,
    /// Bound on a transfer that moves no byte.
    pub no_progress: Duration,
    /// Attempts without any progress before a transient failure is final.
    pub attempts: u32,
    /// Attempts altogether, progress or not, before a transient failure is final.
    pub total_attempts: u32,
    /// The first pause between two attempts; it doubles from there.
    pub backoff_min: Duration,
    /// The longest pause between two attempts.
    pub backoff_max: Duration,
    /// The longest pause a registry may ask for by `Retry-After`.
    pub retry_after_max: Duration,
}

impl Default for TransferLimits {
    fn default() -> Self {
        Self {
            parallel: 4,
            connect: Duration::from_secs(10),
            response: Duration::from_secs(60),
            no_progress: Duration::from_secs(60),
            attempts: 6,
            total_attempts: 100,
            backoff_min: Duration::from_millis(200),
            backoff_max: Duration::from_secs(10),
            retry_after_max: Duration::from_secs(60),
        }
    }
}

/// The bound of the content store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of all blobs; beyond it the least recently used go. Twice the largest image by default.
    pub bytes: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self { bytes: 20 * GIB }
    }
}

/// The bounds of the image cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Bytes that all cached images take on disk; beyond it the least recently used go.
    pub bytes: u64,
    /// An image nobody used for this long goes.
    pub max_age: Duration,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { bytes: 50 * GIB, max_age: Duration::from_secs(7 * 24 * 60 * 60) }
    }
}
