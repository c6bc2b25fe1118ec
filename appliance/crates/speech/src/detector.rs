//! The detector of speech: Earshot, a small network whose weights are in its crate.

use std::fmt;

use earshot::Detector;

use crate::vad::Vad;
use crate::voicing::Voicing;

/// Samples of a window at 16 kHz: 16 ms.
const WINDOW: usize = 256;
/// What a window that cannot be a voice is at most. The network takes steady noise and the tones of keys for speech
/// half of the time (0.5 to 0.7); below the threshold at which a segmenter lets go, they neither begin nor hold it.
const NO_VOICE: f32 = 0.3;

/// Detects speech with Earshot, about 8 KiB for each call.
pub struct EarshotVad {
    detector: Box<Detector>,
    voicing: Voicing,
}

impl EarshotVad {
    /// Returns a detector that heard nothing yet.
    pub fn new() -> Self {
        Self { detector: Detector::default_boxed(), voicing: Voicing::new() }
    }
}

impl Default for EarshotVad {
    fn default() -> Self {
        Self::new()
    }
}

impl Vad for EarshotVad {
    fn window_len(&self) -> usize {
        WINDOW
    }

    /// A window of another length is not looked at and counts as silence.
    fn probability(&mut self, window: &[i16]) -> f32 {
        if window.len() != WINDOW {
            return 0.0;
        }
        let probability = self.detector.predict_i16(window);
        let most = if self.voicing.may_be_voice(window) { 1.0 } else { NO_VOICE };
        if probability.is_finite() { probability.clamp(0.0, most) } else { 0.0 }
    }

    fn reset(&mut self) {
        self.detector.reset();
        self.voicing = Voicing::new();
    }
}

impl fmt::Debug for EarshotVad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarshotVad").finish_non_exhaustive()
    }
}
