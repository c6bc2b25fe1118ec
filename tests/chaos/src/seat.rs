//! Where a device sits: its process, one after the other, and what is read of it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use anyhow::Context as _;
use rig::Proxy;

use crate::cli::Broken;
use crate::promise::Said;

/// What was read of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) device: usize,
    /// Which of its processes, from 1.
    pub(crate) process: u64,
    /// A line, or nothing when the process is gone.
    pub(crate) said: Option<Said>,
}

/// A device's place.
#[derive(Debug)]
pub(crate) struct DeviceSeat {
    pub(crate) name: String,
    pub(crate) proxy: Proxy,
    number: usize,
    folder: PathBuf,
    seed: u64,
    broken: Option<Broken>,
    heard: SyncSender<Heard>,
    running: Option<(Child, ChildStdin)>,
    processes: u64,
    readers: Vec<JoinHandle<()>>,
}

impl DeviceSeat {
    /// Takes a place for device `number`; its process is not started yet.
    pub(crate) fn new(
        number: usize,
        folder: PathBuf,
        proxy: Proxy,
        seed: u64,
        broken: Option<Broken>,
        heard: SyncSender<Heard>,
    ) -> Self {
        let name = format!("box-{}", number + 1);
        let (running, processes, readers) = (None, 0, Vec::new());
        Self { name, proxy, number, folder, seed, broken, heard, running, processes, readers }
    }

    /// Starts a process.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        self.readers.retain(|reader| !reader.is_finished());
        let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
        command.args(["device", "--name", &self.name, "--seed", &self.seed.to_string()]);
        command.args(["--broker", &format!("mqtt://127.0.0.1:{}", self.proxy.port()), "--folder"]).arg(&self.folder);
        if let Some(broken) = self.broken {
            command.args(["--break", broken.as_str()]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(self.log()?);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        let (input, output) = (child.stdin.take().context("it has an input")?, child.stdout.take());
        self.processes += 1;
        let heard = Heard { device: self.number, process: self.processes, said: None };
        let (output, sender) = (output.context("it has an output")?, self.heard.clone());
        self.readers.push(std::thread::spawn(move || read(output, heard, &sender)));
        self.running = Some((child, input));
        Ok(())
    }

    /// Kills the process (SIGKILL). What it has said before is read all the same.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        if let Some((mut child, _)) = self.running.take() {
            child.kill().and_then(|()| child.wait()).with_context(|| format!("cannot kill {}", self.name))?;
        }
        Ok(())
    }

    /// Tells the process that nothing new shall come.
    pub(crate) fn quiet(&mut self) -> anyhow::Result<()> {
        let Some((_, input)) = &mut self.running else { return Ok(()) };
        writeln!(input, "quiet").with_context(|| format!("{} does not listen", self.name))
    }

    /// Tells whether this process is the one that runs, so that it should not be gone.
    pub(crate) fn is_running(&self, process: u64) -> bool {
        self.running.is_some() && process == self.processes
    }

    /// Returns those who read still. They end when the process has and everything it said is taken.
    pub(crate) fn readers(&mut self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.readers)
    }

    fn log(&self) -> anyhow::Result<File> {
        std::fs::create_dir_all(&self.folder)?;
        let path = self.folder.join("device.log");
        let log = OpenOptions::new().create(true).append(true).open(&path);
        log.with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for DeviceSeat {
    fn drop(&mut self) {
        drop(self.kill());
    }
}

/// Reads whole lines until there are no more; half of one is no promise.
fn read(output: ChildStdout, heard: Heard, sender: &SyncSender<Heard>) {
    let mut output = BufReader::new(output);
    let mut line = String::new();
    while output.read_line(&mut line).is_ok_and(|len| len > 0) {
        if let Some(said) = line.strip_suffix('\n').and_then(|line| line.parse().ok())
            && sender.send(Heard { said: Some(said), ..heard }).is_err()
        {
            return;
        }
        line.clear();
    }
    if sender.send(heard).is_err() {
        tracing::debug!(device = heard.device, "the campaign is over");
    }
}
