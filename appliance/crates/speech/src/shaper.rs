//! Makes the speech program's output fit for the telephone, as it streams.
//!
//! 8 kHz, the telephone's band, an even level, no silence at the beginning and little at the end, no clipping, no
//! click where it begins and ends.

#![expect(clippy::cast_precision_loss, reason = "counts of samples and frames are small")]

use media::pcm;
use media::resample::{ResampleError, Resampler};
use units::SampleRate;

use crate::biquad::Biquad;

/// Samples of a frame in which the level is measured: 20 ms.
const FRAME: usize = 160;
/// Audio looked at before the first sample goes out: half a second, so that the first word has the right level. The
/// speech program makes it within milliseconds.
const LOOKAHEAD: usize = 4_000;
/// Frames this far below the loudest one are pauses and do not count for the level (-30 dB, in power).
const PAUSE: f32 = 0.001;
/// Limits of the correction: 12 dB up, 18 dB down.
const GAIN: std::ops::RangeInclusive<f32> = 0.126..=4.0;
/// From here on peaks are bent, up to the ceiling (-0.9 dBFS).
const KNEE: f32 = 0.6;
const CEILING: f32 = 0.9;
/// Silence is what stays below -54 dBFS.
const SILENCE: f32 = 0.002;
/// Silence kept before the first sound, and after the last one.
const LEAD: usize = 80;
const TAIL: usize = 800;
/// Fade at both ends: 5 ms.
const FADE: usize = 40;
/// Band of the telephone (ITU-T G.712), Hz.
const LOW_HZ: f32 = 250.0;
const HIGH_HZ: f32 = 3_400.0;
const RATE_HZ: f32 = 8_000.0;

/// Turns samples of any rate into 8 kHz speech of an even level.
#[derive(Debug)]
pub(crate) struct Shaper {
    resampler: Resampler,
    filters: [Biquad; 3],
    /// The level to reach, as power.
    target: f32,
    /// Before the first sound, the last samples; from it on, what waits to go out.
    held: Vec<f32>,
    begun: bool,
    /// Samples of `held` that the level was taken of.
    measured: usize,
    /// Powers of all frames with speech, added up, their number, and the loudest.
    power: f32,
    frames: f32,
    loudest: f32,
    gain: Option<f32>,
    faded_in: usize,
    wide: Vec<f32>,
}

impl Shaper {
    /// Returns a shaper for one utterance at rate `from`, to be as loud as `level_dbfs` (RMS of speech).
    pub(crate) fn new(from: SampleRate, level_dbfs: f32) -> Result<Self, ResampleError> {
        Ok(Self {
            resampler: Resampler::new(from, SampleRate::HZ_8000)?,
            // The low edge twice: what the speech program makes below it is rumble.
            filters: [
                Biquad::high_pass(LOW_HZ, RATE_HZ),
                Biquad::high_pass(LOW_HZ, RATE_HZ),
                Biquad::low_pass(HIGH_HZ, RATE_HZ),
            ],
            target: 10_f32.powf(level_dbfs.clamp(-60.0, -6.0) / 10.0),
            held: Vec::new(),
            begun: false,
            measured: 0,
            power: 0.0,
            frames: 0.0,
            loudest: 0.0,
            gain: None,
            faded_in: 0,
            wide: Vec::new(),
        })
    }

    /// Takes samples and appends what is ready.
    pub(crate) fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) -> Result<(), ResampleError> {
        let mut wide = std::mem::take(&mut self.wide);
        wide.clear();
        self.resampler.process_i16(samples, &mut wide)?;
        self.take(&wide);
        self.wide = wide;
        self.give(LOOKAHEAD, out);
        Ok(())
    }

    /// Ends the utterance and appends the rest.
    pub(crate) fn finish(&mut self, out: &mut Vec<i16>) -> Result<(), ResampleError> {
        let mut wide = Vec::new();
        self.resampler.finish(&mut wide)?;
        self.take(&wide);
        if !self.begun {
            self.held.clear();
            return Ok(());
        }
        let sound =
            self.held.iter().rposition(|sample| sample.abs() > SILENCE).map_or(0, |last| last.saturating_add(1));
        self.held.truncate(sound.saturating_add(TAIL));
        let len = self.held.len().min(FADE);
        for (left, sample) in self.held.iter_mut().rev().take(FADE).enumerate() {
            *sample *= left as f32 / len as f32;
        }
        self.give(0, out);
        Ok(())
    }

    /// Filters, drops the silence at the beginning and measures.
    fn take(&mut self, samples: &[f32]) {
        for sample in samples {
            let filtered = self.filters.iter_mut().fold(*sample, |sample, filter| filter.next(sample));
            self.held.push(filtered);
            if !self.begun {
                self.begun = filtered.abs() > SILENCE;
                let surplus = self.held.len().saturating_sub(LEAD);
                self.held.drain(..surplus);
            }
        }
        if self.begun {
            self.measure();
        }
    }

    fn measure(&mut self) {
        let fresh = self.held.get(self.measured..).unwrap_or_default();
        for frame in fresh.chunks_exact(FRAME) {
            let power = frame.iter().map(|sample| sample * sample).sum::<f32>() / FRAME as f32;
            self.loudest = self.loudest.max(power);
            if power > self.loudest * PAUSE {
                self.power += power;
                self.frames += 1.0;
            }
        }
        let whole = fresh.len() - fresh.len() % FRAME;
        self.measured = self.measured.saturating_add(whole);
    }

    /// Hands over all but the last `keep` samples.
    fn give(&mut self, keep: usize, out: &mut Vec<i16>) {
        let mut ready = self.held.len().saturating_sub(keep);
        if keep > 0 {
            // Silence waits for the sound after it: if none comes, the end cuts it.
            let sound = self.held.iter().rposition(|sample| sample.abs() > SILENCE);
            ready = ready.min(sound.map_or(0, |last| last.saturating_add(1)));
        }
        if !self.begun || ready == 0 {
            return;
        }
        let wanted = self.wanted_gain();
        let mut gain = self.gain.unwrap_or(wanted);
        for sample in self.held.drain(..ready) {
            // A time constant of half a second: the level follows without being heard to move.
            gain += (wanted - gain) / LOOKAHEAD as f32;
            let fade = (self.faded_in as f32 / FADE as f32).min(1.0);
            self.faded_in = self.faded_in.saturating_add(1);
            out.push(pcm::sample_to_i16(limit(sample * gain) * fade));
        }
        self.gain = Some(gain);
        self.measured = self.measured.saturating_sub(ready);
    }

    fn wanted_gain(&self) -> f32 {
        if self.frames < 1.0 || self.power <= 0.0 {
            return 1.0;
        }
        (self.target / (self.power / self.frames)).sqrt().clamp(*GAIN.start(), *GAIN.end())
    }
}

/// Bends peaks so that nothing is beyond the ceiling.
fn limit(sample: f32) -> f32 {
    let magnitude = sample.abs();
    if magnitude <= KNEE {
        return sample;
    }
    let room = CEILING - KNEE;
    sample.signum() * room.mul_add(((magnitude - KNEE) / room).tanh(), KNEE)
}

#[cfg(test)]
mod tests;
