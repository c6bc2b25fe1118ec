//! A program run for its output: input on a pipe, output piece by piece, killed when it takes too long or nobody
//! wants it any more. It never outlives the value that holds it.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// Bytes read at once.
const PIECE: usize = 8 * 1024;
/// Pieces that may wait to be taken.
const PIECES: usize = 8;

/// A running program.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    output: Receiver<io::Result<Vec<u8>>>,
    ended: bool,
}

/// What a wait for output came to.
pub(crate) enum Output {
    Bytes(Vec<u8>),
    /// It closed its output.
    End,
    /// Nothing came in time.
    Nothing,
}

impl Program {
    /// Starts `program`; two threads feed it `input` and read what it says. Its error output is dropped: it may repeat
    /// the text it was given.
    pub(crate) fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        input: Vec<u8>,
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // A group of its own, so that what it starts is killed with it.
        let mut child = command.process_group(0).spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (sender, output) = sync_channel(PIECES);
        // From here on dropping it kills the child.
        let program = Self { child, output, ended: false };
        if let Some(mut stdin) = stdin {
            spawn("speech-feed", move || {
                // It may end without having read all; its exit status tells why.
                drop(stdin.write_all(&input));
            })?;
        }
        if let Some(mut stdout) = stdout {
            spawn("speech-read", move || read(&mut stdout, &sender))?;
        }
        Ok(program)
    }

    /// Waits for output, at most `patience`.
    pub(crate) fn read(&mut self, patience: Duration) -> io::Result<Output> {
        match self.output.recv_timeout(patience) {
            Ok(piece) => piece.map(Output::Bytes),
            Err(RecvTimeoutError::Timeout) => Ok(Output::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(Output::End),
        }
    }

    /// Ends the program and returns how it ended. One that has closed its output has a moment to go by itself.
    pub(crate) fn finish(mut self) -> io::Result<ExitStatus> {
        for _ in 0..50 {
            if let Some(status) = self.child.try_wait()? {
                self.ended = true;
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.kill();
        self.child.wait()
    }

    fn kill(&mut self) {
        self.ended = true;
        // Its number is its own as long as nobody waited for it.
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if group.is_none_or(|group| kill_process_group(group, Signal::KILL).is_err()) {
            // Already gone, else the standard library finds it.
            drop(self.child.kill());
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
            if let Err(error) = self.child.wait() {
                tracing::warn!(error = &error as &dyn std::error::Error, "a killed program was not waited for");
            }
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

fn read(stdout: &mut impl io::Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    let mut piece = vec![0; PIECE];
    loop {
        let read = match stdout.read(&mut piece) {
            Ok(0) => return,
            Ok(len) => Ok(piece.get(..len).unwrap_or_default().to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        // Nobody listens any more: the program was dropped.
        if sender.send(read).is_err() || failed {
            return;
        }
    }
}
