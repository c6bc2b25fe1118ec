//! Silence, goodbyes and limits.

use super::{check, check_with};
use crate::Config;
use core::time::Duration;

#[test]
fn a_silent_caller_is_asked_twice_and_then_said_goodbye_to() {
    check(
        "0.000 start play
         0.000 done 0 listen
         7.100 say 1 אתם שם?
         7.100 done 1 listen
         7.200 audio 1 0.500 all
         7.700 mark 0 1 0.500
         14.800 done 2 listen
         21.900 say 3 להתראות.
         21.900 done 3 listen
         22.000 audio 2 0.500 all
         22.500 mark 0 2 0.500
         30.000 wait",
        "0.000 reply to turn 0: greeting was played
         7.000 reply to turn 1: silence 1
         7.100 synthesize utterance 1 of turn 1 in he «אתם שם?»
         7.100 play utterance 1 generation 0 from 0.000
         7.700 Agent said in turn 1 at 7.200 «אתם שם?»
         7.700 release utterance 1
         14.700 reply to turn 2: silence 2, 1 heard
         21.800 reply to turn 3: silence 3, the last
         21.900 synthesize utterance 2 of turn 3 in he «להתראות.»
         21.900 play utterance 2 generation 0 from 0.000
         22.500 Agent said in turn 3 at 22.000 «להתראות.»
         22.500 release utterance 2
         22.500 hang up: SilenceLimit
         22.500 ended",
    );
}

#[test]
fn a_goodbye_ends_the_call_when_the_reply_was_heard() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         2.300 heard 1.1 תודה, להתראות
         2.900 say 1 יום טוב, להתראות.
         2.900 done 1 listen
         3.000 audio 1 1.000 all
         4.050 mark 0 1 1.000",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         2.500 Caller said in turn 1 at 1.000 «תודה, להתראות»
         2.500 reply to turn 1: words in he, goodbye «תודה, להתראות | »
         2.900 synthesize utterance 1 of turn 1 in he «יום טוב, להתראות.»
         2.900 play utterance 1 generation 0 from 0.000
         3.000 latency of turn 1: end of turn 500 ms, transcript 300 ms, reply 900 ms, first audio 1000 ms
         4.050 Agent said in turn 1 at 3.000 «יום טוב, להתראות.»
         4.050 release utterance 1
         4.050 hang up: CallerGoodbye
         4.050 ended",
    );
}

#[test]
fn a_goodbye_whose_mark_never_comes_ends_the_call_by_its_deadline() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         2.300 heard 1.1 Thanks, bye
         2.900 say 1 Goodbye.
         2.900 done 1 listen
         3.000 audio 1 1.000 all
         30.000 wait",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         2.500 Caller said in turn 1 at 1.000 «Thanks, bye»
         2.500 reply to turn 1: words in en, goodbye «Thanks, bye | »
         2.900 synthesize utterance 1 of turn 1 in en «Goodbye.»
         2.900 play utterance 1 generation 0 from 0.000
         3.000 latency of turn 1: end of turn 500 ms, transcript 300 ms, reply 900 ms, first audio 1000 ms
         6.000 Agent said in turn 1 at 3.000 «Goodbye.»
         6.000 release utterance 1
         6.000 hang up: CallerGoodbye
         6.000 ended",
    );
}

#[test]
fn a_brain_that_does_not_say_goodbye_is_spoken_for() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         2.300 heard 1.1 Thanks, bye
         2.900 mute 1
         3.000 audio 1 1.000 all
         4.000 mark 0 1 1.000",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         2.500 Caller said in turn 1 at 1.000 «Thanks, bye»
         2.500 reply to turn 1: words in en, goodbye «Thanks, bye | »
         2.900 synthesize utterance 1 of turn 1 in en «Thank you for calling, goodbye.»
         2.900 play utterance 1 generation 0 from 0.000
         3.000 latency of turn 1: end of turn 500 ms, transcript 300 ms, reply 1000 ms, first audio 1000 ms
         4.000 Agent said in turn 1 at 3.000 «Thank you for calling, goodbye.»
         4.000 release utterance 1
         4.000 hang up: CallerGoodbye
         4.000 ended",
    );
}

#[test]
fn the_last_question_over_the_goodbye_is_heard_and_a_second_goodbye_is_enough() {
    check(
        "0.000 start play
         0.000 say 0 Thank you for calling us today, goodbye.
         0.000 done 0 hangup
         0.100 audio 1 3.000 all
         0.500 speech 0.500
         1.500 silence 1.500
         1.800 heard 1.1 One more question.
         2.100 say 1 Of course, and goodbye to you.
         2.100 done 1 hangup
         2.200 audio 2 3.000 all
         2.600 speech 2.600
         3.100 silence 3.000
         3.300 heard 2.1 Bye
         4.000 wait",
        "0.000 reply to turn 0: greeting was played
         0.000 synthesize utterance 1 of turn 0 in en «Thank you for calling us today, goodbye.»
         0.000 play utterance 1 generation 0 from 0.000
         0.620 clear, generation 1
         1.720 recognize turn 1 attempt 1 0.200..1.700 on speculation
         2.000 release utterance 1
         2.000 Caller said in turn 1 at 0.500 «One more question.»
         2.000 reply to turn 1: words in en, 1 heard «One more question. | »
         2.100 synthesize utterance 2 of turn 1 in en «Of course, and goodbye to you.»
         2.100 play utterance 2 generation 1 from 0.000
         2.200 latency of turn 1: end of turn 500 ms, transcript 300 ms, reply 600 ms, first audio 700 ms
         2.720 clear, generation 2
         3.220 recognize turn 2 attempt 1 2.300..3.200 on speculation
         3.500 Agent said in turn 1 at 2.200, interrupted «Of»
         3.500 release utterance 2
         3.500 Caller said in turn 2 at 2.600 «Bye»
         3.500 hang up: CallerGoodbye
         3.500 ended",
    );
}

#[test]
fn a_turn_that_does_not_end_is_ended() {
    let mut config = Config::default();
    config.limits.turn = Duration::from_secs(5);
    check_with(
        config,
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         6.300 heard 1.1 And so on
         6.500 done 1 listen
         7.000 silence 7.000
         7.300 heard 2.1 and on it went.
         8.000 wait",
        "0.000 reply to turn 0: greeting was played
         6.000 recognize turn 1 attempt 1 0.700..6.000
         6.300 Caller said in turn 1 at 1.000 «And so on»
         6.300 reply to turn 1: words in en «And so on | »
         7.220 recognize turn 2 attempt 1 5.700..7.200 on speculation
         7.500 Caller said in turn 2 at 6.000 «and on it went.»
         7.500 reply to turn 2: words in en «and on it went. | »",
    );
}

#[test]
fn the_call_ends_at_its_limit_with_a_goodbye_that_cannot_be_interrupted() {
    let mut config = Config::default();
    config.limits.call = Duration::from_secs(10);
    check_with(
        config,
        "0.000 start play
         0.000 done 0 listen
         5.000 speech 5.000
         10.100 say 2 Time is up, goodbye.
         10.100 done 2 listen
         10.200 audio 1 1.500 all
         10.500 silence 10.500
         10.600 speech 10.600
         10.700 key 1
         11.800 mark 0 1 1.500",
        "0.000 reply to turn 0: greeting was played
         10.000 reply to turn 2: out of time
         10.100 synthesize utterance 1 of turn 2 in en «Time is up, goodbye.»
         10.100 play utterance 1 generation 0 from 0.000
         10.600 ignored: NotNow
         10.700 ignored: NotNow
         11.800 Agent said in turn 2 at 10.200 «Time is up, goodbye.»
         11.800 release utterance 1
         11.800 hang up: CallLimit
         11.800 ended",
    );
}

#[test]
fn the_call_ends_at_its_limit_even_if_nobody_says_goodbye() {
    let mut config = Config::default();
    config.limits.call = Duration::from_secs(3);
    check_with(
        config,
        "0.000 start play
         0.000 done 0 listen
         20.000 wait",
        "0.000 reply to turn 0: greeting was played
         3.000 reply to turn 1: out of time
         5.500 synthesize utterance 1 of turn 1 in he «רק רגע, בבקשה.»
         5.500 play utterance 1 generation 0 from 0.000
         10.500 cancel reply to turn 1
         10.500 clear, generation 1
         10.500 cancel synthesis of utterance 1
         10.500 release utterance 1
         10.500 hang up: CallLimit
         10.500 ended",
    );
}

#[test]
fn an_utterance_too_long_is_cut() {
    let mut config = Config::default();
    config.limits.utterance = Duration::from_secs(2);
    check_with(
        config,
        "0.000 start play
         0.000 say 0 Very long.
         0.000 done 0 listen
         0.100 audio 1 1.000
         0.200 audio 1 3.000
         2.200 mark 0 1 2.000",
        "0.000 reply to turn 0: greeting was played
         0.000 synthesize utterance 1 of turn 0 in en «Very long.»
         0.000 play utterance 1 generation 0 from 0.000
         0.200 cancel synthesis of utterance 1
         2.200 Agent said in turn 0 at 0.100 «Very long.»
         2.200 release utterance 1",
    );
}

#[test]
fn sentences_beyond_the_limit_are_dropped() {
    let mut config = Config::default();
    config.limits.sentences = 1;
    check_with(
        config,
        "0.000 start play
         0.000 say 0 One.
         0.000 say 0 Two.",
        "0.000 reply to turn 0: greeting was played
         0.000 synthesize utterance 1 of turn 0 in en «One.»
         0.000 play utterance 1 generation 0 from 0.000
         0.000 ignored: TooMuch",
    );
}
