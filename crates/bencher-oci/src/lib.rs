//! Get an image onto disk, and make one.
//!
//! The way of a pulled image: [`RegistryClient`] fetches documents and blobs, [`BlobStore`] keeps the blobs, [`merge`] reads
//! the layers into one tree in memory, a [`sink`] writes that tree, and [`ImageCache`] keeps what was written. [`Images`]
//! goes that way in one call. The way of a made image: [`assemble`] writes a [`Layout`], and [`copy()`] takes it to a registry,
//! or any image from one place to another. Archives and what a container engine has become a layout first. [`flatten`] makes one
//! archive of all its layers.
//!
//! This crate knows nothing of jobs, of runners, or of how an image is executed. It reads no environment.

pub mod archive;
pub mod assemble;
pub mod auth;
pub mod cache;
mod checksum;
pub mod client;
mod clock;
mod clone;
mod compress;
pub mod copy;
pub mod document;
pub mod engine;
pub mod error;
mod flatten;
mod flock;
mod hash;
pub mod images;
mod keyed;
pub mod layout;
pub mod limits;
pub mod logins;
pub mod merge;
pub mod platform;
pub mod progress;
mod retry;
pub mod sink;
pub mod store;

pub use archive::ArchiveError;
pub use auth::Credentials;
pub use cache::{CachedImage, ImageCache, ImageKey};
pub use client::{RegistryClient, RegistryError};
pub use clone::{CloneError, CloneKind, clone_disk};
pub use copy::{Copied, Copy, Destination, Documented, Origin, copy};
pub use document::{BlobRef, DocumentError, ProcessDefaults, ResolvedImage};
pub use engine::{Engine, EngineError};
pub use error::{Blame, IoError, PullError};
pub use flatten::{FlattenError, flatten};
pub use images::Images;
pub use layout::{Layout, LayoutError};
pub use limits::{CacheLimits, Limits, StoreLimits, TransferLimits};
pub use logins::{LoginError, Logins};
pub use platform::Platform;
pub use progress::{Progress, ProgressEvent, Silent};
pub use sink::ext4::DiskSize;
pub use store::{Blob, BlobStore};
