//! The message a caller leaves over the stream, when the conversation has ended in one.
//!
//! [`conversation::message`] decides; here is played, recorded and kept. The stream, the caller's track and the detector of
//! speech are those of the conversation.

use std::time::Duration;

use conversation::message::{Clip, Message, MessageConfig, MessageInput, MessageNext, MessageOutput};
use conversation::{Digit, VoicemailReason};
use futures_util::{Sink, Stream, StreamExt as _};
use media::g711::Law;
use routing::Ending;
use store::{Batch, FinishedRecording, RecordingFormat, RecordingName, VoicemailKey, VoicemailPath, VoicemailRecord};
use telephony::stream::{InboundFrame, OutboundFrame, write_media};
use tokio::time::{Instant, sleep_until, timeout};
use units::{SampleCount, SampleRate};

use super::ear::Event as Perceived;
use super::tape::Tape;
use super::{FRAME_PATIENCE, Judged, KEEP_PATIENCE, Line, Text, send};
use crate::documents::Clip as Recorded;
use crate::reception::address_text;
use crate::sound;
use crate::voicemail::{Fetch, put_news};

/// Samples handed to the carrier at once: 200 ms, as everything else that is said.
const PIECE: usize = 1_600;

/// A message while it is being left.
struct Desk {
    core: Message,
    key: VoicemailKey,
    tape: Option<Tape>,
    is_recording: bool,
    prompt: Vec<u8>,
    thanks: Option<Vec<u8>>,
}

impl Line {
    /// Returns whether the conversation ended in a message that this device can take itself.
    pub(super) fn can_take_message(&self) -> bool {
        let may_be_taken = match self.book.voicemail_reason() {
            Some(
                VoicemailReason::Asked
                | VoicemailReason::RecognizerBusy
                | VoicemailReason::RecognizerFailed
                | VoicemailReason::TranscriptOverdue
                | VoicemailReason::ReplyFailed
                | VoicemailReason::ReplyOverdue
                | VoicemailReason::SynthesizerFailed
                | VoicemailReason::SynthesisOverdue,
            ) => true,
            // A full machine, or one that stops, has no time for a message.
            Some(VoicemailReason::Overload | VoicemailReason::Shutdown) | None => false,
        };
        let parts = &self.parts;
        may_be_taken
            && parts.config.voicemail.on_device
            && !parts.shutdown.is_cancelled()
            && parts.archive.recordings().is_some()
    }

    /// Takes a message, and decides how the call goes on behind it.
    pub(super) async fn take_message<S, K>(&mut self, frames: &mut S, carrier: &mut K)
    where
        S: Stream<Item = Text> + Unpin,
        K: Sink<Text> + Unpin,
    {
        let Some(mut desk) = self.desk().await else { return };
        let mut heard_from_carrier = Instant::now();
        let mut told_shutdown = false;
        loop {
            while let Some(output) = desk.core.poll_output() {
                if let MessageOutput::Over { next } = output {
                    tracing::info!(call_id = %self.caller.call, ?next, "message over");
                    self.after_message = Some(match next {
                        MessageNext::HangUp => Ending::HangUp,
                        MessageNext::Carrier => Ending::Voicemail,
                    });
                    return;
                }
                self.act_on_message(&mut desk, output, carrier).await;
            }
            let silent = heard_from_carrier + FRAME_PATIENCE;
            let deadline = desk.core.poll_timeout().map(|at| self.started + at.since_start());
            let wake = deadline.map_or(silent, |deadline| deadline.min(silent));
            let parts = std::sync::Arc::clone(&self.parts);
            tokio::select! {
                biased;
                () = parts.shutdown.cancelled(), if !told_shutdown => {
                    told_shutdown = true;
                    desk.core.handle_input(self.now(), MessageInput::Shutdown);
                }
                frame = frames.next() => {
                    heard_from_carrier = Instant::now();
                    match frame {
                        Some(text) => self.message_frame(&mut desk, &text),
                        None => desk.core.handle_input(self.now(), MessageInput::StreamStopped),
                    }
                }
                () = sleep_until(wake) => {
                    if Instant::now() >= silent {
                        desk.core.handle_input(self.now(), MessageInput::StreamStopped);
                    } else {
                        desk.core.handle_timeout(self.now());
                    }
                }
            }
        }
    }

    /// Prepares a message. `None` when there is nothing to ask for it with.
    async fn desk(&mut self) -> Option<Desk> {
        let language = self.book.language();
        let asks = match self.book.voicemail_reason() {
            // Whoever thinks has told the caller already that a message can be left.
            Some(VoicemailReason::Asked) => [Recorded::Tone, Recorded::Fallback],
            _ => [Recorded::Fallback, Recorded::Tone],
        };
        let parts = std::sync::Arc::clone(&self.parts);
        let reading = self.parts.archive.blocking(move |_| {
            let mulaw = |clip| parts.greetings.samples(clip, language).map(|samples| mulaw_of(&samples));
            Some((asks.into_iter().find_map(mulaw)?, mulaw(Recorded::Thanks)))
        });
        let (prompt, thanks) = reading.await.flatten()?;
        let voicemail = &self.parts.config.voicemail;
        let config =
            MessageConfig { longest: voicemail.longest(), silence: voicemail.silence(), ..MessageConfig::default() };
        let core = Message::new(config, self.ear.heard(), self.ear.speaking());
        let key = VoicemailKey { received_wall_ms: self.parts.clock.wall_ms(), call: self.caller.call.clone() };
        Some(Desk { core, key, tape: None, is_recording: false, prompt, thanks })
    }

    async fn act_on_message<K: Sink<Text> + Unpin>(&mut self, desk: &mut Desk, output: MessageOutput, carrier: &mut K) {
        let input = match output {
            MessageOutput::Begin => {
                desk.tape =
                    Tape::begin(&self.parts, RecordingName::of_message(&desk.key), RecordingFormat::PHONE).await;
                Some(if desk.tape.is_some() { MessageInput::Begun } else { MessageInput::RecordFailed })
            }
            MessageOutput::Play { clip } => Some(self.play_clip(desk, clip, carrier).await),
            MessageOutput::Clear => {
                self.note_cleared();
                let clear = OutboundFrame::Clear { stream_id: self.stream.clone() }.encode();
                (!send(carrier, clear).await).then_some(MessageInput::StreamStopped)
            }
            MessageOutput::Record => {
                desk.is_recording = true;
                None
            }
            MessageOutput::Save => {
                desk.is_recording = false;
                Some(if self.save_message(desk).await { MessageInput::Saved } else { MessageInput::SaveFailed })
            }
            MessageOutput::Discard => {
                desk.is_recording = false;
                if let Some(tape) = desk.tape.take() {
                    tape.discard(&self.parts).await;
                }
                None
            }
            MessageOutput::Over { .. } => None,
        };
        if let Some(input) = input {
            desk.core.handle_input(self.now(), input);
        }
    }

    /// Hands a clip and its mark to the carrier.
    async fn play_clip<K: Sink<Text> + Unpin>(&mut self, desk: &Desk, clip: Clip, carrier: &mut K) -> MessageInput {
        let beep;
        let mulaw = match clip {
            Clip::Prompt => &desk.prompt,
            Clip::Beep => {
                beep = mulaw_of(&sound::beep());
                &beep
            }
            Clip::Thanks => match &desk.thanks {
                Some(thanks) => thanks,
                None => return MessageInput::PlayFailed { clip },
            },
        };
        self.note_said(mulaw);
        for piece in mulaw.chunks(PIECE) {
            let mut text = std::mem::take(&mut self.frame);
            text.clear();
            write_media(&mut text, &self.stream, piece);
            if !send(carrier, text).await {
                return MessageInput::StreamStopped;
            }
        }
        let mark = OutboundFrame::Mark { stream_id: self.stream.clone(), name: clip.mark().into() }.encode();
        if !send(carrier, mark).await {
            return MessageInput::StreamStopped;
        }
        let samples = SampleCount(u64::try_from(mulaw.len()).unwrap_or(u64::MAX));
        MessageInput::Playing { clip, length: samples.duration(SampleRate::HZ_8000) }
    }

    /// Takes a frame of the carrier.
    fn message_frame(&mut self, desk: &mut Desk, text: &str) {
        let now = self.now();
        match self.judge(text) {
            Judged::Frame(InboundFrame::Media(media)) => {
                if self.hear(&media) {
                    self.record(desk);
                }
            }
            Judged::Frame(InboundFrame::Dtmf(dtmf)) => match Digit::new(dtmf.digit.label()) {
                Some(digit) => desk.core.handle_input(now, MessageInput::Dtmf { digit }),
                None => self.count_ignored("malformed"),
            },
            Judged::Frame(InboundFrame::Mark(mark)) => match Clip::of_mark(&mark.name) {
                Some(clip) => desk.core.handle_input(now, MessageInput::Heard { clip }),
                // Of the conversation, whose last words were still on their way.
                None => self.count_ignored("other_mark"),
            },
            Judged::Frame(InboundFrame::Stop(_)) | Judged::Close => {
                desk.core.handle_input(now, MessageInput::StreamStopped);
            }
            Judged::Frame(InboundFrame::Connected(_) | InboundFrame::Start(_)) | Judged::Nothing => {}
        }
    }

    /// Writes what was just heard, and tells what it was.
    fn record(&mut self, desk: &mut Desk) {
        let now = self.now();
        let is_taken = match &desk.tape {
            Some(tape) if desk.is_recording => tape.write(self.ear.placed()),
            Some(_) | None => true,
        };
        while let Some(event) = self.ear.poll_event() {
            let input = match event {
                Perceived::SpeechStarted { at, .. } => MessageInput::SpeechStarted { at },
                Perceived::SpeechEnded { at, .. } => MessageInput::SpeechEnded { at },
            };
            desk.core.handle_input(now, input);
        }
        desk.core.handle_input(now, MessageInput::Audio { end: self.ear.heard() });
        if !is_taken {
            desk.core.handle_input(now, MessageInput::RecordFailed);
        }
    }

    /// Keeps the message: its file, and then its record. Returns whether both are on the disk.
    async fn save_message(&mut self, desk: &mut Desk) -> bool {
        let Some(tape) = desk.tape.take() else { return false };
        let saving = async {
            let finished = tape.finish().await?;
            self.put_message(desk.key.clone(), finished).await
        };
        let is_kept = matches!(timeout(KEEP_PATIENCE, saving).await, Ok(Some(())));
        if is_kept {
            self.parts.messages.wake();
            self.parts.leads.notify();
            self.parts.metrics.voicemails.inc();
            self.parts.voicemail.request(Fetch { key: desk.key.clone() });
        } else {
            // What is on the disk of it is found at the next start.
            tracing::error!(call_id = %self.caller.call, "a message that was left could not be kept");
        }
        is_kept
    }

    async fn put_message(&mut self, key: VoicemailKey, finished: FinishedRecording) -> Option<()> {
        let record = VoicemailRecord {
            recording: Some(finished.name),
            digest: Some(finished.digest),
            duration_ms: milliseconds(finished.duration),
            language: Some(self.book.language()),
            ..VoicemailRecord::received(key, address_text(&self.caller.from), VoicemailPath::Device)
        };
        let mut batch = Batch::new();
        let alone = self.parts.voicemail.alone().await;
        let put = alone.put(&mut batch, &record);
        let now_wall_ms = self.parts.clock.wall_ms();
        let put = put.and_then(|()| put_news(&mut batch, &self.parts.config, &record, now_wall_ms));
        self.parts.events.voicemail_saved(&mut batch, &record);
        let kept = match put {
            Ok(()) => alone.commit(&self.parts.archive, batch).await,
            Err(error) => Err(error.into()),
        };
        kept.map_err(|error| tracing::warn!(error = &error as &dyn std::error::Error, "message not noted")).ok()
    }
}

fn mulaw_of(samples: &[i16]) -> Vec<u8> {
    let mut mulaw = Vec::with_capacity(samples.len());
    Law::Mu.encode_into(samples, &mut mulaw);
    mulaw
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
