//! From probabilities of speech to where speech begins and ends.
//!
//! Pure: one probability per window goes in, events come out, all places are counted in samples of the detector's
//! rate (16 kHz). Speech begins when a few windows in a row are likely, and ends when none was for a while; a lower
//! threshold holds it once it began.

use std::collections::VecDeque;
use std::time::Duration;

use units::{SampleCount, SampleRate};

/// When speech begins and ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmenterConfig {
    /// Samples of each window at 16 kHz. Default 256, Earshot's.
    pub window: SampleCount,
    /// Probability from which on a window may begin speech. Default 0.5. Found on recordings of words in Hebrew
    /// and English, as the telephone carries them: at 0.6 every fiftieth is missed, at 0.7 every eighth.
    pub start_threshold: f32,
    /// Probability below which a window is silence, once speech began. Default 0.35.
    pub stop_threshold: f32,
    /// Likely speech in a row that begins speech; it delays the event by as much. Default 64 ms, four windows:
    /// a key going down or up sounds like a voice for three.
    pub min_speech: Duration,
    /// Silence in a row that ends speech. Default 192 ms: gaps within words are shorter.
    pub hangover: Duration,
    /// Audio before the first likely window that is counted to the speech: soft beginnings. Default 96 ms.
    pub pre_roll: Duration,
}

impl Default for SegmenterConfig {
    fn default() -> Self {
        Self {
            window: SampleCount(256),
            start_threshold: 0.5,
            stop_threshold: 0.35,
            min_speech: Duration::from_millis(64),
            hangover: Duration::from_millis(192),
            pre_roll: Duration::from_millis(96),
        }
    }
}

/// Speech began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpeechEvent {
    /// Speech began.
    Started {
        /// Its first sample, with the pre-roll; never before the end of the speech before it.
        at: SampleCount,
        /// Samples heard when it was noticed.
        detected: SampleCount,
    },
    /// Speech ended.
    Ended {
        /// The sample after its last likely window.
        at: SampleCount,
        /// Samples heard when it was noticed.
        detected: SampleCount,
    },
}

/// Finds where speech begins and ends.
#[derive(Clone, Debug)]
pub struct Segmenter {
    config: SegmenterConfig,
    heard: SampleCount,
    state: State,
    /// End of the last speech.
    free_from: SampleCount,
    events: VecDeque<SpeechEvent>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Silence,
    /// Likely since this sample, not long enough yet.
    Maybe {
        since: SampleCount,
    },
    /// Speech; likely up to this sample.
    Speech {
        until: SampleCount,
    },
}

impl Segmenter {
    /// Returns a segmenter that heard nothing yet.
    pub const fn new(config: SegmenterConfig) -> Self {
        Self {
            config,
            heard: SampleCount::ZERO,
            state: State::Silence,
            free_from: SampleCount::ZERO,
            events: VecDeque::new(),
        }
    }

    /// Takes the probability of the next window.
    pub fn push(&mut self, probability: f32) {
        let before = self.heard;
        self.heard = before.saturating_add(self.config.window);
        self.state = match self.state {
            State::Silence if probability >= self.config.start_threshold => self.maybe(before),
            State::Silence => State::Silence,
            State::Maybe { since } if probability >= self.config.start_threshold => self.maybe(since),
            State::Maybe { .. } => State::Silence,
            State::Speech { .. } if probability >= self.config.stop_threshold => State::Speech { until: self.heard },
            State::Speech { until } => self.perhaps_over(until),
        };
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<SpeechEvent> {
        self.events.pop_front()
    }

    /// Returns whether somebody speaks now.
    pub const fn is_speech(&self) -> bool {
        matches!(self.state, State::Speech { .. })
    }

    /// Returns how many samples were heard.
    pub const fn heard(&self) -> SampleCount {
        self.heard
    }

    /// Ends speech that goes on, as the audio is over.
    pub fn finish(&mut self) {
        if let State::Speech { until } = self.state {
            self.end(until);
        }
        self.state = State::Silence;
    }

    fn maybe(&mut self, since: SampleCount) -> State {
        if self.heard.saturating_sub(since) < samples(self.config.min_speech) {
            return State::Maybe { since };
        }
        let at = since.saturating_sub(samples(self.config.pre_roll)).max(self.free_from);
        self.events.push_back(SpeechEvent::Started { at, detected: self.heard });
        State::Speech { until: self.heard }
    }

    fn perhaps_over(&mut self, until: SampleCount) -> State {
        if self.heard.saturating_sub(until) < samples(self.config.hangover) {
            return State::Speech { until };
        }
        self.end(until);
        State::Silence
    }

    fn end(&mut self, at: SampleCount) {
        self.free_from = at;
        self.events.push_back(SpeechEvent::Ended { at, detected: self.heard });
    }
}

const fn samples(time: Duration) -> SampleCount {
    SampleCount::from_duration(time, SampleRate::HZ_16000)
}

#[cfg(test)]
mod tests;
