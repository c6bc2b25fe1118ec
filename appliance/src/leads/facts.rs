//! From forms and voicemails to facts.

use std::time::Duration;

use leads::{Fact, Source, SourceKind};
use receptionist::{FieldKind, Form, FormRecord, Value};
use store::{Batch, CallRecord, EncodeError, LeadFactKey, LeadFacts, VoicemailRecord};

use super::put_fact;

/// A voicemail in which nothing was recognized is somebody's all the same, if it is longer than a receiver put down.
const SHORTEST_MESSAGE: Duration = Duration::from_secs(3);
/// Ends the name of a row whose fact tells what is said in a voicemail.
const WITH_WORDS: &str = "+words";

/// Adds what a call told to its last commit: the form, if anything of it is known.
pub fn put_call(batch: &mut Batch, form: &Form, record: &FormRecord, call: &CallRecord, now_wall_ms: u64) {
    if record.fields.is_empty() {
        return;
    }
    // The time is that of the end: a call that comes back from a transfer ends twice and tells twice.
    let source = Source { kind: SourceKind::Call, id: call.call.to_string() };
    let fact = of_form(Fact::new(source, now_wall_ms, call.from.clone()), form, record);
    keep(put_fact(batch, &fact));
}

/// Adds what a voicemail tells to the commit that makes its record: who left it, for nobody may ever know more. And to that
/// of its transcript: what is said joins what was told before. Of callers who withhold their number it is told only then,
/// because nothing would show that both are of one person.
pub fn put_voicemail(batch: &mut Batch, record: &VoicemailRecord) {
    let source = Source { kind: SourceKind::Voicemail, id: record.key.to_string() };
    let mut fact = Fact::new(source, record.key.received_wall_ms, record.caller.clone());
    fact.text = record.transcript.clone().filter(|text| !text.reveal().trim().is_empty());
    fact.language = record.language;
    let is_somebodys = fact.text.is_some() || Duration::from_millis(record.duration_ms) >= SHORTEST_MESSAGE;
    if !is_somebodys || record.transcript.is_none() && fact.phone().is_none() {
        return;
    }
    let fact = fact.bounded();
    let mut key = LeadFactKey::of(&fact);
    if fact.text.is_some() {
        // A row of its own: that of the same fact without words goes when it is folded, which may be at this moment.
        key.source.id.push_str(WITH_WORDS);
    }
    keep(batch.put::<LeadFacts>(&key, &fact));
}

/// Adds to a fact what a form holds: its values as text, the name and the number to call back by the kind of their fields.
pub fn of_form(mut fact: Fact, form: &Form, record: &FormRecord) -> Fact {
    fact.form = Some(record.form.clone());
    fact.complete = record.complete;
    fact.language = Some(record.language);
    for (id, field) in &record.fields {
        let value = field.value.clone().map(|value| text_of(&value));
        match form.field(id).map(|field| &field.kind) {
            Some(FieldKind::Name) if fact.name.is_none() => fact.name = Some(value.clone()),
            Some(FieldKind::Phone) if fact.callback.is_none() => fact.callback = Some(value.clone()),
            Some(_) | None => {}
        }
        fact.fields.insert(id.clone(), value);
    }
    fact
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Phone(text) | Value::Choice(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::YesNo(true) => "yes".to_owned(),
        Value::YesNo(false) => "no".to_owned(),
    }
}

/// Says when a fact was not put; the thing it comes from is kept in any case.
fn keep(put: Result<(), EncodeError>) {
    if let Err(error) = put {
        tracing::error!(error = &error as &dyn std::error::Error, "what was told is not made into a lead");
    }
}

#[cfg(test)]
mod tests {
    use leads::{Fact, Source, SourceKind};
    use receptionist::{Form, FormRecord};
    use serde_json::json;
    use store::{Batch, LeadFacts, Query, Store, StoreConfig, VoicemailRecord};
    use units::Pii;

    use super::{of_form, put_voicemail};

    #[test]
    fn a_forms_values_become_texts_and_its_name_and_number_are_found_by_their_kind() {
        let form = Form::from_toml(include_str!("../../forms/real-estate.toml")).unwrap();
        let field = |kind: &str, value: serde_json::Value| json!({ "value": { "kind": kind, "value": value } });
        let record: FormRecord = serde_json::from_value(json!({
            "version": 1, "form": "real-estate", "language": "he", "complete": true, "fields": {
                "name": field("text", json!("דנה לוי")), "phone": field("phone", json!("0541234567")),
                "deal": field("choice", json!("rent")), "rooms": field("number", json!(3.5)),
                "parking": field("yes_no", json!(true)) } }))
        .unwrap();
        let source = Source { kind: SourceKind::Call, id: "CA1".to_owned() };
        let fact = of_form(Fact::new(source, 5, Pii::default()), &form, &record);
        let shown: Vec<_> = fact.fields.iter().map(|(id, value)| (id.as_str(), value.reveal().as_str())).collect();
        assert_eq!(
            shown,
            [("deal", "rent"), ("name", "דנה לוי"), ("parking", "yes"), ("phone", "0541234567"), ("rooms", "3.5")]
        );
        assert_eq!(fact.name.as_ref().unwrap().reveal(), "דנה לוי");
        assert_eq!(fact.phone().unwrap(), "+972541234567");
        assert!(fact.complete && fact.form.as_deref() == Some("real-estate"));
    }

    #[test]
    fn a_receiver_put_down_at_once_is_nobodys_lead() {
        let record = |transcript: &str, duration_ms: u64| -> VoicemailRecord {
            serde_json::from_value(json!({
                "key": "1700000000000-CA1", "caller": "+972541234567", "transcript": transcript,
                "duration_ms": duration_ms }))
            .unwrap()
        };
        for (transcript, duration_ms, puts) in [("", 900, 0), ("", 5_000, 1), ("שלום", 900, 1)] {
            let mut batch = Batch::new();
            put_voicemail(&mut batch, &record(transcript, duration_ms));
            assert_eq!(batch.len(), puts, "{transcript:?} {duration_ms}");
        }
    }

    #[test]
    fn who_left_a_voicemail_is_told_before_what_was_said_unless_the_number_is_withheld() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig::new(folder.path())).unwrap();
        for (caller, transcript, waiting) in
            [("", None, 0), ("+972541234567", None, 1), ("+972541234567", None, 1), ("+972541234567", Some("שלום"), 2)]
        {
            let record: VoicemailRecord = serde_json::from_value(json!({
                "key": "1700000000000-CA1", "caller": caller, "transcript": transcript, "duration_ms": 5_000 }))
            .unwrap();
            let mut batch = Batch::new();
            put_voicemail(&mut batch, &record);
            store.commit(batch).unwrap();
            assert_eq!(store.query(&Query::<LeadFacts>::all()).unwrap().len(), waiting, "{transcript:?}");
        }
        let facts = store.query(&Query::<LeadFacts>::all()).unwrap();
        let [(without, first), (with, second)] = facts.as_slice() else { panic!("{} facts", facts.len()) };
        assert!((&first.source, first.at_wall_ms) == (&second.source, second.at_wall_ms), "one fact by its name");
        assert!(
            without != with && first.text.is_none() && second.text.is_some(),
            "folding one keeps the other waiting"
        );
    }
}
