//! Samples of every released format, which every later release must read.
//!
//! `samples/v1.hex` holds one frame per line, as the first release wrote them. A new format adds a file; a file that
//! is there is never changed.

use std::fmt::Write as _;
use std::fs;

use units::{Language, Pii, TurnId};

use super::{batch_of_everything, call, call_id, open, turn, voicemail};
use crate::batch::Operation;
use crate::frame::{self, Frame};
use crate::{
    CallByTimeKey, CallOutcome, CallRecord, Calls, CallsByTime, FormKey, Forms, Opened, RecordingName, TurnKey, Turns,
    Voicemails, WebhookKeys, WebhookRow,
};

const V1: &str = include_str!("samples/v1.hex");

#[test]
fn this_release_writes_format_1_as_the_first_one_did() {
    let written = frames().iter().fold(String::new(), |mut text, frame| {
        for byte in frame {
            write!(text, "{byte:02x}").unwrap();
        }
        text + "\n"
    });
    assert_eq!(written, V1);
}

#[test]
fn a_store_of_format_1_is_read_by_this_release() {
    let folder = tempfile::tempdir().unwrap();
    // The rows come in as from a database that no longer opens: the frames are all there is.
    let quarantined = folder.path().join("quarantine").join("000001");
    fs::create_dir_all(&quarantined).unwrap();
    let bytes: Vec<u8> = V1.lines().flat_map(unhex).collect();
    fs::write(quarantined.join("db"), bytes).unwrap();
    let store = open(folder.path());
    assert_eq!(store.report().opened, Opened::Fresh);
    assert_eq!(store.report().salvaged, frames().len() as u64);
    assert_eq!(store.get::<Calls>(&call_id(1)).unwrap(), Some(sample_call()));
    let by_time = CallByTimeKey { started_wall_ms: 1_001, call: call_id(1) };
    assert_eq!(store.get::<CallsByTime>(&by_time).unwrap(), Some(()));
    assert_eq!(store.get::<Turns>(&TurnKey { call: call_id(1), turn: TurnId(2) }).unwrap(), Some(turn(1, 2)));
    let form = store.get::<Forms>(&FormKey { call: call_id(1), form: "plain-office".to_owned() }).unwrap().unwrap();
    assert_eq!(form.record.reveal()["fields"]["name"], "דנה");
    assert_eq!(store.get::<Voicemails>(&voicemail(1).key).unwrap(), Some(voicemail(1)));
    assert_eq!(store.get::<WebhookKeys>(&"token".to_owned()).unwrap(), Some(sample_webhook()));
}

fn sample_call() -> CallRecord {
    CallRecord {
        to: Pii::new("+97237001234".to_owned()),
        boot: 3,
        started_monotonic_ms: 77_000,
        duration_ms: Some(61_000),
        outcome: CallOutcome::Completed,
        language: Language::English,
        turns: 3,
        recording: Some(RecordingName::call(call_id(1))),
        ..call(1)
    }
}

fn sample_webhook() -> WebhookRow {
    WebhookRow { first_seen_wall_ms: 1_234, route: "incoming_call".to_owned() }
}

fn frames() -> Vec<Vec<u8>> {
    let mut batch = batch_of_everything(1);
    batch.operations.drain(..2);
    batch.put_call(&sample_call()).unwrap();
    batch.put::<WebhookKeys>(&"token".to_owned(), &sample_webhook()).unwrap();
    let encode = |(index, Operation { key, payload }): (usize, &Operation)| {
        let payload = payload.as_deref().unwrap();
        frame::encode(Frame { table: key[0], key, number: (1 << 40) + index as u64, payload })
    };
    batch.operations.iter().enumerate().map(encode).collect()
}

fn unhex(line: &str) -> Vec<u8> {
    line.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
