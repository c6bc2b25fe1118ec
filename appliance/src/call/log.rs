//! The call's log on its way to the disk, without ever holding up the call.
//!
//! A disk that cannot keep up loses the rest of the log, which is then shorter and whole, never the call.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use conversation::{Config, Input, Output};
use replay::{Frame, Opened, Record, encode};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use units::{CallId, CallTime};
use weather::Decision;

use crate::app::Parts;
use crate::switchboard::Caller;

/// Bytes collected before they are handed to the disk.
const PIECE: usize = 16 * 1_024;
/// Pieces that may wait for the disk.
const PIECES: usize = 32;

/// Writes one call's log.
pub(super) struct CallLog {
    call: CallId,
    with_audio: bool,
    buffer: Vec<u8>,
    writer: Option<(mpsc::Sender<Vec<u8>>, JoinHandle<()>)>,
}

impl CallLog {
    /// Begins a log. Where none can be written, the call goes on without.
    pub(super) fn open(parts: &Arc<Parts>, caller: &Caller, config: &Config) -> Self {
        let folder = parts.config.store.path.join("calls");
        let call = &caller.call;
        // A caller who comes back from a person has a second conversation in the same call.
        let name = if caller.before.is_some() { format!("{call}.2.log") } else { format!("{call}.log") };
        let file = folder.join(name);
        let (sender, pieces) = mpsc::channel(PIECES);
        let writing = write(folder, file, pieces);
        let id = call.clone();
        let task = parts.tasks.spawn(async move {
            if let Err(error) = writing.await {
                tracing::warn!(call_id = %id, error = &error as &dyn std::error::Error, "no call log");
            }
        });
        let with_audio = parts.config.store.log_audio;
        let mut log = Self { call: call.clone(), with_audio, buffer: Vec::new(), writer: Some((sender, task)) };
        let mut opened = Opened::new(crate::SOFTWARE, config.clone());
        let weather = parts.voice.weather();
        for (name, model) in [("recognizer", weather.recognize), ("synthesizer", weather.synthesize)] {
            opened.models.extend(model.map(|model| (name.to_owned(), model)));
        }
        log.append(Record::Opened(Box::new(opened)));
        log
    }

    /// Notes what the core was told.
    pub(super) fn perceived(&mut self, at: CallTime, input: &Input) {
        self.append(Record::Perceived { at, input: input.clone() });
    }

    /// Notes what the core decided.
    pub(super) fn decided(&mut self, at: CallTime, output: &Output) {
        self.append(Record::Decided { at, output: output.clone() });
    }

    /// Notes who served a request, and why.
    pub(super) fn chosen(&mut self, at: CallTime, decision: &Decision) {
        self.append(Record::Chosen { at, decision: decision.clone() });
    }

    /// Notes the caller's audio, where the owner wants that.
    pub(super) fn audio(&mut self, at: CallTime, mulaw: &[u8]) {
        if self.with_audio {
            self.append(Record::Frame { at, frame: Frame::Audio(mulaw.into()) });
        }
    }

    /// Ends the log and waits until the system has it.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, the log is written all the same.
    pub(super) async fn close(&mut self) {
        self.hand_over();
        if let Some((sender, task)) = self.writer.take() {
            drop(sender);
            if task.await.is_err() {
                tracing::warn!(call_id = %self.call, "the call log's writer ended early");
            }
        }
    }

    fn append(&mut self, record: Record<'_>) {
        if self.writer.is_none() {
            return;
        }
        match encode(record) {
            Ok(bytes) => self.buffer.extend(bytes),
            Err(error) => {
                // A log with a hole would replay wrongly: it ends here.
                tracing::warn!(call_id = %self.call, error = &error as &dyn std::error::Error, "call log cut short");
                self.hand_over();
                self.writer = None;
            }
        }
        if self.buffer.len() >= PIECE {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let Some((sender, _)) = &self.writer else { return };
        let piece = std::mem::take(&mut self.buffer);
        if !piece.is_empty() && sender.try_send(piece).is_err() {
            tracing::warn!(call_id = %self.call, "the disk does not keep up, call log cut short");
            self.writer = None;
        }
    }
}

async fn write(folder: PathBuf, path: PathBuf, mut pieces: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(&folder).await?;
    let mut file = File::create(&path).await?;
    while let Some(piece) = pieces.recv().await {
        file.write_all(&piece).await?;
    }
    file.flush().await
}
