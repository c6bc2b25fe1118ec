//! What a device does next of its own accord, decided without a clock: time and randomness come in.
//!
//! Moments of a kind are apart as in a Poisson process: the waits are random, exponentially distributed, and know nothing
//! of each other. A deed that was looked for too late is still done at its turn, so that the rate holds however late the
//! simulator wakes; only what is more than [`MAX_LATE`] behind is left out.

use std::time::Duration;

use protocol::Stream;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use sync::link::Mono;

use crate::bad::BadKind;
use crate::behaviour::{Behaviour, Pace};

/// How far the past is made up for.
const MAX_LATE: Duration = Duration::from_secs(5);
/// The shortest wait that is drawn; below it a device would do nothing else.
const MIN_WAIT: Duration = Duration::from_micros(500);

/// What a device does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Makes events of a stream.
    Make {
        /// Which.
        stream: Stream,
        /// How many.
        events: u32,
    },
    /// Sends a payload that nobody can use.
    Bad(BadKind),
    /// Is cut off.
    Cut,
    /// Has a network again.
    Mend,
}

/// The core; see the module's documentation.
#[derive(Debug)]
pub struct Life {
    behaviour: Behaviour,
    pace: Pace,
    rng: StdRng,
    /// When the next burst is made; at the pace of [`Pace::Saturate`] only once the last is stored.
    burst_at: Option<Mono>,
    flood_at: Option<Mono>,
    bad_at: Option<Mono>,
    /// When the network goes, or comes back.
    flap_at: Option<Mono>,
    is_cut: bool,
}

impl Life {
    /// Makes a life that begins at `now`. The same seed gives the same life.
    pub fn new(behaviour: Behaviour, seed: u64, now: Mono) -> Self {
        let pace = behaviour.pace();
        let mut life = Self {
            behaviour,
            pace: Pace::Rest,
            rng: StdRng::seed_from_u64(seed),
            burst_at: None,
            flood_at: None,
            bad_at: None,
            flap_at: None,
            is_cut: false,
        };
        life.flood_at = life.after(now, life.behaviour.flood_every);
        life.bad_at = life.after(now, life.behaviour.bad_every);
        life.flap_at = life.after(now, life.behaviour.flap_up);
        life.set_pace(now, pace);
        life
    }

    /// Changes how fast events are made, from now on.
    pub fn set_pace(&mut self, now: Mono, pace: Pace) {
        self.pace = pace;
        self.burst_at = match pace {
            Pace::Rest => None,
            Pace::Rate { .. } => self.after(now, mean_wait(pace)),
            Pace::Saturate { .. } => Some(now),
        };
    }

    /// Changes to `pace` with the next [`Life::all_stored`]: something is under way still.
    pub fn saturate_when_stored(&mut self, burst: u32) {
        self.pace = Pace::Saturate { burst };
        self.burst_at = None;
    }

    /// Does nothing any more, but comes back if it is cut off.
    pub fn rest(&mut self) {
        self.pace = Pace::Rest;
        (self.burst_at, self.flood_at, self.bad_at) = (None, None, None);
        if !self.is_cut {
            self.flap_at = None;
        }
    }

    /// Returns what is due, one after the other.
    pub fn poll(&mut self, now: Mono) -> Option<Deed> {
        if let Some(at) = due(self.flap_at, now) {
            self.is_cut = !self.is_cut;
            let wait = if self.is_cut { Some(self.behaviour.flap_down) } else { self.behaviour.flap_up };
            self.flap_at = self.after(at.max(now), wait);
            return Some(if self.is_cut { Deed::Cut } else { Deed::Mend });
        }
        if let Some(at) = due(self.bad_at, now) {
            self.bad_at = self.after(late(at, now), self.behaviour.bad_every);
            return Some(Deed::Bad(*BadKind::ALL.choose(&mut self.rng)?));
        }
        if let Some(at) = due(self.flood_at, now) {
            self.flood_at = self.after(late(at, now), self.behaviour.flood_every);
            return Some(Deed::Make { stream: self.stream()?, events: self.behaviour.flood_events });
        }
        let at = due(self.burst_at, now)?;
        let (events, next) = match self.pace {
            Pace::Rest => return None,
            Pace::Rate { burst, .. } => (burst, self.after(late(at, now), mean_wait(self.pace))),
            Pace::Saturate { burst } => (burst, None),
        };
        self.burst_at = next;
        Some(Deed::Make { stream: self.stream()?, events })
    }

    /// Hears that the gateway has everything that was made.
    pub fn all_stored(&mut self, now: Mono) {
        if let Pace::Saturate { .. } = self.pace {
            self.burst_at = Some(now);
        }
    }

    /// Decides whether a batch that is stored is sent once more.
    pub fn repeats(&mut self) -> bool {
        self.behaviour.repeat > 0.0 && self.rng.random_bool(self.behaviour.repeat)
    }

    /// Draws sixteen bytes, for an identity.
    pub fn salt(&mut self) -> u64 {
        self.rng.random()
    }

    /// Tells whether the device has no network just now.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns when [`Life::poll`] has something.
    pub fn poll_timeout(&self) -> Option<Mono> {
        [self.burst_at, self.flood_at, self.bad_at, self.flap_at].into_iter().flatten().min()
    }

    fn stream(&mut self) -> Option<Stream> {
        self.behaviour.streams.choose(&mut self.rng).copied()
    }

    /// Draws a moment after `from`.
    fn after(&mut self, from: Mono, mean: Option<Duration>) -> Option<Mono> {
        // In (0, 1], so that the logarithm is finite.
        let share = 1.0 - self.rng.random::<f64>();
        let wait = Duration::try_from_secs_f64(mean?.as_secs_f64() * -share.ln()).unwrap_or(Duration::MAX);
        Some(from.saturating_add(wait.max(MIN_WAIT)))
    }
}

fn due(at: Option<Mono>, now: Mono) -> Option<Mono> {
    at.filter(|at| *at <= now)
}

/// Returns from when the next wait counts: the moment that was due, unless it is long past.
fn late(at: Mono, now: Mono) -> Mono {
    at.max(now.saturating_sub(MAX_LATE))
}

fn mean_wait(pace: Pace) -> Option<Duration> {
    match pace {
        Pace::Rate { events_per_second, burst } if events_per_second > 0.0 => {
            Duration::try_from_secs_f64(f64::from(burst) / events_per_second).ok()
        }
        Pace::Rate { .. } | Pace::Rest | Pace::Saturate { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lives until `end`, looking every `step`; returns what was done, and when.
    fn live(behaviour: Behaviour, seed: u64, step: Duration, end: Duration) -> Vec<(Mono, Deed)> {
        let mut life = Life::new(behaviour, seed, Mono::ZERO);
        let mut deeds = Vec::new();
        let mut now = Mono::ZERO;
        while now < end {
            while let Some(deed) = life.poll(now) {
                deeds.push((now, deed));
            }
            now += step;
        }
        deeds
    }

    fn made(deeds: &[(Mono, Deed)]) -> u32 {
        let events = deeds.iter().map(|(_, deed)| if let Deed::Make { events, .. } = deed { *events } else { 0 });
        events.sum()
    }

    const TICK: Duration = Duration::from_millis(10);
    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn the_same_seed_gives_the_same_life_and_another_one_another() {
        let behaviour = Behaviour {
            rate: 2.0,
            flap_up: Some(Duration::from_secs(20)),
            bad_every: Some(Duration::from_secs(9)),
            flood_every: Some(Duration::from_mins(5)),
            ..Behaviour::default()
        };
        let end = Duration::from_mins(10);
        let one = live(behaviour.clone(), 7, TICK, end);
        assert_eq!(one, live(behaviour.clone(), 7, TICK, end));
        assert_ne!(one, live(behaviour, 8, TICK, end));
    }

    #[test]
    fn the_rate_counts_events_and_holds_however_rarely_one_looks() {
        for burst in [1, 10] {
            for step in [TICK, Duration::from_secs(3)] {
                let behaviour = Behaviour { rate: 2.0, burst, ..Behaviour::default() };
                let made = f64::from(made(&live(behaviour, 3, step, HOUR)));
                // 7,200 events expected; the deviation of 720 bursts of ten is 268.
                assert!((made - 7_200.0).abs() < 1_000.0, "{made} events at bursts of {burst}, looking every {step:?}");
            }
        }
    }

    #[test]
    fn cuts_and_mends_alternate_with_the_means_asked_for() {
        let behaviour = Behaviour {
            rate: 0.0,
            flap_up: Some(Duration::from_secs(20)),
            flap_down: Duration::from_secs(5),
            ..Behaviour::default()
        };
        let deeds = live(behaviour, 5, TICK, 10 * HOUR);
        let mut down = Duration::ZERO;
        for pair in deeds.chunks_exact(2) {
            assert_eq!((pair[0].1, pair[1].1), (Deed::Cut, Deed::Mend));
            down += pair[1].0.checked_sub(pair[0].0).unwrap();
        }
        let share = down.as_secs_f64() / 36_000.0;
        assert!((share - 0.2).abs() < 0.02, "{share} of the time without a network");
    }

    #[test]
    fn at_saturation_the_next_burst_waits_for_the_last() {
        let behaviour = Behaviour { saturate: true, burst: 4, ..Behaviour::default() };
        let mut life = Life::new(behaviour, 1, Mono::ZERO);
        assert_eq!(life.poll(Mono::ZERO), Some(Deed::Make { stream: Stream::Calls, events: 4 }));
        assert_eq!((life.poll(HOUR), life.poll_timeout()), (None, None));
        life.all_stored(HOUR);
        assert_eq!(life.poll(HOUR), Some(Deed::Make { stream: Stream::Calls, events: 4 }));
    }

    #[test]
    fn who_rests_while_cut_off_still_comes_back() {
        let behaviour = Behaviour { flap_up: Some(TICK), flap_down: TICK, ..Behaviour::default() };
        let mut life = Life::new(behaviour, 2, Mono::ZERO);
        assert_eq!(life.poll(HOUR), Some(Deed::Cut));
        life.rest();
        assert_eq!(life.poll(2 * HOUR), Some(Deed::Mend));
        life.rest();
        assert_eq!((life.poll(3 * HOUR), life.poll_timeout()), (None, None));
    }
}
