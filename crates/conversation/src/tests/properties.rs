//! What holds whatever happens.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;
use units::{CallTime, Language, SampleCount, TurnId, UtteranceId};

use crate::{
    Call, Confidence, Config, Digit, Failure, Generation, GreetingMode, Input, Mark, Next, Output, Stage, Timer,
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn late_wake_ups_never_change_what_is_decided(script in script(), delays in delays(), config in config()) {
        let on_time = decisions(&config, &script, &mut || Some(Duration::ZERO));
        let never = decisions(&config, &script, &mut || None);
        let mut delays = delays.into_iter().cycle();
        let at_random = decisions(&config, &script, &mut || delays.next().flatten());
        prop_assert_eq!(&on_time, &never);
        prop_assert_eq!(&on_time, &at_random);
    }

    #[test]
    fn the_conversation_ends_once_and_everything_asked_for_is_settled(script in script(), config in config()) {
        let limit = config.limits.call + config.limits.goodbye * 2;
        let decisions = decisions(&config, &script, &mut || Some(Duration::ZERO));
        let outputs: Vec<&Output> = decisions.iter().map(|(_, output)| output).collect();
        let ends = outputs.iter().filter(|output| matches!(output, Output::Ended)).count();
        prop_assert_eq!(ends, 1);
        let end = decisions.iter().find(|(_, output)| *output == Output::Ended).expect("counted above").0;
        prop_assert!(end.since_start() <= START + limit, "ended at {end}");
        let mut behind = outputs.iter().rev().take_while(|output| ***output != Output::Ended);
        let only_ignored = behind.all(|output| matches!(output, Output::Ignored { .. }));
        prop_assert!(only_ignored, "something was decided behind the end");
        let synthesized = ids(&outputs, |output| {
            if let Output::Synthesize { utterance, .. } = output { Some(*utterance) } else { None }
        });
        let released = ids(&outputs, |output| {
            if let Output::Release { utterance } = output { Some(*utterance) } else { None }
        });
        prop_assert_eq!(synthesized, released);
    }

    #[test]
    fn no_audio_flows_behind_a_clear_without_its_generation(script in script(), config in config()) {
        let mut generation = Generation::default();
        let mut released = Vec::new();
        for (_, output) in decisions(&config, &script, &mut || Some(Duration::ZERO)) {
            if let Output::Clear { generation: next } = output {
                prop_assert_eq!(next, generation.next());
                generation = next;
            }
            if let Output::Play { utterance, generation: of, .. } = output {
                prop_assert_eq!(of, generation);
                prop_assert!(!released.contains(&utterance), "{utterance} was released");
            }
            if let Output::Release { utterance } = output {
                released.push(utterance);
            }
        }
    }

    #[test]
    fn turns_and_attempts_only_grow_and_recognition_is_of_audio_that_exists(script in script(), config in config()) {
        let mut newest = BTreeMap::new();
        for (_, output) in decisions(&config, &script, &mut || Some(Duration::ZERO)) {
            if let Output::Recognize { turn, attempt, from, to, .. } = output {
                prop_assert!(from <= to);
                prop_assert_eq!(newest.last_key_value().map_or(TurnId(0), |(turn, _)| *turn).max(turn), turn);
                let before = newest.insert(turn, attempt).unwrap_or(0);
                prop_assert_eq!(attempt, before + 1);
            }
        }
    }
}

/// When the stream starts.
const START: Duration = Duration::from_millis(10);

/// What happens after what time.
type Script = Vec<(Duration, Input)>;

/// Plays a script, the start of the stream before it and a long time behind it; returns everything decided.
///
/// The shell wakes up as much later than the timer is due as `delay` says, or not at all.
fn decisions(config: &Config, script: &Script, delay: &mut dyn FnMut() -> Option<Duration>) -> Vec<(CallTime, Output)> {
    let mut call = Call::new(config.clone());
    let mut decided = Vec::new();
    let mut now = CallTime::from_duration(START);
    call.handle_input(now, Input::StreamStarted { greeting: GreetingMode::Stream });
    drain(&mut call, &mut decided);
    for (pause, input) in script {
        let next = now.saturating_add(*pause);
        wake(&mut call, next, delay, &mut decided);
        now = next;
        call.handle_input(now, input.clone());
        drain(&mut call, &mut decided);
    }
    let end = CallTime::from_duration(Duration::from_hours(1));
    wake(&mut call, end, delay, &mut decided);
    call.handle_timeout(end);
    drain(&mut call, &mut decided);
    assert_eq!(call.poll_timeout(), None, "a timer is set behind the end");
    assert!(call.is_ended());
    decided
}

fn wake(
    call: &mut Call,
    until: CallTime,
    delay: &mut dyn FnMut() -> Option<Duration>,
    decided: &mut Vec<(CallTime, Output)>,
) {
    while let Some((deadline, _)) = call.poll_timeout() {
        let Some(woken) = delay().map(|delay| deadline.saturating_add(delay)).filter(|woken| *woken <= until) else {
            return;
        };
        let before: Option<(CallTime, Timer)> = call.poll_timeout();
        call.handle_timeout(woken);
        assert_ne!(call.poll_timeout(), before, "a timer that was due is still set");
        drain(call, decided);
    }
}

fn drain(call: &mut Call, decided: &mut Vec<(CallTime, Output)>) {
    let before = decided.len();
    decided.extend(core::iter::from_fn(|| call.poll_decision()));
    assert!(decided.len() - before < 400, "too many outputs at once");
}

fn ids(outputs: &[&Output], id: impl Fn(&Output) -> Option<UtteranceId>) -> Vec<UtteranceId> {
    let mut ids: Vec<UtteranceId> = outputs.iter().filter_map(|output| id(output)).collect();
    ids.sort_unstable();
    ids
}

fn delays() -> impl Strategy<Value = Vec<Option<Duration>>> {
    prop::collection::vec(prop::option::of((0..3_000_u64).prop_map(Duration::from_millis)), 1..8)
}

fn config() -> impl Strategy<Value = Config> {
    (any::<[bool; 3]>(), 0..40_u64, 0..3_u64).prop_map(|([resume, enabled, zero_is_human], call, pause)| {
        let mut config = Config::default();
        config.interruption.resume = resume;
        config.interruption.enabled = enabled;
        config.dtmf.zero_is_human = zero_is_human;
        config.limits.call = Duration::from_secs(call);
        config.limits.turn = Duration::from_secs(6);
        config.limits.goodbye = Duration::from_secs(4);
        config.endpointing.part_length = Duration::from_secs(2);
        config.endpointing.max_part = Duration::from_secs(3);
        config.endpointing.min_delay = Duration::from_millis(pause * 300);
        config
    })
}

fn script() -> impl Strategy<Value = Script> {
    let pause = prop_oneof![Just(0_u64), 1..400_u64, 1..4_000_u64].prop_map(Duration::from_millis);
    prop::collection::vec((pause, input()), 0..60).prop_map(|mut script| {
        listen(&mut script);
        script
    })
}

/// Lets the detector speak sense most of the time: what it says is about now.
fn listen(script: &mut Script) {
    let mut now = START;
    for (pause, input) in script {
        now += *pause;
        let newest = SampleCount::from_duration(now, crate::MEDIA_RATE);
        if let Input::SpeechStarted { at, detected } | Input::SpeechEnded { at, detected } = input
            && at.0 < 2_000
        {
            *at = newest.saturating_sub(*at);
            *detected = newest;
        }
    }
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => samples().prop_map(|(at, detected)| Input::SpeechStarted { at, detected }),
        4 => samples().prop_map(|(at, detected)| Input::SpeechEnded { at, detected }),
        6 => (turn(), 1..4_u32, text(), any::<bool>()).prop_map(|(turn, attempt, text, interim)| Input::Transcript {
            turn,
            attempt,
            stage: if interim { Stage::Interim } else { Stage::Final },
            text: text.into(),
            language: Some(Language::English),
            confidence: Confidence::FULL,
        }),
        4 => (turn(), text()).prop_map(|(turn, text)| {
            Input::ReplySentence { turn, text: text.into(), language: Language::Hebrew }
        }),
        4 => (turn(), next()).prop_map(|(turn, next)| Input::ReplyDone { turn, next }),
        5 => (utterance(), 0..20_000_u64, any::<bool>()).prop_map(|(utterance, samples, last)| {
            Input::Synthesized { utterance, samples: SampleCount(samples), last }
        }),
        5 => (0..3_u32, utterance(), 0..20_000_u64).prop_map(|(generation, utterance, position)| {
            let (generation, position) = (Generation(generation), SampleCount(position));
            Input::MarkReached { mark: Mark { generation, utterance, position } }
        }),
        2 => prop::sample::select(alloc::vec!['0', '1', '#', '*']).prop_map(|key| Input::Dtmf {
            digit: Digit::new(key).expect("a key"),
        }),
        1 => (turn(), 1..4_u32, failure()).prop_map(|(turn, attempt, why)| Input::RecognizeFailed { turn, attempt, why }),
        1 => rare(),
    ]
}

fn rare() -> impl Strategy<Value = Input> {
    prop_oneof![
        (turn(), failure()).prop_map(|(turn, why)| Input::ReplyFailed { turn, why }),
        (utterance(), failure()).prop_map(|(utterance, why)| Input::SynthesizeFailed { utterance, why }),
        Just(Input::StreamStarted { greeting: GreetingMode::Play }),
        Just(Input::StreamStopped),
        Just(Input::Overload),
        Just(Input::Shutdown),
    ]
}

fn turn() -> impl Strategy<Value = TurnId> {
    (0..6_u32).prop_map(TurnId)
}

fn utterance() -> impl Strategy<Value = UtteranceId> {
    (1..8_u32).prop_map(UtteranceId)
}

fn failure() -> impl Strategy<Value = Failure> {
    prop::sample::select(alloc::vec![Failure::Busy, Failure::TimedOut, Failure::Broken])
}

fn next() -> impl Strategy<Value = Next> {
    prop_oneof![
        6 => Just(Next::Listen),
        1 => (0..12_u8).prop_map(|max| Next::Digits { max }),
        1 => Just(Next::Hangup),
        1 => Just(Next::Voicemail),
        1 => Just(Next::Transfer),
    ]
}

fn samples() -> impl Strategy<Value = (SampleCount, SampleCount)> {
    prop_oneof![
        9 => (0..2_000_u64).prop_map(|age| (SampleCount(age), SampleCount(0))),
        1 => (2_000..u64::MAX, any::<u64>()).prop_map(|(at, detected)| (SampleCount(at), SampleCount(detected))),
    ]
}

fn text() -> impl Strategy<Value = String> {
    let texts = ["", "yes", "bye", "um", "my name is", "054", "I want a flat.", "כן", "להתראות", "מספר הטלפון שלי הוא"];
    prop::sample::select(texts.to_vec()).prop_map(str::to_owned)
}
