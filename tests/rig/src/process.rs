//! A server's process.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::RigError;

/// Time between two looks at something that does not tell by itself.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Lets a moment pass before the next look.
pub(crate) fn pause() {
    std::thread::park_timeout(LOOK_EVERY);
}

/// A process that may run, and a file with all it ever said; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Makes one that does not run yet and will write its log into `folder`.
    pub(crate) fn new(name: &'static str, folder: &Path) -> Self {
        Self { name, log: folder.join(format!("{name}.log")), child: None }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Runs `command`; one that still runs is killed first.
    pub(crate) fn spawn(&mut self, mut command: Command) -> Result<(), RigError> {
        self.kill()?;
        let cannot = |source| RigError::Io { what: format!("write {}", self.log.display()), source };
        let log = OpenOptions::new().create(true).append(true).open(&self.log).map_err(cannot)?;
        let same = log.try_clone().map_err(cannot)?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(same).spawn();
        self.child = Some(child.map_err(RigError::io(format!("start {}", command.get_program().display())))?);
        Ok(())
    }

    /// Kills it (SIGKILL) and waits until it is gone; nothing when it is gone already.
    pub(crate) fn kill(&mut self) -> Result<(), RigError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill().and_then(|()| child.wait()).map_err(RigError::io(format!("kill {}", self.name)))?;
        Ok(())
    }

    /// Sends it `signal` and waits until it has ended.
    pub(crate) fn end_by(&mut self, signal: Signal) -> Result<(), RigError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let told = kill_process(Pid::from_child(&child), signal).map_err(std::io::Error::from);
        told.and_then(|()| child.wait()).map_err(RigError::io(format!("stop {}", self.name)))?;
        Ok(())
    }

    /// Returns an error when it has ended by itself, or was never started.
    pub(crate) fn check_running(&mut self) -> Result<(), RigError> {
        let ended = match &mut self.child {
            Some(child) => child.try_wait().map_err(RigError::io(format!("look after {}", self.name)))?,
            None => return Err(RigError::Failed { program: self.name.to_owned(), said: "it was killed".to_owned() }),
        };
        match ended {
            None => Ok(()),
            Some(status) => {
                self.child = None;
                Err(RigError::Ended { name: self.name, status, log: self.log.clone() })
            }
        }
    }

    pub(crate) fn too_slow(&self, state: &'static str, patience: Duration) -> RigError {
        RigError::TooSlow { name: self.name, state, patience, log: self.log.clone() }
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.kill());
    }
}

/// Returns the first of `places` that is there.
pub(crate) fn find(program: &str, places: &[PathBuf]) -> Result<PathBuf, RigError> {
    places.iter().find(|place| place.is_file()).cloned().ok_or_else(|| RigError::Missing {
        program: program.to_owned(),
        looked_at: places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", "),
    })
}
