//! The link to the gateway.

use std::net::IpAddr;
use std::path::PathBuf;

use protocol::DeviceId;
use serde::{Deserialize, Deserializer};
use sync::Broker;
use sync::tls::TlsFiles;

/// The link to the gateway. Off until brokers are named.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sync {
    /// The gateway's brokers, tried in turn, for example `mqtts://gateway.example.org:8883`. `mqtt://`, without TLS, is for
    /// brokers on the same machine. Default none: nothing leaves the box, and nothing is kept to be sent.
    #[serde(deserialize_with = "brokers")]
    pub brokers: Vec<Broker>,
    /// The device's name, the common name of its certificate: 1 to 64 of `a-z`, `0-9` and `-`.
    pub device: Option<DeviceId>,
    /// The roots that sign brokers' certificates, in PEM.
    pub ca: Option<PathBuf>,
    /// The device's certificate, in PEM.
    pub certificate: Option<PathBuf>,
    /// The device's key, in PEM.
    pub key: Option<PathBuf>,
}

impl Sync {
    /// Returns whether there is a gateway.
    pub fn is_on(&self) -> bool {
        !self.brokers.is_empty()
    }

    /// Returns the files for TLS, if all of them are named.
    pub fn tls_files(&self) -> Option<TlsFiles> {
        let (ca, certificate, key) = (self.ca.clone()?, self.certificate.clone()?, self.key.clone()?);
        Some(TlsFiles { ca, certificate, key })
    }

    /// Returns the field that is wrong and what was expected.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.is_on() {
            return Ok(());
        }
        if self.device.is_none() {
            return Err(("sync.device", "expected a name, because sync.brokers names a broker".to_owned()));
        }
        if self.brokers.iter().any(|broker| broker.tls) && self.tls_files().is_none() {
            let field = [("sync.ca", &self.ca), ("sync.certificate", &self.certificate), ("sync.key", &self.key)];
            let missing = field.into_iter().find(|(_, file)| file.is_none()).map_or("sync.ca", |(field, _)| field);
            return Err((missing, "expected a file, because sync.brokers names one with mqtts://".to_owned()));
        }
        match self.brokers.iter().find(|broker| !broker.tls && !is_here(&broker.host)) {
            Some(broker) => Err(("sync.brokers", format!("'{broker}': expected mqtts:// for another machine"))),
            None => Ok(()),
        }
    }
}

/// Returns whether a host is this machine.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn brokers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Broker>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}
