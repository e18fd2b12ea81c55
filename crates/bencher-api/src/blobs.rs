//! Where blobs are kept: a folder, or a bucket of a service that speaks S3's protocol. Opening it, and writing to it in pieces.
//!
//! Both are an [`ObjectStore`]; what is written appears under its name as a whole or not at all. Knows nothing of what blobs hold.

use std::{io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{
    ClientOptions, ObjectStore, RetryConfig, aws::AmazonS3Builder, buffered::BufWriter, local::LocalFileSystem, path::Path,
    prefix::PrefixStore,
};
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use crate::{
    config::{Config, S3},
    limits,
};

/// A store that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("could not create the folder {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not open the blob store in {}", path.display())]
    Local {
        path: PathBuf,
        #[source]
        source: object_store::Error,
    },
    #[error("could not set up the bucket `{access_point}` (`data_store`)")]
    Bucket {
        access_point: String,
        #[source]
        source: object_store::Error,
    },
    #[error("`{access_point}` names no bucket (`data_store.access_point`)")]
    NoBucket { access_point: String },
}

/// Bytes that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error("could not read what is to be written")]
    Read(#[source] io::Error),
    #[error("could not write to the blob store")]
    Write(#[source] object_store::Error),
    #[error("could not complete what was written to the blob store")]
    Complete(#[source] io::Error),
}

/// How uploads get into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// The store is the folder of which theirs is a part: by a rename.
    Rename,
    /// By sending them, in parts of so many bytes.
    Send { part_bytes: usize },
}

/// Blobs of an installation.
#[derive(Clone, Debug)]
pub struct Blobs {
    pub store: Arc<dyn ObjectStore>,
    pub commit: Commit,
}

/// Opens the store that the configuration names. Of a bucket nothing is asked yet.
///
/// # Errors
/// The folder cannot be made, or the configuration of the bucket is not usable.
pub fn open(config: &Config) -> Result<Blobs, OpenError> {
    match config.blob_bucket() {
        Some(s3) => Ok(Blobs { store: bucket(s3)?, commit: Commit::Send { part_bytes: part_bytes(config, s3) } }),
        None => Ok(Blobs { store: folder(config.blob_folder())?, commit: Commit::Rename }),
    }
}

/// Parts so large that the largest blob is not too many of them.
fn part_bytes(config: &Config, s3: &S3) -> usize {
    let needed = usize::try_from(config.max_blob_bytes().div_ceil(limits::MAX_BLOB_PARTS)).unwrap_or(usize::MAX);
    s3.part_bytes().max(needed)
}

fn folder(path: PathBuf) -> Result<Arc<dyn ObjectStore>, OpenError> {
    if let Err(source) = std::fs::create_dir_all(&path) {
        return Err(OpenError::Folder { path, source });
    }
    match LocalFileSystem::new_with_prefix(&path) {
        // What is acknowledged as stored must survive a power cut.
        Ok(store) => Ok(Arc::new(store.with_fsync(true))),
        Err(source) => Err(OpenError::Local { path, source }),
    }
}

/// Opens a bucket. Nothing is asked of it yet, and no environment is read: who asks is in the configuration.
///
/// # Errors
/// The configuration is not usable.
pub fn bucket(s3: &S3) -> Result<Arc<dyn ObjectStore>, OpenError> {
    let place = s3.place().ok_or_else(|| OpenError::NoBucket { access_point: s3.access_point.clone() })?;
    let is_plain = s3.endpoint.as_ref().is_some_and(|url| url.scheme() == "http");
    let options = ClientOptions::new()
        .with_allow_http(is_plain)
        .with_connect_timeout(limits::BUCKET_CONNECT_TIMEOUT)
        // A blob takes as long as it takes; what counts is that it goes on.
        .with_timeout_disabled()
        .with_read_timeout(limits::BUCKET_TIMEOUT);
    let retry = RetryConfig {
        max_retries: limits::BUCKET_RETRIES,
        retry_timeout: limits::BUCKET_RETRY_TIMEOUT,
        ..RetryConfig::default()
    };
    let mut builder = AmazonS3Builder::new()
        .with_client_options(options)
        .with_retry(retry)
        .with_access_key_id(&s3.access_key_id)
        .with_secret_access_key(s3.secret_access_key.expose())
        .with_region(&place.region)
        .with_bucket_name(&place.bucket);
    builder = match (&s3.endpoint, &place.host) {
        (Some(url), _) => builder.with_endpoint(url.as_str().trim_end_matches('/')),
        (None, Some(host)) => builder.with_endpoint(format!("https://{host}")).with_virtual_hosted_style_request(true),
        (None, None) => builder.with_virtual_hosted_style_request(!place.bucket.contains('.')),
    };
    let failed = |source| OpenError::Bucket { access_point: s3.access_point.clone(), source };
    let store = builder.build().map_err(failed)?;
    Ok(match place.prefix.as_str() {
        "" => Arc::new(store),
        prefix => Arc::new(PrefixStore::new(store, prefix)),
    })
}

/// Whether the store answers, and lets us in.
///
/// # Errors
/// It does not.
pub async fn probe(store: &dyn ObjectStore) -> Result<(), object_store::Error> {
    store.list(Some(&Path::from("blobs"))).next().await.transpose().map(drop)
}

/// Writes a stream under a name, in parts, and returns how many bytes it had. What was sent of a stream that breaks off is thrown away.
///
/// # Errors
/// The stream or the store failed; nothing is there under the name that was not there before.
pub async fn put(
    store: &Arc<dyn ObjectStore>,
    key: &Path,
    mut body: BoxStream<'_, io::Result<Bytes>>,
    part_bytes: usize,
) -> Result<u64, PutError> {
    let mut writer =
        BufWriter::with_capacity(store.clone(), key.clone(), part_bytes).with_max_concurrency(limits::BLOB_PARTS_AT_ONCE);
    let mut size = 0_u64;
    let sent = async {
        while let Some(bytes) = body.try_next().await.map_err(PutError::Read)? {
            size += bytes.len() as u64;
            writer.put(bytes).await.map_err(PutError::Write)?;
        }
        Ok(())
    };
    if let Err(error) = sent.await {
        if let Err(left) = writer.abort().await {
            tracing::warn!(%key, error = %left, "could not remove what was sent of a blob; a rule of the bucket's may do it");
        }
        return Err(error);
    }
    writer.shutdown().await.map_err(PutError::Complete)?;
    Ok(size)
}

/// Writes a file's content under a name.
///
/// # Errors
/// As for [`put`].
pub async fn put_file(
    store: &Arc<dyn ObjectStore>,
    key: &Path,
    file: &std::path::Path,
    part_bytes: usize,
) -> Result<u64, PutError> {
    let file = tokio::fs::File::open(file).await.map_err(PutError::Read)?;
    put(store, key, ReaderStream::with_capacity(file, limits::BLOB_READ_BYTES).boxed(), part_bytes).await
}
