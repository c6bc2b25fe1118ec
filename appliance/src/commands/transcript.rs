//! A call as the box kept it, for people to read.

use store::{CallRecord, Calls, Forms, Query, Store, TurnRow, VoicemailRecord, Voicemails};
use units::CallId;

use super::output;

/// What the store has of one call.
#[derive(Debug, serde::Serialize)]
pub(super) struct Kept {
    pub(super) call: Option<CallRecord>,
    pub(super) turns: Vec<TurnRow>,
    pub(super) form: Option<serde_json::Value>,
    pub(super) voicemail: Option<VoicemailRecord>,
}

impl Kept {
    /// Reads what there is.
    pub(super) fn read(store: &Store, call: &CallId) -> anyhow::Result<Self> {
        let forms = store.query(&Query::<Forms>::of_call(call))?;
        let voicemails = store.query(&Query::<Voicemails>::all())?;
        Ok(Self {
            call: store.get::<Calls>(call)?,
            turns: store.turns(call)?,
            form: forms.into_iter().next().map(|(_, row)| row.record.into_revealed()),
            voicemail: voicemails.into_iter().map(|(_, row)| row).find(|row| row.key.call == *call),
        })
    }

    /// Prints who said what when, how long the caller waited, and what was understood.
    pub(super) fn print(&self) {
        for turn in &self.turns {
            print_turn(turn);
        }
        if let Some(form) = &self.form {
            print_form(form);
        }
        if let Some(call) = self.call.as_ref().filter(|call| call.cost_micros > 0) {
            output::line(format_args!(
                "  cost        {}.{:06} dollars",
                call.cost_micros / 1_000_000,
                call.cost_micros % 1_000_000
            ));
        }
        if let Some(voicemail) = &self.voicemail {
            let transcript = voicemail.transcript.as_ref().map_or("(not transcribed)", |text| text.reveal());
            let seconds = voicemail.duration_ms / 1_000;
            output::line(format_args!("  voicemail   {seconds} s: {transcript}"));
        }
    }
}

fn print_turn(turn: &TurnRow) {
    if !turn.caller.reveal().is_empty() {
        output::line(format_args!("  {:>7}  caller: {}", turn.at, turn.caller.reveal()));
    }
    if !turn.agent.reveal().is_empty() {
        let cut = if turn.interrupted { " --" } else { "" };
        output::line(format_args!("           agent:  {}{cut}", turn.agent.reveal()));
    }
    let latencies = &turn.latencies;
    let ms = |value: Option<u32>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    if latencies.first_audio_ms.is_some() {
        output::line(format_args!(
            "           since the caller's last word: end of turn {}, transcript {}, reply {}, first audio {}",
            ms(latencies.end_of_turn_ms),
            ms(latencies.transcript_ms),
            ms(latencies.reply_ms),
            ms(latencies.first_audio_ms)
        ));
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
        let weather = &turn.weather;
        output::line(format_args!(
            "           heard by {}, replied by {}, spoken by {}",
            name(&weather.recognize),
            name(&weather.reply),
            name(&weather.synthesize)
        ));
    }
}

fn print_form(form: &serde_json::Value) {
    let Some(fields) = form.get("fields").and_then(|fields| fields.as_object()) else { return };
    for (name, field) in fields {
        let value = field.get("value").map(plain).unwrap_or_default();
        let confirmed = field.get("confirmed").and_then(serde_json::Value::as_bool) == Some(true);
        output::line(format_args!("  form        {name}: {value}{}", if confirmed { " (confirmed)" } else { "" }));
    }
}

/// Returns the text inside a value, however deep it is tagged.
pub(super) fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Object(object) => object.get("value").map(plain).unwrap_or_default(),
        serde_json::Value::Array(_)
        | serde_json::Value::Bool(_)
        | serde_json::Value::Null
        | serde_json::Value::Number(_) => value.to_string(),
    }
}
