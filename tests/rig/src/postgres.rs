//! Debian's `PostgreSQL`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Signal, getuid};

use crate::folder::Folder;
use crate::port::{free_port, wait_for_port};
use crate::process::{Process, find, pause};
use crate::{Memory, RigError, memory};

/// Longest wait for it to be ready: a cluster that was killed recovers first.
const START: Duration = Duration::from_mins(1);
/// Where Debian puts its versions.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Who runs it when we are root, whom it refuses: `nobody`.
const NOBODY: u32 = 65_534;
/// Its superuser, who needs no password.
const USER: &str = "kolbox";

/// A cluster of `PostgreSQL` with the default settings, on loopback.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    folder: Folder,
    port: u16,
    programs: PathBuf,
}

impl Postgres {
    /// Makes a cluster and starts it.
    pub fn start() -> Result<Self, RigError> {
        Self::begin(Folder::own()?, &[])
    }

    /// Makes a cluster and starts it with these lines at the end of its `postgresql.conf`, `name = value` each.
    pub fn start_with(settings: &[&str]) -> Result<Self, RigError> {
        Self::begin(Folder::own()?, settings)
    }

    /// Makes a cluster in `folder`, where it stays, and starts it. Everybody must be able to pass through the folders
    /// above: `PostgreSQL` does not run as root.
    pub fn start_in(folder: &Path, settings: &[&str]) -> Result<Self, RigError> {
        Self::begin(Folder::given(folder)?, settings)
    }

    fn begin(folder: Folder, settings: &[&str]) -> Result<Self, RigError> {
        let at = folder.path();
        let cannot = || RigError::io(format!("hand {} over", at.display()));
        if getuid().is_root() {
            chown(at, Some(NOBODY), Some(NOBODY)).map_err(cannot())?;
        }
        fs::set_permissions(at, fs::Permissions::from_mode(0o700)).map_err(cannot())?;
        let process = Process::new("postgres", at);
        let mut postgres = Self { process, port: free_port()?, programs: programs()?, folder };
        let mut make = postgres.command("initdb");
        make.args(["-U", USER, "-A", "trust", "-E", "UTF8", "-N", "-D"]).arg(postgres.data());
        succeed("initdb", &mut make)?;
        let file = postgres.data().join("postgresql.conf");
        let add = |mut file: fs::File| file.write_all(settings.join("\n").as_bytes());
        let added = fs::OpenOptions::new().append(true).open(&file).and_then(add);
        added.map_err(RigError::io(format!("write {}", file.display())))?;
        postgres.start_again()?;
        Ok(postgres)
    }

    /// Starts it again on the same port and folder, and waits until it listens; it may still recover then. One that runs
    /// is killed first.
    pub fn start_again(&mut self) -> Result<(), RigError> {
        let deadline = Instant::now() + START;
        loop {
            let mut command = self.command("postgres");
            command.arg("-D").arg(self.data());
            command.args(["-p", &self.port.to_string(), "-h", "127.0.0.1", "-k"]).arg(self.folder.path());
            self.process.spawn(command)?;
            match wait_for_port(self.port, &mut self.process, START) {
                Ok(()) => return Ok(()),
                // The children of one that was killed hold its shared memory until they notice, and it refuses to start
                // so long.
                Err(RigError::Ended { .. }) if Instant::now() < deadline => pause(),
                Err(error) => return Err(error),
            }
        }
    }

    /// Kills its first process (SIGKILL). The others notice by themselves and end in the midst of what they do.
    pub fn kill(&mut self) -> Result<(), RigError> {
        self.process.kill()
    }

    /// Waits until it answers queries.
    pub fn wait_until_ready(&mut self) -> Result<(), RigError> {
        let deadline = Instant::now() + START;
        while self.query("postgres", "SELECT 1").is_err() {
            self.process.check_running()?;
            if Instant::now() >= deadline {
                return Err(self.process.too_slow("answering", START));
            }
            pause();
        }
        Ok(())
    }

    /// Makes a database and returns its address.
    pub fn database(&mut self, name: &str) -> Result<String, RigError> {
        self.wait_until_ready()?;
        self.query("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(name))
    }

    /// Returns the address of the database `name`.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{name}", self.port)
    }

    /// Asks `sql` of `database` and returns what psql prints: a line for each row, `|` between columns.
    pub fn query(&self, database: &str, sql: &str) -> Result<String, RigError> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER, "-d", database, "-c", sql]);
        succeed("psql", &mut command)
    }

    /// Returns the port on 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Reads what its first process weighs. Each connection is another process.
    pub fn memory(&self) -> Result<Memory, RigError> {
        let pid = self.process.pid().unwrap_or_default();
        memory(pid).map_err(RigError::io("read the memory of postgres"))
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir("/");
        if getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An immediate shutdown takes its children along.
        drop(self.process.end_by(Signal::QUIT));
    }
}

/// Returns where the programs of the newest version are.
fn programs() -> Result<PathBuf, RigError> {
    let versions = fs::read_dir(VERSIONS).map_err(RigError::io(format!("list {VERSIONS}, of Debian's postgresql")))?;
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .collect();
    versions.sort();
    let newest = versions.pop().map(|(_, path)| path).unwrap_or_default();
    find("postgres", &[newest.join("postgres")])?;
    Ok(newest)
}

/// Runs a program to its end and returns what it printed.
fn succeed(program: &str, command: &mut Command) -> Result<String, RigError> {
    let output = command.stdin(Stdio::null()).output().map_err(RigError::io(format!("start {program}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(RigError::Failed { program: program.to_owned(), said });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
