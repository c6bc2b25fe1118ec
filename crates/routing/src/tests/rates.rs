use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use crate::{Agenda, CallRate, Callers};

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
    assert_eq!(format!("{callers:?}"), "Callers { numbers: 4096, .. }");
}

/// Who calls too often, found by looking at every number at every call.
#[derive(Default)]
struct Walk(BTreeMap<String, VecDeque<Duration>>);

impl Walk {
    fn note(&mut self, most_numbers: usize, rate: CallRate, now: Duration, number: &str) -> bool {
        let most = usize::try_from(rate.calls.get()).unwrap();
        self.0.retain(|_, times| {
            while times.front().is_some_and(|at| now.checked_sub(*at).unwrap() >= rate.within) {
                times.pop_front();
            }
            !times.is_empty()
        });
        let times = self.0.entry(number.to_owned()).or_default();
        times.push_back(now);
        while times.len() > most + 1 {
            times.pop_front();
        }
        let is_hurried = times.len() > most;
        while self.0.len() > most_numbers {
            let oldest = self.0.iter().min_by_key(|(_, times)| *times.back().unwrap()).unwrap().0.clone();
            self.0.remove(&oldest);
        }
        is_hurried
    }
}

proptest! {
    /// What is remembered in order of time is what a walk over everything finds.
    #[test]
    fn numbers_in_order_of_time_are_those_of_a_walk_over_all(
        calls in prop::collection::vec((prop_oneof![Just(0_u64), 1_u64..40], 0_u8..12), 1..200),
        most_numbers in 1_usize..10,
        most in 1_u32..4,
    ) {
        let (mut callers, mut walk) = (Callers::default(), Walk::default());
        let rate = CallRate { calls: NonZeroU32::new(most).unwrap(), ..RATE };
        let mut now = Duration::ZERO;
        for (gap, number) in calls {
            now += Duration::from_secs(gap);
            let number = format!("+9725412345{number:02}");
            let hurried = callers.note_among(most_numbers, rate, now, &number);
            prop_assert_eq!(hurried, walk.note(most_numbers, rate, now, &number));
            prop_assert_eq!(format!("{callers:?}"), format!("Callers {{ numbers: {}, .. }}", walk.0.len()));
        }
    }

    /// The next thing is the first of all.
    #[test]
    fn the_next_thing_of_an_agenda_is_the_first_of_all(
        steps in prop::collection::vec((0_u8..8, prop::option::of(0_u64..20)), 0..100),
    ) {
        let (mut agenda, mut all) = (Agenda::default(), BTreeMap::new());
        for (name, due) in steps {
            let name = name.to_string();
            agenda.set(&name, due);
            match due {
                Some(due) => drop(all.insert(name, due)),
                None => drop(all.remove(&name)),
            }
            let first = all.iter().map(|(name, due)| (*due, name.as_str())).min();
            prop_assert_eq!(agenda.next(), first.map(|(due, name)| (name, due)));
            prop_assert_eq!((agenda.len(), agenda.is_empty()), (all.len(), all.is_empty()));
        }
    }

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
