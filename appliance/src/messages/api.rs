//! The interface for the office's own programs: what was written, and writing.

mod view;

use std::io;
use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use messaging::outbound::{OutboundContent, OutboundMedia};
use messaging::{Provider, Refusal, Refused, UnixTime};
use schemars::JsonSchema;
use serde::Deserialize;
use store::{
    Author, ConversationId, Conversations, FileState, MessageKey, MessageRow, Messages, Order, Outgoing, OutgoingKey,
    OutgoingRow, Query as Rows,
};
use telephony::wire::Address;
use units::Pii;

use self::view::{ConversationView, MessageView};
use super::MessagesError;
use super::desk::{Desk, address, outbound};
use super::notice::office_address;
use super::trim::REQUESTS_FOR;
use crate::api::reply::{Answer, Page};
use crate::api::request::{Json, Paging, Path, Query};
use crate::api::{Operation, Problem, Scope};
use crate::app::Parts;

/// Longest name of a request, in bytes.
const MAX_KEY_LEN: usize = 255;
/// The header with it.
const KEY_HEADER: &str = "Idempotency-Key";

/// What this part of the API can do.
pub fn operations() -> Vec<Operation> {
    let (read, write) = (Scope::MessagesRead, Scope::MessagesWrite);
    vec![
        Operation::post("/whatsapp/messages", "send_message", "Sends a text message.", write, send)
            .takes::<Sending>()
            .answers::<MessageView>(202, "It is queued; its state says what becomes of it.")
            .needs_key(REQUESTS_FOR),
        Operation::get("/whatsapp/messages/{id}", "message", "Returns a message and its state.", read, message)
            .answers::<MessageView>(200, "The message as it is now."),
        Operation::get(
            "/whatsapp/messages/{id}/files/{index}",
            "message_file",
            "Returns a file of a message.",
            read,
            file,
        )
        .answers_with(200, "The file.", "application/octet-stream")
        .refuses(410),
        Operation::get(
            "/whatsapp/conversations",
            "conversations",
            "Lists conversations, the one with the latest message first.",
            read,
            conversations,
        )
        .pages::<ConversationView>(),
        Operation::get(
            "/whatsapp/conversations/{id}/messages",
            "conversation_messages",
            "Lists the messages of a conversation, the newest first.",
            read,
            messages_of,
        )
        .pages::<MessageView>(),
        Operation::post(
            "/whatsapp/conversations/{id}/take-over",
            "take_over",
            "Lets a person answer from here on; the box is silent.",
            write,
            take_over,
        )
        .answers::<ConversationView>(200, "As it is now."),
        Operation::post(
            "/whatsapp/conversations/{id}/hand-back",
            "hand_back",
            "Lets the box answer again.",
            write,
            hand_back,
        )
        .answers::<ConversationView>(200, "As it is now."),
    ]
}

/// A message to be sent: exactly one of `text`, `media` and `template`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MessageToSend")]
struct Sending {
    /// To whom: `whatsapp:` and a number in E.164, or the number alone for an SMS.
    to: String,
    /// Words. On `WhatsApp` only within 24 hours of the last message of the other side.
    #[serde(default)]
    text: Option<String>,
    /// A file, under the same rule.
    #[serde(default)]
    media: Option<SendingMedia>,
    /// A template of the box's configuration, at any time.
    #[serde(default)]
    template: Option<SendingTemplate>,
}

/// A file to be sent. The provider fetches it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MediaToSend")]
struct SendingMedia {
    /// Where the provider fetches it: `https`.
    url: String,
    /// Its media type, such as `image/jpeg`.
    content_type: String,
    /// The words under it.
    #[serde(default)]
    caption: Option<String>,
    /// Its size in bytes, where it is known.
    #[serde(default)]
    bytes: Option<u64>,
}

/// A template to be sent.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TemplateToSend")]
struct SendingTemplate {
    /// Its name in the box's configuration, `messages.templates`.
    name: String,
    /// The values of its places, in order.
    #[serde(default)]
    variables: Vec<String>,
}

async fn send(State(parts): State<Arc<Parts>>, headers: HeaderMap, Json { value, digest }: Json<Sending>) -> Answer {
    let key = headers.get(KEY_HEADER).and_then(|value| value.to_str().ok()).map(str::trim).unwrap_or_default();
    if key.is_empty() || key.len() > MAX_KEY_LEN {
        let expected =
            format!("expected a name of the request, 1 to {MAX_KEY_LEN} ASCII characters, new for each message");
        return Err(Problem::bad_field(KEY_HEADER, expected));
    }
    let to = Address::of(&value.to);
    if !matches!(to, Address::WhatsApp(_) | Address::Phone(_)) {
        return Err(Problem::bad_field("to", "expected 'whatsapp:+972501234567', or '+972501234567' for an SMS"));
    }
    let content = content(&parts, value)?;
    let request = OutgoingKey::request(&format!("api:{key}"));
    let queued = parts.at_desk(move |desk| queue(desk, &request, digest, &Pii::new(to), content)).await;
    let (key, row) = queued.map_err(problem)??;
    Ok((StatusCode::ACCEPTED, axum::Json(MessageView::of(&key, &row))).into_response())
}

/// Reads what is to be sent.
fn content(parts: &Parts, sending: Sending) -> Result<OutboundContent, Problem> {
    match (sending.text, sending.media, sending.template) {
        (Some(text), None, None) => Ok(OutboundContent::Text(Pii::new(text))),
        (None, Some(media), None) => Ok(OutboundContent::Media(OutboundMedia {
            url: Pii::new(media.url),
            caption: media.caption.map(Pii::new),
            content_type: media.content_type,
            bytes: media.bytes,
        })),
        (None, None, Some(template)) => {
            let variables = template.variables.into_iter().map(Pii::new).collect();
            let found = parts.config.messages.template(&template.name, variables);
            found.map(OutboundContent::Template).ok_or_else(|| {
                Problem::refused("template-unknown", "There is no such template")
                    .field("template.name")
                    .detail("expected a name in messages.templates of the box's configuration")
            })
        }
        _ => Err(Problem::bad_field("text", "expected exactly one of 'text', 'media' and 'template'")),
    }
}

/// Queues a message, or returns the one that the same request made before.
fn queue(
    desk: &mut Desk<'_>,
    request: &OutgoingKey,
    digest: String,
    to: &Pii<Address>,
    content: OutboundContent,
) -> Result<Result<(MessageKey, MessageRow), Problem>, MessagesError> {
    if let Some(known) = desk.store.get::<Outgoing>(request)? {
        if known.digest != digest {
            let problem = Problem::refused("key-reused", "The idempotency key was used for another body");
            return Ok(Err(problem.field(KEY_HEADER).detail("expected a new one for another message")));
        }
        let Some(key) = known.message else { return Ok(Err(Problem::internal())) };
        return Ok(desk.message(&key)?.map(|row| (key, row)).ok_or_else(|| Problem::not_found("message any more")));
    }
    let parts = desk.parts;
    let Some(carrier) = parts.messages.carrier_of(to.reveal()) else {
        return Ok(Err(refused(&Refusal::SenderInvalid.into_refused("to"), None)));
    };
    let Some(from) = office_address(&parts.config.messages, to.reveal()) else {
        let detail = "expected messages.whatsapp_number or messages.sms_number in the box's configuration";
        return Ok(Err(refused(&Refusal::SenderInvalid.into_refused("to"), Some(carrier.name())).detail(detail)));
    };
    let now = UnixTime::from_millis(desk.now_ms);
    let (id, row) = desk.conversation_of(to, &from)?;
    let message = outbound(row, &content);
    let checked = carrier.check(&message, &from).and_then(|()| row.state.check(now, &message));
    if let Err(error) = checked {
        desk.take_out(id);
        return Ok(Err(refused(&error, Some(carrier.name()))));
    }
    // Whoever writes by hand takes over; a template is often sent by a program.
    if !matches!(content, OutboundContent::Template(_)) {
        row.state.note_human_wrote(now);
    }
    if desk.is_full(&id) {
        desk.take_out(id);
        return Ok(Err(Problem::too_many().detail("too many messages wait in this conversation")));
    }
    let row = MessageRow::new(store::Said::Outbound(content.clone()), Author::Person, desk.now_ms);
    let key = desk.queue(id, content, Author::Person)?;
    let known = OutgoingRow { put_ms: desk.now_ms, message: Some(key), digest, ..OutgoingRow::default() };
    desk.batch.put::<Outgoing>(request, &known)?;
    Ok(Ok((key, row)))
}

async fn message(State(parts): State<Arc<Parts>>, Path(id): Path<String>) -> Answer {
    let (key, row) = find(&parts, &id).await?;
    Ok(axum::Json(MessageView::of(&key, &row)).into_response())
}

async fn file(State(parts): State<Arc<Parts>>, Path((id, index)): Path<(String, usize)>) -> Answer {
    let (_, row) = find(&parts, &id).await?;
    let (files, row) = (parts.messages.files.clone(), row.files.into_iter().nth(index).unwrap_or_default());
    if row.state == FileState::Dropped {
        return Err(Problem::gone("file"));
    }
    let name = row.name.ok_or_else(|| Problem::not_found("file"))?;
    let bytes = tokio::task::spawn_blocking(move || files.read(&name)).await.map_err(|_stopped| Problem::internal())?;
    let bytes = bytes.map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return Problem::gone("file");
        }
        tracing::warn!(error = &error as &dyn std::error::Error, "file of a message not read");
        Problem::internal()
    })?;
    // Whatever somebody sent, a browser does not show it as a page of the box.
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, bytes).into_response())
}

async fn find(parts: &Parts, id: &str) -> Result<(MessageKey, MessageRow), Problem> {
    let key: MessageKey = id.parse().map_err(|_error| Problem::not_found("message"))?;
    let found = parts.archive.blocking(move |archive| Some(archive.store()?.get::<Messages>(&key)));
    let row = found.await.flatten().ok_or_else(Problem::no_store)??;
    Ok((key, row.ok_or_else(|| Problem::not_found("message"))?))
}

async fn conversations(State(parts): State<Arc<Parts>>, asked: OriginalUri, Query(paging): Query<Paging>) -> Answer {
    let count = paging.count()?;
    let after = paging.cursor::<MessageKey>()?.map(|key| (key.at_ms, key.conversation));
    let latest = parts.messages.latest(after, count.saturating_add(1));
    let listing = Arc::clone(&parts);
    let read = parts.archive.blocking(move |archive| {
        let store = archive.store()?;
        let now = UnixTime::from_millis(listing.clock.wall_ms());
        let view = |(_, id): (u64, ConversationId)| {
            let row = store.get::<Conversations>(&id)?;
            Ok(row.map(|row| ConversationView::of(&id, &row, &listing.messages.rules, now)))
        };
        Some(latest.into_iter().filter_map(|last| view(last).transpose()).collect::<Result<Vec<_>, store::ReadError>>())
    });
    let views = read.await.flatten().ok_or_else(Problem::no_store)??;
    Ok(Page::of(views, count, ConversationView::place).answer(&asked))
}

async fn messages_of(
    State(parts): State<Arc<Parts>>,
    asked: OriginalUri,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer {
    let id: ConversationId = id.parse().map_err(|_error| Problem::not_found("conversation"))?;
    let count = paging.count()?;
    let mut query = Rows::<Messages>::of_conversation(&id).order(Order::Descending).limit(count.saturating_add(1));
    if let Some(before) = paging.cursor::<MessageKey>()?.filter(|key| key.conversation == id) {
        query = query.before(&before);
    }
    let read = parts.archive.blocking(move |archive| {
        let store = archive.store()?;
        Some(store.get::<Conversations>(&id).and_then(|row| Ok((row, store.query(&query)?))))
    });
    let (row, rows) = read.await.flatten().ok_or_else(Problem::no_store)??;
    row.ok_or_else(|| Problem::not_found("conversation"))?;
    let views = rows.iter().map(|(key, row)| MessageView::of(key, row)).collect();
    Ok(Page::of(views, count, |view: &MessageView| view.id.clone()).answer(&asked))
}

async fn take_over(State(parts): State<Arc<Parts>>, Path(id): Path<String>) -> Answer {
    change(&parts, &id, |row, now| row.state.take_over(now)).await
}

async fn hand_back(State(parts): State<Arc<Parts>>, Path(id): Path<String>) -> Answer {
    change(&parts, &id, |row, _now| row.state.hand_back()).await
}

async fn change(
    parts: &Arc<Parts>,
    id: &str,
    change: impl FnOnce(&mut store::ConversationRow, UnixTime) + Send + 'static,
) -> Answer {
    let id: ConversationId = id.parse().map_err(|_error| Problem::not_found("conversation"))?;
    let changed = parts.at_desk(move |desk| {
        let (now, rules) = (UnixTime::from_millis(desk.now_ms), desk.parts.messages.rules);
        let Some(row) = desk.conversation(id)? else { return Ok(None) };
        change(row, now);
        Ok(Some(ConversationView::of(&id, row, &rules, now)))
    });
    let view = changed.await.map_err(problem)?.ok_or_else(|| Problem::not_found("conversation"))?;
    Ok(axum::Json(view).into_response())
}

/// Says why a message is not sent, by the refusal's name.
fn refused(refused: &Refused, provider: Option<Provider>) -> Problem {
    let word = refused.refusal.name().replace('_', "-");
    let hint = if refused.refusal == Refusal::WindowClosed { "; send a 'template' instead" } else { "" };
    let code = provider.and_then(|provider| refused.code(provider));
    let code = code.map_or_else(String::new, |code| format!(" (the provider's code is {code})"));
    Problem::refused(&word, "The message is not sent")
        .field(refused.field)
        .detail(format!("{}{hint}{code}", refused.refusal))
}

fn problem(error: MessagesError) -> Problem {
    match error {
        MessagesError::NoStore => Problem::no_store(),
        MessagesError::Read(error) => error.into(),
        MessagesError::Commit(error) => error.into(),
        MessagesError::Overloaded => Problem::too_many(),
        MessagesError::Stopped => Problem::internal(),
    }
}

/// Returns the address as it was written in a row.
pub(super) fn number(text: &Pii<String>) -> String {
    address(text).reveal().text()
}
