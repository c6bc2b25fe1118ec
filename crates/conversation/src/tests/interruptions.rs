//! The caller speaks over the agent.

use super::{check, check_with};
use crate::Config;

/// The agent says an utterance of 4 s, played from 0.1 s on, in English.
const QUESTION: &str = "0.000 start stream
    0.000 say 0 Hello, this is the office, we are open from nine to five.
    0.000 done 0 listen
    0.100 audio 1 4.000 all
    0.300 mark 0 1 0.200
    0.500 mark 0 1 0.400
    0.700 mark 0 1 0.600
    0.900 mark 0 1 0.800
    1.100 mark 0 1 1.000\n";

#[track_caller]
fn after_question(script: &str, expected: &str) {
    check(&[QUESTION, script].concat(), expected);
}

#[test]
fn the_clear_goes_out_within_150_ms_of_audio_and_memory_is_cut_to_what_was_heard() {
    after_question(
        "1.190 speech 1.150
         2.200 silence 2.200
         2.500 heard 1.1 I want to leave a message.
         2.800 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello, this is the office, we are open from nine to five.»
         0.000 play utterance 1 generation 0 from 0.000
         1.270 clear, generation 1
         2.420 recognize turn 1 attempt 1 0.850..2.400 on speculation
         2.700 Agent said in turn 0 at 0.100, interrupted «Hello, this is»
         2.700 release utterance 1
         2.700 Caller said in turn 1 at 1.150 «I want to leave a message.»
         2.700 reply to turn 1: words in en, 1 heard «I want to leave a message. | Hello, this is»",
    );
}

#[test]
fn a_backchannel_lets_the_agent_go_on_where_it_was() {
    after_question(
        "1.190 speech 1.150
         1.600 silence 1.500
         1.800 heard 1.1 Mhm
         1.900 mark 0 1 4.000
         5.600 mark 1 1 4.000",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello, this is the office, we are open from nine to five.»
         0.000 play utterance 1 generation 0 from 0.000
         1.270 clear, generation 1
         1.720 recognize turn 1 attempt 1 0.850..1.700 on speculation
         1.800 play utterance 1 generation 1 from 0.870
         1.900 ignored: StaleGeneration
         5.600 Agent said in turn 0 at 0.100 «Hello, this is the office, we are open from nine to five.»
         5.600 release utterance 1",
    );
}

#[test]
fn a_backchannel_in_hebrew_lets_the_agent_go_on() {
    check(
        "0.000 start stream
         0.000 say 0 שלום, הגעתם למשרד, אנחנו פתוחים מתשע עד חמש.
         0.000 done 0 listen
         0.100 audio 1 4.000 all
         1.000 speech 1.000
         1.500 silence 1.400
         1.700 heard 1.1 כן
         1.800 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in he «שלום, הגעתם למשרד, אנחנו פתוחים מתשע עד חמש.»
         0.000 play utterance 1 generation 0 from 0.000
         1.120 clear, generation 1
         1.620 recognize turn 1 attempt 1 0.700..1.600 on speculation
         1.700 play utterance 1 generation 1 from 0.000",
    );
}

#[test]
fn a_noise_without_a_transcript_lets_the_agent_go_on() {
    after_question(
        "1.190 speech 1.150
         1.500 silence 1.400
         3.000 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello, this is the office, we are open from nine to five.»
         0.000 play utterance 1 generation 0 from 0.000
         1.270 clear, generation 1
         1.620 recognize turn 1 attempt 1 0.850..1.600 on speculation
         2.900 cancel recognition of turn 1 attempt 1
         2.900 play utterance 1 generation 1 from 0.870",
    );
}

#[test]
fn a_noise_too_short_does_not_even_stop_the_agent() {
    after_question(
        "1.190 speech 1.150
         1.230 silence 1.220
         3.000 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello, this is the office, we are open from nine to five.»
         0.000 play utterance 1 generation 0 from 0.000",
    );
}

#[test]
fn yes_at_the_very_end_of_a_question_is_its_answer() {
    check(
        "0.000 start stream
         0.000 say 0 Are you Dana?
         0.000 done 0 listen
         0.100 audio 1 1.000 all
         0.300 mark 0 1 0.200
         0.500 mark 0 1 0.400
         0.600 speech 0.550
         1.000 silence 0.950
         1.200 heard 1.1 Yes
         2.000 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Are you Dana?»
         0.000 play utterance 1 generation 0 from 0.000
         0.670 clear, generation 1
         1.170 recognize turn 1 attempt 1 0.250..1.150 on speculation
         1.450 Agent said in turn 0 at 0.100, interrupted «Are you»
         1.450 release utterance 1
         1.450 Caller said in turn 1 at 0.550 «Yes»
         1.450 reply to turn 1: words in en, 1 heard «Yes | Are you»",
    );
}

#[test]
fn sentences_that_come_during_an_interruption_wait_for_its_end() {
    check(
        "0.000 start stream
         0.000 say 0 First a sentence of some length.
         0.100 audio 1 2.000 all
         0.500 speech 0.500
         0.700 say 0 Then another.
         0.800 silence 0.750
         0.900 done 0 listen
         1.000 heard 1.1
         1.100 audio 2 1.000 all
         1.200 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «First a sentence of some length.»
         0.000 play utterance 1 generation 0 from 0.000
         0.620 clear, generation 1
         0.700 synthesize utterance 2 of turn 0 in en «Then another.»
         0.970 recognize turn 1 attempt 1 0.200..0.950 on speculation
         1.000 play utterance 1 generation 1 from 0.000
         1.000 play utterance 2 generation 1 from 0.000",
    );
}

#[test]
fn without_resuming_the_rest_is_dropped_and_the_floor_is_open() {
    let mut config = Config::default();
    config.interruption.resume = false;
    check_with(
        config,
        &[QUESTION, "1.190 speech 1.150\n 1.600 silence 1.500\n 1.800 heard 1.1 mhm\n 1.900 wait"].concat(),
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello, this is the office, we are open from nine to five.»
         0.000 play utterance 1 generation 0 from 0.000
         1.270 clear, generation 1
         1.720 recognize turn 1 attempt 1 0.850..1.700 on speculation
         1.800 Agent said in turn 0 at 0.100, interrupted «Hello, this is»
         1.800 release utterance 1",
    );
}

#[test]
fn where_interruptions_are_off_speech_waits_for_the_floor() {
    let mut config = Config::default();
    config.interruption.enabled = false;
    check_with(
        config,
        "0.000 start stream
         0.000 say 0 Hello.
         0.000 done 0 listen
         0.100 audio 1 1.000 all
         0.500 speech 0.500
         1.100 mark 0 1 1.000
         1.500 silence 1.500
         1.720 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello.»
         0.000 play utterance 1 generation 0 from 0.000
         0.500 ignored: NotNow
         1.100 Agent said in turn 0 at 0.100 «Hello.»
         1.100 release utterance 1
         1.720 recognize turn 1 attempt 1 0.200..1.700 on speculation",
    );
}

#[test]
fn a_mark_of_before_the_clear_proves_nothing() {
    after_question(
        "1.190 speech 1.150
         1.300 mark 0 1 4.000
         2.200 silence 2.200
         2.500 heard 1.1 Wait, I have a question.
         2.800 mark 0 1 4.000",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello, this is the office, we are open from nine to five.»
         0.000 play utterance 1 generation 0 from 0.000
         1.270 clear, generation 1
         1.300 ignored: StaleGeneration
         2.420 recognize turn 1 attempt 1 0.850..2.400 on speculation
         2.700 Agent said in turn 0 at 0.100, interrupted «Hello, this is»
         2.700 release utterance 1
         2.700 Caller said in turn 1 at 1.150 «Wait, I have a question.»
         2.700 reply to turn 1: words in en, 1 heard «Wait, I have a question. | Hello, this is»
         2.800 ignored: StaleGeneration",
    );
}

#[test]
fn wait_stops_the_agent_for_longer_than_a_murmur_does() {
    after_question(
        "1.190 speech 1.150
         1.600 silence 1.500
         1.800 heard 1.1 רגע
         4.100 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello, this is the office, we are open from nine to five.»
         0.000 play utterance 1 generation 0 from 0.000
         1.270 clear, generation 1
         1.720 recognize turn 1 attempt 1 0.850..1.700 on speculation
         4.000 play utterance 1 generation 1 from 0.870",
    );
    after_question(
        "1.190 speech 1.150
         1.600 silence 1.500
         1.800 heard 1.1 hold on
         2.500 speech 2.500
         3.500 silence 3.500
         3.800 heard 1.2 hold on, I need a flat.
         4.100 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello, this is the office, we are open from nine to five.»
         0.000 play utterance 1 generation 0 from 0.000
         1.270 clear, generation 1
         1.720 recognize turn 1 attempt 1 0.850..1.700 on speculation
         3.720 recognize turn 1 attempt 2 0.850..3.700 on speculation
         4.000 Agent said in turn 0 at 0.100, interrupted «Hello, this is»
         4.000 release utterance 1
         4.000 Caller said in turn 1 at 1.150 «hold on, I need a flat.»
         4.000 reply to turn 1: words in en, 1 heard «hold on, I need a flat. | Hello, this is»",
    );
}

#[test]
fn an_agent_that_hears_itself_goes_on() {
    after_question(
        "1.190 speech 1.150
         2.100 silence 2.000
         2.300 heard 1.1 This is the office.
         2.400 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello, this is the office, we are open from nine to five.»
         0.000 play utterance 1 generation 0 from 0.000
         1.270 clear, generation 1
         2.220 recognize turn 1 attempt 1 0.850..2.200 on speculation
         2.300 play utterance 1 generation 1 from 0.870",
    );
}
