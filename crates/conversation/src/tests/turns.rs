//! When the caller's turn ends.

use super::check;

#[test]
fn the_greeting_was_played_and_the_first_question_is_asked() {
    check(
        "0.000 start play
         0.010 say 0 במה אפשר לעזור?
         0.010 done 0 listen
         0.100 audio 1 0.400
         0.150 audio 1 1.200 all
         0.310 mark 0 1 0.200
         1.350 mark 0 1 1.200",
        "0.000 reply to turn 0: greeting was played
         0.010 synthesize utterance 1 of turn 0 in he «במה אפשר לעזור?»
         0.010 play utterance 1 generation 0 from 0.000
         1.350 Agent said in turn 0 at 0.100 «במה אפשר לעזור?»
         1.350 release utterance 1",
    );
}

#[test]
fn a_finished_sentence_is_answered_after_the_shortest_pause() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 0.936
         2.500 silence 2.400
         2.700 heard 1.1 אני רוצה לקבוע פגישה.
         3.000 say 1 בשמחה.
         3.000 done 1 listen
         3.100 audio 1 0.600 all
         3.750 mark 0 1 0.600",
        "0.000 reply to turn 0: greeting was played
         2.620 recognize turn 1 attempt 1 0.636..2.600 on speculation
         2.900 Caller said in turn 1 at 0.936 «אני רוצה לקבוע פגישה.»
         2.900 reply to turn 1: words in he «אני רוצה לקבוע פגישה. | »
         3.000 synthesize utterance 1 of turn 1 in he «בשמחה.»
         3.000 play utterance 1 generation 0 from 0.000
         3.100 latency of turn 1: end of turn 500 ms, transcript 300 ms, reply 600 ms, first audio 700 ms
         3.750 Agent said in turn 1 at 3.100 «בשמחה.»
         3.750 release utterance 1",
    );
}

#[test]
fn a_dangling_phrase_is_waited_for_and_the_rest_belongs_to_the_same_turn() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.100 silence 2.000
         2.300 heard 1.1 my name is
         3.500 speech 3.500
         4.100 silence 4.000
         4.300 heard 1.2 my name is Dana Levi.
         4.600 wait",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         4.220 recognize turn 1 attempt 2 0.700..4.200 on speculation
         4.500 Caller said in turn 1 at 1.000 «my name is Dana Levi.»
         4.500 reply to turn 1: words in en «my name is Dana Levi. | »",
    );
}

#[test]
fn a_half_dictated_number_is_waited_for_to_the_longest_pause() {
    check(
        "0.000 start play
         0.000 done 0 digits 10
         1.000 speech 1.000
         3.000 silence 3.000
         3.300 heard 1.1 054 123
         5.600 wait",
        "0.000 reply to turn 0: greeting was played
         3.220 recognize turn 1 attempt 1 0.700..3.200 on speculation
         5.500 Caller said in turn 1 at 1.000 «054 123»
         5.500 reply to turn 1: words in he «054 123 | »",
    );
}

#[test]
fn a_complete_number_is_not_waited_for() {
    check(
        "0.000 start play
         0.000 done 0 digits 10
         1.000 speech 1.000
         5.000 silence 5.000
         5.300 heard 1.1 054 123 4567
         5.600 wait",
        "0.000 reply to turn 0: greeting was played
         5.220 recognize turn 1 attempt 1 0.700..5.200 on speculation
         5.500 Caller said in turn 1 at 1.000 «054 123 4567»
         5.500 reply to turn 1: words in he «054 123 4567 | »",
    );
}

#[test]
fn speech_that_goes_on_cancels_the_speculation() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         2.300 speech 2.300
         2.310 heard 1.1 אני
         3.000 silence 3.000
         3.400 heard 1.2 אני צריך תיווך.
         3.600 wait",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         2.300 cancel recognition of turn 1 attempt 1
         2.310 ignored: StaleAttempt
         3.220 recognize turn 1 attempt 2 0.700..3.200 on speculation
         3.500 Caller said in turn 1 at 1.000 «אני צריך תיווך.»
         3.500 reply to turn 1: words in he «אני צריך תיווך. | »",
    );
}

#[test]
fn a_late_transcript_ends_the_turn_when_it_comes() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         3.700 heard 1.1 Good morning.
         3.800 wait",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         3.700 Caller said in turn 1 at 1.000 «Good morning.»
         3.700 reply to turn 1: words in en «Good morning. | »",
    );
}

#[test]
fn the_longest_pause_ends_the_turn_and_the_transcript_is_awaited() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         5.000 heard 1.1 Good morning.
         5.100 wait",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         5.000 Caller said in turn 1 at 1.000 «Good morning.»
         5.000 reply to turn 1: words in en «Good morning. | »",
    );
}

#[test]
fn words_said_before_the_reply_is_heard_are_merged_and_the_brain_forgets() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         2.300 heard 1.1 I want to buy a flat.
         2.700 say 1 Great.
         2.750 speech 2.750
         2.900 audio 1 1.000 all
         3.500 silence 3.500
         3.800 heard 2.1 In Haifa.
         4.100 wait",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         2.500 Caller said in turn 1 at 1.000 «I want to buy a flat.»
         2.500 reply to turn 1: words in en «I want to buy a flat. | »
         2.700 synthesize utterance 1 of turn 1 in en «Great.»
         2.700 play utterance 1 generation 0 from 0.000
         2.870 cancel reply to turn 1 and undo it
         2.870 clear, generation 1
         2.870 cancel synthesis of utterance 1
         2.870 release utterance 1
         2.900 ignored: UnknownUtterance
         3.720 recognize turn 2 attempt 1 2.450..3.700 on speculation
         4.000 Caller said in turn 2 at 2.750 «In Haifa.»
         4.000 reply to turn 2: words in en «I want to buy a flat. In Haifa. | »",
    );
}

#[test]
fn a_long_turn_is_recognized_in_parts_cut_at_pauses() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         14.000 silence 14.000
         14.300 heard 1.1 A long story and
         14.500 speech 14.500
         16.000 silence 16.000
         16.300 heard 1.2 its end.
         16.600 wait",
        "0.000 reply to turn 0: greeting was played
         14.220 recognize turn 1 attempt 1 0.700..14.200 on speculation
         16.220 recognize turn 1 attempt 2 14.200..16.200 on speculation
         16.500 Caller said in turn 1 at 1.000 «A long story and its end.»
         16.500 reply to turn 1: words in en «A long story and its end. | »",
    );
}

#[test]
fn speech_without_a_pause_is_recognized_before_the_window_is_full() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         27.000 silence 27.000
         27.100 heard 1.1 The first part
         27.300 heard 1.2 and the second.
         27.600 wait",
        "0.000 reply to turn 0: greeting was played
         25.700 recognize turn 1 attempt 1 0.700..25.700
         27.220 recognize turn 1 attempt 2 25.700..27.200 on speculation
         27.500 Caller said in turn 1 at 1.000 «The first part and the second.»
         27.500 reply to turn 1: words in en «The first part and the second. | »",
    );
}

#[test]
fn a_noise_is_no_turn_and_long_mumbling_is_asked_about() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         1.300 silence 1.200
         1.500 heard 1.1
         3.000 speech 3.000
         5.000 silence 5.000
         5.300 heard 2.1
         5.600 wait",
        "0.000 reply to turn 0: greeting was played
         1.420 recognize turn 1 attempt 1 0.700..1.400 on speculation
         5.220 recognize turn 2 attempt 1 2.700..5.200 on speculation
         5.500 reply to turn 2: not heard 1",
    );
}

#[test]
fn a_hesitation_is_waited_for_and_is_no_answer() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         1.500 silence 1.500
         1.800 heard 1.1 אה, רגע
         4.100 wait",
        "0.000 reply to turn 0: greeting was played
         1.720 recognize turn 1 attempt 1 0.700..1.700 on speculation",
    );
}

#[test]
fn the_call_goes_on_in_the_language_the_caller_speaks() {
    check(
        "0.000 start stream
         0.000 say 0 שלום.
         0.000 done 0 listen
         0.100 audio 1 0.500 all
         0.600 mark 0 1 0.500
         1.000 speech 1.000
         2.000 silence 2.000
         2.300 heard 1.1 Do you speak English?
         5.500 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in he «שלום.»
         0.000 play utterance 1 generation 0 from 0.000
         0.600 Agent said in turn 0 at 0.100 «שלום.»
         0.600 release utterance 1
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         2.500 Caller said in turn 1 at 1.000 «Do you speak English?»
         2.500 reply to turn 1: words in en, 1 heard «Do you speak English? | שלום.»
         5.000 synthesize utterance 2 of turn 1 in en «One moment, please.»
         5.000 play utterance 2 generation 0 from 0.000",
    );
}
