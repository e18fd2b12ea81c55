//! `data_store`: a bucket for blobs (`plus.registry`) or for backups (`database`), instead of a folder.

use bencher_types::Secret;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use url::Url;

use super::{Config, ConfigError};
use crate::limits;

/// Where blobs or backups are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "service", rename_all = "snake_case")]
pub enum DataStore {
    /// A folder.
    Local,
    /// A bucket of Amazon S3, or of anything that speaks its protocol.
    AwsS3(S3),
}

/// A bucket, and who may use it. Keys after `chunk_size` are ours.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct S3 {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    /// The ARN of an access point or a bucket, or just the bucket's name; each may be followed by `/` and a folder in it.
    pub access_point: String,
    /// Bytes that are sent in one request; larger blobs are sent in several.
    pub chunk_size: Option<u64>,
    /// Where the ARN names none; `us-east-1` where this is absent too.
    pub region: Option<String>,
    /// The address of a service that is not Amazon's, such as `http://localhost:3900`.
    pub endpoint: Option<Url>,
}

/// An access point's text taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub bucket: String,
    /// The host of the bucket, where it has one of its own.
    pub host: Option<String>,
    pub region: String,
    /// The folder in the bucket; empty for the bucket itself.
    pub prefix: String,
}

const EXPECTED: &str = "the ARN of an access point or bucket, or a bucket's name, such as `arn:aws:s3:eu-central-1:123456789012:accesspoint/bench/blobs` \
                        or `bench/blobs`";

impl Config {
    /// The bucket of image blobs and job output; `None` where they are in the folder.
    #[must_use]
    pub fn blob_bucket(&self) -> Option<&S3> {
        match self.registry()?.data_store.as_ref()? {
            DataStore::AwsS3(bucket) => Some(bucket),
            DataStore::Local => None,
        }
    }

    /// The bucket of backups.
    #[must_use]
    pub fn backup_bucket(&self) -> Option<&S3> {
        match self.database.data_store.as_ref()? {
            DataStore::AwsS3(bucket) => Some(bucket),
            DataStore::Local => None,
        }
    }
}

impl DataStore {
    /// Checks what the types of the values cannot say. `key` is what the configuration calls it.
    pub(super) fn check(&self, key: &'static str) -> Result<(), ConfigError> {
        let Self::AwsS3(s3) = self else { return Ok(()) };
        if s3.place().is_none() {
            return Err(ConfigError::OutOfRange {
                key,
                found: format!("`{}` as `access_point`", s3.access_point),
                expected: EXPECTED,
            });
        }
        match &s3.endpoint {
            Some(url) if !matches!(url.scheme(), "http" | "https") => Err(ConfigError::OutOfRange {
                key,
                found: format!("`{url}` as `endpoint`"),
                expected: "a URL that begins with http:// or https://",
            }),
            _ => Ok(()),
        }
    }
}

impl S3 {
    /// Bytes of one request of a larger upload, within what the protocol allows.
    #[must_use]
    pub fn part_bytes(&self) -> usize {
        let wanted = self.chunk_size.unwrap_or(limits::DEFAULT_BLOB_PART_BYTES);
        usize::try_from(wanted.clamp(limits::MIN_BLOB_PART_BYTES, limits::MAX_BLOB_PART_BYTES)).unwrap_or(usize::MAX)
    }

    /// Which bucket, and where in it; `None` where the access point is none.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let configured = || self.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
        let (name, prefix, region, host) = match self.access_point.strip_prefix("arn:") {
            None => {
                let (bucket, prefix) = split(&self.access_point);
                (bucket, prefix, configured(), None)
            }
            Some(arn) => {
                let mut fields = arn.splitn(5, ':');
                let (partition, service) = (fields.next()?, fields.next()?);
                let (region, account, resource) = (fields.next()?, fields.next()?, fields.next()?);
                if service != "s3" {
                    return None;
                }
                match resource.strip_prefix("accesspoint/") {
                    None => {
                        let (bucket, prefix) = split(resource);
                        (bucket, prefix, configured(), None)
                    }
                    Some(resource) => {
                        let (name, prefix) = split(resource);
                        if region.is_empty() || account.is_empty() || !account.bytes().all(|byte| byte.is_ascii_digit()) {
                            return None;
                        }
                        let top = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
                        let host = format!("{name}-{account}.s3-accesspoint.{region}.{top}");
                        (name, prefix, region.to_owned(), Some(host))
                    }
                }
            }
        };
        let is_name = |name: &str| {
            (3..=63).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        is_name(name).then(|| Place { bucket: name.to_owned(), host, region, prefix: prefix.trim_matches('/').to_owned() })
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_once('/').unwrap_or((text, ""))
}

#[cfg(test)]
mod tests;
