//! The program `kolbox-gateway`.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::folder::Folder;
use crate::port::free_port;
use crate::process::{Process, find, pause};
use crate::{Memory, RigError, memory};

/// Longest wait for it to be ready.
const READY: Duration = Duration::from_mins(1);
/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read at most.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// A gateway: a process with its configuration file.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    folder: Folder,
    port: u16,
    program: PathBuf,
    config: String,
}

/// What the gateway's API answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Gateway {
    /// Starts `program` with `config`, which leaves out `[http]`: where it listens is chosen here. It is not ready yet.
    pub fn start(program: &Path, config: &str) -> Result<Self, RigError> {
        Self::begin(Folder::own()?, program, config)
    }

    /// Starts it with its files in `folder`, where they stay.
    pub fn start_in(folder: &Path, program: &Path, config: &str) -> Result<Self, RigError> {
        Self::begin(Folder::given(folder)?, program, config)
    }

    fn begin(folder: Folder, program: &Path, config: &str) -> Result<Self, RigError> {
        // It is started in the folder, where a path relative to ours would lead elsewhere.
        let program = std::path::absolute(program).map_err(RigError::io("find out which folder this is"))?;
        let program = find("kolbox-gateway", &[program])?;
        let process = Process::new("kolbox-gateway", folder.path());
        let port = free_port()?;
        let config = format!("[http]\nlisten = '127.0.0.1:{port}'\n{config}");
        let mut gateway = Self { process, folder, port, program, config };
        gateway.start_again()?;
        Ok(gateway)
    }

    /// Starts it again; it is not ready yet. One that runs is killed first.
    pub fn start_again(&mut self) -> Result<(), RigError> {
        let file = self.folder.write("gateway.toml", &self.config)?;
        let mut command = Command::new(&self.program);
        command.args(["run", "--config"]).arg(file).current_dir(self.folder.path());
        self.process.spawn(command)
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) -> Result<(), RigError> {
        self.process.kill()
    }

    /// Tells it to stop (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> Result<(), RigError> {
        self.process.end_by(Signal::TERM)
    }

    /// Waits until `/readyz` says that every part of it is well.
    pub fn wait_until_ready(&mut self) -> Result<(), RigError> {
        let deadline = Instant::now() + READY;
        while !self.get("/readyz").is_ok_and(|answer| answer.status == 200) {
            self.process.check_running()?;
            if Instant::now() >= deadline {
                return Err(self.process.too_slow("ready", READY));
            }
            pause();
        }
        Ok(())
    }

    /// Returns an error when it has ended by itself ([`RigError::Ended`]), or was killed and not started again.
    pub fn check_running(&mut self) -> Result<(), RigError> {
        self.process.check_running()
    }

    /// Asks for `path` of its API.
    pub fn get(&self, path: &str) -> Result<Answer, RigError> {
        get(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), path)
            .map_err(RigError::io(format!("ask the {} for {path}", self.process.name())))
    }

    /// Returns the port on 127.0.0.1 that its API listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Reads what it weighs.
    pub fn memory(&self) -> Result<Memory, RigError> {
        let pid = self.process.pid().unwrap_or_default();
        memory(pid).map_err(RigError::io("read the memory of the gateway"))
    }
}

/// Returns where a program of this workspace is that was built like the one that runs: in its folder, or, when a test
/// runs, in the one above.
pub fn beside_current_program(name: &str) -> Result<PathBuf, RigError> {
    let current = std::env::current_exe().map_err(RigError::io("find out which program runs"))?;
    let places: Vec<PathBuf> = current.ancestors().skip(1).take(2).map(|folder| folder.join(name)).collect();
    find(name, &places)
}

pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "this is no answer of HTTP");
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(bad)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
    Ok(Answer { status, body: body.to_owned() })
}
