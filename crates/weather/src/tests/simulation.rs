//! A simulated office: several callers at once, engines that are slow, silent, broken or gone, an owner who changes the budget;
//! everything in virtual time and from a seed.

mod engines;
mod world;

use super::std::println;
use alloc::string::String;
use core::fmt::Write as _;
use core::time::Duration;

use super::ms;
use world::{Figures, World};

/// Turns of a simulation.
const TURNS: u32 = 1_000;
const SEEDS: u64 = 20;

#[test]
fn a_thousand_turns_in_any_weather_keep_every_promise() {
    let mut all = Figures::default();
    let mut lines = String::new();
    for seed in 1..=SEEDS {
        let figures = World::new(seed, TURNS).run();
        writeln!(lines, "seed {seed}: {figures}").expect("a string takes everything");
        all.add(&figures);
    }
    println!("{lines}all: {all}");
    // Without these the promises would be kept for want of trials.
    assert!(all.turns == u64::from(TURNS) * SEEDS, "{all}");
    assert!(all.time_outs >= 500, "{all}");
    assert!(all.takeovers >= 150, "{all}");
    assert!(all.shadows_worked >= 300 && all.shadows > all.shadows_worked, "{all}");
    assert!(all.retries_served >= 100, "{all}");
    assert!(all.second_providers >= 100, "{all}");
    assert!(all.voices_changed >= 200, "{all}");
    assert!(all.without_money >= 2_000, "{all}");
    assert!(all.cancelled >= 300, "{all}");
    assert!(all.nobody >= 1 && all.nobody < all.requests / 100, "{all}");
    assert!(all.longest_wait > ms(1_200) && all.longest_wait <= ms(1_200) + world::DEVICE, "{all}");
    assert!(all.cloud_served * 4 > all.requests, "the cloud is hardly used: {all}");
}

#[test]
fn the_same_seed_is_the_same_day() {
    assert_eq!(World::new(7, 200).run(), World::new(7, 200).run());
    assert_ne!(World::new(7, 200).run(), World::new(8, 200).run());
}

impl core::fmt::Display for Figures {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{} turns, {} requests ({} by the cloud, {} by nobody, {} cancelled), {} time-outs, {} takeovers, \
             {} retries served, {} second providers, {} of {} shadows worked, {} voices changed, {} without money, \
             longest wait {} ms",
            self.turns,
            self.requests,
            self.cloud_served,
            self.nobody,
            self.cancelled,
            self.time_outs,
            self.takeovers,
            self.retries_served,
            self.second_providers,
            self.shadows_worked,
            self.shadows,
            self.voices_changed,
            self.without_money,
            Duration::as_millis(&self.longest_wait)
        )
    }
}
