//! Timelines of messages, and what holds whatever happens.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;
use units::{CallTime, SampleCount};

use super::{Clip, Message, MessageConfig, MessageInput, MessageNext, MessageOutput};
use crate::input::{Digit, MEDIA_RATE};

const CARRIER: MessageOutput = MessageOutput::Over { next: MessageNext::Carrier };
const HANG_UP: MessageOutput = MessageOutput::Over { next: MessageNext::HangUp };

#[test]
fn a_message_is_asked_for_recorded_saved_and_thanked_for() {
    let mut message = Script::new();
    message.check("begin", &[MessageOutput::Begin]);
    message.happens(MessageInput::Begun, &[play(Clip::Prompt)]);
    message.happens(playing(Clip::Prompt, 3_000), &[]);
    message.happens(heard(Clip::Prompt), &[play(Clip::Beep)]);
    message.happens(heard(Clip::Beep), &[MessageOutput::Record]);
    message.speaks(1_000, 4_000);
    message.listens_to(8_900, &[]);
    message.listens_to(9_000, &[MessageOutput::Save]);
    message.happens(MessageInput::Saved, &[play(Clip::Thanks)]);
    message.happens(heard(Clip::Thanks), &[HANG_UP]);
    assert_eq!(message.core.poll_timeout(), None);
}

#[test]
fn a_caller_who_says_nothing_leaves_nothing_and_a_cough_is_nothing() {
    let mut message = Script::recording();
    message.listens_to(5_000, &[MessageOutput::Discard, HANG_UP]);

    let mut message = Script::recording();
    message.speaks(1_000, 1_900);
    message.listens_to(6_900, &[MessageOutput::Discard, HANG_UP]);
}

#[test]
fn pound_and_star_end_a_message_and_other_keys_do_not() {
    for (key, is_the_end) in [('#', true), ('*', true), ('5', false), ('A', false)] {
        let mut message = Script::recording();
        message.speaks(0, 2_000);
        let ends: &[MessageOutput] = if is_the_end { &[MessageOutput::Save] } else { &[] };
        message.happens(MessageInput::Dtmf { digit: Digit::new(key).unwrap() }, ends);
    }
}

#[test]
fn a_key_skips_the_request_for_a_message() {
    let mut message = Script::new();
    message.happens(MessageInput::Begun, &[MessageOutput::Begin, play(Clip::Prompt)]);
    let digit = Digit::new('#').unwrap();
    message.happens(MessageInput::Dtmf { digit }, &[MessageOutput::Clear, play(Clip::Beep)]);
    message.happens(heard(Clip::Prompt), &[]);
    message.happens(heard(Clip::Beep), &[MessageOutput::Record]);
}

#[test]
fn the_longest_message_is_saved_while_the_caller_still_speaks() {
    let mut message = Script::recording();
    message.happens(MessageInput::SpeechStarted { at: at(500) }, &[]);
    message.listens_to(179_999, &[]);
    message.listens_to(180_000, &[MessageOutput::Save]);
}

#[test]
fn speech_that_began_before_the_beep_counts_from_the_beep() {
    let mut message = Script::new();
    message.happens(MessageInput::Begun, &[MessageOutput::Begin, play(Clip::Prompt)]);
    message.happens(MessageInput::SpeechStarted { at: at(0) }, &[]);
    message.happens(heard(Clip::Prompt), &[play(Clip::Beep)]);
    message.listens_to(3_000, &[]);
    message.happens(heard(Clip::Beep), &[MessageOutput::Record]);
    message.happens(MessageInput::SpeechEnded { at: at(3_900) }, &[]);
    message.listens_to(8_899, &[]);
    message.listens_to(8_900, &[MessageOutput::Discard, HANG_UP]);
}

#[test]
fn a_stream_that_ends_saves_what_was_said_and_leaves_the_rest_to_the_carrier() {
    let mut message = Script::recording();
    message.speaks(0, 2_000);
    message.happens(MessageInput::StreamStopped, &[MessageOutput::Save]);
    message.happens(MessageInput::Saved, &[CARRIER]);

    let mut message = Script::recording();
    message.happens(MessageInput::StreamStopped, &[MessageOutput::Discard, CARRIER]);

    let mut message = Script::recording();
    message.speaks(0, 2_000);
    message.happens(MessageInput::Dtmf { digit: Digit::new('#').unwrap() }, &[MessageOutput::Save]);
    message.happens(MessageInput::StreamStopped, &[]);
    message.happens(MessageInput::Saved, &[CARRIER]);
}

#[test]
fn what_cannot_be_recorded_played_or_saved_is_the_carriers() {
    let mut message = Script::new();
    message.happens(MessageInput::RecordFailed, &[MessageOutput::Begin, MessageOutput::Discard, CARRIER]);
    for clip in [Clip::Prompt, Clip::Beep] {
        let mut message = Script::new();
        message.happens(MessageInput::Begun, &[MessageOutput::Begin, play(Clip::Prompt)]);
        if clip == Clip::Beep {
            message.happens(heard(Clip::Prompt), &[play(Clip::Beep)]);
        }
        message.happens(MessageInput::PlayFailed { clip }, &[MessageOutput::Discard, CARRIER]);
    }
    let mut message = Script::recording();
    message.speaks(0, 2_000);
    message.happens(MessageInput::RecordFailed, &[MessageOutput::Save]);
    message.happens(MessageInput::SaveFailed, &[CARRIER]);
}

#[test]
fn a_mark_that_never_comes_is_not_waited_for() {
    let mut message = Script::new();
    message.happens(MessageInput::Begun, &[MessageOutput::Begin, play(Clip::Prompt)]);
    message.happens(playing(Clip::Prompt, 3_000), &[]);
    assert_eq!(message.core.poll_timeout(), Some(CallTime::from_millis(5_000)));
    message.core.handle_timeout(CallTime::from_millis(4_999));
    message.check("too early", &[]);
    message.core.handle_timeout(CallTime::from_millis(5_000));
    message.check("in time", &[play(Clip::Beep)]);
}

#[test]
fn a_program_that_stops_lets_the_caller_finish_and_begins_no_message() {
    let mut message = Script::new();
    message.happens(MessageInput::Begun, &[MessageOutput::Begin, play(Clip::Prompt)]);
    message.happens(MessageInput::Shutdown, &[MessageOutput::Discard, CARRIER]);

    let mut message = Script::recording();
    message.happens(MessageInput::SpeechStarted { at: at(0) }, &[]);
    message.listens_to(2_000, &[]);
    message.happens(MessageInput::Shutdown, &[]);
    message.listens_to(9_999, &[]);
    message.listens_to(10_000, &[MessageOutput::Save]);
}

#[test]
fn marks_are_known_again_and_none_is_one_of_the_conversation() {
    for clip in Clip::ALL {
        assert_eq!(Clip::of_mark(clip.mark()), Some(clip));
        assert!(clip.mark().parse::<crate::Mark>().is_err());
    }
    assert_eq!(Clip::of_mark("g0.u0.0"), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_message_ends_once_saved_or_not_and_nothing_follows(inputs in prop::collection::vec(input(), 0..60)) {
        let mut message = Message::new(MessageConfig::default(), SampleCount::ZERO, None);
        let mut outputs = Vec::new();
        let last = [MessageInput::StreamStopped, MessageInput::SaveFailed];
        let mut now = CallTime::ZERO;
        for (wait_ms, input) in inputs.into_iter().chain(last.map(|input| (0, input))) {
            now = now.saturating_add(Duration::from_millis(wait_ms));
            message.handle_input(now, input);
            outputs.extend(core::iter::from_fn(|| message.poll_output()));
        }
        let count = |wanted: fn(&MessageOutput) -> bool| outputs.iter().filter(|output| wanted(output)).count();
        let is_over = |output: &MessageOutput| matches!(output, MessageOutput::Over { .. });
        prop_assert_eq!(count(is_over), 1);
        prop_assert!(outputs.last().is_some_and(is_over));
        prop_assert_eq!(message.poll_timeout(), None);
        prop_assert_eq!(outputs.first(), Some(&MessageOutput::Begin));
        prop_assert!(count(|output| *output == MessageOutput::Record) <= 1);
        let settled = count(|output| matches!(output, MessageOutput::Save | MessageOutput::Discard));
        prop_assert_eq!(settled, 1, "a file that is begun is saved or discarded: {:?}", outputs);
        let place = |wanted: MessageOutput| outputs.iter().position(|output| *output == wanted);
        if let Some(save) = place(MessageOutput::Save) {
            prop_assert!(place(MessageOutput::Record).is_some_and(|record| record < save));
        }
        if let Some(thanks) = place(play(Clip::Thanks)) {
            prop_assert!(place(MessageOutput::Save).is_some_and(|save| save < thanks));
        }
    }

    #[test]
    fn a_late_wake_up_changes_nothing(inputs in prop::collection::vec(input(), 0..60)) {
        let outputs = |is_woken: bool| {
            let mut message = Message::new(MessageConfig::default(), SampleCount::ZERO, None);
            let mut now = CallTime::ZERO;
            let mut outputs = Vec::new();
            for (wait_ms, input) in inputs.clone() {
                now = now.saturating_add(Duration::from_millis(wait_ms));
                while is_woken && let Some(deadline) = message.poll_timeout().filter(|deadline| *deadline <= now) {
                    message.handle_timeout(deadline);
                }
                message.handle_input(now, input);
                outputs.extend(core::iter::from_fn(|| message.poll_output()));
            }
            outputs
        };
        prop_assert_eq!(outputs(true), outputs(false));
    }
}

/// Returns an input, and how long it takes to come.
fn input() -> impl Strategy<Value = (u64, MessageInput)> {
    let clip = || prop::sample::select(Clip::ALL.to_vec());
    let place = || (0_u64..200_000).prop_map(at);
    let input = prop_oneof![
        Just(MessageInput::Begun),
        Just(MessageInput::RecordFailed),
        (clip(), 0_u64..5_000).prop_map(|(clip, ms)| playing(clip, ms)),
        clip().prop_map(|clip| MessageInput::PlayFailed { clip }),
        clip().prop_map(heard),
        clip().prop_map(heard),
        place().prop_map(|end| MessageInput::Audio { end }),
        place().prop_map(|at| MessageInput::SpeechStarted { at }),
        place().prop_map(|at| MessageInput::SpeechEnded { at }),
        prop::sample::select(Vec::from(['1', '#', '*']))
            .prop_map(|key| MessageInput::Dtmf { digit: Digit::new(key).unwrap() }),
        Just(MessageInput::Saved),
        Just(MessageInput::Shutdown),
    ];
    (0_u64..3_000, input)
}

/// A message and what happens to it, all at the same moment: the track is what counts.
struct Script {
    core: Message,
}

impl Script {
    fn new() -> Self {
        Self { core: Message::new(MessageConfig::default(), SampleCount::ZERO, None) }
    }

    /// One that is being recorded from the beginning of the track.
    fn recording() -> Self {
        let mut script = Self::new();
        script.happens(MessageInput::Begun, &[MessageOutput::Begin, play(Clip::Prompt)]);
        script.happens(heard(Clip::Prompt), &[play(Clip::Beep)]);
        script.happens(heard(Clip::Beep), &[MessageOutput::Record]);
        script
    }

    fn happens(&mut self, input: MessageInput, expected: &[MessageOutput]) {
        let what = alloc::format!("{input:?}");
        self.core.handle_input(CallTime::ZERO, input);
        self.check(&what, expected);
    }

    /// The caller speaks from `from_ms` to `to_ms` of the track, and is heard doing so.
    fn speaks(&mut self, from_ms: u64, to_ms: u64) {
        self.happens(MessageInput::Audio { end: at(from_ms) }, &[]);
        self.happens(MessageInput::SpeechStarted { at: at(from_ms) }, &[]);
        self.happens(MessageInput::Audio { end: at(to_ms) }, &[]);
        self.happens(MessageInput::SpeechEnded { at: at(to_ms) }, &[]);
    }

    fn listens_to(&mut self, to_ms: u64, expected: &[MessageOutput]) {
        self.happens(MessageInput::Audio { end: at(to_ms) }, expected);
    }

    fn check(&mut self, what: &str, expected: &[MessageOutput]) {
        let outputs: Vec<MessageOutput> = core::iter::from_fn(|| self.core.poll_output()).collect();
        assert_eq!(outputs, expected, "{what}");
    }
}

fn at(ms: u64) -> SampleCount {
    SampleCount::from_duration(Duration::from_millis(ms), MEDIA_RATE)
}

fn play(clip: Clip) -> MessageOutput {
    MessageOutput::Play { clip }
}

fn playing(clip: Clip, ms: u64) -> MessageInput {
    MessageInput::Playing { clip, length: Duration::from_millis(ms) }
}

fn heard(clip: Clip) -> MessageInput {
    MessageInput::Heard { clip }
}
