//! The telephone line as both ears hear it: the clock of the call in samples, who speaks when, and the recording.
//!
//! Pure. [`LineTime`] counts from the moment the call was answered and moves only by what is played, so that
//! figures taken from it do not depend on how busy the machine is.

use std::ops::Range;
use std::time::Duration;

use media::g711::decode_mulaw;
use serde::{Deserialize, Serialize, Serializer};
use units::{SampleCount, SampleRate};

use crate::playout::FRAME_SAMPLES;

/// A sample at or above this magnitude (of 32,768) is heard: -40 dBFS, well above the quantisation noise of G.711
/// and below the softest vowel of the voices in use.
pub const AUDIBLE: i16 = 328;

/// Somebody who is quiet for longer than this has stopped speaking; shorter is a pause between words.
pub const SPEECH_GAP: Duration = Duration::from_millis(400);

/// Time since the call was answered, counted in samples of the line. Written as milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineTime(pub SampleCount);

impl LineTime {
    /// Returns the duration since the call was answered.
    pub const fn since_answer(self) -> Duration {
        self.0.duration(SampleRate::HZ_8000)
    }

    /// Returns how long ago `earlier` was, or zero if it is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0).duration(SampleRate::HZ_8000)
    }

    /// Returns this time moved later by a number of samples.
    #[must_use]
    pub fn plus_samples(self, samples: usize) -> Self {
        Self(self.0.saturating_add(SampleCount(samples as u64)))
    }
}

impl Serialize for LineTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(self.since_answer().as_millis()).unwrap_or(u64::MAX))
    }
}

impl<'de> Deserialize<'de> for LineTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let since = Duration::from_millis(u64::deserialize(deserializer)?);
        Ok(Self(SampleCount::from_duration(since, SampleRate::HZ_8000)))
    }
}

/// A stretch of speech: where its first and last audible samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speech {
    /// First audible sample.
    pub from: LineTime,
    /// Just behind the last audible sample.
    pub until: LineTime,
}

/// The line of one call.
#[derive(Debug)]
pub struct Line {
    position: LineTime,
    recording: Option<Stereo>,
    agent: Vec<Speech>,
    caller: Vec<Speech>,
}

/// What each side heard of the other, 8 kHz, both as long as each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stereo {
    /// The caller's voice.
    pub left: Vec<i16>,
    /// The agent's voice.
    pub right: Vec<i16>,
}

impl Line {
    /// Makes a line at the moment the call is answered; `recorded` says whether the audio is kept.
    pub fn new(recorded: Recorded) -> Self {
        Self {
            position: LineTime::default(),
            recording: (recorded == Recorded::Kept).then(Stereo::default),
            agent: Vec::new(),
            caller: Vec::new(),
        }
    }

    /// Moves on by one frame of each side, both µ-law. Returns whether the agent was heard in it.
    pub fn advance(&mut self, caller: &[u8; FRAME_SAMPLES], agent: &[u8; FRAME_SAMPLES]) -> bool {
        note_speech(&mut self.caller, self.position, caller);
        let agent_heard = note_speech(&mut self.agent, self.position, agent);
        if let Some(stereo) = &mut self.recording {
            stereo.left.extend(caller.iter().map(|byte| decode_mulaw(*byte)));
            stereo.right.extend(agent.iter().map(|byte| decode_mulaw(*byte)));
        }
        self.position = self.position.plus_samples(FRAME_SAMPLES);
        agent_heard
    }

    /// Returns the time on the line.
    pub fn position(&self) -> LineTime {
        self.position
    }

    /// Returns when the agent was heard.
    pub fn agent_speech(&self) -> &[Speech] {
        &self.agent
    }

    /// Returns when the caller was heard.
    pub fn caller_speech(&self) -> &[Speech] {
        &self.caller
    }

    /// Ends the line and returns the recording, if it was kept.
    pub fn into_recording(self) -> Option<Stereo> {
        self.recording
    }
}

/// Whether the audio of a call is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// In memory until the call ends: 32 kB per second.
    Kept,
    /// Not at all.
    Dropped,
}

/// Returns the samples from the first audible one to the last, or `None` if there is none.
pub fn loud_range(mulaw: &[u8]) -> Option<Range<usize>> {
    let loud = |byte: &u8| decode_mulaw(*byte).unsigned_abs() >= AUDIBLE.unsigned_abs();
    let first = mulaw.iter().position(loud)?;
    let last = mulaw.iter().rposition(loud)?;
    Some(first..last + 1)
}

fn note_speech(all: &mut Vec<Speech>, start: LineTime, frame: &[u8]) -> bool {
    let Some(loud) = loud_range(frame) else { return false };
    let (from, until) = (start.plus_samples(loud.start), start.plus_samples(loud.end));
    match all.last_mut() {
        Some(last) if from.since(last.until) <= SPEECH_GAP => last.until = until,
        Some(_) | None => all.push(Speech { from, until }),
    }
    true
}

#[cfg(test)]
mod tests;
