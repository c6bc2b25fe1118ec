//! What the owner is told: put into the store with the fact it tells of, and made into messages by the worker.

use messaging::outbound::OutboundContent;
use messaging::{UnixTime, window};
use store::{Author, Batch, EncodeError, NoticeRow, Outgoing, OutgoingKey, OutgoingRow, Query};
use telephony::wire::Address;
use units::{Language, Pii};

use super::desk::{Desk, address};
use super::{Messages, MessagesError, words};
use crate::config::{Config, NoticeKind};

/// Notices made into messages at once.
const AT_ONCE: usize = 64;
/// Most characters of what was said that a notice repeats.
const MAX_CHARS: usize = 600;

impl Messages {
    /// Adds to the commit of a fact that the owner is told of it, once for each `name`, if the owner wants to be. The
    /// worker is woken by [`Messages::wake`] when the commit is done.
    pub fn put_notice(
        &self,
        batch: &mut Batch,
        config: &Config,
        kind: NoticeKind,
        name: &str,
        values: Vec<Pii<String>>,
        now_ms: u64,
    ) -> Result<(), EncodeError> {
        if config.messages.owner.is_empty() || !config.messages.notices.contains(&kind) {
            return Ok(());
        }
        let notice = Some(NoticeRow { kind: kind.as_str().to_owned(), values });
        let row = OutgoingRow { put_ms: now_ms, notice, ..OutgoingRow::default() };
        batch.put::<Outgoing>(&OutgoingKey::Notice(format!("{}:{name}", kind.as_str())), &row)
    }
}

/// Makes messages of what the owner is to be told; returns whether there may be more.
pub(super) fn make_messages(desk: &mut Desk<'_>) -> Result<bool, MessagesError> {
    let notices = desk.store.query(&Query::<Outgoing>::notices().limit(AT_ONCE))?;
    let count = notices.len();
    for (key, row) in notices {
        let OutgoingKey::Notice(name) = &key else { continue };
        let done = OutgoingKey::request(&format!("notice:{name}"));
        if let Some(notice) = row.notice
            && desk.store.get::<Outgoing>(&done)?.is_none()
        {
            tell(desk, &notice)?;
            let row = OutgoingRow { put_ms: desk.now_ms, ..OutgoingRow::default() };
            desk.batch.put::<Outgoing>(&done, &row)?;
        }
        desk.batch.delete::<Outgoing>(&key)?;
    }
    Ok(count == AT_ONCE)
}

/// Queues a notice for each address of the owner's.
fn tell(desk: &mut Desk<'_>, notice: &NoticeRow) -> Result<(), MessagesError> {
    let config = &desk.parts.config.messages;
    let language = desk.parts.config.conversation.language;
    for to in &config.owner {
        let to = address(to);
        let Some(from) = office_address(config, to.reveal()) else {
            tracing::warn!("the owner is not told, because the office's own number on that channel is not configured");
            continue;
        };
        let now = UnixTime::from_millis(desk.now_ms);
        let (id, row) = desk.conversation_of(&to, &from)?;
        let is_open = !matches!(to.reveal(), Address::WhatsApp(_))
            || matches!(row.state.window().allowed(now), window::Allowed::FreeText { .. });
        let values: Vec<Pii<String>> = notice.values.iter().map(one_line).collect();
        let template = if is_open { None } else { config.template(&notice.kind, values.clone()) };
        // Without a template it is refused by name, which the owner sees in the list of messages.
        let content = template.map_or_else(|| text(&notice.kind, &values, language), OutboundContent::Template);
        desk.queue(id, content, Author::Notice)?;
    }
    Ok(())
}

/// Returns the office's own address on the channel of `theirs`.
pub(super) fn office_address(config: &crate::config::Messages, theirs: &Address) -> Option<Pii<Address>> {
    let address = match theirs {
        Address::WhatsApp(_) => Address::WhatsApp(config.whatsapp_number.as_ref()?.reveal().clone()),
        Address::Phone(_) => {
            let number = config.sms_number.as_ref().or(config.whatsapp_number.as_ref())?;
            Address::Phone(number.reveal().clone())
        }
        Address::Client(_) | Address::Sip(_) | Address::Withheld | Address::Other(_) => return None,
    };
    Some(Pii::new(address))
}

/// Returns a notice in words.
fn text(kind: &str, values: &[Pii<String>], language: Language) -> OutboundContent {
    let begin = match kind {
        "missed_call" => words::pick(language, "שיחה שלא נענתה", "Missed call"),
        "voicemail" => words::pick(language, "הודעה קולית חדשה", "New voicemail"),
        "person_wanted" => words::pick(language, "מישהו מבקש לדבר עם אדם", "Somebody asks for a person"),
        other => other,
    };
    let parts = std::iter::once(begin).chain(values.iter().map(|value| value.reveal().as_str()));
    OutboundContent::Text(Pii::new(parts.collect::<Vec<_>>().join(": ")))
}

/// Returns a value as a template takes it: on one line, not empty, not endless.
fn one_line(value: &Pii<String>) -> Pii<String> {
    let words = value.reveal().split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(MAX_CHARS).collect();
    Pii::new(if cut.is_empty() { "–".to_owned() } else { cut })
}
