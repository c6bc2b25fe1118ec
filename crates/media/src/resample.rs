//! Between any two sample rates, streaming.
//!
//! The work is done by rubato: in the frequency domain where the two rates have a short common block (8, 16, 22.05,
//! 24, 44.1 and 48 kHz among each other), by sinc interpolation otherwise. The delay of the filter is taken off at the
//! beginning and given back by [`Resampler::finish`], so that what comes out lines up with what went in, to less than one sample.

use std::fmt;
use std::time::Duration;

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Async, Fft, FixedAsync, FixedSync, Indexing, SincInterpolationParameters, WindowFunction};
use units::{SampleCount, SampleRate};

use crate::pcm;

/// Blocks are at least this long: with 20 ms frames each frame is one block.
const MIN_BLOCK: Duration = Duration::from_millis(20);
/// Blocks longer than this would delay a conversation; the other method is taken.
const MAX_BLOCK: Duration = Duration::from_millis(100);
/// Taps of the sinc filter; its delay is half of them.
const SINC_TAPS: usize = 128;
/// Side lobes below -92 dB, and the steepest flank among those.
const WINDOW: WindowFunction = WindowFunction::BlackmanHarris;

/// Rates beyond these are not audio.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=384_000;

/// Converts one channel from one rate to another.
pub struct Resampler {
    from: SampleRate,
    to: SampleRate,
    inner: Option<Inner>,
    /// Input that does not fill a block yet.
    pending: Vec<f32>,
    /// Output of one block.
    block: Vec<f32>,
    /// Output still to be dropped, because it is the filter's delay.
    to_drop: usize,
    consumed: u64,
    produced: u64,
}

/// The two methods.
enum Inner {
    Fft(Box<Fft<f32>>),
    Sinc(Box<Async<f32>>),
}

impl Inner {
    fn get(&self) -> &dyn rubato::Resampler<f32> {
        match self {
            Self::Fft(fft) => fft.as_ref(),
            Self::Sinc(sinc) => sinc.as_ref(),
        }
    }

    fn get_mut(&mut self) -> &mut dyn rubato::Resampler<f32> {
        match self {
            Self::Fft(fft) => fft.as_mut(),
            Self::Sinc(sinc) => sinc.as_mut(),
        }
    }
}

/// Why audio cannot be converted.
#[derive(Debug, thiserror::Error)]
pub enum ResampleError {
    /// A rate that is not audio.
    #[error("cannot convert from {from} to {to}, expected 1 to 384 kHz")]
    Rate {
        /// Rate of the input.
        from: SampleRate,
        /// Rate of the output.
        to: SampleRate,
    },
    /// The filter could not be made.
    #[error("cannot make the filter")]
    Construction(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The filter failed; a bug.
    #[error("resampling failed")]
    Process(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Resampler {
    /// Returns a converter between two rates. Equal rates copy.
    pub fn new(from: SampleRate, to: SampleRate) -> Result<Self, ResampleError> {
        if !RATES_HZ.contains(&from.hz()) || !RATES_HZ.contains(&to.hz()) {
            return Err(ResampleError::Rate { from, to });
        }
        let inner = if from == to { None } else { Some(make_inner(from, to)?) };
        let (block, to_drop) = match &inner {
            Some(inner) => (vec![0.0; inner.get().output_frames_max()], inner.get().output_delay()),
            None => (Vec::new(), 0),
        };
        Ok(Self { from, to, inner, pending: Vec::new(), block, to_drop, consumed: 0, produced: 0 })
    }

    /// Converts samples, appending what is ready to `output`.
    pub fn process(&mut self, input: &[f32], output: &mut Vec<f32>) -> Result<(), ResampleError> {
        self.consumed = self.consumed.saturating_add(len(input));
        if self.inner.is_none() {
            output.extend_from_slice(input);
            return Ok(());
        }
        self.pending.extend_from_slice(input);
        let mut done = 0;
        while let Some(inner) = &self.inner {
            let wanted = inner.get().input_frames_next();
            if self.pending.len().saturating_sub(done) < wanted {
                break;
            }
            self.convert_block(done, None, output)?;
            done = done.saturating_add(wanted);
        }
        self.pending.drain(..done);
        Ok(())
    }

    /// Converts 16-bit samples.
    pub fn process_i16(&mut self, input: &[i16], output: &mut Vec<f32>) -> Result<(), ResampleError> {
        let mut samples = Vec::with_capacity(input.len());
        pcm::to_f32(input, &mut samples);
        self.process(&samples, output)
    }

    /// Ends the stream: appends what is still inside, so that in all `input × to / from` samples came out, rounded up.
    /// The converter is as new afterwards.
    pub fn finish(&mut self, output: &mut Vec<f32>) -> Result<(), ResampleError> {
        let wanted = self.wanted();
        let mut partial = Some(self.pending.len());
        while self.inner.is_some() && self.produced < wanted {
            self.convert_block(0, partial, output)?;
            partial = Some(0);
        }
        // The last block may have been longer than what was missing.
        let excess = usize::try_from(self.produced.saturating_sub(wanted)).unwrap_or_default();
        if self.inner.is_some() {
            output.truncate(output.len().saturating_sub(excess));
        }
        self.reset();
        Ok(())
    }

    /// Forgets everything that went in.
    pub fn reset(&mut self) {
        self.pending.clear();
        (self.consumed, self.produced, self.to_drop) = (0, 0, 0);
        if let Some(inner) = &mut self.inner {
            inner.get_mut().reset();
            self.to_drop = inner.get().output_delay();
        }
    }

    /// Returns how long a sample stays inside at most: the filter's delay and one block. 30 ms at telephone rates.
    pub fn delay(&self) -> Duration {
        let Some(inner) = &self.inner else { return Duration::ZERO };
        let filter = SampleCount(u64::try_from(inner.get().output_delay()).unwrap_or(u64::MAX));
        let block = SampleCount(u64::try_from(inner.get().input_frames_next()).unwrap_or(u64::MAX));
        filter.duration(self.to).saturating_add(block.duration(self.from))
    }

    /// Returns the rate of the input.
    pub const fn from(&self) -> SampleRate {
        self.from
    }

    /// Returns the rate of the output.
    pub const fn to(&self) -> SampleRate {
        self.to
    }

    /// Returns how many samples have to have come out for those that went in.
    fn wanted(&self) -> u64 {
        let exact = u128::from(self.consumed) * u128::from(self.to.hz());
        u64::try_from(exact.div_ceil(u128::from(self.from.hz()))).unwrap_or(u64::MAX)
    }

    /// Converts one block of what is pending, from `start` on; with `partial`, only that many samples and silence.
    fn convert_block(
        &mut self,
        start: usize,
        partial: Option<usize>,
        output: &mut Vec<f32>,
    ) -> Result<(), ResampleError> {
        let Some(inner) = &mut self.inner else { return Ok(()) };
        let process = |error: Box<dyn std::error::Error + Send + Sync>| ResampleError::Process(error);
        let room = self.block.len();
        let input = SequentialSlice::new(&self.pending, 1, self.pending.len()).map_err(|e| process(Box::new(e)))?;
        let mut block = SequentialSlice::new_mut(&mut self.block, 1, room).map_err(|e| process(Box::new(e)))?;
        let indexing = Indexing { input_offset: start, partial_len: partial, ..Indexing::default() };
        let (_, made) = inner
            .get_mut()
            .process_into_buffer(&input, &mut block, Some(&indexing))
            .map_err(|e| process(Box::new(e)))?;
        let dropped = self.to_drop.min(made);
        self.to_drop = self.to_drop.saturating_sub(dropped);
        let ready = self.block.get(dropped..made).unwrap_or_default();
        self.produced = self.produced.saturating_add(len(ready));
        output.extend_from_slice(ready);
        Ok(())
    }
}

impl fmt::Debug for Resampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resampler").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

/// Converts a whole piece of audio: a prompt, a recording, an utterance.
pub fn convert(samples: &[f32], from: SampleRate, to: SampleRate) -> Result<Vec<f32>, ResampleError> {
    let mut resampler = Resampler::new(from, to)?;
    let mut output = Vec::new();
    resampler.process(samples, &mut output)?;
    resampler.finish(&mut output)?;
    Ok(output)
}

/// Converts a whole piece of 16-bit audio.
pub fn convert_i16(samples: &[i16], from: SampleRate, to: SampleRate) -> Result<Vec<i16>, ResampleError> {
    if from == to {
        return Ok(samples.to_vec());
    }
    let mut fractions = Vec::with_capacity(samples.len());
    pcm::to_f32(samples, &mut fractions);
    let converted = convert(&fractions, from, to)?;
    let mut output = Vec::with_capacity(converted.len());
    pcm::to_i16(&converted, &mut output);
    Ok(output)
}

/// Makes the filter.
fn make_inner(from: SampleRate, to: SampleRate) -> Result<Inner, ResampleError> {
    let construction = |error: rubato::ResamplerConstructionError| ResampleError::Construction(Box::new(error));
    let common = u64::from(gcd(from.hz(), to.hz()));
    // The shortest block that is whole at both rates, repeated until it is long enough.
    let unit = u64::from(from.hz()) / common;
    let at_least = SampleCount::from_duration(MIN_BLOCK, from).0;
    let block = unit.saturating_mul(at_least.div_ceil(unit));
    let is_short = SampleCount(block).duration(from) <= MAX_BLOCK;
    let (rate_in, rate_out) = (usize_of(u64::from(from.hz())), usize_of(u64::from(to.hz())));
    if is_short {
        let fft = Fft::new_custom(rate_in, rate_out, usize_of(block), 1, 1, WINDOW, FixedSync::Both);
        return Ok(Inner::Fft(Box::new(fft.map_err(construction)?)));
    }
    let parameters = SincInterpolationParameters::new(SINC_TAPS, WINDOW);
    let ratio = f64::from(to.hz()) / f64::from(from.hz());
    let sinc = Async::new_sinc(ratio, 1.0, &parameters, usize_of(at_least), 1, FixedAsync::Input);
    Ok(Inner::Sinc(Box::new(sinc.map_err(construction)?)))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn len(samples: &[f32]) -> u64 {
    u64::try_from(samples.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
