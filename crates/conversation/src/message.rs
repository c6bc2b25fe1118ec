//! The message a caller leaves over the stream, behind the end of the conversation.
//!
//! The caller is asked for a message and hears a beep; what follows is recorded until silence, a key, the longest length
//! or the end of the stream; then the message is saved and the caller thanked. It deliberately knows no file, no audio and
//! no clock: what is played and recorded goes out as [`MessageOutput`]s, what came of it comes back as [`MessageInput`]s,
//! and lengths of speech and silence are counted in samples of the caller's track, never in time of arrival.
//!
//! **Invariant:** the last output is [`MessageOutput::Over`], once, and no deadline is set behind it.
//! **Invariant:** a caller is thanked only for a message that is saved, and asked for one only while it can be recorded.
//! **Invariant:** whatever stands in the way of a message ends in [`MessageNext::Carrier`], never in silence.

use alloc::collections::VecDeque;
use core::time::Duration;

use units::{CallTime, SampleCount};

use crate::input::{Digit, MEDIA_RATE};

#[cfg(test)]
mod tests;

/// What an owner may tune, and what was found to suit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageConfig {
    /// Longest message. Default 180 s.
    pub longest: Duration,
    /// Silence that ends a message. Default 5 s, the carrier's own default.
    pub silence: Duration,
    /// A recording with less speech than this is no message. Default 1 s: a click or a cough is shorter.
    pub least_speech: Duration,
    /// How long the carrier's word that something was heard may be late. Default 2 s.
    pub patience: Duration,
    /// How much longer a message may become when the program is told to stop. Default 8 s, less than it has to drain.
    pub last_words: Duration,
}

impl Default for MessageConfig {
    fn default() -> Self {
        Self {
            longest: Duration::from_mins(3),
            silence: Duration::from_secs(5),
            least_speech: Duration::from_secs(1),
            patience: Duration::from_secs(2),
            last_words: Duration::from_secs(8),
        }
    }
}

/// Something the caller hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clip {
    /// Asks for a message.
    Prompt,
    /// The tone after which the caller speaks.
    Beep,
    /// Thanks for the message.
    Thanks,
}

impl Clip {
    /// Every clip, in the order in which they are heard.
    pub const ALL: [Self; 3] = [Self::Prompt, Self::Beep, Self::Thanks];

    /// Returns the name of the mark behind the clip. No mark of the conversation is called so.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Prompt => "message.prompt",
            Self::Beep => "message.beep",
            Self::Thanks => "message.thanks",
        }
    }

    /// Returns the clip that a mark stands behind.
    pub fn of_mark(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|clip| clip.mark() == name)
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageInput {
    /// The file was begun.
    Begun,
    /// The file cannot be begun, or takes no more.
    RecordFailed,
    /// A clip was handed to the carrier.
    Playing {
        /// Which.
        clip: Clip,
        /// How long it is.
        length: Duration,
    },
    /// A clip cannot be played.
    PlayFailed {
        /// Which.
        clip: Clip,
    },
    /// The carrier says that a clip was heard to its end.
    Heard {
        /// Which.
        clip: Clip,
    },
    /// The caller's track has come this far.
    Audio {
        /// The sample after its last.
        end: SampleCount,
    },
    /// The caller began to speak.
    SpeechStarted {
        /// The first sample of it.
        at: SampleCount,
    },
    /// The caller stopped.
    SpeechEnded {
        /// The sample after the last of it.
        at: SampleCount,
    },
    /// The caller pressed a key.
    Dtmf {
        /// Which.
        digit: Digit,
    },
    /// The message is on the disk, with its record.
    Saved,
    /// It is not.
    SaveFailed,
    /// The stream is over.
    StreamStopped,
    /// The program stops.
    Shutdown,
}

/// Something to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageOutput {
    /// Begin the file; answer with [`MessageInput::Begun`] or [`MessageInput::RecordFailed`].
    Begin,
    /// Hand a clip to the carrier, and its mark behind it.
    Play {
        /// Which.
        clip: Clip,
    },
    /// Send a clear.
    Clear,
    /// Write the caller's track into the file from here on.
    Record,
    /// Finish the file and keep the record of the message; answer with [`MessageInput::Saved`] or
    /// [`MessageInput::SaveFailed`].
    Save,
    /// Nothing was said: no file shall be left.
    Discard,
    /// It is over.
    Over {
        /// How the call goes on.
        next: MessageNext,
    },
}

/// How a call goes on behind its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageNext {
    /// It ends.
    HangUp,
    /// Whoever is still there is asked for a message by the carrier.
    Carrier,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Beginning,
    Playing(Clip),
    Recording,
    Saving,
    Over,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    config: MessageConfig,
    stage: Stage,
    outputs: VecDeque<MessageOutput>,
    /// When a clip is taken to be heard without the carrier's word.
    deadline: Option<CallTime>,
    /// The end of the caller's track.
    end: SampleCount,
    /// Where the speech began that goes on.
    speaking: Option<SampleCount>,
    /// Where the recording began, and where it ends at the latest.
    from: SampleCount,
    limit: SampleCount,
    /// The end of the last speech in it.
    last_speech: SampleCount,
    /// Speech in it that is over.
    spoken: SampleCount,
    stream_is_gone: bool,
}

impl Message {
    /// Begins a message behind a conversation: `end` is the end of the caller's track so far, `speaking` where the
    /// speech began that goes on at it.
    pub fn new(config: MessageConfig, end: SampleCount, speaking: Option<SampleCount>) -> Self {
        Self {
            config,
            stage: Stage::Beginning,
            outputs: VecDeque::from([MessageOutput::Begin]),
            deadline: None,
            end,
            speaking,
            from: end,
            limit: end,
            last_speech: end,
            spoken: SampleCount::ZERO,
            stream_is_gone: false,
        }
    }

    /// Takes one thing that happened. A deadline that is due comes first.
    pub fn handle_input(&mut self, now: CallTime, input: MessageInput) {
        self.handle_timeout(now);
        if self.stage != Stage::Over {
            self.take(now, input);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: CallTime) {
        while let Some(deadline) = self.deadline.take_if(|deadline| *deadline <= now) {
            if let Stage::Playing(clip) = self.stage {
                self.heard(deadline, clip);
            }
        }
    }

    /// Returns the next thing to be done.
    pub fn poll_output(&mut self) -> Option<MessageOutput> {
        self.outputs.pop_front()
    }

    /// Returns when to call [`Message::handle_timeout`].
    pub const fn poll_timeout(&self) -> Option<CallTime> {
        self.deadline
    }

    fn take(&mut self, now: CallTime, input: MessageInput) {
        match input {
            MessageInput::Begun => {
                if self.stage == Stage::Beginning {
                    self.play(now, Clip::Prompt);
                }
            }
            MessageInput::RecordFailed => self.record_failed(),
            MessageInput::Playing { clip, length } => {
                if self.stage == Stage::Playing(clip) {
                    self.deadline = Some(now.saturating_add(length).saturating_add(self.config.patience));
                }
            }
            MessageInput::PlayFailed { clip } => {
                if self.stage == Stage::Playing(clip) {
                    self.play_failed(clip);
                }
            }
            MessageInput::Heard { clip } => {
                if self.stage == Stage::Playing(clip) {
                    self.heard(now, clip);
                }
            }
            MessageInput::Audio { end } => {
                self.end = self.end.max(end);
                self.look_at_the_length();
            }
            MessageInput::SpeechStarted { at } => self.speaking = Some(at),
            MessageInput::SpeechEnded { at } => self.speech_ended(at),
            MessageInput::Dtmf { digit } => self.press(now, digit),
            MessageInput::Saved => {
                if self.stage == Stage::Saving {
                    self.saved(now);
                }
            }
            MessageInput::SaveFailed => {
                if self.stage == Stage::Saving {
                    self.over(MessageNext::Carrier);
                }
            }
            MessageInput::StreamStopped => self.stream_stopped(),
            MessageInput::Shutdown => self.shut_down(),
        }
    }

    fn play(&mut self, now: CallTime, clip: Clip) {
        self.stage = Stage::Playing(clip);
        // Moved when it is known how long the clip is.
        self.deadline = Some(now.saturating_add(self.config.patience));
        self.outputs.push_back(MessageOutput::Play { clip });
    }

    fn heard(&mut self, now: CallTime, clip: Clip) {
        match clip {
            Clip::Prompt => self.play(now, Clip::Beep),
            Clip::Beep => self.record(),
            Clip::Thanks => self.over(MessageNext::HangUp),
        }
    }

    fn record(&mut self) {
        self.stage = Stage::Recording;
        self.deadline = None;
        self.from = self.end;
        self.limit = self.end.saturating_add(samples(self.config.longest));
        self.last_speech = self.from;
        self.outputs.push_back(MessageOutput::Record);
    }

    fn speech_ended(&mut self, at: SampleCount) {
        let Some(began) = self.speaking.take() else { return };
        if self.stage == Stage::Recording {
            self.last_speech = self.last_speech.max(at);
            self.spoken = self.spoken.saturating_add(self.within(began, at));
        }
    }

    /// Returns how much of a stretch lies within the recording.
    fn within(&self, began: SampleCount, ended: SampleCount) -> SampleCount {
        ended.max(self.from).saturating_sub(began.max(self.from))
    }

    fn look_at_the_length(&mut self) {
        if self.stage != Stage::Recording {
            return;
        }
        let silent =
            self.speaking.is_none() && self.end.saturating_sub(self.last_speech) >= samples(self.config.silence);
        if silent || self.end >= self.limit {
            self.stop_recording();
        }
    }

    /// A key ends the request for a message as well as the message, as it does with the carrier.
    fn press(&mut self, now: CallTime, digit: Digit) {
        if !matches!(digit.reveal(), '#' | '*') {
            return;
        }
        match self.stage {
            Stage::Playing(Clip::Prompt) => {
                self.outputs.push_back(MessageOutput::Clear);
                self.heard(now, Clip::Prompt);
            }
            Stage::Recording => self.stop_recording(),
            Stage::Beginning | Stage::Playing(Clip::Beep | Clip::Thanks) | Stage::Saving | Stage::Over => {}
        }
    }

    fn stop_recording(&mut self) {
        let going_on = self.speaking.map_or(SampleCount::ZERO, |began| self.within(began, self.end));
        if self.spoken.saturating_add(going_on) >= samples(self.config.least_speech) {
            self.stage = Stage::Saving;
            self.outputs.push_back(MessageOutput::Save);
        } else {
            self.outputs.push_back(MessageOutput::Discard);
            self.over(self.next_if_still_there());
        }
    }

    fn saved(&mut self, now: CallTime) {
        if self.stream_is_gone {
            self.over(self.next_if_still_there());
        } else {
            self.play(now, Clip::Thanks);
        }
    }

    /// A stream that broke in the middle of a message may have left a caller on the line, who can go on with the carrier;
    /// of one who hung up the carrier asks nothing.
    const fn next_if_still_there(&self) -> MessageNext {
        if self.stream_is_gone { MessageNext::Carrier } else { MessageNext::HangUp }
    }

    fn record_failed(&mut self) {
        match self.stage {
            Stage::Beginning | Stage::Playing(Clip::Prompt | Clip::Beep) => self.give_up(),
            // What was written until then is a message.
            Stage::Recording => self.stop_recording(),
            Stage::Playing(Clip::Thanks) | Stage::Saving | Stage::Over => {}
        }
    }

    fn play_failed(&mut self, clip: Clip) {
        match clip {
            Clip::Prompt | Clip::Beep => self.give_up(),
            Clip::Thanks => self.over(MessageNext::HangUp),
        }
    }

    fn stream_stopped(&mut self) {
        self.stream_is_gone = true;
        match self.stage {
            Stage::Beginning | Stage::Playing(Clip::Prompt | Clip::Beep) => self.give_up(),
            Stage::Recording => self.stop_recording(),
            Stage::Playing(Clip::Thanks) => self.over(MessageNext::HangUp),
            Stage::Saving | Stage::Over => {}
        }
    }

    fn shut_down(&mut self) {
        match self.stage {
            Stage::Beginning | Stage::Playing(Clip::Prompt | Clip::Beep) => self.give_up(),
            Stage::Recording => {
                self.limit = self.limit.min(self.end.saturating_add(samples(self.config.last_words)));
            }
            Stage::Playing(Clip::Thanks) | Stage::Saving | Stage::Over => {}
        }
    }

    /// Nothing was recorded yet: the carrier takes the message.
    fn give_up(&mut self) {
        self.outputs.push_back(MessageOutput::Discard);
        self.over(MessageNext::Carrier);
    }

    fn over(&mut self, next: MessageNext) {
        self.stage = Stage::Over;
        self.deadline = None;
        self.outputs.push_back(MessageOutput::Over { next });
    }
}

fn samples(duration: Duration) -> SampleCount {
    SampleCount::from_duration(duration, MEDIA_RATE)
}
