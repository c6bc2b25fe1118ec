//! A receiver that fails in every way one can.

use std::time::Duration;

use fakes::crm::Reaction;
use leads::Delivery;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Longer than the box waits.
const TOO_LATE: Duration = Duration::from_millis(1_300);

/// Returns what a receiver does: mostly it takes what comes, sometimes it fails, now and then it is dead for a while.
pub(super) fn moody(seed: u64) -> impl FnMut(&Delivery) -> Reaction + Send + 'static {
    let mut random = StdRng::seed_from_u64(seed);
    let mut dead_for = 0_u32;
    move |_| {
        if dead_for > 0 {
            dead_for -= 1;
            return Reaction::Cut;
        }
        match random.random_range(0..200) {
            0 => {
                dead_for = random.random_range(10..40);
                Reaction::Cut
            }
            1..=12 => Reaction::TakeAndCut,
            13..=30 => Reaction::TakeLate(Duration::from_millis(random.random_range(0..200))),
            31..=32 => Reaction::TakeLate(TOO_LATE),
            33..=44 => Reaction::Refuse(500),
            45..=48 => Reaction::Refuse(410),
            49..=50 => Reaction::RefuseFor(1),
            51..=52 => Reaction::Redirect,
            53..=62 => Reaction::Cut,
            _ => Reaction::Take,
        }
    }
}
