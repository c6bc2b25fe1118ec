//! Audio put where its timestamp says.
//!
//! Each piece of audio comes with the milliseconds since the stream began. Pieces get lost, come twice, or come late,
//! and the carrier's clock is not the sample clock. What comes out of a [`Timeline`] is one unbroken track: holes are
//! filled with silence, what was heard already is left out, and small differences are let be, because timestamps are
//! rounded and jitter while samples do not.

use units::{SampleCount, SampleRate};

/// Limits of a [`Timeline`], in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelineConfig {
    /// Differences up to this are jitter of the timestamps, not holes. Default 40 ms, two frames.
    pub tolerance_ms: u64,
    /// The longest hole filled with silence; after a longer one, counting starts anew. Default 10 s.
    pub max_fill_ms: u64,
}

impl Default for TimelineConfig {
    fn default() -> Self {
        Self { tolerance_ms: 40, max_fill_ms: 10_000 }
    }
}

/// What happened to one piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Silence put in front of it.
    pub filled: SampleCount,
    /// Samples left out at its beginning, because that time was heard already.
    pub dropped: SampleCount,
    /// Samples of it that were taken.
    pub taken: SampleCount,
}

/// What happened to all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimelineCounters {
    /// Holes filled.
    pub gaps: u64,
    /// Silence put into holes.
    pub filled: SampleCount,
    /// Pieces left out whole: they came again, or too late.
    pub late: u64,
    /// Pieces of which a part was left out.
    pub overlapping: u64,
    /// Jumps too long to be holes, after which counting started anew.
    pub reanchored: u64,
    /// How far the timestamp of the latest piece was ahead of the samples, in samples; negative is behind.
    pub drift: i64,
    /// The largest difference that was let be, in samples.
    pub max_drift: u64,
}

/// Puts pieces of audio on one track.
#[derive(Clone, Debug)]
pub struct Timeline {
    rate: SampleRate,
    config: TimelineConfig,
    /// Where the next sample belongs, by timestamp, once there was one.
    next: Option<u64>,
    last_timestamp_ms: Option<u64>,
    emitted: u64,
    counters: TimelineCounters,
}

impl Timeline {
    /// Returns an empty track of this rate.
    pub const fn new(rate: SampleRate, config: TimelineConfig) -> Self {
        let counters = TimelineCounters {
            gaps: 0,
            filled: SampleCount::ZERO,
            late: 0,
            overlapping: 0,
            reanchored: 0,
            drift: 0,
            max_drift: 0,
        };
        Self { rate, config, next: None, last_timestamp_ms: None, emitted: 0, counters }
    }

    /// Puts a piece that starts `timestamp_ms` after the stream began on the track, appending to `out`.
    ///
    /// The first piece starts the track, wherever it is.
    pub fn place(&mut self, timestamp_ms: u64, samples: &[i16], out: &mut Vec<i16>) -> Placed {
        let start = self.in_samples(timestamp_ms);
        let next = self.next.unwrap_or(start);
        let (tolerance, max_fill) =
            (self.in_samples(self.config.tolerance_ms), self.in_samples(self.config.max_fill_ms));
        let (ahead, behind) = (start.saturating_sub(next), next.saturating_sub(start));
        // Timestamps jitter but do not stand still: this time was heard, however small the difference.
        let is_repeated = self.last_timestamp_ms.is_some_and(|last| timestamp_ms <= last);
        self.last_timestamp_ms = Some(timestamp_ms);
        self.counters.drift = signed(ahead).saturating_sub(signed(behind));
        let (filled, dropped) = if ahead > max_fill || behind > max_fill {
            self.counters.reanchored = self.counters.reanchored.saturating_add(1);
            self.next = Some(start);
            (0, 0)
        } else if ahead > tolerance {
            self.counters.gaps = self.counters.gaps.saturating_add(1);
            self.counters.filled = self.counters.filled.saturating_add(SampleCount(ahead));
            self.next = Some(start);
            (ahead, 0)
        } else if behind > tolerance || is_repeated {
            self.next = Some(next);
            (0, behind.min(count(samples)))
        } else {
            self.counters.max_drift = self.counters.max_drift.max(ahead.max(behind));
            self.next = Some(next);
            (0, 0)
        };
        if dropped > 0 {
            let counter =
                if dropped == count(samples) { &mut self.counters.late } else { &mut self.counters.overlapping };
            *counter = counter.saturating_add(1);
        }
        out.resize(out.len().saturating_add(index(filled)), 0);
        let taken = samples.get(index(dropped)..).unwrap_or_default();
        out.extend_from_slice(taken);
        let taken = count(taken);
        self.next = self.next.map(|next| next.saturating_add(taken));
        self.emitted = self.emitted.saturating_add(filled).saturating_add(taken);
        Placed { filled: SampleCount(filled), dropped: SampleCount(dropped), taken: SampleCount(taken) }
    }

    /// Returns how long the track is.
    pub const fn emitted(&self) -> SampleCount {
        SampleCount(self.emitted)
    }

    /// Returns what happened so far.
    pub const fn counters(&self) -> &TimelineCounters {
        &self.counters
    }

    /// Returns milliseconds as samples.
    fn in_samples(&self, ms: u64) -> u64 {
        SampleCount::from_duration(std::time::Duration::from_millis(ms), self.rate).0
    }
}

fn count(samples: &[i16]) -> u64 {
    u64::try_from(samples.len()).unwrap_or(u64::MAX)
}

fn index(samples: u64) -> usize {
    usize::try_from(samples).unwrap_or(usize::MAX)
}

fn signed(samples: u64) -> i64 {
    i64::try_from(samples).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_in_order_are_joined_and_jitter_is_let_be() {
        let (placed, track, timeline) = place_all(&[(0, 160), (25, 160), (38, 160), (60, 160)]);
        assert!(placed.iter().all(|placed| placed.taken == SampleCount(160)));
        assert_eq!((track.len(), timeline.counters().gaps, timeline.counters().max_drift), (640, 0, 40));
    }

    #[test]
    fn a_hole_becomes_silence_of_its_length() {
        let (placed, track, timeline) = place_all(&[(0, 160), (20, 160), (100, 160)]);
        assert_eq!(placed[2].filled, SampleCount(480));
        assert_eq!(track.len(), 960);
        assert!(track[320..800].iter().all(|sample| *sample == 0));
        assert!(track[800..].iter().all(|sample| *sample != 0));
        assert_eq!(timeline.counters().gaps, 1);
        assert_eq!(timeline.emitted(), SampleCount(960));
    }

    #[test]
    fn what_comes_again_or_too_late_is_left_out() {
        let (placed, track, timeline) = place_all(&[(0, 800), (0, 160), (20, 160), (100, 160)]);
        assert_eq!((placed[1].dropped, placed[1].taken), (SampleCount(160), SampleCount::ZERO));
        assert_eq!(track.len(), 960);
        assert_eq!(timeline.counters().late, 2);
    }

    #[test]
    fn a_frame_that_comes_twice_is_heard_once() {
        let (_, track, timeline) = place_all(&[(0, 160), (20, 160), (20, 160), (40, 160)]);
        assert_eq!((track.len(), timeline.counters().late), (480, 1));
    }

    #[test]
    fn an_overlapping_piece_loses_its_beginning() {
        let (placed, track, timeline) = place_all(&[(0, 800), (50, 800)]);
        assert_eq!((placed[1].dropped, placed[1].taken), (SampleCount(400), SampleCount(400)));
        assert_eq!((track.len(), timeline.counters().overlapping), (1_200, 1));
    }

    #[test]
    fn a_jump_too_long_to_be_a_hole_starts_counting_anew() {
        for jump_ms in [3_600_000, u64::MAX] {
            let (placed, track, timeline) = place_all(&[(0, 160), (jump_ms, 160), (40, 160), (60, 160)]);
            assert!(placed.iter().all(|placed| placed.taken == SampleCount(160)), "{placed:?}");
            assert_eq!((track.len(), timeline.counters().reanchored), (640, 2));
        }
    }

    #[test]
    fn a_clock_that_runs_fast_is_followed_without_a_break() {
        let pieces: Vec<(u64, usize)> = (0..3_000).map(|n| (n * 20 + n / 100, 160)).collect();
        let (_, track, timeline) = place_all(&pieces);
        // 60 s of audio, stamped as 60.03 s, and two frames of tolerance.
        let off = track.len().abs_diff(480_240);
        assert!(off <= 320, "{off} samples off");
        assert_eq!(timeline.counters().late, 0);
    }

    proptest! {
        #[test]
        fn the_track_is_as_long_as_what_was_put_on_it(
            pieces in proptest::collection::vec((any::<u64>(), 0_usize..2_000), 0..50),
        ) {
            let (placed, track, timeline) = place_all(&pieces);
            let sum: u64 = placed.iter().map(|placed| placed.filled.0 + placed.taken.0).sum();
            prop_assert_eq!(count(&track), sum);
            prop_assert_eq!(timeline.emitted(), SampleCount(sum));
            prop_assert!(placed.iter().all(|placed| placed.filled.0 <= 80_000));
        }
    }

    fn place_all(pieces: &[(u64, usize)]) -> (Vec<Placed>, Vec<i16>, Timeline) {
        let mut timeline = Timeline::new(SampleRate::HZ_8000, TimelineConfig::default());
        let mut track = Vec::new();
        let placed = pieces.iter().map(|(ms, len)| timeline.place(*ms, &vec![7; *len], &mut track)).collect();
        (placed, track, timeline)
    }
}
