//! Tests that need the store's insides: faults, damage, formats.

use std::path::Path;
use std::sync::Arc;

use units::{CallId, CallTime, Language, Pii, TurnId};

use crate::{
    Batch, CallRecord, CarrierCopy, FaultyDisk, FormKey, FormRow, Forms, Store, StoreConfig, TurnKey, TurnLatencies,
    TurnRow, Turns, VoicemailKey, VoicemailRecord, VoicemailState, Voicemails, Weather,
};

mod commits;
mod damage;
mod deaths;
mod formats;
mod frames;
mod outbox;
mod recordings;
mod retention;
mod rows;

fn config(folder: &Path) -> StoreConfig {
    StoreConfig { reserve_bytes: 0, reopen_after: std::time::Duration::ZERO, ..StoreConfig::new(folder) }
}

fn open(folder: &Path) -> Store {
    Store::open(&config(folder)).unwrap()
}

fn open_on(folder: &Path, disk: &Arc<FaultyDisk>) -> Store {
    Store::open_on(&config(folder), Arc::<FaultyDisk>::clone(disk)).unwrap()
}

fn call_id(number: u64) -> CallId {
    format!("CA{number:032}").parse().unwrap()
}

fn call(number: u64) -> CallRecord {
    CallRecord::started(call_id(number), Pii::new("0541234567".to_owned()), Pii::default(), 1_000 + number)
}

fn batch_of_call(number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put_call(&call(number)).unwrap();
    batch
}

fn turn(number: u64, turn: u32) -> TurnRow {
    TurnRow {
        call: call_id(number),
        turn: TurnId(turn),
        at: CallTime::from_millis(5_000),
        caller: Pii::new("אני רוצה לקבוע פגישה".to_owned()),
        agent: Pii::new("מה השם, בבקשה?".to_owned()),
        language: Language::Hebrew,
        interrupted: false,
        latencies: TurnLatencies { end_of_turn_ms: Some(500), ..TurnLatencies::default() },
        weather: Weather::default(),
    }
}

fn voicemail(number: u64) -> VoicemailRecord {
    VoicemailRecord {
        key: VoicemailKey { received_wall_ms: 1_000 + number, call: call_id(number) },
        caller: Pii::new("0541234567".to_owned()),
        source: None,
        recording: Some(crate::RecordingName::voicemail(call_id(number))),
        digest: None,
        duration_ms: 4_000,
        transcript: None,
        language: None,
        state: VoicemailState::New,
        summary: None,
        path: None,
        carrier_recording: None,
        carrier_copy: CarrierCopy::Kept,
    }
}

/// Everything one call leaves behind, in one batch.
fn batch_of_everything(number: u64) -> Batch {
    let mut batch = batch_of_call(number);
    for index in 0..3 {
        let row = turn(number, index);
        batch.put::<Turns>(&TurnKey { call: row.call.clone(), turn: row.turn }, &row).unwrap();
    }
    let form = FormRow {
        call: call_id(number),
        form: "plain-office".to_owned(),
        saved_wall_ms: 2_000,
        complete: true,
        record: Pii::new(serde_json::json!({ "version": 1, "fields": { "name": "דנה" } })),
    };
    batch.put::<Forms>(&FormKey { call: form.call.clone(), form: form.form.clone() }, &form).unwrap();
    let row = voicemail(number);
    batch.put::<Voicemails>(&row.key, &row).unwrap();
    batch
}
