//! The carrier's playout buffer: what the box sent and the caller has not heard yet.
//!
//! Audio of any length per message is queued and played in order, one frame of 20 ms per [`Playout::tick`]. A mark
//! comes back when the audio queued before it has been played, at once when nothing is queued, and also when a
//! `clear` drops what it stood behind (Twilio's Media Streams message reference). No clock and no socket here.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Samples, and µ-law bytes, of one frame: 20 ms at 8 kHz.
pub const FRAME_SAMPLES: usize = 160;

/// The length of one frame.
pub const FRAME: Duration = Duration::from_millis(20);

/// The µ-law byte for silence.
pub const MULAW_SILENCE: u8 = 0xff;

/// The most audio that is kept, in samples: ten minutes. More is thrown away (Twilio's warning 31931).
pub const MAX_QUEUED_SAMPLES: usize = 10 * 60 * 8_000;

/// The most marks that are kept. A box that sends more has lost its way; the oldest are kept.
pub const MAX_QUEUED_MARKS: usize = 10_000;

/// When a mark goes back to the box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkEcho {
    /// When the audio before it has been played, as Twilio does.
    #[default]
    OnTime,
    /// This much later, in stream time; whole frames.
    Late(#[serde(with = "humantime_serde")] Duration),
    /// Never.
    Never,
}

/// What one frame of the stream brought to the caller's ear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// µ-law, filled up with silence.
    pub frame: [u8; FRAME_SAMPLES],
    /// How many samples of `frame` came from the box.
    pub from_box: usize,
    /// The marks to send back now, in order.
    pub marks: Vec<String>,
}

/// The playout buffer of one media stream.
#[derive(Debug, Default)]
pub struct Playout {
    queue: VecDeque<Item>,
    late: VecDeque<(u64, String)>,
    echo: MarkEcho,
    frames: u64,
    queued_samples: usize,
    queued_marks: usize,
    clears: u64,
    cleared_samples: u64,
    discarded_samples: u64,
    received_samples: u64,
}

#[derive(Debug)]
enum Item {
    Audio { bytes: Vec<u8>, next: usize },
    Mark(String),
}

impl Playout {
    /// Makes an empty buffer that echoes marks as `echo` says.
    pub fn new(echo: MarkEcho) -> Self {
        Self { echo, ..Self::default() }
    }

    /// Queues µ-law audio of any length. Returns `false` when it was thrown away because the buffer is full.
    pub fn push_audio(&mut self, bytes: Vec<u8>) -> bool {
        let count = bytes.len();
        self.received_samples = self.received_samples.saturating_add(count as u64);
        if self.queued_samples.saturating_add(count) > MAX_QUEUED_SAMPLES {
            self.discarded_samples = self.discarded_samples.saturating_add(count as u64);
            return false;
        }
        self.queued_samples += count;
        if count > 0 {
            self.queue.push_back(Item::Audio { bytes, next: 0 });
        }
        true
    }

    /// Queues a mark behind the audio so far. Returns the marks to send back at once: this one, when nothing is
    /// queued before it.
    pub fn push_mark(&mut self, name: String) -> Vec<String> {
        if self.queue.is_empty() {
            return self.echoed(vec![name]);
        }
        if self.queued_marks < MAX_QUEUED_MARKS {
            self.queued_marks += 1;
            self.queue.push_back(Item::Mark(name));
        }
        Vec::new()
    }

    /// Drops everything queued. Returns the marks to send back at once: all those that were waiting.
    pub fn clear(&mut self) -> Vec<String> {
        self.clears += 1;
        self.cleared_samples = self.cleared_samples.saturating_add(self.queued_samples as u64);
        self.queued_samples = 0;
        self.queued_marks = 0;
        let marks = self.queue.drain(..).filter_map(Item::into_mark).collect();
        self.echoed(marks)
    }

    /// Plays the next 20 ms.
    pub fn tick(&mut self) -> Played {
        let mut frame = [MULAW_SILENCE; FRAME_SAMPLES];
        let mut from_box = 0;
        let mut marks = Vec::new();
        while let Some(item) = self.queue.front_mut() {
            match item {
                Item::Audio { bytes, next } => {
                    let (Some(room), Some(left)) = (frame.get_mut(from_box..), bytes.get(*next..)) else { break };
                    if room.is_empty() {
                        break;
                    }
                    let count = room.len().min(left.len());
                    for (slot, byte) in room.iter_mut().zip(left) {
                        *slot = *byte;
                    }
                    from_box += count;
                    *next += count;
                    if *next == bytes.len() {
                        self.queue.pop_front();
                    }
                }
                Item::Mark(name) => {
                    marks.push(std::mem::take(name));
                    self.queued_marks = self.queued_marks.saturating_sub(1);
                    self.queue.pop_front();
                }
            }
        }
        self.queued_samples -= from_box;
        self.frames += 1;
        let mut marks = self.echoed(marks);
        while self.late.front().is_some_and(|(due, _)| *due <= self.frames) {
            marks.extend(self.late.pop_front().map(|(_, name)| name));
        }
        Played { frame, from_box, marks }
    }

    /// Returns how many samples are waiting to be played.
    pub fn queued_samples(&self) -> usize {
        self.queued_samples
    }

    /// Returns how many times the box cleared the buffer.
    pub fn clears(&self) -> u64 {
        self.clears
    }

    /// Returns how many samples clears have dropped.
    pub fn cleared_samples(&self) -> u64 {
        self.cleared_samples
    }

    /// Returns how many samples were thrown away because the buffer was full.
    pub fn discarded_samples(&self) -> u64 {
        self.discarded_samples
    }

    /// Returns how many samples the box has sent in all.
    pub fn received_samples(&self) -> u64 {
        self.received_samples
    }

    fn echoed(&mut self, marks: Vec<String>) -> Vec<String> {
        match self.echo {
            MarkEcho::OnTime => marks,
            MarkEcho::Never => Vec::new(),
            MarkEcho::Late(by) => {
                let frames = u64::try_from(by.as_millis() / FRAME.as_millis()).unwrap_or(u64::MAX);
                let due = self.frames.saturating_add(frames.max(1));
                self.late.extend(marks.into_iter().map(|name| (due, name)));
                Vec::new()
            }
        }
    }
}

impl Item {
    fn into_mark(self) -> Option<String> {
        match self {
            Self::Audio { .. } => None,
            Self::Mark(name) => Some(name),
        }
    }
}

#[cfg(test)]
mod tests;
