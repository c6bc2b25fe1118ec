//! Which fault happens when: decided from a seed alone, without a clock.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// How long a round takes, in milliseconds.
const ROUND: RangeInclusive<u64> = 500..=1_500;
/// How often a round has a second fault.
const SECOND: f64 = 0.35;
/// How often a fault outlasts rounds.
const LONG: f64 = 0.1;
/// How long a killed program is away, in milliseconds; the second is for long faults.
const AWAY: [RangeInclusive<u64>; 2] = [20..=1_200, 2_000..=4_000];
/// How long nothing passes, in milliseconds; the second is for long faults.
const SILENT: [RangeInclusive<u64>; 2] = [50..=2_000, 4_000..=8_000];
/// How long everything is late, in milliseconds; the second is for long faults.
const LATE: [RangeInclusive<u64>; 2] = [200..=2_000, 3_000..=6_000];
/// How late, in milliseconds.
const DELAY: RangeInclusive<u64> = 1..=400;
/// Draws until a place without a fault is found; there are more places than faults at a time.
const TRIES: usize = 100;

/// A program that can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Device(usize),
    Gateway(usize),
    Broker,
    Database,
}

/// A line that can be bad, by its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    DeviceBroker(usize),
    GatewayBroker(usize),
    GatewayDatabase(usize),
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A program is killed (SIGKILL) and started again later.
    Kill(Program),
    /// All connections of a line are reset. Over at once.
    Cut(Line),
    /// Nothing passes for a while; then it goes on, or the connections are reset.
    BlackHole { line: Line, then_cut: bool },
    /// Everything comes late for a while.
    Delay { line: Line, to_server: Duration, to_client: Duration },
}

/// Kinds of faults, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    KillDevice,
    KillGateway,
    KillBroker,
    KillDatabase,
    Cut,
    BlackHole,
    Delay,
}

impl Kind {
    /// Every kind, with how often it is drawn beside the others.
    const WEIGHTS: [(Self, u32); 7] = [
        (Self::KillDevice, 20),
        (Self::KillGateway, 14),
        (Self::KillBroker, 14),
        (Self::KillDatabase, 10),
        (Self::Cut, 14),
        (Self::BlackHole, 14),
        (Self::Delay, 14),
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::KillDevice => "kill_device",
            Self::KillGateway => "kill_gateway",
            Self::KillBroker => "kill_broker",
            Self::KillDatabase => "kill_database",
            Self::Cut => "cut",
            Self::BlackHole => "black_hole",
            Self::Delay => "delay",
        }
    }
}

impl Fault {
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Kill(Program::Device(_)) => Kind::KillDevice,
            Self::Kill(Program::Gateway(_)) => Kind::KillGateway,
            Self::Kill(Program::Broker) => Kind::KillBroker,
            Self::Kill(Program::Database) => Kind::KillDatabase,
            Self::Cut(_) => Kind::Cut,
            Self::BlackHole { .. } => Kind::BlackHole,
            Self::Delay { .. } => Kind::Delay,
        }
    }

    /// Tells whether both are of the same program or line, so that they cannot be at the same time.
    fn is_at_place_of(self, other: Self) -> bool {
        match (self, other) {
            (Self::Kill(one), Self::Kill(two)) => one == two,
            (Self::Kill(_), _) | (_, Self::Kill(_)) => false,
            (one, two) => one.line() == two.line(),
        }
    }

    const fn line(self) -> Option<Line> {
        match self {
            Self::Kill(_) => None,
            Self::Cut(line) | Self::BlackHole { line, .. } | Self::Delay { line, .. } => Some(line),
        }
    }
}

/// What is done at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Begin(Fault),
    End(Fault),
}

/// What is done in a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// What is done, each so long after the round began, in order.
    pub(crate) steps: Vec<(Duration, Action)>,
    pub(crate) length: Duration,
}

/// A fault that lasts, from when to when since the first round began.
#[derive(Clone, Copy, Debug)]
struct Lasting {
    begin: Duration,
    end: Duration,
    fault: Fault,
}

/// Draws one round after the other.
#[derive(Debug)]
pub(crate) struct Plan {
    rng: StdRng,
    devices: usize,
    gateways: usize,
    weights: Vec<(Kind, u32)>,
    now: Duration,
    lasting: Vec<Lasting>,
}

impl Plan {
    /// Makes a plan for so many devices and gateways, at least one each; with faults of the kinds in `only`, or of all
    /// where it is empty.
    pub(crate) fn new(seed: u64, devices: usize, gateways: usize, only: &[Kind]) -> Self {
        let is_wanted = |(kind, _): &(Kind, u32)| only.is_empty() || only.contains(kind);
        Self {
            rng: StdRng::seed_from_u64(seed),
            devices,
            gateways,
            weights: Kind::WEIGHTS.into_iter().filter(is_wanted).collect(),
            now: Duration::ZERO,
            lasting: Vec::new(),
        }
    }

    /// Draws the next round.
    pub(crate) fn next_round(&mut self) -> Round {
        let length = self.millis(ROUND);
        let (begin, end) = (self.now, self.now + length);
        let count = 1 + usize::from(self.rng.random_bool(SECOND));
        let mut steps = Vec::new();
        for _ in 0..count {
            let Some(drawn) = self.draw(begin, length) else { continue };
            steps.push((drawn.begin, Action::Begin(drawn.fault)));
            if drawn.fault.kind() != Kind::Cut {
                self.lasting.push(drawn);
            }
        }
        let over = |lasting: &Lasting| lasting.end < end;
        steps.extend(self.lasting.iter().copied().filter(over).map(|it| (it.end, Action::End(it.fault))));
        self.lasting.retain(|lasting| !over(lasting));
        steps.sort_by_key(|(at, _)| *at);
        self.now = end;
        Round { steps: steps.into_iter().map(|(at, action)| (at.saturating_sub(begin), action)).collect(), length }
    }

    /// Returns the faults that last still; they are over with this.
    pub(crate) fn end(&mut self) -> Vec<Fault> {
        self.lasting.drain(..).map(|lasting| lasting.fault).collect()
    }

    /// Draws a fault that begins in the round, where there is none at that time.
    fn draw(&mut self, round: Duration, length: Duration) -> Option<Lasting> {
        for _ in 0..TRIES {
            let fault = self.fault()?;
            let begin = round + length.mul_f64(self.rng.random());
            let ranges = match fault.kind() {
                Kind::KillDevice | Kind::KillGateway | Kind::KillBroker | Kind::KillDatabase => Some(AWAY),
                Kind::BlackHole => Some(SILENT),
                Kind::Delay => Some(LATE),
                Kind::Cut => None,
            };
            let lasts = ranges.map_or(Duration::ZERO, |[short, long]| {
                let range = if self.rng.random_bool(LONG) { long } else { short };
                self.millis(range)
            });
            let drawn = Lasting { begin, end: begin + lasts, fault };
            let meets = |other: &Lasting| {
                other.fault.is_at_place_of(fault) && drawn.begin <= other.end && other.begin <= drawn.end
            };
            if !self.lasting.iter().any(meets) {
                return Some(drawn);
            }
        }
        None
    }

    fn fault(&mut self) -> Option<Fault> {
        let sum: u32 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut left = self.rng.random_range(0..sum.max(1));
        let kind = self.weights.iter().find_map(|(kind, weight)| {
            let is_drawn = left < *weight;
            left = left.saturating_sub(*weight);
            is_drawn.then_some(*kind)
        })?;
        Some(match kind {
            Kind::KillDevice => Fault::Kill(Program::Device(self.rng.random_range(0..self.devices))),
            Kind::KillGateway => Fault::Kill(Program::Gateway(self.rng.random_range(0..self.gateways))),
            Kind::KillBroker => Fault::Kill(Program::Broker),
            Kind::KillDatabase => Fault::Kill(Program::Database),
            Kind::Cut => Fault::Cut(self.line()),
            Kind::BlackHole => Fault::BlackHole { line: self.line(), then_cut: self.rng.random() },
            Kind::Delay => {
                Fault::Delay { line: self.line(), to_server: self.millis(DELAY), to_client: self.millis(DELAY) }
            }
        })
    }

    fn line(&mut self) -> Line {
        match self.rng.random_range(0..3) {
            0 => Line::DeviceBroker(self.rng.random_range(0..self.devices)),
            1 => Line::GatewayBroker(self.rng.random_range(0..self.gateways)),
            _ => Line::GatewayDatabase(self.rng.random_range(0..self.gateways)),
        }
    }

    fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.rng.random_range(range))
    }
}

#[cfg(test)]
mod tests;
