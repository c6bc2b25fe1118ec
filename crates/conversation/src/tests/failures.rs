//! Every failure has a smaller way to go on.

use super::{check, check_with};
use crate::{Config, StreamWatchdog};
use core::time::Duration;

#[test]
fn a_late_reply_is_bridged_and_then_given_up() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         2.300 heard 1.1 בוקר טוב.
         5.100 audio 1 1.000 all
         6.100 mark 0 1 1.000
         12.000 wait",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         2.500 Caller said in turn 1 at 1.000 «בוקר טוב.»
         2.500 reply to turn 1: words in he «בוקר טוב. | »
         5.000 synthesize utterance 1 of turn 1 in he «רק רגע, בבקשה.»
         5.000 play utterance 1 generation 0 from 0.000
         6.100 Agent said in turn 1 at 5.100 «רק רגע, בבקשה.»
         6.100 release utterance 1
         10.500 cancel reply to turn 1
         10.500 voicemail: ReplyOverdue
         10.500 ended",
    );
}

#[test]
fn a_reply_that_comes_after_one_moment_is_said_behind_it() {
    check(
        "0.000 start stream
         2.600 audio 1 1.000 all
         2.700 say 0 Hello.
         2.700 done 0 listen
         2.800 audio 2 0.500 all
         4.200 mark 0 2 0.500",
        "0.000 reply to turn 0: greet
         2.500 synthesize utterance 1 of turn 0 in he «רק רגע, בבקשה.»
         2.500 play utterance 1 generation 0 from 0.000
         2.700 synthesize utterance 2 of turn 0 in en «Hello.»
         2.700 play utterance 2 generation 0 from 0.000
         4.200 Agent said in turn 0 at 2.600 «רק רגע, בבקשה.»
         4.200 release utterance 1
         4.200 Agent said in turn 0 at 4.200 «Hello.»
         4.200 release utterance 2",
    );
}

#[test]
fn a_full_recognizer_means_voicemail_but_a_refused_speculation_does_not() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         2.230 deaf 1.1 busy
         2.900 deaf 1.2 busy",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         2.800 recognize turn 1 attempt 2 0.700..2.200
         2.900 voicemail: RecognizerBusy
         2.900 ended",
    );
}

#[test]
fn a_failing_recognizer_means_not_heard_and_then_voicemail() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         2.300 deaf 1.1 late
         2.600 done 1 listen
         3.000 speech 3.000
         4.000 silence 4.000
         4.300 deaf 2.1 broken",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         2.500 reply to turn 1: not heard 1
         4.220 recognize turn 2 attempt 1 2.700..4.200 on speculation
         4.300 voicemail: RecognizerFailed
         4.300 ended",
    );
}

#[test]
fn a_transcript_that_never_comes_means_voicemail_unless_words_are_known() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         11.000 wait",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         10.500 cancel recognition of turn 1 attempt 1
         10.500 voicemail: TranscriptOverdue
         10.500 ended",
    );
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         2.400 interim 1.1 call me back
         10.600 wait",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         10.500 cancel recognition of turn 1 attempt 1
         10.500 Caller said in turn 1 at 1.000 «call me back»
         10.500 reply to turn 1: words in en «call me back | »",
    );
}

#[test]
fn a_failing_brain_means_voicemail() {
    check(
        "0.000 start play\n 0.000 mute 0",
        "0.000 reply to turn 0: greeting was played
         0.000 voicemail: ReplyFailed
         0.000 ended",
    );
}

#[test]
fn a_synthesizer_that_fails_or_hangs_means_voicemail() {
    check(
        "0.000 start play\n 0.000 say 0 Hello.\n 0.100 hoarse 1",
        "0.000 reply to turn 0: greeting was played
         0.000 synthesize utterance 1 of turn 0 in en «Hello.»
         0.000 play utterance 1 generation 0 from 0.000
         0.100 cancel reply to turn 0
         0.100 clear, generation 1
         0.100 cancel synthesis of utterance 1
         0.100 release utterance 1
         0.100 voicemail: SynthesizerFailed
         0.100 ended",
    );
    check(
        "0.000 start play\n 0.000 say 0 Hello there.\n 0.100 audio 1 0.500\n 6.000 wait",
        "0.000 reply to turn 0: greeting was played
         0.000 synthesize utterance 1 of turn 0 in en «Hello there.»
         0.000 play utterance 1 generation 0 from 0.000
         5.100 cancel reply to turn 0
         5.100 clear, generation 1
         5.100 cancel synthesis of utterance 1
         5.100 release utterance 1
         5.100 voicemail: SynthesisOverdue
         5.100 ended",
    );
}

#[test]
fn overload_and_shutdown_mean_voicemail() {
    check(
        "0.000 start play\n 0.000 overload",
        "0.000 reply to turn 0: greeting was played
         0.000 cancel reply to turn 0
         0.000 voicemail: Overload
         0.000 ended",
    );
    check(
        "0.000 start play\n 0.000 done 0 listen\n 1.000 shutdown\n 1.100 speech 1.100",
        "0.000 reply to turn 0: greeting was played
         1.000 voicemail: Shutdown
         1.000 ended
         1.100 ignored: AlreadyEnded",
    );
}

#[test]
fn the_brain_may_hand_over() {
    check(
        "0.000 start play\n 0.000 done 0 voicemail",
        "0.000 reply to turn 0: greeting was played
         0.000 voicemail: Asked
         0.000 ended",
    );
    check(
        "0.000 start play\n 0.000 done 0 transfer",
        "0.000 reply to turn 0: greeting was played
         0.000 transfer: Asked
         0.000 ended",
    );
}

#[test]
fn a_caller_who_hangs_up_leaves_the_words_that_were_known() {
    check(
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         2.000 silence 2.000
         2.300 heard 1.1 my number is 054
         2.600 stop
         2.700 stop",
        "0.000 reply to turn 0: greeting was played
         2.220 recognize turn 1 attempt 1 0.700..2.200 on speculation
         2.600 Caller said in turn 1 at 1.000, interrupted «my number is 054»
         2.600 ended
         2.700 ignored: AlreadyEnded",
    );
}

#[test]
fn a_caller_who_hangs_up_over_the_agent_leaves_nothing_behind() {
    check(
        "0.000 start stream
         0.000 say 0 Hello and good morning.
         0.100 audio 1 0.400
         0.300 mark 0 1 0.200
         0.350 stop",
        "0.000 reply to turn 0: greet
         0.000 synthesize utterance 1 of turn 0 in en «Hello and good morning.»
         0.000 play utterance 1 generation 0 from 0.000
         0.350 cancel reply to turn 0
         0.350 cancel synthesis of utterance 1
         0.350 release utterance 1
         0.350 ended",
    );
}

#[test]
fn nonsense_is_ignored_with_a_reason() {
    check(
        "0.000 key 1
         0.000 start play
         0.100 start play
         0.200 silence 0.200
         0.200 heard 7.1 hello
         0.200 say 9 hello
         0.200 done 9 listen
         0.200 mute 9
         0.200 audio 9 1.000
         0.200 hoarse 9
         0.200 mark 3 1 1.000
         0.200 mark 0 1 1.000
         0.300 say 0 ...
         0.400 speech 0.400
         0.400 speech 0.400",
        "0.000 ignored: NotStarted
         0.000 reply to turn 0: greeting was played
         0.100 ignored: AlreadyStarted
         0.200 ignored: OutOfOrder
         0.200 ignored: StaleTurn
         0.200 ignored: StaleTurn
         0.200 ignored: StaleTurn
         0.200 ignored: StaleTurn
         0.200 ignored: UnknownUtterance
         0.200 ignored: UnknownUtterance
         0.200 ignored: StaleGeneration
         0.200 ignored: UnknownUtterance
         0.300 synthesize utterance 1 of turn 0 in he «...»
         0.300 play utterance 1 generation 0 from 0.000
         0.400 ignored: OutOfOrder",
    );
}

#[test]
fn a_transcript_nobody_is_sure_of_is_asked_about() {
    let mut config = Config::default();
    config.patience.min_confidence = 1_001;
    check_with(
        config,
        "0.000 start play
         0.000 done 0 listen
         1.000 speech 1.000
         1.500 silence 1.500
         1.800 heard 1.1 mumble
         2.100 wait",
        "0.000 reply to turn 0: greeting was played
         1.720 recognize turn 1 attempt 1 0.700..1.700 on speculation
         2.000 reply to turn 1: not heard 1",
    );
}

#[test]
fn the_watchdog_redirects_once_unless_the_stream_starts() {
    let seconds = Duration::from_secs;
    let mut watchdog = StreamWatchdog::armed(seconds(100), seconds(4), StreamWatchdog::LIMIT);
    assert_eq!(watchdog.poll_timeout(), Some(seconds(110)));
    assert!(!watchdog.handle_timeout(seconds(109)));
    assert!(watchdog.handle_timeout(seconds(110)));
    assert!(!watchdog.handle_timeout(seconds(111)));
    assert!(!watchdog.disarm());

    let mut watchdog = StreamWatchdog::armed(seconds(0), seconds(0), StreamWatchdog::LIMIT);
    assert!(watchdog.disarm());
    assert_eq!(watchdog.poll_timeout(), None);
    assert!(!watchdog.handle_timeout(seconds(60)));
}
