//! Keys.

use super::{check, check_with};
use crate::Config;

#[test]
fn keys_are_collected_until_the_number_is_complete() {
    check(
        "0.000 start play
         0.000 done 0 digits 3
         1.000 key 1
         1.500 key 2
         2.000 key 3
         2.100 key 4",
        "0.000 reply to turn 0: greeting was played
         2.000 Caller said in turn 1 at 2.000 «123»
         2.000 reply to turn 1: keys in he «123 | »
         2.100 cancel reply to turn 1",
    );
}

#[test]
fn a_hash_or_a_pause_ends_a_number() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 key #
         1.200 key 7
         1.500 key #
         1.600 done 1 listen
         2.000 key 8
         5.000 wait",
        "0.000 reply to turn 0: greeting was played
         1.000 ignored: OutOfOrder
         1.500 Caller said in turn 1 at 1.500 «7»
         1.500 reply to turn 1: keys in he «7 | »
         5.000 Caller said in turn 2 at 5.000 «8»
         5.000 reply to turn 2: keys in he «8 | »",
    );
}

#[test]
fn keys_interrupt_the_agent_at_once_and_their_sound_is_no_speech() {
    check(
        "0.000 start stream
         0.000 say 0 שלום, הגעתם למשרד.
         0.100 audio 1 2.000 all
         0.300 mark 0 1 0.200
         0.400 key 5
         0.410 speech 0.400
         0.600 silence 0.500
         0.700 key 6
         3.700 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in he «שלום, הגעתם למשרד.»
         0.000 play utterance 1 generation 0 from 0.000
         0.400 cancel reply to turn 0
         0.400 clear, generation 1
         0.400 release utterance 1
         3.700 Caller said in turn 1 at 3.700 «56»
         3.700 reply to turn 1: keys in he, 1 heard «56 | »",
    );
}

#[test]
fn zero_alone_asks_for_a_human_where_there_is_one() {
    let mut config = Config::default();
    config.dtmf.zero_is_human = true;
    check_with(
        config.clone(),
        "0.000 start play
         0.000 done 0 listen
         1.000 key 0",
        "0.000 reply to turn 0: greeting was played
         1.000 transfer: ZeroPressed
         1.000 ended",
    );
    check_with(
        config.clone(),
        "0.000 start play
         0.000 done 0 digits 10
         1.000 key 0
         4.000 wait",
        "0.000 reply to turn 0: greeting was played
         4.000 transfer: ZeroPressed
         4.000 ended",
    );
    check_with(
        config,
        "0.000 start play
         0.000 done 0 digits 10
         1.000 key 0
         1.200 key 5
         1.400 key #",
        "0.000 reply to turn 0: greeting was played
         1.400 Caller said in turn 1 at 1.400 «05»
         1.400 reply to turn 1: keys in he «05 | »",
    );
}

#[test]
fn keys_replace_the_words_of_the_same_turn() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         1.500 silence 1.500
         1.800 key 4
         1.900 heard 1.1 ארבע
         2.000 key #",
        "0.000 reply to turn 0: greeting was played
         1.720 recognize turn 1 attempt 1 0.700..1.700 on speculation
         1.800 cancel recognition of turn 1 attempt 1
         1.900 ignored: StaleTurn
         2.000 Caller said in turn 1 at 2.000 «4»
         2.000 reply to turn 1: keys in he «4 | »",
    );
}
