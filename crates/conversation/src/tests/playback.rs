//! What the agent says and what is heard of it.

use super::check;

#[test]
fn sentences_flow_one_behind_the_other() {
    check(
        "0.000 start stream
         0.000 say 0 One is first.
         0.050 say 0 Two is next.
         0.060 done 0 listen
         0.100 audio 1 0.500
         0.150 audio 2 0.300
         0.200 audio 1 1.000 all
         0.300 audio 2 0.800 all
         0.350 mark 0 1 0.200
         1.950 mark 0 2 0.800",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «One is first.»
         0.000 play utterance 1 generation 0 from 0.000
         0.050 synthesize utterance 2 of turn 0 in en «Two is next.»
         0.200 play utterance 2 generation 0 from 0.000
         1.950 Agent said in turn 0 at 0.100 «One is first.»
         1.950 release utterance 1
         1.950 Agent said in turn 0 at 1.950 «Two is next.»
         1.950 release utterance 2",
    );
}

#[test]
fn marks_that_never_come_are_not_waited_for_forever() {
    check(
        "0.000 start stream
         0.000 say 0 Hello.
         0.000 done 0 listen
         0.100 audio 1 1.000 all
         10.200 wait",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello.»
         0.000 play utterance 1 generation 0 from 0.000
         3.100 Agent said in turn 0 at 0.100 «Hello.»
         3.100 release utterance 1
         10.100 reply to turn 1: silence 1, 1 heard",
    );
}

#[test]
fn an_utterance_without_audio_is_over_at_once() {
    check(
        "0.000 start stream\n 0.000 say 0 Hm.\n 0.000 done 0 listen\n 0.100 audio 1 0 all",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hm.»
         0.000 play utterance 1 generation 0 from 0.000
         0.100 release utterance 1",
    );
}

#[test]
fn audio_that_shrinks_and_marks_beyond_it_are_ignored() {
    check(
        "0.000 start stream
         0.000 say 0 Hello.
         0.100 audio 1 0.500
         0.200 audio 1 0.400
         0.300 mark 0 1 0.600",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello.»
         0.000 play utterance 1 generation 0 from 0.000
         0.200 ignored: OutOfOrder
         0.300 ignored: OutOfOrder",
    );
}
