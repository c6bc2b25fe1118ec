//! How long to wait before the next try.

use std::time::Duration;

/// Most tries of one request, the first included.
pub const TRIES: u32 = 5;
/// The wait after the first failure; doubled after each further one.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest wait, whoever asks for it. A carrier that wants to be left alone for longer is not asked again at all.
pub const MAX_PAUSE: Duration = Duration::from_secs(30);
/// How far a wait is spread to either side, so that many boxes do not come back at once.
const SPREAD: f64 = 0.1;

/// Returns the wait after `failures` failed tries, or `None` when it is given up. `after` is what the carrier asked for;
/// `jitter` is a random number from 0 to 1.
pub fn pause(failures: u32, after: Option<Duration>, jitter: f64) -> Option<Duration> {
    if failures == 0 || failures >= TRIES || after.is_some_and(|after| after > MAX_PAUSE) {
        return None;
    }
    let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.5 };
    let spread = doubled.min(MAX_PAUSE).mul_f64(1.0 - SPREAD + 2.0 * SPREAD * jitter);
    // Never before the carrier said.
    Some(spread.max(after.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_wait_is_twice_the_one_before_and_the_fifth_failure_is_the_last() {
        let waits: Vec<_> =
            (0..=TRIES).map(|failures| pause(failures, None, 0.5).map(|wait| wait.as_millis())).collect();
        assert_eq!(waits, [None, Some(100), Some(200), Some(400), Some(800), None]);
        assert_eq!(pause(1, None, 0.0), Some(Duration::from_millis(90)));
        assert_eq!(pause(1, None, 1.0), Some(Duration::from_millis(110)));
    }

    #[test]
    fn the_carrier_is_left_alone_as_long_as_it_wants_or_altogether() {
        assert_eq!(pause(1, Some(Duration::from_secs(3)), 0.5), Some(Duration::from_secs(3)));
        assert_eq!(pause(4, Some(Duration::ZERO), 0.5), Some(Duration::from_millis(800)));
        assert_eq!(pause(1, Some(MAX_PAUSE), 0.5), Some(MAX_PAUSE));
        assert_eq!(pause(1, Some(MAX_PAUSE + Duration::from_secs(1)), 0.5), None);
    }

    proptest! {
        #[test]
        fn any_numbers_make_a_bounded_wait(failures: u32, after in prop::option::of(0..10_000_000_u64), jitter: f64) {
            let wait = pause(failures, after.map(Duration::from_millis), jitter);
            prop_assert!(wait.is_none_or(|wait| wait <= MAX_PAUSE.mul_f64(1.2)));
            prop_assert_eq!(wait.is_some_and(|_| failures >= TRIES), false);
        }
    }
}
