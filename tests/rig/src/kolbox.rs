//! The program `kolbox`.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::RigError;
use crate::folder::Folder;
use crate::port::{free_port, wait_for_port};
use crate::process::{Process, find};

/// Longest wait for it to listen.
const READY: Duration = Duration::from_mins(1);
/// Longest wait for a connection on this machine.
const CONNECT: Duration = Duration::from_millis(500);

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

    /// Starts it again; it does not listen yet. One that runs is killed first.
    pub fn start_again(&mut self) -> Result<(), RigError> {
        let file = self.folder.write("kolbox.toml", &self.config)?;
        let mut command = Command::new(&self.program);
        command.args(["--log", "warn", "run", "--config"]).arg(file).current_dir(self.folder.path());
        self.process.spawn(command)
    }

    /// Waits until it listens.
    pub fn wait_until_ready(&mut self) -> Result<(), RigError> {
        wait_for_port(self.port, &mut self.process, READY)
    }

    /// Tells whether it listens now.
    pub fn is_ready(&self) -> bool {
        TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), CONNECT).is_ok()
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
