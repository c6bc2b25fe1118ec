//! What the model may do.
//!
//! A call's arguments are the words of a stranger: they are read strictly, and what does not fit has no effect but an
//! answer that says so.

use core::fmt;

use serde_json::{Map, Value as Json, json};
use units::Language;

use super::hours::Weekday;
use super::memory::Memory;
use super::prompt::office_language;
use super::{Now, OfficeFacts};
use crate::form::{Confirmation, Field, FieldKind};
use crate::machine::shared::{CALLER_NUMBER, MAX_TEXT, phone};
use crate::record::{Outcome, Value};
use crate::{FillError, Receptionist};

const FILL: &str = "fill_form";
const TRANSFER: &str = "transfer_to_human";
const MESSAGE: &str = "take_message";
const END: &str = "end_call";
const HOURS: &str = "opening_hours";
/// The names of all tools.
pub(super) const NAMES: [&str; 5] = [FILL, TRANSFER, MESSAGE, END, HOURS];

/// In the form's tool: which fields the caller has agreed to.
const CONFIRMED: &str = "confirmed";
/// The longest arguments read, in bytes: a whole form of Hebrew text.
const MAX_ARGUMENTS: usize = 16 * 1024;

/// A tool as the model is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// What it does, for the model.
    pub description: String,
    /// Its arguments, as a JSON schema.
    pub parameters: Json,
}

/// A tool called by the model. `Debug` does not show the arguments.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Its id, to be given back with the answer.
    pub id: String,
    /// The tool's name, as the model wrote it.
    pub name: String,
    /// The arguments as JSON text, as the model wrote them.
    pub arguments: String,
}

impl fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCall").finish_non_exhaustive()
    }
}

/// What came of a call.
#[derive(Default)]
pub(super) struct Done {
    /// What the model is told.
    pub(super) answer: String,
    /// Whether something asked for was not done.
    pub(super) is_refused: bool,
    /// Whether anything about the form or the call's end has changed.
    pub(super) has_effect: bool,
    /// How the call is to end.
    pub(super) ending: Option<Outcome>,
    /// What the caller wants to hear.
    pub(super) hours: Option<String>,
}

/// Where a call happens.
pub(super) struct Place<'a> {
    pub(super) facts: &'a OfficeFacts,
    pub(super) now: Option<&'a Now>,
    pub(super) memory: &'a Memory,
}

/// Returns the tools of a call.
pub(super) fn offered(receptionist: &Receptionist, facts: &OfficeFacts) -> Vec<Tool> {
    let mut tools = vec![Tool {
        name: FILL,
        description: "Writes what the caller said into the form. Give only what the caller has said.".to_owned(),
        parameters: form_schema(receptionist),
    }];
    let reason = || object(&json!({ "reason": text_schema("Why, in the caller's words.") }), &["reason"]);
    if facts.can_transfer {
        tools.push(Tool {
            name: TRANSFER,
            description: "Puts the caller through to a person in the office. The call with you ends.".to_owned(),
            parameters: reason(),
        });
    }
    tools.push(Tool {
        name: MESSAGE,
        description: "Lets the caller leave a recorded message. The call with you ends.".to_owned(),
        parameters: reason(),
    });
    tools.push(Tool {
        name: END,
        description: "Ends the call, after you have said goodbye.".to_owned(),
        parameters: object(&json!({}), &[]),
    });
    if facts.hours.is_known() {
        let days: Vec<&str> = Weekday::ALL.iter().map(|day| day.word()).chain(["today", "tomorrow"]).collect();
        tools.push(Tool {
            name: HOURS,
            description: "Looks up when the office is open on a day.".to_owned(),
            parameters: object(&json!({ "day": { "type": "string", "enum": days } }), &["day"]),
        });
    }
    tools
}

/// Does what a call asks for, as far as it may.
pub(super) fn run(receptionist: &mut Receptionist, place: &Place<'_>, name: &str, arguments: &str) -> Done {
    let Some(arguments) = read(arguments) else { return refused("the arguments must be one JSON object") };
    match name {
        FILL => fill(receptionist, place, &arguments),
        TRANSFER if !place.facts.can_transfer => refused("nobody can be put through; offer to take a message"),
        TRANSFER => end_with_reason(receptionist, &arguments, Outcome::Transfer),
        MESSAGE => end_with_reason(receptionist, &arguments, Outcome::Voicemail),
        END if !arguments.is_empty() => refused("this tool has no arguments"),
        END => {
            let outcome = if receptionist.record().complete { Outcome::Completed } else { Outcome::Goodbye };
            ending(outcome)
        }
        HOURS => hours(receptionist, place, &arguments),
        _ => refused("there is no such tool"),
    }
}

fn read(arguments: &str) -> Option<Map<String, Json>> {
    if arguments.trim().is_empty() {
        return Some(Map::new());
    }
    if arguments.len() > MAX_ARGUMENTS {
        return None;
    }
    match serde_json::from_str(arguments) {
        Ok(Json::Object(arguments)) => Some(arguments),
        Ok(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_)) | Err(_) => None,
    }
}

fn refused(why: &str) -> Done {
    Done { answer: json!({ "error": why }).to_string(), is_refused: true, ..Done::default() }
}

fn ending(outcome: Outcome) -> Done {
    let answer = json!({ "ok": true }).to_string();
    Done { answer, has_effect: true, ending: Some(outcome), ..Done::default() }
}

fn fill(receptionist: &mut Receptionist, place: &Place<'_>, arguments: &Map<String, Json>) -> Done {
    let has_such_field = receptionist.form().field(CONFIRMED).is_some();
    let list = arguments.get(CONFIRMED).filter(|_| !has_such_field);
    let confirmed: Vec<&str> = list.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
    let mut done = Done::default();
    let mut wrong = Map::new();
    let mut unknown = 0_u32;
    if list.is_some_and(|list| !list.is_array() && !list.is_null()) {
        wrong.insert(CONFIRMED.to_owned(), json!("expected a list of field ids"));
    }
    for (id, value) in arguments.iter().filter(|(id, value)| (has_such_field || *id != CONFIRMED) && !value.is_null()) {
        let agreed = confirmed.contains(&id.as_str()) && may_confirm(receptionist, place, id, Some(value));
        match receptionist.fill(id, value, agreed) {
            Ok(()) => done.has_effect = true,
            Err(FillError::UnknownField) => unknown = unknown.saturating_add(1),
            Err(FillError::WrongValue { field, expected }) => {
                wrong.insert(field, Json::String(format!("expected {expected}")));
            }
        }
    }
    for id in confirmed {
        let is_given = arguments.get(id).is_some_and(|value| !value.is_null());
        if !is_given && may_confirm(receptionist, place, id, None) {
            done.has_effect |= receptionist.confirm(id);
        }
    }
    done.is_refused = unknown > 0 || !wrong.is_empty();
    done.answer = form_state(receptionist, wrong, unknown);
    done
}

/// Whether a value may count as agreed to: a phone number that is to be read back must have been heard by the caller,
/// whatever the model says about it.
fn may_confirm(receptionist: &Receptionist, place: &Place<'_>, id: &str, value: Option<&Json>) -> bool {
    let Some((field, held)) = receptionist.known().find(|(field, _)| field.id == id) else { return false };
    if field.kind != FieldKind::Phone || field.confirm != Confirmation::Ask {
        return true;
    }
    let number = match (value, held.map(|held| held.value.reveal())) {
        (Some(value), _) => value.as_str().and_then(phone),
        (None, Some(Value::Phone(number))) => Some(number.clone()),
        (None, Some(Value::Text(_) | Value::Number(_) | Value::Choice(_) | Value::YesNo(_)) | None) => None,
    };
    number.is_some_and(|number| place.memory.has_read_back(&number))
}

/// Returns what is still to do, by field ids; no values.
fn form_state(receptionist: &Receptionist, wrong: Map<String, Json>, unknown: u32) -> String {
    let missing: Vec<&str> =
        receptionist.known().filter(|(_, held)| held.is_none()).map(|(field, _)| field.id.as_str()).collect();
    let open = |(field, held): &(&Field, Option<&crate::FieldRecord>)| {
        field.confirm == Confirmation::Ask && held.is_some_and(|held| !held.confirmed)
    };
    let unconfirmed: Vec<&str> = receptionist.known().filter(open).map(|(field, _)| field.id.as_str()).collect();
    let mut state = Map::new();
    if !wrong.is_empty() {
        state.insert("not_taken".to_owned(), Json::Object(wrong));
    }
    if unknown > 0 {
        state.insert("unknown_fields".to_owned(), json!(unknown));
    }
    state.insert("missing".to_owned(), json!(missing));
    state.insert("read_back_and_ask".to_owned(), json!(unconfirmed));
    Json::Object(state).to_string()
}

/// Ends the call; the reason goes into the form if that asks for one and has none yet.
fn end_with_reason(receptionist: &mut Receptionist, arguments: &Map<String, Json>, outcome: Outcome) -> Done {
    if arguments.keys().any(|key| key != "reason") {
        return refused("the only argument is reason");
    }
    let reason = match arguments.get("reason") {
        None | Some(Json::Null) => None,
        Some(Json::String(reason)) => Some(Json::String(reason.chars().take(MAX_TEXT).collect())),
        Some(Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_)) => {
            return refused("reason must be a text");
        }
    };
    let open = receptionist.known().find(|(field, held)| field.kind == FieldKind::Reason && held.is_none());
    if let (Some(reason), Some(id)) = (reason, open.map(|(field, _)| field.id.clone())) {
        // An empty reason is no reason not to end the call.
        let _not_taken = receptionist.fill(&id, &reason, false);
    }
    ending(outcome)
}

fn hours(receptionist: &Receptionist, place: &Place<'_>, arguments: &Map<String, Json>) -> Done {
    let word = arguments.get("day").and_then(Json::as_str).map(str::to_lowercase);
    let today = place.now.map(|now| now.weekday);
    let day = match word.as_deref() {
        Some("today") => today,
        Some("tomorrow") => today.map(Weekday::next),
        Some(word) => Weekday::ALL.into_iter().find(|day| day.word() == word),
        None => None,
    };
    let Some(day) = day.filter(|_| arguments.len() == 1) else {
        return refused("the only argument is day, a day of the week in English");
    };
    let spoken = place.facts.hours.spoken(day, receptionist.language());
    Done { answer: json!({ "hours": spoken }).to_string(), hours: Some(spoken), ..Done::default() }
}

fn object(properties: &Json, required: &[&str]) -> Json {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn text_schema(description: &str) -> Json {
    json!({ "type": "string", "description": description, "maxLength": MAX_TEXT })
}

fn form_schema(receptionist: &Receptionist) -> Json {
    let form = receptionist.form();
    let language = office_language(form);
    let has_caller_number = receptionist.caller_number_ending().is_some();
    let mut properties: Map<String, Json> =
        form.fields.iter().map(|field| (field.id.clone(), field_schema(field, language, has_caller_number))).collect();
    let ids: Vec<&str> = form.fields.iter().map(|field| field.id.as_str()).collect();
    properties.entry(CONFIRMED).or_insert_with(|| {
        json!({
            "type": "array",
            "description": "Fields whose value the caller has heard back and agreed to.",
            "items": { "type": "string", "enum": ids },
        })
    });
    object(&Json::Object(properties), &[])
}

fn field_schema(field: &Field, language: Language, has_caller_number: bool) -> Json {
    let label = field.label.get(language);
    match &field.kind {
        FieldKind::Name | FieldKind::Reason | FieldKind::Text => text_schema(label),
        FieldKind::DateTime => text_schema(&format!("{label}: a day, a time or both, in the caller's words")),
        FieldKind::Phone => {
            let own = if has_caller_number {
                format!(", or {CALLER_NUMBER} for the number the call comes from")
            } else {
                String::new()
            };
            json!({ "type": "string", "description": format!("{label}: all digits as dialled{own}") })
        }
        FieldKind::Choice(choices) => {
            let ids: Vec<&str> = choices.iter().map(|choice| choice.id.as_str()).collect();
            let said: Vec<String> =
                choices.iter().map(|choice| format!("{} ({})", choice.id, choice.say.get(language))).collect();
            json!({ "type": "string", "description": format!("{label}: {}", said.join(", ")), "enum": ids })
        }
        FieldKind::Number(range) => {
            json!({ "type": "number", "description": label, "minimum": range.min, "maximum": range.max })
        }
        FieldKind::YesNo => json!({ "type": "boolean", "description": label }),
    }
}
