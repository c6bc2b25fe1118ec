//! Engines that do well, or not.

use alloc::borrow::ToOwned as _;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::ms;
use crate::{Failure, FailureKind, RaceInput};

/// The longest that this device takes to its first useful output.
pub(super) const DEVICE: Duration = ms(600);

/// A small generator of random numbers (`SplitMix64`, Steele, Lea and Flood 2014): the same everywhere, for ever.
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) const fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// How an engine does for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// This device: soon, and seldom not at all.
    Device,
    Good,
    Slow,
    /// It accepts the connection and says nothing.
    Silent,
    /// It begins well and says nothing more.
    Stalling,
    Cutting,
    Failing(FailureKind),
    /// Some requests are refused at once, most go well.
    Flaky,
    /// It wants a short pause each time.
    Limited,
}

impl Mood {
    pub(super) fn any(random: &mut Random) -> Self {
        match random.below(20) {
            0..=7 => Self::Good,
            8..=9 => Self::Flaky,
            10 => Self::Slow,
            11..=12 => Self::Silent,
            13 => Self::Stalling,
            14 => Self::Cutting,
            15 => Self::Limited,
            _ => Self::Failing(FailureKind::ALL[usize::try_from(random.below(15)).expect("few")]),
        }
    }

    /// Returns what an engine in this mood does after what time, from the start of its request.
    pub(super) fn script(self, engine: &str, random: &mut Random) -> Vec<(Duration, RaceInput)> {
        let useful = || RaceInput::Useful { engine: engine.to_owned() };
        let done = || RaceInput::Done { engine: engine.to_owned() };
        let failed =
            |kind, retry_after| RaceInput::Failed { engine: engine.to_owned(), failure: Failure { kind, retry_after } };
        let soon = ms(50 + random.below(500));
        let later = soon + ms(random.below(900));
        match self {
            Self::Device if random.chance(1) => vec![(soon, failed(FailureKind::Broken, None))],
            Self::Device if random.chance(20) => vec![(DEVICE, done())],
            Self::Flaky if random.chance(30) => vec![(soon / 2, failed(FailureKind::Server, None))],
            Self::Device | Self::Good | Self::Flaky => {
                vec![(soon, useful()), (later, useful()), (later + ms(50), done())]
            }
            Self::Slow => vec![(soon * 4, useful()), (soon * 4 + ms(100), done())],
            Self::Silent => Vec::new(),
            Self::Stalling => vec![(soon, useful()), (later, useful())],
            Self::Cutting => vec![(soon, useful()), (later, failed(FailureKind::Cut, None))],
            Self::Failing(kind) => vec![(soon, failed(kind, None))],
            Self::Limited if random.chance(50) => vec![(soon, useful()), (later, done())],
            Self::Limited => vec![(soon / 4, failed(FailureKind::RateLimited, Some(ms(random.below(900)))))],
        }
    }
}
