//! What the caller says: bytes of the carrier to one unbroken track, to events of speech, to audio for the recognizer.

use std::collections::VecDeque;
use std::time::Duration;

use conversation::MEDIA_RATE;
use media::g711::Law;
use media::gaps::{Timeline, TimelineConfig};
use media::pcm;
use media::resample::{ResampleError, Resampler, convert};
use speech::{Segmenter, SegmenterConfig, SpeechEvent, Vad};
use units::{SampleCount, SampleRate};

use crate::sound;

/// Audio of the caller that is kept for the recognizer, in samples at 8 kHz: 40 s, more than the longest stretch the
/// core asks for. One byte each.
const HISTORY: usize = 40 * 8_000;
/// Longest stretch of a message that is recognized at once: below Whisper's window of 30 s.
const MAX_STRETCH: SampleCount = SampleCount(20 * 8_000);
/// Silence put behind a whole message, in samples: longer than the detector's hangover.
const TAIL: usize = 16_000;
/// Audio around speech that is recognized with it.
const MARGIN: SampleCount = SampleCount(2_400);

/// Speech began or ended, at 8 kHz positions of the caller's track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Speech began.
    SpeechStarted {
        /// Its first sample.
        at: SampleCount,
        /// The newest sample heard when it was noticed.
        detected: SampleCount,
    },
    /// Speech ended.
    SpeechEnded {
        /// The sample after its last.
        at: SampleCount,
        /// The newest sample heard when it was noticed.
        detected: SampleCount,
    },
}

/// Listens to one track.
pub(crate) struct Ear {
    vad: Box<dyn Vad>,
    segmenter: Segmenter,
    timeline: Timeline,
    upsampler: Option<Resampler>,
    /// µ-law of the last seconds; `heard` counts all there ever was.
    history: VecDeque<u8>,
    heard: SampleCount,
    events: VecDeque<Event>,
    speech_started: Option<SampleCount>,
    /// Where the speech began that goes on.
    speaking: Option<SampleCount>,
    // Reused from frame to frame.
    linear: Vec<i16>,
    placed: Vec<i16>,
    wide: Vec<f32>,
    window: Vec<i16>,
}

impl Ear {
    pub(crate) fn new(vad: Box<dyn Vad>) -> Self {
        // These two rates always fit; without the detector the caller would be asked for a message after silence.
        let upsampler = Resampler::new(SampleRate::HZ_8000, SampleRate::HZ_16000);
        if let Err(error) = &upsampler {
            tracing::error!(error = error as &dyn std::error::Error, "no detection of speech");
        }
        Self {
            vad,
            segmenter: Segmenter::new(SegmenterConfig::default()),
            timeline: Timeline::new(MEDIA_RATE, TimelineConfig::default()),
            upsampler: upsampler.ok(),
            history: VecDeque::new(),
            heard: SampleCount::ZERO,
            events: VecDeque::new(),
            speech_started: None,
            speaking: None,
            linear: Vec::new(),
            placed: Vec::new(),
            wide: Vec::new(),
            window: Vec::new(),
        }
    }

    /// Takes a piece of µ-law with the carrier's timestamp, in milliseconds.
    pub(crate) fn listen(&mut self, timestamp_ms: u64, mulaw: &[u8]) {
        self.linear.clear();
        Law::Mu.decode_into(mulaw, &mut self.linear);
        self.placed.clear();
        self.timeline.place(timestamp_ms, &self.linear, &mut self.placed);
        let placed = std::mem::take(&mut self.placed);
        self.hear(&placed);
        self.placed = placed;
    }

    /// Returns the next event.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Returns what the latest piece added to the track: with silence before it where something was lost, and without
    /// what was heard already.
    pub(crate) fn placed(&self) -> &[i16] {
        &self.placed
    }

    /// Returns how long the track is.
    pub(crate) const fn heard(&self) -> SampleCount {
        self.heard
    }

    /// Returns where the speech began that goes on.
    pub(crate) const fn speaking(&self) -> Option<SampleCount> {
        self.speaking
    }

    /// Returns how much audio came since the caller's last speech began.
    pub(crate) fn since_speech_started(&self) -> Option<Duration> {
        self.speech_started.map(|at| self.heard.saturating_sub(at).duration(MEDIA_RATE))
    }

    /// Returns a stretch of the track for the recognizer: 16 kHz, `-1.0..=1.0`. What is not there any more, or not yet,
    /// is left out.
    pub(crate) fn audio(&self, from: SampleCount, to: SampleCount) -> Result<Vec<f32>, ResampleError> {
        let oldest = self.heard.saturating_sub(SampleCount(self.history.len() as u64));
        let index = |at: SampleCount| usize::try_from(at.saturating_sub(oldest).0).unwrap_or(usize::MAX);
        let to = index(to.min(self.heard));
        let from = index(from).min(to);
        let samples: Vec<i16> = self.history.range(from..to).map(|byte| Law::Mu.decode(*byte)).collect();
        sound::for_recognizer(&samples)
    }

    /// Cuts a whole message into the stretches that hold speech, for the recognizer.
    pub(crate) fn stretches(&mut self, samples_8khz: &[i16]) -> Result<Vec<Vec<f32>>, ResampleError> {
        let spans = self.spans(samples_8khz);
        spans.into_iter().map(|(from, to)| sound::for_recognizer(cut(samples_8khz, from, to))).collect()
    }

    /// Does the same with a message in full quality: 16 kHz, `-1.0..=1.0`.
    pub(crate) fn wide_stretches(&mut self, samples_16khz: &[f32]) -> Result<Vec<Vec<f32>>, ResampleError> {
        let mut narrow = Vec::new();
        pcm::to_i16(&convert(samples_16khz, SampleRate::HZ_16000, SampleRate::HZ_8000)?, &mut narrow);
        let wide = |at: SampleCount| usize::try_from(at.0.saturating_mul(2)).unwrap_or(usize::MAX);
        let spans = self.spans(&narrow).into_iter().map(|(from, to)| {
            let to = wide(to).min(samples_16khz.len());
            samples_16khz.get(wide(from).min(to)..to).unwrap_or_default().to_vec()
        });
        Ok(spans.collect())
    }

    /// Returns where there is speech in a whole message.
    fn spans(&mut self, samples_8khz: &[i16]) -> Vec<(SampleCount, SampleCount)> {
        let mut spans: Vec<(SampleCount, SampleCount)> = Vec::new();
        let mut open = None;
        self.hear(samples_8khz);
        // Silence behind the end closes speech that goes on to it.
        self.hear(&vec![0; TAIL]);
        let end = SampleCount(samples_8khz.len() as u64);
        while let Some(event) = self.poll_event() {
            match event {
                Event::SpeechStarted { at, .. } => open = Some(at),
                Event::SpeechEnded { at, .. } => spans.extend(open.take().map(|from| (from, at.min(end)))),
            }
        }
        merge(spans, end)
    }

    fn hear(&mut self, samples: &[i16]) {
        self.history.extend(samples.iter().map(|sample| Law::Mu.encode(*sample)));
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
        self.heard = self.heard.saturating_add(SampleCount(samples.len() as u64));
        self.wide.clear();
        if let Some(upsampler) = &mut self.upsampler
            && let Err(error) = upsampler.process_i16(samples, &mut self.wide)
        {
            tracing::error!(error = &error as &dyn std::error::Error, "audio not looked at for speech");
        }
        pcm::to_i16(&self.wide, &mut self.window);
        self.detect();
    }

    /// Looks at every whole window of audio.
    fn detect(&mut self) {
        let len = self.vad.window_len();
        let whole = self.window.len() - self.window.len() % len;
        let (windows, _rest) = self.window.split_at(whole);
        for window in windows.chunks_exact(len) {
            let probability = self.vad.probability(window);
            self.segmenter.push(probability);
        }
        self.window.drain(..whole);
        while let Some(event) = self.segmenter.poll_event() {
            let event = telephone(event);
            match event {
                Event::SpeechStarted { at, .. } => {
                    self.speech_started = Some(at);
                    self.speaking = Some(at);
                }
                Event::SpeechEnded { .. } => self.speaking = None,
            }
            self.events.push_back(event);
        }
    }
}

/// Counts an event of the detector, at 16 kHz, in samples of the telephone.
fn telephone(event: SpeechEvent) -> Event {
    let halve = |count: SampleCount| SampleCount(count.0 / 2);
    match event {
        SpeechEvent::Started { at, detected } => Event::SpeechStarted { at: halve(at), detected: halve(detected) },
        SpeechEvent::Ended { at, detected } => Event::SpeechEnded { at: halve(at), detected: halve(detected) },
    }
}

/// Widens spans by a margin and joins neighbours, as long as they are not too long for one recognition.
fn merge(spans: Vec<(SampleCount, SampleCount)>, end: SampleCount) -> Vec<(SampleCount, SampleCount)> {
    let mut merged: Vec<(SampleCount, SampleCount)> = Vec::new();
    for (from, to) in spans {
        let from = from.saturating_sub(MARGIN);
        let to = to.saturating_add(MARGIN).min(end);
        match merged.last_mut() {
            Some(last) if from <= last.1 && to.saturating_sub(last.0) <= MAX_STRETCH => last.1 = to,
            _ => {
                let mut from = merged.last().map_or(from, |last| from.max(last.1));
                while to.saturating_sub(from) > MAX_STRETCH {
                    merged.push((from, from.saturating_add(MAX_STRETCH)));
                    from = from.saturating_add(MAX_STRETCH);
                }
                merged.push((from, to));
            }
        }
    }
    merged
}

fn cut(samples: &[i16], from: SampleCount, to: SampleCount) -> &[i16] {
    let index = |at: SampleCount| usize::try_from(at.0).unwrap_or(usize::MAX).min(samples.len());
    samples.get(index(from)..index(to)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use units::SampleCount;

    use super::{MARGIN, MAX_STRETCH, merge};

    #[test]
    fn neighbouring_spans_are_joined_and_long_ones_cut() {
        let second = |s: u64| SampleCount(s * 8_000);
        let end = second(100);
        let spans = vec![(second(1), second(2)), (second(2), second(3)), (second(10), second(11))];
        let joined = merge(spans, end);
        assert_eq!(joined.len(), 2);
        assert_eq!(joined[0], (second(1).saturating_sub(MARGIN), second(3).saturating_add(MARGIN)));
        let long = merge(vec![(second(0), second(50))], end);
        assert_eq!(long.len(), 3);
        assert!(long.iter().all(|(from, to)| to.saturating_sub(*from) <= MAX_STRETCH));
        assert_eq!((long[0].0, long[2].1), (second(0), second(50).saturating_add(MARGIN)));
        assert!(long.windows(2).all(|pair| pair[0].1 == pair[1].0), "nothing is left out or heard twice");
    }
}
