//! Voice activity: from samples to "somebody speaks".

/// Tells for each window of audio how likely it holds speech.
pub trait Vad: Send {
    /// Number of samples at 16 kHz one call of [`Vad::probability`] takes.
    fn window_len(&self) -> usize;

    /// Returns the probability of speech, `0.0..=1.0`, in the next window (mono, 16 kHz, signed 16 bit, exactly
    /// [`Vad::window_len`] samples). The detector remembers what came before.
    fn probability(&mut self, window: &[i16]) -> f32;

    /// Forgets what came before.
    fn reset(&mut self);
}
