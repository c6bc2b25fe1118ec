//! Rows whose content follows from their number and the batch that put them, so that any other content shows.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::{
    Batch, CallByTimeKey, CallRecord, Calls, CallsByTime, FormKey, FormRow, Forms, Query, Store, Table, TurnKey,
    TurnLatencies, TurnRow, Turns, VoicemailKey, VoicemailPath, VoicemailRecord, Voicemails, Weather, WebhookKeys,
    WebhookRow,
};
use units::{CallId, CallTime, Language, Pii, TurnId};

use crate::{Outcome, events, say};

/// Rows printed on one line.
const ROWS_PER_LINE: usize = 64;

/// The table a row is in; calls are in two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Calls,
    Turns,
    Forms,
    Voicemails,
    WebhookKeys,
    Events,
}

fn place(number: u64) -> Place {
    match number % 6 {
        0 => Place::Calls,
        1 => Place::Turns,
        2 => Place::Forms,
        3 => Place::Voicemails,
        4 => Place::WebhookKeys,
        _ => Place::Events,
    }
}

/// Tells whether a number is an event's: those are written once, and leave by a watermark.
pub(crate) fn is_event(number: u64) -> bool {
    place(number) == Place::Events
}

/// Puts the row of a number as a batch writes it.
pub(crate) fn put(batch: &mut Batch, number: u64, batch_number: u64) -> Outcome<()> {
    match place(number) {
        Place::Calls => batch.put_call(&call(number, batch_number)?)?,
        Place::Turns => batch.put::<Turns>(&turn_key(number)?, &turn(number, batch_number)?)?,
        Place::Forms => batch.put::<Forms>(&form_key(number)?, &form(number, batch_number)?)?,
        Place::Voicemails => batch.put::<Voicemails>(&voicemail_key(number)?, &voicemail(number, batch_number)?)?,
        Place::WebhookKeys => batch.put::<WebhookKeys>(&token(number), &webhook(number, batch_number))?,
        Place::Events => events::emit(batch, number, batch_number)?,
    }
    Ok(())
}

/// Deletes the row of a number.
pub(crate) fn delete(batch: &mut Batch, number: u64) -> Outcome<()> {
    match place(number) {
        Place::Calls => {
            batch.delete::<Calls>(&call_id(number)?)?;
            batch.delete::<CallsByTime>(&CallByTimeKey { started_wall_ms: number, call: call_id(number)? })?;
        }
        Place::Turns => batch.delete::<Turns>(&turn_key(number)?)?,
        Place::Forms => batch.delete::<Forms>(&form_key(number)?)?,
        Place::Voicemails => batch.delete::<Voicemails>(&voicemail_key(number)?)?,
        Place::WebhookKeys => batch.delete::<WebhookKeys>(&token(number))?,
        Place::Events => return Err("an event is not deleted".into()),
    }
    Ok(())
}

/// Prints every row and event, and those that are not as they were written. Returns the numbers of the rows, and the
/// events.
pub(crate) fn print_all(store: &Store) -> Outcome<(BTreeSet<u64>, Vec<events::Found>)> {
    let mut found = Vec::new();
    let mut calls = BTreeSet::new();
    for (key, row) in all::<Calls>(store)? {
        let (number, batch) = (row.started_wall_ms, row.boot);
        calls.insert(number);
        check("calls", number, key == call_id(number)? && row == call(number, batch)?)?;
        found.push((number, batch));
    }
    let in_order: BTreeSet<u64> = all::<CallsByTime>(store)?.into_iter().map(|(key, ())| key.started_wall_ms).collect();
    for number in calls.symmetric_difference(&in_order) {
        check("calls_by_time", *number, false)?;
    }
    for (key, row) in all::<Turns>(store)? {
        let (number, batch) = (digits(key.call.as_str())?, row.at.as_millis());
        check("turns", number, key == turn_key(number)? && row == turn(number, batch)?)?;
        found.push((number, batch));
    }
    for (key, row) in all::<Forms>(store)? {
        let (number, batch) = (digits(key.call.as_str())?, row.saved_wall_ms);
        check("forms", number, key == form_key(number)? && row == form(number, batch)?)?;
        found.push((number, batch));
    }
    for (key, row) in all::<Voicemails>(store)? {
        let (number, batch) = (key.received_wall_ms, row.duration_ms);
        check("voicemails", number, row == voicemail(number, batch)?)?;
        found.push((number, batch));
    }
    for (key, row) in all::<WebhookKeys>(store)? {
        let (number, batch) = (digits(&key)?, row.first_seen_wall_ms);
        check("webhook_keys", number, row == webhook(number, batch))?;
        found.push((number, batch));
    }
    let rows = found.iter().map(|(number, _)| *number).collect();
    let events = events::read_all(store)?;
    found.extend(events.iter().map(|event| (event.number, event.batch)));
    for some in found.chunks(ROWS_PER_LINE) {
        let words: Vec<String> = some.iter().map(|(number, batch)| format!("{number}:{batch}")).collect();
        say(&format!("rows {}", words.join(" ")))?;
    }
    Ok((rows, events))
}

fn all<T: Table>(store: &Store) -> Outcome<Vec<(T::Key, T::Row)>> {
    Ok(store.query(&Query::<T>::all().limit(usize::MAX))?)
}

fn check(table: &str, number: u64, is_as_written: bool) -> Outcome<()> {
    if !is_as_written {
        say(&format!("bad {table} {number}"))?;
    }
    Ok(())
}

fn digits(text: &str) -> Outcome<u64> {
    Ok(text.trim_start_matches(|letter: char| !letter.is_ascii_digit()).parse()?)
}

pub(crate) fn call_id(number: u64) -> Outcome<CallId> {
    Ok(format!("CA{number:032}").parse()?)
}

fn turn_key(number: u64) -> Outcome<TurnKey> {
    Ok(TurnKey { call: call_id(number)?, turn: TurnId(7) })
}

fn form_key(number: u64) -> Outcome<FormKey> {
    Ok(FormKey { call: call_id(number)?, form: "office".to_owned() })
}

fn voicemail_key(number: u64) -> Outcome<VoicemailKey> {
    Ok(VoicemailKey { received_wall_ms: number, call: call_id(number)? })
}

fn token(number: u64) -> String {
    format!("token-{number:020}")
}

/// Text of a length between nothing and a kilobyte, seldom of sixteen.
pub(crate) fn text(number: u64, batch: u64) -> String {
    let mut random = StdRng::seed_from_u64(number.rotate_left(32) ^ batch);
    let longest = if random.random_ratio(1, 50) { 16_384 } else { 1_024 };
    let letters = (0..random.random_range(0..longest)).map(|_| char::from(random.random_range(b'a'..=b'z')));
    letters.collect()
}

fn call(number: u64, batch: u64) -> Outcome<CallRecord> {
    let record = CallRecord::started(call_id(number)?, Pii::new(text(number, batch)), Pii::default(), number);
    Ok(CallRecord { boot: batch, ..record })
}

fn turn(number: u64, batch: u64) -> Outcome<TurnRow> {
    Ok(TurnRow {
        call: call_id(number)?,
        turn: TurnId(7),
        at: CallTime::from_millis(batch),
        caller: Pii::new(text(number, batch)),
        agent: Pii::default(),
        language: Language::English,
        interrupted: false,
        latencies: TurnLatencies::default(),
        weather: Weather::default(),
    })
}

fn form(number: u64, batch: u64) -> Outcome<FormRow> {
    let FormKey { call, form } = form_key(number)?;
    let record = Pii::new(serde_json::json!({ "text": text(number, batch) }));
    Ok(FormRow { call, form, saved_wall_ms: batch, complete: true, record })
}

fn voicemail(number: u64, batch: u64) -> Outcome<VoicemailRecord> {
    Ok(VoicemailRecord {
        duration_ms: batch,
        transcript: Some(Pii::new(text(number, batch))),
        ..VoicemailRecord::received(voicemail_key(number)?, Pii::default(), VoicemailPath::CarrierAction)
    })
}

fn webhook(number: u64, batch: u64) -> WebhookRow {
    WebhookRow { first_seen_wall_ms: batch, route: text(number, batch) }
}
