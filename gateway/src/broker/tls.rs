//! The TLS side of the broker: its own certificate, and the authority of the devices' certificates.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use super::EmbeddedConfig;

/// The protocol's name in ALPN, as IANA registered it.
const ALPN: &[u8] = b"mqtt";

/// Why the broker has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file was not read.
    #[error("could not read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A file holds no PEM of the kind expected, or a broken one.
    #[error("{} does not hold {what} in PEM", .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// A certificate, a key, or the two together are not usable.
    #[error("the certificate or its key is not usable")]
    Identity(#[source] rustls::Error),
    /// The devices' authority is not usable.
    #[error("the devices' authority is not usable")]
    Authority(#[source] VerifierBuilderError),
}

/// Returns what the devices' listener speaks: TLS 1.2 or 1.3, and a client certificate of the devices' authority or none
/// of the connection.
pub(super) fn server_config(config: &EmbeddedConfig) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut authority = RootCertStore::empty();
    for certificate in certificates(&config.device_authority)? {
        authority.add(certificate).map_err(TlsError::Identity)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authority), Arc::clone(&provider))
        .build()
        .map_err(TlsError::Authority)?;
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Identity)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(&config.certificate)?, key(&config.key)?)
        .map_err(TlsError::Identity)?;
    server.alpn_protocols = vec![ALPN.to_vec()];
    Ok(server)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let what = "a certificate";
    let wrong = |source| TlsError::Pem { path: path.to_owned(), what, source };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match found {
        Ok(found) if found.is_empty() => Err(wrong(pem::Error::NoItemsFound)),
        Ok(found) => Ok(found),
        Err(source) => Err(wrong(source)),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|source| TlsError::Pem {
        path: path.to_owned(),
        what: "a private key",
        source,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read(path.to_owned(), source))
}
