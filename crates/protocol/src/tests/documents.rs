//! The rules both sides keep.

use proptest::prelude::*;
use serde_json::json;
use units::Pii;

use super::device;
use crate::{
    CallStarted, CommandRequest, CommandState, CommandStatus, Desired, DeviceConfig, Event, EventId, Extra, Kind,
    LogLevel, NewEvent, Party, Presence, Seen, Stamp, StatusVerdict, Stream, TRANSITIONS, Topic, VersionConflict,
    Watermark, Word, decode, encode, next_epoch,
};

fn birth(boot: u64, connected_seq: u64) -> Presence {
    Presence::birth(device("a"), boot, connected_seq)
}

#[test]
fn a_will_of_an_older_connection_is_stale() {
    let now = birth(7, 3);
    for (stale, seen) in [
        (true, birth(7, 2).will()),
        (true, birth(6, 9).will()),
        (false, birth(7, 3).will()),
        // Its birth was missed.
        (false, birth(7, 4).will()),
        (false, birth(8, 1).will()),
        (true, birth(7, 2)),
        (false, birth(7, 3)),
        (false, birth(7, 4)),
        // Alive, with a store that was lost.
        (false, birth(1, 1)),
    ] {
        assert_eq!(seen.is_stale(Some(&now)), stale, "{seen:?}");
        assert!(!seen.is_stale(None));
    }
    // Its own will overtook it.
    assert!(birth(7, 3).is_stale(Some(&now.will())));
    assert!(!birth(7, 4).is_stale(Some(&now.will())));
}

proptest! {
    #[test]
    fn in_any_order_the_last_connection_of_a_run_decides(seqs in prop::collection::vec((1..6_u64, any::<bool>()), 1..12)) {
        let said = |(seq, online): &(u64, bool)| if *online { birth(7, *seq) } else { birth(7, *seq).will() };
        let mut known: Option<Presence> = None;
        for presence in seqs.iter().map(said) {
            if !presence.is_stale(known.as_ref()) {
                known = Some(presence);
            }
        }
        let last = seqs.iter().map(|(seq, _)| *seq).max().unwrap();
        let gone = seqs.contains(&(last, false));
        let known = known.unwrap();
        prop_assert_eq!((known.connected_seq, known.online), (last, !gone));
    }
}

#[test]
fn a_watermark_is_beyond_another_by_its_outbox_first() {
    let mark = |epoch, through| Watermark::new(device("a"), Stream::Calls, epoch, through);
    assert!(mark(1, 2).is_beyond(&mark(1, 1)));
    assert!(!mark(1, 1).is_beyond(&mark(1, 1)));
    assert!(mark(2, 0).is_beyond(&mark(1, 900)));
    assert!(!mark(1, 900).is_beyond(&mark(2, 0)));
}

#[test]
fn an_epoch_rises_whatever_the_clock_says() {
    assert_eq!(next_epoch(None, 0), 1);
    assert_eq!(next_epoch(None, 1_790_000_000_000), 1_790_000_000_000);
    assert_eq!(next_epoch(Some(1_790_000_000_000), 5), 1_790_000_000_001);
    assert_eq!(next_epoch(Some(5), 1_790_000_000_000), 1_790_000_000_000);
    assert_eq!(next_epoch(Some(u64::MAX), u64::MAX), crate::limits::MAX_NUMBER);
}

#[test]
fn a_wish_follows_only_the_one_that_was_seen() {
    let debug = || DeviceConfig { log_level: Some(LogLevel::Debug), extra: Extra::default() };
    let first = Desired::follow(None, 0, debug()).unwrap();
    assert_eq!(first, Desired::first(debug()));
    let second = Desired::follow(Some(&first), 1, DeviceConfig::default()).unwrap();
    assert_eq!(second.version, 2);
    let conflict = Desired::follow(Some(&second), 1, debug()).unwrap_err();
    assert_eq!(conflict, VersionConflict { expected: 1, current: 2 });
    assert!(second.is_news(Some(1)) && second.is_news(None));
    assert!(!second.is_news(Some(2)));
}

fn request(ttl_ms: u64) -> CommandRequest {
    CommandRequest::new("c1".parse().unwrap(), CommandRequest::RESTART, json!({}), 1_000_000, ttl_ms)
}

#[test]
fn a_command_expires_with_and_without_a_clock() {
    let request = request(300);
    let left = |wall_ms, since_first_seen_ms, broker_left_ms| {
        request.remaining_ms(&Seen { wall_ms, since_first_seen_ms, broker_left_ms })
    };
    assert_eq!(left(None, 0, None), 300);
    assert_eq!(left(None, 299, None), 1);
    assert_eq!(left(None, 300, None), 0);
    // The broker has held it back for a while.
    assert_eq!(left(None, 10, Some(50)), 40);
    assert_eq!(left(None, 60, Some(50)), 0);
    assert_eq!(left(Some(1_000_100), 10, None), 200);
    assert_eq!(left(Some(1_000_300), 10, None), 0);
    // A clock behind the gateway's does not make it longer.
    assert_eq!(left(Some(0), 100, None), 200);
}

#[test]
fn the_table_of_states_has_one_owner_for_each_and_no_circles() {
    for (from, to, by) in TRANSITIONS {
        assert_eq!(to.owner(), by, "{from} to {to}");
        assert_eq!(from.step(to, by), Ok(to));
        let other = if by == Party::Device { Party::Gateway } else { Party::Device };
        assert!(from.step(to, other).is_err(), "{from} to {to}");
    }
    for state in CommandState::ALL {
        assert_eq!(state.to_string().parse(), Ok(state));
        assert_eq!(state.judge(state), StatusVerdict::Repeat);
        let end = matches!(
            state,
            CommandState::Succeeded | CommandState::Failed | CommandState::Rejected | CommandState::Expired
        );
        assert_eq!(state.is_final(), end, "{state}");
        for other in CommandState::ALL {
            let both = state.judge(other) == StatusVerdict::News && other.judge(state) == StatusVerdict::News;
            assert!(!both, "{state} and {other}");
        }
    }
    let error = CommandState::Succeeded.step(CommandState::Running, Party::Device).unwrap_err();
    assert_eq!(error.to_string(), "a command cannot go from succeeded to running by the device");
}

#[test]
fn a_status_that_hides_others_is_news_and_a_late_one_is_not() {
    use CommandState::{Accepted, Expired, Failed, Rejected, Requested, Running, Succeeded, Unanswered};
    for (known, reported, verdict) in [
        (Requested, Succeeded, StatusVerdict::News),
        (Accepted, Failed, StatusVerdict::News),
        (Running, Accepted, StatusVerdict::Stale),
        (Succeeded, Running, StatusVerdict::Stale),
        (Succeeded, Failed, StatusVerdict::Stale),
        (Running, Rejected, StatusVerdict::Stale),
        (Running, Expired, StatusVerdict::Stale),
        // Done, by a device that was away: it counts.
        (Unanswered, Succeeded, StatusVerdict::News),
        (Requested, Unanswered, StatusVerdict::Stale),
    ] {
        assert_eq!(known.judge(reported), verdict, "{known}, then {reported}");
    }
}

#[test]
fn a_status_with_a_state_of_the_gateways_is_refused() {
    let topic = Topic::CommandStatus { device: device("a"), command: "c1".parse().unwrap() };
    let status = CommandStatus::new("c1".parse().unwrap(), CommandState::Unanswered);
    let error = decode::<CommandStatus>(&topic, &encode(&status).unwrap()).unwrap_err();
    assert_eq!(error.cause(), "wrong_field");
}

#[test]
fn commands_and_kinds_are_words() {
    for word in CommandRequest::KINDS {
        assert_eq!(word.as_str().parse(), Ok(word));
    }
    for (kind, _) in Kind::KNOWN {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    for wrong in ["", "A", "1a", "a b", ".a", "a\0", &"a".repeat(65)] {
        assert!(wrong.parse::<Word>().is_err() && wrong.parse::<Kind>().is_err(), "{wrong:?}");
    }
    assert!("faxes.arrived-2".parse::<Kind>().is_ok_and(|kind| !kind.is_known()));
}

#[test]
fn an_event_tells_what_went_into_it_and_shows_nobody_to_a_log() {
    let data = CallStarted {
        call: "CA1".parse().unwrap(),
        from: Pii::new("+972501234567".to_owned()),
        to: Pii::new("+97237654321".to_owned()),
        extra: Extra::default(),
    };
    let stamp = Stamp { boot: 1, mono_ms: 2, wall_ms: 3, time_synced: false };
    let event = NewEvent::new(EventId::from_random_bytes([9; 16]), stamp, &data).unwrap();
    assert_eq!((event.stream, &event.kind), (Stream::Calls, &Kind::CALL_STARTED));
    let event: Event = event.numbered(4);
    assert_eq!(event.data_as::<CallStarted>(), Ok(data));
    assert!(event.data_as::<crate::CallEnded>().is_err());
    assert!(!format!("{event:?}").contains("97250"));
    let stored: Event = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
    assert_eq!(stored, event);
    assert_eq!(EventId::from_bytes(*event.id.as_bytes()), event.id);
}

#[test]
fn an_identity_has_one_way_to_be_written() {
    let id = EventId::from_random_bytes([0xAB; 16]);
    assert_eq!(id.to_string(), "abababab-abab-4bab-abab-abababababab");
    assert_eq!(id.to_string().parse(), Ok(id));
    for wrong in
        ["", "abababababab4babababababababab ab", "{abababab-abab-4bab-abab-abababababab}", "urn:uuid:abababab"]
    {
        assert!(wrong.parse::<EventId>().is_err(), "{wrong}");
    }
}
