//! What is answered: types of their own, so that rows may change.

use messaging::conversation::{Answerer, Config, Model};
use messaging::message::Content;
use messaging::outbound::OutboundContent;
use messaging::window::Allowed;
use messaging::{State, UnixTime};
use schemars::JsonSchema;
use serde::Serialize;
use store::{Author, ConversationId, ConversationRow, Delivery, FileState, MessageKey, MessageRow, Said};

use super::number;

/// A message.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Message")]
pub(super) struct MessageView {
    /// Its name.
    pub(super) id: String,
    /// Its conversation.
    conversation: String,
    /// `in` for one to the office, `out` for one of it.
    direction: &'static str,
    /// `contact`, `model`, `receptionist`, `person`, `notice` or `confirmation`.
    author: &'static str,
    /// When it was sent, in milliseconds since 1970.
    at_wall_ms: u64,
    /// `text`, `media`, `voice_note`, `button`, `location`, `reaction`, `contacts`, `template` or `unknown`.
    kind: &'static str,
    /// The words, also those under a file; of a voice note what was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The language of a voice note's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'static str>,
    /// The template's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    /// Its files.
    files: Vec<FileView>,
    /// `received` for one to the office; `queued`, `sending`, `accepted`, `sent`, `delivered`, `read`, `failed`,
    /// `refused`, `uncertain` or `withdrawn` for one of it.
    state: &'static str,
    /// Why it was refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<RefusalView>,
}

/// A file of a message.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MessageFile")]
struct FileView {
    /// Its media type.
    content_type: String,
    /// `waiting`, `here`, `too_large`, `damaged`, `missing` or `dropped`.
    state: &'static str,
    /// How many bytes it has, once it is here.
    bytes: u64,
}

/// Why a message did not get through.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MessageRefusal")]
struct RefusalView {
    /// The refusal's name, such as `window_closed`.
    name: String,
    /// The provider's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
}

impl MessageView {
    pub(super) fn of(key: &MessageKey, row: &MessageRow) -> Self {
        let (kind, text, template, media) = match &row.said {
            Said::Inbound(content) => inbound(content),
            Said::Outbound(content) => outbound(content),
        };
        let transcript = row.transcript.as_ref();
        let files = media.into_iter().zip(row.files.iter()).map(|(content_type, file)| FileView {
            content_type,
            state: file_state(file.state),
            bytes: file.bytes,
        });
        Self {
            id: key.to_string(),
            conversation: key.conversation.to_string(),
            direction: if matches!(row.said, Said::Inbound(_)) { "in" } else { "out" },
            author: author(row.author),
            at_wall_ms: row.wall_ms,
            kind,
            text: transcript.map(|heard| heard.text.reveal().clone()).or(text),
            language: transcript.map(|heard| heard.language.code()),
            template,
            files: files.collect(),
            state: state(row),
            refusal: refusal(row),
        }
    }
}

/// Kind, words, template and media types of a message.
type Told = (&'static str, Option<String>, Option<String>, Vec<String>);

fn inbound(content: &Content) -> Told {
    match content {
        Content::Text(text) => ("text", Some(text.reveal().clone()), None, Vec::new()),
        Content::Media { items, caption } => {
            let types = items.iter().map(|item| item.content_type.clone()).collect();
            ("media", caption.as_ref().map(|text| text.reveal().clone()), None, types)
        }
        Content::VoiceNote(media) => ("voice_note", None, None, vec![media.content_type.clone()]),
        Content::Button { text, .. } => ("button", Some(text.reveal().clone()), None, Vec::new()),
        Content::Location(place) => {
            let degrees = |micros: i32| f64::from(micros) / 1e6;
            let place = place.reveal();
            let text = format!("{},{}", degrees(place.latitude_micros), degrees(place.longitude_micros));
            ("location", Some(text), None, Vec::new())
        }
        Content::Reaction { emoji, .. } => {
            ("reaction", emoji.as_ref().map(|emoji| emoji.reveal().clone()), None, Vec::new())
        }
        Content::Contacts(_) => ("contacts", None, None, Vec::new()),
        Content::Unknown { .. } => ("unknown", None, None, Vec::new()),
    }
}

fn outbound(content: &OutboundContent) -> Told {
    match content {
        OutboundContent::Text(text) => ("text", Some(text.reveal().clone()), None, Vec::new()),
        OutboundContent::Media(media) => {
            ("media", media.caption.as_ref().map(|text| text.reveal().clone()), None, Vec::new())
        }
        OutboundContent::Template(template) => ("template", None, Some(template.name.clone()), Vec::new()),
    }
}

fn author(author: Author) -> &'static str {
    match author {
        Author::Contact => "contact",
        Author::Model => "model",
        Author::Receptionist => "receptionist",
        Author::Person => "person",
        Author::Notice => "notice",
        Author::Confirmation => "confirmation",
        Author::Unknown => "unknown",
    }
}

fn file_state(state: FileState) -> &'static str {
    match state {
        FileState::Waiting => "waiting",
        FileState::Here => "here",
        FileState::TooLarge => "too_large",
        FileState::Damaged => "damaged",
        FileState::Missing => "missing",
        FileState::Dropped => "dropped",
    }
}

fn state(row: &MessageRow) -> &'static str {
    if matches!(row.said, Said::Inbound(_)) {
        return "received";
    }
    match (row.delivery, row.progress.state()) {
        (Delivery::Accepted, Some(State::Queued)) => "queued",
        (Delivery::Accepted, Some(State::Sent)) => "sent",
        (Delivery::Accepted, Some(State::Delivered)) => "delivered",
        (Delivery::Accepted, Some(State::Read)) => "read",
        (Delivery::Accepted, Some(State::Failed { .. })) => "failed",
        (Delivery::Accepted, Some(State::Accepted) | None) => "accepted",
        (Delivery::Queued, _) => "queued",
        (Delivery::Sending, _) => "sending",
        (Delivery::Refused { .. }, _) => "refused",
        (Delivery::Uncertain, _) => "uncertain",
        (Delivery::Withdrawn, _) => "withdrawn",
    }
}

fn refusal(row: &MessageRow) -> Option<RefusalView> {
    if let Delivery::Refused { refusal, code } = row.delivery {
        return Some(RefusalView { name: refusal.name().to_owned(), code });
    }
    match (row.progress.state(), row.provider) {
        (Some(State::Failed { code: Some(code), .. }), Some(provider)) => {
            let refusal = messaging::Refusal::of(provider, *code);
            Some(RefusalView { name: refusal.name().to_owned(), code: Some(*code) })
        }
        _ => None,
    }
}

/// A conversation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Conversation")]
pub(super) struct ConversationView {
    /// Its name.
    id: String,
    /// The other side: `whatsapp:` and a number, or a number.
    contact: String,
    /// The office's side.
    office: String,
    /// What the other side calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// When something was last said, in milliseconds since 1970.
    last_wall_ms: u64,
    /// Who answers: `box`, `person`, or `nobody` when the other side opted out.
    answers: &'static str,
    /// Until when free text is allowed, in milliseconds since 1970; null when only a template is.
    free_text_until_wall_ms: Option<u64>,
}

impl ConversationView {
    pub(super) fn of(id: &ConversationId, row: &ConversationRow, rules: &Config, now: UnixTime) -> Self {
        let until = match row.state.window().allowed(now) {
            Allowed::FreeText { until } => Some(until.as_millis()),
            Allowed::TemplateOnly => None,
        };
        Self {
            id: id.to_string(),
            contact: number(&row.theirs),
            office: number(&row.ours),
            name: row.name.as_ref().map(|name| name.reveal().clone()),
            last_wall_ms: row.last_ms,
            answers: match row.state.answerer(rules, now, Model::Reachable) {
                Answerer::Model | Answerer::Receptionist => "box",
                Answerer::Human => "person",
                Answerer::Nobody => "nobody",
            },
            free_text_until_wall_ms: until,
        }
    }

    /// Returns where it stands in the list.
    pub(super) fn place(&self) -> String {
        format!("{}-{}", self.id, self.last_wall_ms)
    }
}
