//! Where files are fetched from: a folder or an HTTP server. What arrives is bounded and hashed on its way to the disk, and
//! believed by nobody yet.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::limits::{CONNECT_TIMEOUT, FETCH_TIMEOUT, MAX_FILE, MAX_REDIRECTS, STALL_TIMEOUT};

/// A place with files.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Folder(PathBuf),
    /// Ends with a slash.
    Address(Url),
}

/// A file that was fetched.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    pub path: PathBuf,
    pub bytes: u64,
    /// 64 hexadecimal digits.
    pub sha256: String,
}

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("--from `{0}` is neither a folder nor an address: expected a folder that is there, or https://HOST/PATH")]
    NoSource(String),
    #[error("could not read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not set up the HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("could not fetch {address}; check --from, and what is between: name service, proxy, certificate")]
    Request {
        address: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{address} answers with status {status}; check --from and the name of the file")]
    Status { address: String, status: u16 },
    #[error("{address} broke off after {bytes} bytes; run the same again")]
    Incomplete {
        address: String,
        bytes: u64,
        #[source]
        source: reqwest::Error,
    },
    #[error("{address} was not complete after {} s", FETCH_TIMEOUT.as_secs())]
    Timeout { address: String },
    #[error("{what} has more than {MAX_FILE} bytes, which none of these files has")]
    TooLarge { what: String },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Address(url) => f.write_str(&shown(url)),
        }
    }
}

/// An address without what may be a secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for addresses that have no room for them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.into()
}

impl Source {
    /// # Errors
    /// It is neither a folder nor an address of HTTP.
    pub(super) fn parse(from: &str) -> Result<Self, FetchError> {
        if Path::new(from).is_dir() {
            return Ok(Self::Folder(PathBuf::from(from)));
        }
        match Url::parse(from) {
            Ok(mut url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                if !url.path().ends_with('/') {
                    let path = format!("{}/", url.path());
                    url.set_path(&path);
                }
                Ok(Self::Address(url))
            }
            _ => Err(FetchError::NoSource(from.to_owned())),
        }
    }

    /// Copies a file, whose name was checked, to a place where nothing is yet.
    ///
    /// # Errors
    /// It is not there, not complete, too large, or cannot be written.
    pub(super) async fn fetch(&self, file: &str, to: &Path) -> Result<Fetched, FetchError> {
        match self {
            Self::Folder(folder) => {
                let (from, to) = (folder.join(file), to.to_owned());
                tokio::task::spawn_blocking(move || copy(&from, &to)).await.expect("copying does not panic")
            }
            Self::Address(base) => {
                let mut url = base.clone();
                url.set_path(&format!("{}{file}", base.path()));
                let address = shown(&url);
                tokio::time::timeout(FETCH_TIMEOUT, download(url, to)).await.map_err(|_| FetchError::Timeout { address })?
            }
        }
    }
}

/// A new file that is hashed as it is written.
struct Writer {
    path: PathBuf,
    file: File,
    hash: Sha256,
    bytes: u64,
    /// For messages.
    what: String,
}

impl Writer {
    fn create(path: &Path, what: String) -> Result<Self, FetchError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|source| FetchError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file, hash: Sha256::new(), bytes: 0, what })
    }

    fn add(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        self.bytes += chunk.len() as u64;
        if self.bytes > MAX_FILE {
            return Err(FetchError::TooLarge { what: self.what.clone() });
        }
        self.hash.update(chunk);
        self.file.write_all(chunk).map_err(|source| FetchError::Write { path: self.path.clone(), source })
    }

    fn finish(self) -> Fetched {
        Fetched { path: self.path, bytes: self.bytes, sha256: hex::encode(self.hash.finalize()) }
    }
}

fn copy(from: &Path, to: &Path) -> Result<Fetched, FetchError> {
    let failed = |source| FetchError::Read { path: from.to_owned(), source };
    let mut file = File::open(from).map_err(failed)?;
    let mut writer = Writer::create(to, from.display().to_string())?;
    let mut buffer = vec![0_u8; 256 << 10];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(writer.finish()),
            read => writer.add(&buffer[..read])?,
        }
    }
}

async fn download(url: Url, to: &Path) -> Result<Fetched, FetchError> {
    // From an encrypted connection there is no way to one that is not.
    let policy = reqwest::redirect::Policy::custom(|attempt| {
        let was_secure = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
        if was_secure && attempt.url().scheme() != "https" {
            attempt.error("it leads from https to http")
        } else if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("it leads elsewhere too often")
        } else {
            attempt.follow()
        }
    });
    let client = reqwest::Client::builder().redirect(policy).connect_timeout(CONNECT_TIMEOUT).read_timeout(STALL_TIMEOUT);
    let client = client.build().map_err(FetchError::Client)?;
    let address = shown(&url);
    let request = |source: reqwest::Error| FetchError::Request { address: address.clone(), source: source.without_url() };
    let response = client.get(url).send().await.map_err(request)?;
    if !response.status().is_success() {
        return Err(FetchError::Status { address, status: response.status().as_u16() });
    }
    if response.content_length().is_some_and(|length| length > MAX_FILE) {
        return Err(FetchError::TooLarge { what: address });
    }
    let mut writer = Writer::create(to, address.clone())?;
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let broke_off = |source: reqwest::Error| FetchError::Incomplete {
            address: address.clone(),
            bytes: writer.bytes,
            source: source.without_url(),
        };
        let chunk = chunk.map_err(broke_off)?;
        writer.add(&chunk)?;
    }
    Ok(writer.finish())
}
