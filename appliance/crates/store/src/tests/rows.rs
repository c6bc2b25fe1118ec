//! Rows in and out.

use units::Pii;

use super::{batch_of_call, batch_of_everything, call, call_id, config, open, turn, voicemail};
use crate::{
    Batch, CallByTimeKey, CallOutcome, Calls, EncodeError, Forms, OpenError, Opened, Order, Query, Store,
    TableKey as _, TurnKey, Turns, VoicemailKey, VoicemailState, Voicemails, WebhookKeys, WebhookRow,
};

#[test]
fn what_is_committed_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!((store.report().opened, store.report().boot), (Opened::Fresh, 1));
    store.commit(batch_of_everything(1)).unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!((store.report().opened, store.report().boot), (Opened::Existing, 2));
    assert!(!store.report().lost_hint());
    assert_eq!(store.get::<Calls>(&call_id(1)).unwrap(), Some(call(1)));
    assert_eq!(store.turns(&call_id(1)).unwrap(), [turn(1, 0), turn(1, 1), turn(1, 2)]);
    assert_eq!(store.recent_voicemails(None, 10).unwrap(), [voicemail(1)]);
    let forms = store.query(&Query::<Forms>::of_call(&call_id(1))).unwrap();
    assert_eq!(forms.len(), 1);
    assert_eq!(forms[0].1.record.reveal()["fields"]["name"], "דנה");
    assert_eq!(store.get::<Calls>(&call_id(2)).unwrap(), None);
}

#[test]
fn calls_come_newest_first_and_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 0..25 {
        store.commit(batch_of_call(number)).unwrap();
    }
    let numbers =
        |calls: Vec<crate::CallRecord>| calls.iter().map(|call| call.started_wall_ms - 1_000).collect::<Vec<_>>();
    let first = store.recent_calls(None, 10).unwrap();
    let last = first.last().unwrap();
    let before = CallByTimeKey { started_wall_ms: last.started_wall_ms, call: last.call.clone() };
    assert_eq!(numbers(first), (15..25).rev().collect::<Vec<_>>());
    assert_eq!(numbers(store.recent_calls(Some(&before), 100).unwrap()), (0..15).rev().collect::<Vec<_>>());
    assert_eq!(store.recent_calls(None, 0).unwrap(), []);
}

#[test]
fn turns_of_one_call_are_not_mixed_with_those_of_a_call_whose_name_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut batch = Batch::new();
    for name in ["CA1", "CA12", "CA"] {
        let row = crate::TurnRow { call: name.parse().unwrap(), ..turn(1, 300) };
        batch.put::<Turns>(&TurnKey { call: row.call.clone(), turn: row.turn }, &row).unwrap();
    }
    store.commit(batch).unwrap();
    let turns = store.turns(&"CA1".parse().unwrap()).unwrap();
    assert_eq!(turns.len(), 1);
    assert_eq!(turns[0].call.as_str(), "CA1");
    let all = store.query(&Query::<Turns>::all().order(Order::Descending)).unwrap();
    assert_eq!(all.len(), 3);
}

#[test]
fn a_webhook_is_acted_on_once_however_many_ask_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let row = WebhookRow { first_seen_wall_ms: 5, route: "incoming_call".to_owned() };
    let claims: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| store.claim_webhook("token", &row).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(claims.iter().filter(|claimed| **claimed).count(), 1);
    assert!(store.claim_webhook("another", &row).unwrap());
}

#[test]
fn webhook_tokens_are_forgotten_by_age_and_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 0..10 {
        let row = WebhookRow { first_seen_wall_ms: number, route: String::new() };
        assert!(store.claim_webhook(&format!("t{number}"), &row).unwrap());
    }
    assert_eq!(store.trim_webhook_keys(3, 100).unwrap(), 3);
    assert_eq!(store.trim_webhook_keys(0, 2).unwrap(), 5);
    let left = store.query(&Query::<WebhookKeys>::all()).unwrap();
    assert_eq!(left.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["t8", "t9"]);
}

#[test]
fn calls_in_progress_when_the_box_stopped_are_marked_as_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let ended = crate::CallRecord { outcome: CallOutcome::Completed, ..call(2) };
    let mut batch = batch_of_call(1);
    batch.put_call(&ended).unwrap();
    store.commit(batch).unwrap();
    assert_eq!(store.close_interrupted_calls(|call| call.call != call_id(1), |_, _| {}).unwrap(), 0);
    assert_eq!(store.close_interrupted_calls(|_| true, |_, _| {}).unwrap(), 1);
    assert_eq!(store.close_interrupted_calls(|_| true, |_, _| {}).unwrap(), 0);
    assert_eq!(store.get::<Calls>(&call_id(1)).unwrap().unwrap().outcome, CallOutcome::Interrupted);
    assert_eq!(store.get::<Calls>(&call_id(2)).unwrap(), Some(ended));
}

#[test]
fn a_voicemail_is_marked_as_heard() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(batch_of_everything(1)).unwrap();
    let key = voicemail(1).key;
    assert!(store.mark_heard(&key).unwrap());
    assert_eq!(store.get::<Voicemails>(&key).unwrap().unwrap().state, VoicemailState::Heard);
    assert!(!store.mark_heard(&voicemail(2).key).unwrap());
}

#[test]
fn a_row_that_is_too_large_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut row = turn(1, 1);
    row.caller = Pii::new("א".repeat(100_000));
    let mut batch = Batch::new();
    let refused = batch.put::<Turns>(&TurnKey { call: row.call.clone(), turn: row.turn }, &row);
    assert!(matches!(refused, Err(EncodeError::TooLarge { table: "turns", .. })));
    let refused = batch.put::<WebhookKeys>(&"k".repeat(600), &WebhookRow::default());
    assert!(matches!(refused, Err(EncodeError::KeyTooLong { table: "webhook_keys", .. })));
    assert!(batch.is_empty());
    assert_eq!(store.get::<WebhookKeys>(&"k".repeat(600)).unwrap(), None);
}

#[test]
fn a_store_in_use_says_so_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(batch_of_call(1)).unwrap();
    let second = Store::open(&config(folder.path()));
    assert!(matches!(second, Err(OpenError::InUse { .. })));
    assert_eq!(store.get::<Calls>(&call_id(1)).unwrap(), Some(call(1)));
    drop(store);
    assert_eq!(open(folder.path()).report().opened, Opened::Existing);
}

#[test]
fn rows_of_a_newer_release_are_read_as_far_as_they_are_known() {
    let json = r#"{"call":"CA1","started_wall_ms":5,"outcome":"abducted","mood":"good"}"#;
    let row: crate::CallRecord = serde_json::from_str(json).unwrap();
    assert_eq!(row.outcome, CallOutcome::Unknown);
    assert_eq!(row.started_wall_ms, 5);
}

#[test]
fn keys_come_back_as_they_went_in_and_sort_as_numbers_do() {
    let key = VoicemailKey { received_wall_ms: 1_700_000_000_000, call: call_id(1) };
    assert_eq!(key.to_string().parse::<VoicemailKey>(), Ok(key.clone()));
    assert_eq!(VoicemailKey::decode(&key.encode()), Some(key.clone()));
    let later = VoicemailKey { received_wall_ms: key.received_wall_ms + 1, call: call_id(0) };
    assert!(key.encode() < later.encode());
    assert!(
        TurnKey { call: call_id(1), turn: units::TurnId(2) }.encode()
            < TurnKey { call: call_id(1), turn: units::TurnId(256) }.encode()
    );
    for bad in ["", "5", "x-CA1", "5-", "-CA1", "+5-CA1", "5-../x"] {
        assert!(bad.parse::<VoicemailKey>().is_err(), "{bad}");
    }
    assert_eq!(TurnKey::decode(b"CA1\0abc"), None);
}

#[test]
fn nothing_personal_shows_in_debug_output() {
    let shown = format!("{:?} {:?} {:?}", call(1), turn(1, 1), batch_of_everything(1));
    assert!(!shown.contains("054") && !shown.contains("פגישה") && !shown.contains("דנה"), "{shown}");
}
