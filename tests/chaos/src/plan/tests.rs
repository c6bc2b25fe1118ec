//! What a plan does and never does.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Action, Fault, Kind, Plan, Round};

fn rounds(seed: u64, count: usize) -> (Vec<Round>, Plan) {
    let mut plan = Plan::new(seed, 3, 2, &[]);
    let rounds = (0..count).map(|_| plan.next_round()).collect();
    (rounds, plan)
}

#[test]
fn the_same_seed_gives_the_same_faults_and_another_one_others() {
    assert_eq!(rounds(7, 100).0, rounds(7, 100).0);
    assert_ne!(rounds(7, 100).0, rounds(8, 100).0);
}

#[test]
fn each_round_is_short_and_begins_a_fault_or_two_in_order() {
    for round in rounds(1, 500).0 {
        assert!((500..=1_500).contains(&round.length.as_millis()), "{round:?}");
        let begun = round.steps.iter().filter(|(_, action)| matches!(action, Action::Begin(_))).count();
        assert!((1..=2).contains(&begun), "{round:?}");
        assert!(round.steps.is_sorted_by_key(|(at, _)| *at), "{round:?}");
        assert!(round.steps.iter().all(|(at, _)| *at <= round.length), "{round:?}");
    }
}

#[test]
fn each_fault_but_a_cut_ends_once_and_no_place_has_two_at_a_time() {
    let (rounds, mut plan) = rounds(2, 500);
    let mut there: Vec<Fault> = Vec::new();
    for (_, action) in rounds.iter().flat_map(|round| &round.steps) {
        match *action {
            Action::Begin(fault) => {
                assert!(!there.iter().any(|other| other.is_at_place_of(fault)), "{fault:?} beside {there:?}");
                if fault.kind() != Kind::Cut {
                    there.push(fault);
                }
            }
            Action::End(fault) => {
                let place = there.iter().position(|other| *other == fault);
                there.remove(place.unwrap_or_else(|| panic!("{fault:?} had not begun")));
            }
        }
    }
    assert_eq!(there, plan.end());
    assert!(plan.end().is_empty());
}

#[test]
fn five_hundred_rounds_have_every_kind_many_times_and_take_about_ten_minutes() {
    let (rounds, _) = rounds(3, 500);
    let mut count: BTreeMap<Kind, usize> = BTreeMap::new();
    for (_, action) in rounds.iter().flat_map(|round| &round.steps) {
        if let Action::Begin(fault) = action {
            *count.entry(fault.kind()).or_default() += 1;
        }
    }
    assert_eq!(count.len(), Kind::WEIGHTS.len());
    assert!(count.values().all(|count| *count >= 30), "{count:?}");
    let length: Duration = rounds.iter().map(|round| round.length).sum();
    assert!((420..600).contains(&length.as_secs()), "{length:?}");
}

#[test]
fn some_faults_outlast_their_round_and_none_lasts_long() {
    let (rounds, _) = rounds(4, 500);
    let mut now = Duration::ZERO;
    let mut begun: Vec<(Duration, Fault)> = Vec::new();
    let mut lasted = Vec::new();
    for round in &rounds {
        for (at, action) in &round.steps {
            match action {
                Action::Begin(fault) => begun.push((now + *at, *fault)),
                Action::End(fault) => {
                    let place = begun.iter().position(|(_, other)| other == fault).unwrap();
                    lasted.push((now + *at).checked_sub(begun.remove(place).0).unwrap());
                }
            }
        }
        now += round.length;
    }
    assert!(lasted.iter().any(|lasted| *lasted > Duration::from_secs(4)));
    assert!(lasted.iter().all(|lasted| *lasted <= Duration::from_secs(8)));
}

#[test]
fn kinds_can_be_chosen() {
    let mut plan = Plan::new(5, 1, 1, &[Kind::KillDevice, Kind::Cut]);
    for _ in 0..50 {
        for (_, action) in plan.next_round().steps {
            let (Action::Begin(fault) | Action::End(fault)) = action;
            assert!([Kind::KillDevice, Kind::Cut].contains(&fault.kind()), "{fault:?}");
        }
    }
}
