//! The logs of courses on their way to the disk, without holding up a call.
//!
//! Each call has one, beside the logs of its conversations: `calls/<call>.course.log` in the store's folder. A disk that
//! cannot keep up loses the rest of a log, never a call.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use replay::{Began, Record, encode};
use routing::{Event, Policy, Way};
use tokio::fs::{self, OpenOptions};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use units::{CallId, CallTime};

use crate::app::Parts;

/// Pieces that may wait for the disk.
const PIECES: usize = 1_024;

/// A piece of a call's log.
type Piece = (CallId, Vec<u8>);

/// Where pieces are handed in. Never waits.
#[derive(Clone, Debug)]
pub struct CourseLog {
    pieces: mpsc::Sender<Piece>,
}

/// The writer's end.
#[derive(Debug)]
pub struct Pieces(mpsc::Receiver<Piece>);

impl CourseLog {
    /// Makes both ends.
    pub fn new() -> (Self, Pieces) {
        let (pieces, receiver) = mpsc::channel(PIECES);
        (Self { pieces }, Pieces(receiver))
    }

    /// Begins the log of a call.
    pub(crate) fn begin(&self, call: &CallId, policy: &Policy) {
        self.put(call, [Record::Began(Box::new(Began::new(crate::SOFTWARE, policy.clone())))]);
    }

    /// Notes what happened and what was to be done, `at` after the call came in.
    pub(crate) fn note(&self, call: &CallId, at: Duration, event: Event, way: Way) {
        let at = CallTime::from_duration(at);
        self.put(call, [Record::Told { at, event }, Record::Went { at, way }]);
    }

    fn put<const N: usize>(&self, call: &CallId, records: [Record<'_>; N]) {
        let encoded: Result<Vec<Vec<u8>>, _> = records.into_iter().map(encode).collect();
        match encoded {
            Ok(pieces) => {
                if self.pieces.try_send((call.clone(), pieces.concat())).is_err() {
                    tracing::debug!(call_id = %call, "the log of a course is cut short");
                }
            }
            Err(error) => {
                tracing::warn!(call_id = %call, error = &error as &dyn std::error::Error, "course not logged");
            }
        }
    }
}

/// Writes logs until `stop`, and then what is left.
///
/// # Cancellation safety
///
/// Dropped half way, the last piece may be torn.
pub async fn run(parts: Arc<Parts>, mut pieces: Pieces, stop: CancellationToken) {
    let folder = parts.config.store.path.join("calls");
    loop {
        let piece = tokio::select! {
            biased;
            piece = pieces.0.recv() => piece,
            () = stop.cancelled() => None,
        };
        let Some((call, bytes)) = piece else { return };
        if let Err(error) = append(&folder, &call, &bytes).await {
            tracing::warn!(call_id = %call, error = &error as &dyn std::error::Error, "course not logged");
        }
    }
}

async fn append(folder: &Path, call: &CallId, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(folder).await?;
    let path = folder.join(format!("{call}.course.log"));
    let mut file = OpenOptions::new().create(true).append(true).open(path).await?;
    file.write_all(bytes).await?;
    file.flush().await
}
