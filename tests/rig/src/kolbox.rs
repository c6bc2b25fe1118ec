//! The program `kolbox`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::RigError;
use crate::folder::Folder;
use crate::gateway::get;
use crate::port::free_port;
use crate::process::{Process, find, pause};

/// Longest wait for it to answer.
const READY: Duration = Duration::from_mins(1);

/// A box: a process with its configuration file.
#[derive(Debug)]
pub struct Kolbox {
    process: Process,
    folder: Folder,
    port: u16,
    program: PathBuf,
    config: String,
}

impl Kolbox {
    /// Starts `program` with its files in `folder`, where they stay. `config` leaves out `[http]`: where it listens is
    /// chosen here.
    pub fn start_in(folder: &Path, program: &Path, config: &str) -> Result<Self, RigError> {
        let folder = Folder::given(folder)?;
        let program = std::path::absolute(program).map_err(RigError::io("find out which folder this is"))?;
        let program = find("kolbox", &[program])?;
        let process = Process::new("kolbox", folder.path());
        let port = free_port()?;
        let address = format!("127.0.0.1:{port}");
        let config = format!("[http]\nlisten = '{address}'\npublic_url = 'http://{address}'\n{config}");
        let mut started = Self { process, folder, port, program, config };
        started.start_again()?;
        Ok(started)
    }

    /// Starts it again; it does not answer yet. One that runs is killed first.
    pub fn start_again(&mut self) -> Result<(), RigError> {
        let file = self.folder.write("kolbox.toml", &self.config)?;
        let mut command = Command::new(&self.program);
        command.args(["--log", "warn", "run", "--config"]).arg(file).current_dir(self.folder.path());
        self.process.spawn(command)
    }

    /// Waits until it answers: it listens before its store is open.
    pub fn wait_until_ready(&mut self) -> Result<(), RigError> {
        let (address, deadline) = (SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), Instant::now() + READY);
        while !get(address, "/healthz").is_ok_and(|answer| answer.status == 200) {
            self.process.check_running()?;
            if Instant::now() >= deadline {
                return Err(self.process.too_slow("ready", READY));
            }
            pause();
        }
        Ok(())
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) -> Result<(), RigError> {
        self.process.kill()
    }

    /// Returns an error when it has ended by itself, or was killed and not started again.
    pub fn check_running(&mut self) -> Result<(), RigError> {
        self.process.check_running()
    }

    /// Returns where it is asked.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
