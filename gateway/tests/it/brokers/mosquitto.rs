//! Mosquitto from Debian, with the files of `deploy/mosquitto-postgres/` and other paths and ports.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use tempfile::TempDir;

use super::authority::Authority;
use super::{DEADLINE, Place, example};

/// Folder that the example's files stand in when they are installed.
const INSTALLED: &str = "/etc/mosquitto/kolbox";

/// Folder for what Mosquitto keeps.
const KEPT: &str = "/var/lib/mosquitto";

/// A Mosquitto that runs; killed when dropped.
pub(super) struct Mosquitto {
    pub(super) place: Place,
    child: Child,
    _files: TempDir,
}

impl Mosquitto {
    pub(super) fn start() -> Self {
        let (authority, files) = (Authority::new(), TempDir::new().unwrap());
        let (device_port, worker_port) = (free_port(), free_port());
        let (username, password) = ("gateway", "a password of a test");
        install(files.path(), &authority, device_port, worker_port);
        let status = Command::new("mosquitto_passwd")
            .args(["-c", "-b"])
            .arg(files.path().join("workers.passwd"))
            .args([username, password])
            .stderr(Stdio::null())
            .status()
            .expect("mosquitto_passwd, of Debian's package mosquitto");
        assert!(status.success(), "mosquitto_passwd: {status}");
        let child = run(&files.path().join("mosquitto.conf"));
        let place = Place {
            authority,
            device_port,
            worker_port,
            worker_username: username.to_owned(),
            worker_password: password.to_owned(),
        };
        Self { place, child, _files: files }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.child.kill().expect("mosquitto was running");
        self.child.wait().expect("mosquitto ended");
    }
}

/// Puts the example's files and new certificates into a folder.
fn install(folder: &Path, authority: &Authority, device_port: u16, worker_port: u16) {
    let server = authority.server();
    for (file, content) in [
        ("authority.pem", authority.pem()),
        ("server.pem", server.certificate.as_str()),
        ("server.key", server.key.as_str()),
    ] {
        fs::write(folder.join(file), content).unwrap();
    }
    for file in ["devices.acl", "workers.acl"] {
        fs::copy(example("mosquitto-postgres").join(file), folder.join(file)).unwrap();
    }
    let mut conf = fs::read_to_string(example("mosquitto-postgres/mosquitto.conf")).unwrap();
    let here = folder.to_str().unwrap();
    for (of_example, of_test) in [
        (INSTALLED, here.to_owned()),
        (KEPT, here.to_owned()),
        ("listener 8883\n", format!("listener {device_port} 127.0.0.1\n")),
        ("listener 1883 127.0.0.1\n", format!("listener {worker_port} 127.0.0.1\n")),
    ] {
        assert!(conf.contains(of_example), "the example no longer says {of_example:?}");
        conf = conf.replace(of_example, &of_test);
    }
    // Started by root it would change to a user that cannot read the test's folder.
    conf.push_str("user root\n");
    fs::write(folder.join("mosquitto.conf"), conf).unwrap();
}

/// Starts Mosquitto and waits until it says that it runs.
fn run(conf: &Path) -> Child {
    let mut child = Command::new("mosquitto")
        .arg("-c")
        .arg(conf)
        .stderr(Stdio::piped())
        .spawn()
        .expect("mosquitto, of Debian's package of that name");
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (to_test, said) = mpsc::channel();
    // Reads on until Mosquitto ends, so that its pipe is never full.
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if line.ends_with(" running") || line.contains("Error") {
                drop(to_test.send(line));
            }
        }
    });
    let line = said.recv_timeout(DEADLINE).expect("mosquitto starts");
    assert!(line.ends_with(" running"), "{line}");
    child
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
