//! The recording of a whole call, where the office wants one and the caller may be recorded.

use store::{RecordingFormat, RecordingName};
use tokio::time::timeout;

use super::duplex::Duplex;
use super::tape::Tape;
use super::{KEEP_PATIENCE, Line};

/// A recording while the call lasts.
pub(super) struct CallTape {
    tape: Tape,
    duplex: Duplex,
}

impl Line {
    /// Begins the recording of the call, if it is to be recorded.
    pub(super) async fn begin_recording(&mut self) {
        if !(self.parts.config.recording.calls && self.caller.may_record) {
            return;
        }
        let name = RecordingName::call(self.caller.call.clone());
        let tape = Tape::begin(&self.parts, name, RecordingFormat::PHONE_STEREO).await;
        self.recording = tape.map(|tape| CallTape { tape, duplex: Duplex::default() });
    }

    /// Records what was just heard of the caller, and what the caller heard meanwhile.
    pub(super) fn record_both(&mut self) {
        let Some(CallTape { tape, duplex }) = &mut self.recording else { return };
        let both = duplex.hear(self.ear.placed());
        if !tape.write(both) && !tape.is_told() {
            tracing::warn!(call_id = %self.caller.call, "the rest of the call is not recorded");
        }
    }

    /// Notes what the carrier was handed.
    pub(super) fn note_said(&mut self, mulaw: &[u8]) {
        if let Some(recording) = &mut self.recording {
            recording.duplex.say(mulaw);
        }
    }

    /// Notes that the carrier drops what was not heard yet.
    pub(super) fn note_cleared(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.duplex.clear();
        }
    }

    /// Finishes the recording, and notes it in the call's record.
    pub(super) async fn end_recording(&mut self) {
        let Some(recording) = self.recording.take() else { return };
        if let Ok(Some(finished)) = timeout(KEEP_PATIENCE, recording.tape.finish()).await {
            self.book.set_recording(finished.name);
        } else {
            // What is on the disk of it is found at the next start.
            tracing::warn!(call_id = %self.caller.call, "the call's recording is not finished");
        }
    }
}
