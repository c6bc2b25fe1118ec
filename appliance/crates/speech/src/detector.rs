//! The detector of speech: Earshot, a small network whose weights are in its crate.

use std::fmt;

use earshot::Detector;

use crate::vad::Vad;

/// Samples of a window at 16 kHz: 16 ms.
const WINDOW: usize = 256;

/// Detects speech with Earshot, about 8 KiB for each call.
pub struct EarshotVad {
    detector: Box<Detector>,
}

impl EarshotVad {
    /// Returns a detector that heard nothing yet.
    pub fn new() -> Self {
        Self { detector: Detector::default_boxed() }
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
        if probability.is_finite() { probability.clamp(0.0, 1.0) } else { 0.0 }
    }

    fn reset(&mut self) {
        self.detector.reset();
    }
}

impl fmt::Debug for EarshotVad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarshotVad").finish_non_exhaustive()
    }
}
