//! Reads whose certificate it is.

use protocol::DeviceId;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Why a certificate names no device.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CertificateError {
    /// The handshake ended without one.
    #[error("the client showed no certificate")]
    Missing,
    /// It is not X.509, which a verified one always is.
    #[error("the certificate is not X.509")]
    Malformed,
    /// The subject has no common name, or several.
    #[error("the certificate's subject does not have exactly one common name")]
    CommonName,
    /// The common name is not a device id.
    #[error("the certificate's common name is not a device id")]
    NotADevice,
}

/// Returns the device that a chain speaks for: the common name of its first certificate. Whether the chain is to be
/// trusted is rustls' to say, before this is asked.
///
/// # Errors
///
/// Where the name is missing, given twice or no device id: a certificate of the same authority for a server or a
/// person is no device.
pub fn device_of(chain: Option<&[CertificateDer<'_>]>) -> Result<DeviceId, CertificateError> {
    let certificate = chain.and_then(<[_]>::first).ok_or(CertificateError::Missing)?;
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_malformed| CertificateError::Malformed)?;
    let mut names = certificate.subject().iter_common_name();
    let (Some(name), None) = (names.next(), names.next()) else { return Err(CertificateError::CommonName) };
    let name = name.as_str().map_err(|_not_text| CertificateError::NotADevice)?;
    name.parse().map_err(|_no_id| CertificateError::NotADevice)
}
