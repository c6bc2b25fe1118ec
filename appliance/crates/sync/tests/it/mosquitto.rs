//! Mosquitto from Debian with TLS and the product's rules.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use protocol::{DeviceId, mosquitto_acl};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ClientConfig;
use sync::tls::{TlsFiles, client_config};
use sync::{Broker, SyncConfig};
use tempfile::TempDir;

use super::DEADLINE;

/// Who may publish what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// As the product ships them.
    Product,
    /// Devices may not publish logs.
    NoLogs,
}

/// A broker that runs; killed when dropped.
pub(super) struct Mosquitto {
    files: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
    port: u16,
    child: Child,
}

impl Mosquitto {
    /// Starts one; nothing, and a line that says so, where it is not installed.
    pub(super) fn start(rules: Rules) -> Option<Self> {
        Self::start_dated(rules, 2000)
    }

    /// Starts one whose own certificate is valid from a year on.
    pub(super) fn start_dated(rules: Rules, year: i32) -> Option<Self> {
        if Command::new("mosquitto").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            println!("skipped: mosquitto is not installed; `make test` installs it");
            return None;
        }
        let files = TempDir::new().unwrap();
        let issuer = authority("Kolbox test");
        fs::write(files.path().join("ca.pem"), issuer.pem()).unwrap();
        certificate(files.path(), &issuer, "server", "localhost", year);
        let port = free_port();
        let conf = format!(
            "listener {port} 127.0.0.1\ncafile {0}/ca.pem\ncertfile {0}/server.pem\nkeyfile {0}/server.key\n\
             require_certificate true\nuse_identity_as_username true\nacl_file {0}/rules.acl\npersistence false\n\
             user root\n",
            files.path().display()
        );
        fs::write(files.path().join("mosquitto.conf"), conf).unwrap();
        write_rules(files.path(), rules);
        let child = run(files.path());
        Some(Self { files, issuer, port, child })
    }

    pub(super) fn address(&self) -> Broker {
        Broker { host: "localhost".to_owned(), port: self.port, tls: true }
    }

    /// Returns how a device connects that has all it needs.
    pub(super) fn config(&self, device: &DeviceId) -> SyncConfig {
        let tls = self.tls_as_of(device, Duration::ZERO);
        SyncConfig { tls: Some(tls), ..SyncConfig::new(device.clone(), vec![self.address()], 7) }
    }

    /// Returns TLS with a certificate for `device`, checked no earlier than a moment since 1970.
    pub(super) fn tls_as_of(&self, device: &DeviceId, not_before: Duration) -> Arc<ClientConfig> {
        let files = certificate(self.files.path(), &self.issuer, device.as_str(), device.as_str(), 2000);
        client_config(&files, not_before).unwrap()
    }

    /// Returns TLS with a certificate that nobody knows.
    pub(super) fn strange_tls(&self, device: &DeviceId) -> Arc<ClientConfig> {
        let files = certificate(self.files.path(), &authority("Somebody else"), "strange", device.as_str(), 2000);
        client_config(&files, Duration::ZERO).unwrap()
    }

    /// Ends it as a power cut would; it keeps nothing. Then starts it again.
    pub(super) fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = run(self.files.path());
    }

    /// Changes the rules of the broker that runs.
    pub(super) fn allow(&mut self, rules: Rules) {
        write_rules(self.files.path(), rules);
        let hang_up = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status().unwrap();
        assert!(hang_up.success());
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn write_rules(folder: &Path, rules: Rules) {
    let acl = mosquitto_acl(&"gateway".parse().unwrap());
    let acl = match rules {
        Rules::Product => acl,
        Rules::NoLogs => {
            let narrower = acl.replace("/up/+\n", "/up/calls\n");
            assert_ne!(narrower, acl, "the product's rules no longer name up/+");
            narrower
        }
    };
    fs::write(folder.join("rules.acl"), acl).unwrap();
}

fn run(folder: &Path) -> Child {
    let mut child = Command::new("mosquitto")
        .arg("-c")
        .arg(folder.join("mosquitto.conf"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("mosquitto starts");
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (to_test, said) = mpsc::channel();
    // Reads on until it ends, so that its pipe is never full.
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if line.ends_with(" running") || line.contains("Error") {
                drop(to_test.send(line));
            }
        }
    });
    let line = said.recv_timeout(DEADLINE).expect("mosquitto says that it runs");
    assert!(line.ends_with(" running"), "{line}");
    child
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes certificate, valid from a year on, and key of a name into files that begin with `file`.
fn certificate(
    folder: &Path,
    issuer: &CertifiedIssuer<'static, KeyPair>,
    file: &str,
    name: &str,
    year: i32,
) -> TlsFiles {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(year, 1, 1);
    params.not_after = rcgen::date_time_ymd(year + 50, 1, 1);
    let certificate = params.signed_by(&key, issuer).unwrap();
    let path = |extension: &str| -> PathBuf { folder.join(format!("{file}.{extension}")) };
    fs::write(path("pem"), certificate.pem()).unwrap();
    fs::write(path("key"), key.serialize_pem()).unwrap();
    TlsFiles { ca: folder.join("ca.pem"), certificate: path("pem"), key: path("key") }
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
