//! A recording that grows with its call, written on a thread of its own so that a slow disk holds up no call.

use std::sync::Arc;

use store::{FinishedRecording, RecordingError, RecordingFormat, RecordingName, RecordingWriter};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::app::Parts;

/// Pieces that may wait for the disk: ten seconds of a caller's frames.
const PIECES: usize = 512;

/// What came of a file.
type Taped = Result<Option<FinishedRecording>, RecordingError>;

enum Piece {
    Samples(Vec<i16>),
    Discard,
}

/// A file that grows. Dropped, it is finished as far as it goes and found at the next start.
pub(super) struct Tape {
    name: RecordingName,
    pieces: mpsc::Sender<Piece>,
    writing: JoinHandle<Taped>,
    is_told: bool,
}

impl Tape {
    /// Begins a file. `None` where none can be written; why is told in the log and in `/readyz`.
    pub(super) async fn begin(parts: &Arc<Parts>, name: RecordingName, format: RecordingFormat) -> Option<Self> {
        let created = parts.archive.create(name.clone(), format).await;
        let writer = match created {
            Some(Ok(writer)) => writer,
            Some(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "nothing can be recorded here");
                return None;
            }
            None => return None,
        };
        let (pieces, waiting) = mpsc::channel(PIECES);
        let writing = parts.tasks.spawn_blocking(move || write(writer, waiting));
        Some(Self { name, pieces, writing, is_told: false })
    }

    /// Hands over what comes next. `false` when the file takes no more; what it has is whole.
    pub(super) fn write(&self, samples: &[i16]) -> bool {
        self.pieces.try_send(Piece::Samples(samples.to_vec())).is_ok()
    }

    /// Returns whether it was asked before, so that what is told once is told once.
    pub(super) fn is_told(&mut self) -> bool {
        std::mem::replace(&mut self.is_told, true)
    }

    /// Finishes the file. `None` when it would not survive a power cut.
    pub(super) async fn finish(self) -> Option<FinishedRecording> {
        drop(self.pieces);
        match self.writing.await {
            Ok(Ok(finished)) => finished,
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a recording is not whole");
                None
            }
            Err(_panicked) => None,
        }
    }

    /// Gives the file up.
    pub(super) async fn discard(self, parts: &Parts) {
        // One that takes no more finished itself, and is removed.
        drop(self.pieces.send(Piece::Discard).await);
        drop(self.pieces);
        if let Ok(Ok(Some(_finished))) = self.writing.await {
            let name = self.name;
            drop(parts.archive.blocking(move |archive| archive.recordings().map(|all| all.remove(&name))).await);
        }
    }
}

/// Writes until there is no more, or the disk takes no more.
fn write(mut writer: RecordingWriter, mut pieces: mpsc::Receiver<Piece>) -> Taped {
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Samples(samples) => {
                if let Err(error) = writer.write(&samples) {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a recording is cut short");
                    break;
                }
                if writer.is_cut_short() {
                    tracing::warn!("a recording is cut short: the disk is nearly full, or it is very long");
                    break;
                }
            }
            Piece::Discard => return writer.discard().map(|()| None),
        }
    }
    // From here on the call is told that no more is taken.
    drop(pieces);
    writer.finish().map(Some)
}
