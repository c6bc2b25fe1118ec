use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use crate::{CallRate, Callers};

const RATE: CallRate = CallRate { calls: NonZeroU32::new(3).unwrap(), within: Duration::from_mins(1) };

#[test]
fn one_who_redials_stays_out_until_it_is_quiet() {
    let mut callers = Callers::default();
    let at = |seconds| Duration::from_secs(seconds);
    let hurried: Vec<bool> = (0..6).map(|second| callers.note(RATE, at(second), "+972541234567")).collect();
    assert_eq!(hurried, [false, false, false, true, true, true]);
    assert!(!callers.note(RATE, at(6), "+972541234568"), "another number is not kept out");
    assert!(callers.note(RATE, at(50), "+972541234567"));
    assert!(!callers.note(RATE, at(120), "+972541234567"));
}

#[test]
fn numbers_are_forgotten_up_to_a_limit_and_never_shown() {
    let mut callers = Callers::default();
    for number in 0..5_000 {
        callers.note(RATE, Duration::from_millis(number), &format!("+97250{number:07}"));
    }
    assert_eq!(format!("{callers:?}"), "Callers { numbers: 4096 }");
}

proptest! {
    /// The count is that of a plain list of everything.
    #[test]
    fn counting_is_that_of_a_plain_list(gaps in prop::collection::vec(0_u64..40, 1..60)) {
        let mut callers = Callers::default();
        let (mut now, mut all) = (0, Vec::new());
        for gap in gaps {
            now += gap;
            all.push(now);
            let lately = all.iter().filter(|at| now - **at < 60).count();
            prop_assert_eq!(callers.note(RATE, Duration::from_secs(now), "+97231234567"), lately > 3);
        }
    }
}
