//! The server's certificate: read at start, checked against its key, and read again when its files change. Knows no HTTP.
//!
//! A new pair that is not valid changes nothing: the old one is served on, and the log says what is wrong with the new one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use bencher_types::DateTime;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use x509_cert::der::Decode as _;

use crate::{app::App, chain::chain, config::server::Tls, limits};

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("could not read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("there is no certificate in {origin}: expected PEM, one or more blocks that begin with -----BEGIN CERTIFICATE-----")]
    NoCertificate { origin: String },
    #[error("{origin} is not PEM")]
    Pem {
        origin: String,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("there is no private key in {origin} that can be read: expected PEM with a block PRIVATE KEY, without a password")]
    NoKey {
        origin: String,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("the private key in {key} does not belong to the first certificate in {certificate}")]
    Mismatch { certificate: String, key: String },
    #[error("the certificate in {certificate} or the key in {key} cannot be used")]
    Unusable {
        certificate: String,
        key: String,
        #[source]
        source: rustls::Error,
    },
    #[error("the first certificate in {origin} cannot be read")]
    Certificate {
        origin: String,
        #[source]
        source: x509_cert::der::Error,
    },
}

/// The certificate that is served.
#[derive(Debug)]
pub struct Certificates {
    tls: Tls,
    current: RwLock<Arc<CertifiedKey>>,
    /// What the files looked like when they were last read.
    seen: Mutex<Option<[Stamp; 2]>>,
    /// Seconds since the Unix epoch.
    valid_until: Mutex<u64>,
}

/// Changes when a file does: also where it is replaced by an older one, or is a link that points elsewhere now.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    bytes: u64,
    device: u64,
    inode: u64,
}

/// What came of a look at the files.
#[derive(Debug)]
pub enum Reload {
    Unchanged,
    Replaced,
    /// The old certificate is served on.
    Refused(TlsError),
}

impl Certificates {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// They cannot be read, or are no pair.
    pub fn load(tls: Tls) -> Result<Arc<Self>, TlsError> {
        let seen = stamps(&tls).ok();
        let (certified, valid_until) = read(&tls)?;
        Ok(Arc::new(Self {
            tls,
            current: RwLock::new(Arc::new(certified)),
            seen: Mutex::new(seen),
            valid_until: Mutex::new(valid_until),
        }))
    }

    /// What connections are accepted with: TLS 1.2 and 1.3, HTTP/1.1.
    #[must_use]
    pub fn server_config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for the protocol versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(self.clone())));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// Takes the files over if they are others than they were.
    pub fn reload_if_changed(&self) -> Reload {
        let now = match stamps(&self.tls) {
            Ok(now) => now,
            // Between the removal of a file and its successor. Told once, by the state that is remembered.
            Err(error) => {
                let was = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
                return was.map_or(Reload::Unchanged, |_| Reload::Refused(error));
            }
        };
        if self.seen.lock().unwrap_or_else(PoisonError::into_inner).replace(now.clone()) == Some(now) {
            return Reload::Unchanged;
        }
        self.reload()
    }

    /// Takes the files over.
    pub fn reload(&self) -> Reload {
        match read(&self.tls) {
            Ok((certified, valid_until)) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
                *self.valid_until.lock().unwrap_or_else(PoisonError::into_inner) = valid_until;
                Reload::Replaced
            }
            Err(error) => Reload::Refused(error),
        }
    }

    /// How long the certificate is still valid, `None` where it is not any more.
    #[must_use]
    pub fn remaining(&self, now: DateTime) -> Option<Duration> {
        let valid_until = *self.valid_until.lock().unwrap_or_else(PoisonError::into_inner);
        let now = u64::try_from(now.timestamp().as_second()).unwrap_or_default();
        valid_until.checked_sub(now).map(Duration::from_secs)
    }

    /// Tells the log how long the certificate is valid.
    pub fn log_expiry(&self, now: DateTime) {
        const DAY: u64 = 24 * 60 * 60;
        match self.remaining(now) {
            None => tracing::error!("the TLS certificate has expired: clients refuse to connect; replace its files"),
            Some(remaining) if remaining < limits::TLS_EXPIRY_WARNING => {
                tracing::warn!(days = remaining.as_secs() / DAY, "the TLS certificate expires soon; replace its files");
            }
            Some(remaining) => tracing::info!(days = remaining.as_secs() / DAY, "the TLS certificate is valid"),
        }
    }
}

/// Hands each new connection the certificate of the moment.
#[derive(Debug)]
struct Resolver(Arc<Certificates>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Follows the files for as long as the server runs: looks at them now and then, and at once on SIGHUP.
pub async fn watch(app: Arc<App>, certificates: Arc<Certificates>) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup()).expect("a signal handler can be installed at start");
    let mut looks = tokio::time::interval(limits::TLS_RELOAD_INTERVAL);
    let mut days = tokio::time::interval(Duration::from_secs(24 * 60 * 60));
    loop {
        let forced = tokio::select! {
            _ = looks.tick() => false,
            _ = hangup.recv() => true,
            _ = days.tick() => {
                certificates.log_expiry(app.clock.now());
                continue;
            }
        };
        let reader = certificates.clone();
        let reload = tokio::task::spawn_blocking(move || if forced { reader.reload() } else { reader.reload_if_changed() });
        match reload.await {
            Ok(Reload::Unchanged) => {}
            Ok(Reload::Replaced) => {
                tracing::info!("took over a new TLS certificate");
                certificates.log_expiry(app.clock.now());
            }
            Ok(Reload::Refused(error)) => {
                tracing::error!(error = chain(&error), "the new TLS certificate is not used; the old one is served on");
            }
            Err(error) => tracing::error!(error = chain(&error), "could not look at the TLS certificate"),
        }
    }
}

fn stamps(tls: &Tls) -> Result<[Stamp; 2], TlsError> {
    let Tls::AsFile { cert_file, key_file } = tls else {
        // Bytes do not change.
        let stamp = Stamp { modified: SystemTime::UNIX_EPOCH, bytes: 0, device: 0, inode: 0 };
        return Ok([stamp.clone(), stamp]);
    };
    Ok([stamp(cert_file)?, stamp(key_file)?])
}

fn stamp(path: &Path) -> Result<Stamp, TlsError> {
    use std::os::unix::fs::MetadataExt as _;
    let unreadable = |source| TlsError::Read { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    let modified = metadata.modified().map_err(unreadable)?;
    Ok(Stamp { modified, bytes: metadata.len(), device: metadata.dev(), inode: metadata.ino() })
}

/// The pair, and until when its certificate is valid, in seconds since the Unix epoch.
fn read(tls: &Tls) -> Result<(CertifiedKey, u64), TlsError> {
    let ((certificate, certificates), (key, private)) = match tls {
        Tls::AsFile { cert_file, key_file } => {
            ((cert_file.display().to_string(), read_file(cert_file)?), (key_file.display().to_string(), read_file(key_file)?))
        }
        Tls::AsBytes { certs, key } => {
            (("`server.tls.certs`".to_owned(), certs.clone()), ("`server.tls.key`".to_owned(), key.0.clone()))
        }
    };
    let chain = CertificateDer::pem_slice_iter(&certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::Pem { origin: certificate.clone(), source })?;
    let first = chain.first().ok_or_else(|| TlsError::NoCertificate { origin: certificate.clone() })?;
    let parsed = x509_cert::Certificate::from_der(first)
        .map_err(|source| TlsError::Certificate { origin: certificate.clone(), source })?;
    let valid_until = parsed.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
    let private = PrivateKeyDer::from_pem_slice(&private).map_err(|source| TlsError::NoKey { origin: key.clone(), source })?;
    let certified = CertifiedKey::from_der(chain, private, &rustls::crypto::ring::default_provider());
    match certified {
        Ok(certified) => Ok((certified, valid_until)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::Mismatch { certificate, key }),
        Err(source) => Err(TlsError::Unusable { certificate, key, source }),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
