//! `<Record>`: a message after the beep, kept for the box to fetch.

use std::time::{Duration, SystemTime};

use telephony::markup::{Record, Trim};
use telephony::{Digit, Params};

use crate::ask::{method_of, resolve};
use crate::audio;
use crate::call::{Interrupted, LiveCall, Next};
use crate::line::loud_range;
use crate::playout::{FRAME, FRAME_SAMPLES, MULAW_SILENCE};
use crate::report::{Ended, Happened, RecordEnd, RecordingReport};
use crate::sid::{new_sid, rfc_2822};

/// Silence that ends a recording when the markup does not say.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest recording when the markup does not say.
const MAX_LENGTH: Duration = Duration::from_hours(1);

/// Keys that end a recording when the markup does not say.
const FINISH_ON_KEY: &str = "1234567890*#";

/// How long the beep is, in frames: 400 ms.
const BEEP_FRAMES: usize = 20;

/// What was recorded.
struct Recorded {
    mulaw: Vec<u8>,
    ended: RecordEnd,
    key: Option<Digit>,
}

impl LiveCall<'_> {
    /// Records the caller. An empty recording asks nobody: the next verb follows.
    pub(crate) async fn record(&mut self, record: &Record, document: &str) -> Result<Next, Interrupted> {
        if record.play_beep.unwrap_or(true) {
            self.play_audio(&beep()).await?;
        }
        self.note(Happened::RecordStarted);
        let began = SystemTime::now();
        let sid = new_sid("RE");
        let account = &self.exchange.config.account_sid;
        let url = format!("{}/2010-04-01/Accounts/{account}/Recordings/{sid}", self.exchange.api_url);
        let about = Params::new().with("RecordingSid", &sid).with("RecordingUrl", &url);
        let started = about.clone().with("RecordingStartTime", rfc_2822(began));
        self.tell_recording(record, "in-progress", started.clone());
        let recorded = self.listen(record).await?;
        self.note(Happened::RecordEnded(recorded.ended));
        let hung_up = recorded.ended == RecordEnd::HangUp;
        let Some(spoken) = loud_range(&recorded.mulaw) else {
            self.tell_recording(record, "absent", started.with("RecordingDuration", "-1"));
            return Ok(if hung_up { Next::End(Ended::ByCaller) } else { Next::Verb });
        };
        let kept = match record.trim {
            Some(Trim::DoNotTrim) => recorded.mulaw.as_slice(),
            Some(Trim::TrimSilence) | None => recorded.mulaw.get(spoken).unwrap_or_default(),
        };
        let samples = audio::from_mulaw(kept);
        let seconds = samples.len().div_ceil(8_000);
        match audio::mono_wav(&samples) {
            Ok(wav) => self.exchange.api.keep_recording(&sid, wav),
            Err(error) => self.warn(13_610, format!("the recording could not be kept: {error}")),
        }
        self.report.recordings.push(RecordingReport {
            recording_sid: sid.clone(),
            lasted: Duration::from_millis(samples.len() as u64 / 8),
            ended: recorded.ended,
            fetched: 0,
        });
        let about = about.with("RecordingDuration", seconds.to_string());
        let next = self.record_action(record, document, &recorded, &about).await;
        self.tell_recording(record, "completed", started.with("RecordingDuration", seconds.to_string()));
        next
    }

    /// Listens until something ends the recording.
    async fn listen(&mut self, record: &Record) -> Result<Recorded, Interrupted> {
        let timeout = record.timeout_s.map_or(TIMEOUT, |s| Duration::from_secs(s.into()));
        let max = record.max_length_s.map_or(MAX_LENGTH, |s| Duration::from_secs(s.into()));
        let keys = record.finish_on_key.as_deref().unwrap_or(FINISH_ON_KEY);
        let mut mulaw = Vec::new();
        let (mut silent, mut lasted) = (Duration::ZERO, Duration::ZERO);
        loop {
            let start = self.line.position();
            let now = self.at_prompt.tick(false);
            self.note_caller(start, &now.notes);
            if now.hangs_up {
                self.note(Happened::CallerHungUp);
                return Ok(Recorded { mulaw, ended: RecordEnd::HangUp, key: None });
            }
            if let Some(key) = now.key {
                self.note(Happened::Key);
                if keys.contains(key.label()) {
                    return Ok(Recorded { mulaw, ended: RecordEnd::Key, key: Some(key) });
                }
            }
            mulaw.extend_from_slice(&now.frame);
            match self.frame(&now.frame, &[MULAW_SILENCE; FRAME_SAMPLES]).await {
                Ok(()) => {}
                // Hanging up ends the recording, and the message counts.
                Err(Interrupted::ByCaller) => return Ok(Recorded { mulaw, ended: RecordEnd::HangUp, key: None }),
                Err(update) => return Err(update),
            }
            lasted += FRAME;
            silent = if loud_range(&now.frame).is_some() { Duration::ZERO } else { silent + FRAME };
            if silent >= timeout {
                return Ok(Recorded { mulaw, ended: RecordEnd::Silence, key: None });
            }
            if lasted >= max {
                return Ok(Recorded { mulaw, ended: RecordEnd::MaxLength, key: None });
            }
        }
    }

    /// Returns the document that follows a message; a caller who hung up is told about, and nothing follows.
    async fn record_action(
        &mut self,
        record: &Record,
        document: &str,
        recorded: &Recorded,
        about: &Params,
    ) -> Result<Next, Interrupted> {
        let url = record.action.as_deref().map_or_else(|| document.to_owned(), |action| resolve(document, action));
        let method = method_of(record.method);
        let extra = match (recorded.ended, recorded.key) {
            (RecordEnd::HangUp, _) => about.clone().with("Digits", "hangup"),
            (_, Some(key)) => about.clone().with("Digits", key.label()),
            (_, None) => about.clone(),
        };
        if recorded.ended != RecordEnd::HangUp {
            return Ok(Next::Fetch { url, method, extra });
        }
        if record.action.is_some() {
            let params = self.params("completed", &extra);
            if self.exchange(method, &url, &params, false).await.is_err() {
                self.warn(11_200, "the action of <Record> did not answer");
            }
        }
        Ok(Next::End(Ended::ByCaller))
    }

    /// Tells the box how a recording does, if it wants to know this.
    fn tell_recording(&mut self, record: &Record, status: &str, about: Params) {
        let Some(url) = &record.recording_status_callback else { return };
        let events = record.recording_status_callback_event.as_deref().unwrap_or("completed");
        if !events.split_whitespace().any(|event| event == status) {
            return;
        }
        if !url.contains("://") {
            self.warn(11_200, "recordingStatusCallback is not absolute");
            return;
        }
        let params = about
            .with("AccountSid", self.exchange.config.account_sid.as_str())
            .with("CallSid", self.sid.as_str())
            .with("RecordingStatus", status)
            .with("RecordingChannels", "1")
            .with("RecordingSource", "RecordVerb")
            .with("RecordingTrack", "inbound")
            .with("ErrorCode", "0");
        self.call_back(record.recording_status_callback_method, url, params);
    }
}

/// Returns the beep: a square wave of 1 kHz at a moderate level.
fn beep() -> Vec<u8> {
    let samples: Vec<i16> =
        (0..BEEP_FRAMES * FRAME_SAMPLES).map(|n| if (n / 4).is_multiple_of(2) { 4_000 } else { -4_000 }).collect();
    audio::to_mulaw(&samples)
}
