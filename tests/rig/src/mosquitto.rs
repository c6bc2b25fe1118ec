//! Debian's Mosquitto.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::folder::Folder;
use crate::port::{free_port, wait_for_port};
use crate::process::{Process, find};
use crate::{Memory, RigError, memory};

/// Longest wait for it to listen.
const START: Duration = Duration::from_secs(30);

/// A Mosquitto with Debian's defaults, but for its port and who may come: everybody.
///
/// It writes what it holds into its folder when it ends in order and each half hour (`autosave_interval`), so that
/// [`Self::kill`] costs it everything since.
#[derive(Debug)]
pub struct Mosquitto {
    process: Process,
    folder: Folder,
    port: u16,
    program: PathBuf,
    extra: String,
}

impl Mosquitto {
    /// Starts one.
    pub fn start() -> Result<Self, RigError> {
        Self::begin(Folder::own()?, "")
    }

    /// Starts one with these lines in its configuration.
    pub fn start_with(extra: &str) -> Result<Self, RigError> {
        Self::begin(Folder::own()?, extra)
    }

    /// Starts one with its files in `folder`, where they stay.
    pub fn start_in(folder: &Path, extra: &str) -> Result<Self, RigError> {
        Self::begin(Folder::given(folder)?, extra)
    }

    fn begin(folder: Folder, extra: &str) -> Result<Self, RigError> {
        let program = find("mosquitto", &["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].map(PathBuf::from))?;
        let process = Process::new("mosquitto", folder.path());
        let mut mosquitto = Self { process, folder, port: free_port()?, program, extra: extra.to_owned() };
        mosquitto.start_again()?;
        Ok(mosquitto)
    }

    /// Starts it again on the same port and folder, and waits until it listens. One that runs is killed first.
    pub fn start_again(&mut self) -> Result<(), RigError> {
        // Started by root it would change to a user that cannot read the folder.
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\nuser root\n{}\n",
            self.port,
            self.folder.path().display(),
            self.extra
        );
        let file = self.folder.write("mosquitto.conf", &text)?;
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(file);
        self.process.spawn(command)?;
        wait_for_port(self.port, &mut self.process, START)
    }

    /// Kills it (SIGKILL), as a power cut would.
    pub fn kill(&mut self) -> Result<(), RigError> {
        self.process.kill()
    }

    /// Returns the port on 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its address as configurations name it.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Reads what it weighs.
    pub fn memory(&self) -> Result<Memory, RigError> {
        let pid = self.process.pid().unwrap_or_default();
        memory(pid).map_err(RigError::io("read the memory of mosquitto"))
    }
}
