use std::time::Duration;

use units::{SampleCount, SampleRate};

use super::turns;
use crate::line::{LineTime, Speech};

#[test]
fn a_turn_waits_from_the_last_sound_of_the_caller_to_the_first_of_the_agent() {
    let turns = turns(&[speech(1_000, 2_000)], &[speech(0, 500), speech(2_350, 3_000)], &[]);
    assert_eq!(turns[0].to_agent, Some(Duration::from_millis(350)));
    assert!(!turns[0].over_agent);
    assert_eq!(turns[0].to_clear, None);
}

#[test]
fn an_interruption_is_measured_to_the_clear() {
    let turns = turns(&[speech(1_000, 1_800)], &[speech(500, 1_140), speech(2_200, 2_900)], &[at(1_120)]);
    assert!(turns[0].over_agent);
    assert_eq!(turns[0].to_clear, Some(Duration::from_millis(120)));
    assert_eq!(turns[0].to_agent, Some(Duration::from_millis(400)));
}

#[test]
fn a_clear_without_an_interruption_belongs_to_no_turn() {
    let turns = turns(&[speech(1_000, 1_800)], &[speech(0, 900)], &[at(1_100)]);
    assert_eq!(turns[0].to_clear, None);
}

#[test]
fn a_turn_that_gets_no_answer_before_the_next_has_no_latency() {
    let turns = turns(&[speech(0, 500), speech(2_000, 2_500)], &[speech(2_800, 3_000)], &[]);
    assert_eq!(turns[0].to_agent, None);
    assert_eq!(turns[1].to_agent, Some(Duration::from_millis(300)));
}

#[test]
fn an_agent_that_speaks_on_past_the_caller_has_not_answered() {
    let turns = turns(&[speech(1_000, 1_500)], &[speech(500, 2_000), speech(3_000, 3_500)], &[]);
    assert_eq!(turns[0].to_agent, None);
}

fn speech(from_ms: u64, until_ms: u64) -> Speech {
    Speech { from: at(from_ms), until: at(until_ms) }
}

fn at(ms: u64) -> LineTime {
    LineTime(SampleCount::from_duration(Duration::from_millis(ms), SampleRate::HZ_8000))
}
