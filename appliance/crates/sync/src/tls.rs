//! TLS: the device's certificate, the fleet's root, and a clock that cannot be far behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};

/// Files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The roots that sign brokers' certificates.
    pub ca: PathBuf,
    /// The device's certificate, with those between it and the root. Its common name is the device's.
    pub certificate: PathBuf,
    /// The device's key.
    pub key: PathBuf,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("{}: cannot be read as PEM", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A file holds no certificate.
    #[error("{}: holds no certificate", .file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// Certificates and key do not fit.
    #[error("certificate and key cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// Makes the configuration of connections to brokers. Certificates are checked as of now, or `not_before` (since 1970) if
/// the clock stands before it: a box without a clock battery wakes in 1970, and has to reach the network to learn the time.
pub fn client_config(files: &TlsFiles, not_before: Duration) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots.add(certificate).map_err(TlsError::Unusable)?;
    }
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|source| TlsError::File { file: files.key.clone(), source })?;
    let config = ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(Floor(not_before)))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(TlsError::Unusable)?;
    Ok(Arc::new(config))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |source| TlsError::File { file: file.to_owned(), source };
    let found = CertificateDer::pem_file_iter(file).map_err(read)?.collect::<Result<Vec<_>, _>>().map_err(read)?;
    if found.is_empty() { Err(TlsError::NoCertificate { file: file.to_owned() }) } else { Ok(found) }
}

/// A clock that never stands before a moment.
#[derive(Debug)]
struct Floor(Duration);

impl TimeProvider for Floor {
    fn current_time(&self) -> Option<UnixTime> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(UnixTime::since_unix_epoch(now.max(self.0)))
    }
}
