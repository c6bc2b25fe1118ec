//! A filter.

/// A filter of second order with a flat band (Butterworth), by the bilinear transform as R. Bristow-Johnson's audio
/// cookbook has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Biquad {
    b: [f32; 3],
    a: [f32; 2],
    state: [f32; 2],
}

impl Biquad {
    pub(crate) fn low_pass(hz: f32, rate_hz: f32) -> Self {
        let (cos, alpha) = Self::angle(hz, rate_hz);
        let edge = (1.0 - cos) / 2.0;
        Self::normal([edge, 1.0 - cos, edge], cos, alpha)
    }

    pub(crate) fn high_pass(hz: f32, rate_hz: f32) -> Self {
        let (cos, alpha) = Self::angle(hz, rate_hz);
        let edge = f32::midpoint(1.0, cos);
        Self::normal([edge, -(1.0 + cos), edge], cos, alpha)
    }

    fn angle(hz: f32, rate_hz: f32) -> (f32, f32) {
        let omega = std::f32::consts::TAU * hz / rate_hz;
        (omega.cos(), omega.sin() * std::f32::consts::FRAC_1_SQRT_2)
    }

    fn normal(b: [f32; 3], cos: f32, alpha: f32) -> Self {
        let a0 = 1.0 + alpha;
        Self { b: b.map(|b| b / a0), a: [-2.0 * cos / a0, (1.0 - alpha) / a0], state: [0.0; 2] }
    }

    pub(crate) fn next(&mut self, x: f32) -> f32 {
        let ([b0, b1, b2], [a1, a2], [s1, s2]) = (self.b, self.a, self.state);
        // Without `mul_add`: built for every processor of its kind, the program would call a function for each, which
        // took an eighth of all that a call costs.
        let y = b0 * x + s1;
        self.state = [b1 * x - a1 * y + s2, b2 * x - a2 * y];
        y
    }
}
