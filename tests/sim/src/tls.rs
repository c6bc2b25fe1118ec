//! A certificate for each device, signed here and now.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::DeviceId;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Where the authorities are, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authorities that sign brokers.
    pub brokers: PathBuf,
    /// The authority that signs devices,
    pub devices: PathBuf,
    /// and its key.
    pub devices_key: PathBuf,
}

/// Signs devices' certificates, and trusts a broker's.
pub struct DeviceTls {
    provider: Arc<CryptoProvider>,
    /// One for all: it holds the roots.
    verifier: Arc<WebPkiServerVerifier>,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for DeviceTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceTls").finish_non_exhaustive()
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds no certificate.
    #[error("{}: expected certificates in PEM", .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The authorities cannot be used.
    #[error("the brokers' authorities cannot be used")]
    Authorities(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The authority cannot sign.
    #[error("certificates cannot be signed")]
    Sign(#[source] rcgen::Error),
    /// What was signed cannot be used.
    #[error("certificate and key cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// A certificate with its key, PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// An authority for a trial: made here and now, gone with the process.
pub struct TrialAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl std::fmt::Debug for TrialAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrialAuthority").finish_non_exhaustive()
    }
}

impl TrialAuthority {
    /// Makes one.
    pub fn new() -> Result<Self, TlsError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Authority of a trial");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(TlsError::Sign)?;
        let certificate = params.self_signed(&key).map_err(TlsError::Sign)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Returns its certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Returns its key, PEM.
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Signs a broker, by its name or address.
    pub fn server(&self, host: &str) -> Result<Identity, TlsError> {
        let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(TlsError::Sign)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, host);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(TlsError::Sign)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(TlsError::Sign)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

impl DeviceTls {
    /// Reads the authorities.
    pub fn new(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
        };
        let pem = |source| TlsError::Pem { path: files.brokers.clone(), source };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&files.brokers).map_err(pem)? {
            roots.add(certificate.map_err(pem)?).map_err(|error| TlsError::Authorities(error.into()))?;
        }
        let key = KeyPair::from_pem(&read(&files.devices_key)?).map_err(TlsError::Sign)?;
        let issuer = Issuer::from_ca_cert_pem(&read(&files.devices)?, key).map_err(TlsError::Sign)?;
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| TlsError::Authorities(error.into()))?;
        Ok(Self { provider, verifier, issuer })
    }

    /// Makes a key and a certificate for a device, and a configuration of them.
    pub fn device(&self, device: &DeviceId) -> Result<Arc<ClientConfig>, TlsError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, device.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().map_err(TlsError::Sign)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(TlsError::Sign)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?
            .with_webpki_verifier(Arc::clone(&self.verifier))
            .with_client_auth_cert(vec![certificate.der().clone()], key)
            .map_err(TlsError::Unusable)?;
        // A handshake with everything in it each time, as after a restart of the box; and no cache for each device.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}
