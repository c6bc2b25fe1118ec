use std::time::Duration;

use proptest::prelude::*;
use telephony::Digit;

use super::{Caller, CallerFrame, CallerNote, ReadyStep, WhenDone};
use crate::playout::{FRAME_SAMPLES, MULAW_SILENCE};

/// A µ-law byte that is heard.
const LOUD: u8 = 0x00;

#[test]
fn what_is_said_goes_out_frame_by_frame_and_its_audible_part_is_noted() {
    let mut audio = vec![MULAW_SILENCE; 200];
    audio.extend([LOUD; 60]);
    audio.extend([MULAW_SILENCE; 20]);
    let mut caller = Caller::new([ReadyStep::Audio(audio)], WhenDone::HangUp);

    let first = caller.tick(false);
    assert_eq!(first.notes, [CallerNote::StepStarted(0)]);
    let second = caller.tick(false);
    assert_eq!(second.notes, [CallerNote::SpeechStarted(40), CallerNote::SpeechEnded(100)]);
    assert_eq!((second.frame[40], second.frame[100], second.frame[159]), (LOUD, MULAW_SILENCE, MULAW_SILENCE));
    assert!(caller.tick(false).hangs_up, "the script has run out");
}

#[test]
fn the_caller_waits_until_the_agent_has_spoken_and_then_is_quiet() {
    let wait = ReadyStep::WaitForAgentToFinish { quiet: Duration::from_millis(60), limit: Duration::from_secs(10) };
    let heard = "..AA.AA....".chars().map(|c| c == 'A');
    assert_eq!(frames_until_hang_up(wait, heard), 9, "three quiet frames behind the second word");
}

#[test]
fn an_agent_that_was_just_speaking_counts_as_speaking() {
    let steps = [
        ReadyStep::Audio(vec![LOUD; FRAME_SAMPLES]),
        ReadyStep::WaitForAgentToFinish { quiet: Duration::from_millis(40), limit: Duration::from_secs(10) },
    ];
    let mut caller = Caller::new(steps, WhenDone::HangUp);
    assert!(!caller.tick(true).hangs_up);
    assert!(!caller.tick(false).hangs_up);
    assert!(caller.tick(false).hangs_up);
}

#[test]
fn a_wait_has_a_limit_and_the_report_can_tell() {
    let wait = ReadyStep::WaitForAgentToFinish { quiet: Duration::from_millis(60), limit: Duration::from_millis(100) };
    let mut caller = Caller::new([wait], WhenDone::HangUp);
    let frames: Vec<CallerFrame> = (0..6).map(|_| caller.tick(false)).collect();
    assert_eq!(frames[5].notes, [CallerNote::StepTimedOut(0)]);
    assert!(frames[5].hangs_up && !frames[4].hangs_up);
}

#[test]
fn an_interruption_comes_after_enough_of_the_agent() {
    let wait = ReadyStep::WaitUntilAgentSpeaks { lasting: Duration::from_millis(60), limit: Duration::from_secs(1) };
    assert_eq!(frames_until_hang_up(wait, "..A.A..AA".chars().map(|c| c == 'A')), 7);
}

#[test]
fn keys_are_pressed_one_every_ten_frames() {
    let keys = ["1", "#"].map(|key| key.parse::<Digit>().unwrap());
    let mut caller = Caller::new([ReadyStep::Keys(keys.to_vec())], WhenDone::StaySilent);
    let pressed: Vec<(usize, char)> =
        (0..40).filter_map(|n| caller.tick(false).key.map(|key| (n, key.label()))).collect();
    assert_eq!(pressed, [(0, '1'), (10, '#')]);
    assert!(caller.is_done());
}

#[test]
fn a_message_to_voicemail_ends_in_silence_not_in_hanging_up() {
    let mut caller = Caller::new([], WhenDone::StaySilent);
    assert!((0..100).all(|_| !caller.tick(false).hangs_up));
}

#[test]
fn waiting_for_the_end_stops_at_its_limit() {
    let mut caller = Caller::new([ReadyStep::WaitEnd(Duration::from_millis(40))], WhenDone::StaySilent);
    assert!(caller.waits_for_other_side());
    assert!(!caller.tick(false).hangs_up);
    assert!(!caller.tick(false).hangs_up);
    let last = caller.tick(false);
    assert!(last.hangs_up);
    assert_eq!(last.notes, [CallerNote::StepTimedOut(0)]);
}

proptest! {
    #[test]
    fn every_script_ends_and_every_byte_is_said(
        lengths in prop::collection::vec(1_usize..1_000, 0..8),
        agent in prop::collection::vec(any::<bool>(), 4_000),
    ) {
        let steps = lengths.iter().flat_map(|length| [
            ReadyStep::Audio(vec![LOUD; *length]),
            ReadyStep::WaitForAgentToFinish { quiet: Duration::from_millis(40), limit: Duration::from_secs(2) },
        ]);
        let mut caller = Caller::new(steps, WhenDone::HangUp);
        let mut said = 0;
        let mut ended = false;
        for heard in agent {
            let now = caller.tick(heard);
            said += now.frame.iter().map(|byte| usize::from(*byte == LOUD)).sum::<usize>();
            if now.hangs_up {
                ended = true;
                break;
            }
        }
        prop_assert!(ended);
        prop_assert_eq!(said, lengths.iter().sum::<usize>());
    }
}

/// Runs one step and returns the frame in which the caller, who has nothing else to do, hangs up.
fn frames_until_hang_up(step: ReadyStep, heard: impl Iterator<Item = bool>) -> usize {
    let mut caller = Caller::new([step], WhenDone::HangUp);
    let hung_up = heard.map(|heard| caller.tick(heard)).position(|now| now.hangs_up);
    hung_up.expect("the caller should have hung up")
}
