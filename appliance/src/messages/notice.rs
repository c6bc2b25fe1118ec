//! What the owner is told: put into the store with the fact it tells of, and made into messages by the worker.

use std::time::Duration;

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
/// Notices looked at at once, also those that wait; more than that wait behind them.
const MAX_LOOKED_AT: usize = 1_000;
/// Most characters of what was said that a notice repeats.
const MAX_CHARS: usize = 600;

/// Something that the owner is to be told.
#[derive(Clone, Debug)]
pub struct Notice {
    /// What kind of thing.
    pub kind: NoticeKind,
    /// What it is of. Of one kind and name the owner is told once.
    pub name: String,
    /// The values of its template, as the kind says.
    pub values: Vec<Pii<String>>,
    /// How long it waits for what says more, and then takes it back.
    pub wait: Duration,
}

impl Messages {
    /// Adds to the commit of a fact that the owner is told of it, if the owner wants to be; one of the same kind and name
    /// that still waits is replaced. The worker is woken by [`Messages::wake`] when the commit is done.
    pub fn put_notice(
        &self,
        batch: &mut Batch,
        config: &Config,
        notice: Notice,
        now_ms: u64,
    ) -> Result<(), EncodeError> {
        put(batch, config, notice, now_ms)
    }
}

/// Adds to a commit that one notice takes the place of another that still waits, if the owner wants to be told of the new
/// one at all.
pub(crate) fn replace_notice(
    batch: &mut Batch,
    config: &Config,
    notice: Notice,
    other: (NoticeKind, &str),
    now_ms: u64,
) -> Result<(), EncodeError> {
    if wants(config, notice.kind) {
        batch.delete::<Outgoing>(&key_of(other.0, other.1))?;
    }
    put(batch, config, notice, now_ms)
}

fn put(batch: &mut Batch, config: &Config, notice: Notice, now_ms: u64) -> Result<(), EncodeError> {
    if !wants(config, notice.kind) {
        return Ok(());
    }
    let key = key_of(notice.kind, &notice.name);
    let not_before_ms = now_ms.saturating_add(u64::try_from(notice.wait.as_millis()).unwrap_or(u64::MAX));
    let notice = NoticeRow { kind: notice.kind.as_str().to_owned(), values: notice.values, not_before_ms };
    batch.put::<Outgoing>(&key, &OutgoingRow { put_ms: now_ms, notice: Some(notice), ..OutgoingRow::default() })
}

fn wants(config: &Config, kind: NoticeKind) -> bool {
    !config.messages.owner.is_empty() && config.messages.notices.contains(&kind)
}

fn key_of(kind: NoticeKind, name: &str) -> OutgoingKey {
    OutgoingKey::Notice(format!("{}:{name}", kind.as_str()))
}

/// Returns how long a notice still waits. One that was put in the future does not: the clock was set back.
fn left(row: &OutgoingRow, now_ms: u64) -> Option<Duration> {
    let until = row.notice.as_ref()?.not_before_ms;
    (until > now_ms && row.put_ms <= now_ms).then(|| Duration::from_millis(until.saturating_sub(now_ms)))
}

/// Makes messages of what the owner is to be told; returns after what time there is more, if there is any.
pub(super) fn make_messages(desk: &mut Desk<'_>) -> Result<Option<Duration>, MessagesError> {
    let notices = desk.store.query(&Query::<Outgoing>::notices().limit(MAX_LOOKED_AT))?;
    let now_ms = desk.now_ms;
    let next = notices.iter().filter_map(|(_, row)| left(row, now_ms)).min();
    let mut due = notices.into_iter().filter(|(_, row)| left(row, now_ms).is_none());
    for (key, row) in due.by_ref().take(AT_ONCE) {
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
    Ok(if due.next().is_some() { Some(Duration::ZERO) } else { next })
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
        let values = values_of(notice, language);
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

/// Returns the values as a template takes them: on one line, not empty, not endless.
fn values_of(notice: &NoticeRow, language: Language) -> Vec<Pii<String>> {
    let nothing = |place: usize| match (notice.kind.as_str(), place) {
        ("voicemail", 1) => words::pick(language, "לא ניתן היה להבין את הנאמר", "no words could be made out"),
        _ => "–",
    };
    let one_line = |(place, value): (usize, &Pii<String>)| {
        let words = value.reveal().split_whitespace().collect::<Vec<_>>().join(" ");
        let cut: String = words.chars().take(MAX_CHARS).collect();
        Pii::new(if cut.is_empty() { nothing(place).to_owned() } else { cut })
    };
    notice.values.iter().enumerate().map(one_line).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use store::{NoticeRow, OutgoingRow};
    use units::{Language, Pii};

    use super::{left, values_of};

    #[test]
    fn a_message_that_nobody_understood_says_so_in_the_language_of_the_office() {
        let values = [" +972541234567", ""].map(|value| Pii::new(value.to_owned())).to_vec();
        let notice = NoticeRow { kind: "voicemail".to_owned(), values, not_before_ms: 0 };
        for (language, words) in
            [(Language::English, "no words could be made out"), (Language::Hebrew, "לא ניתן היה להבין את הנאמר")]
        {
            let shown: Vec<String> =
                values_of(&notice, language).into_iter().map(|value| value.reveal().clone()).collect();
            assert_eq!(shown, ["+972541234567", words]);
        }
        let withheld = NoticeRow { values: vec![Pii::default(), Pii::new("a\nb".to_owned())], ..notice };
        let shown = values_of(&withheld, Language::Hebrew);
        assert_eq!((shown[0].reveal().as_str(), shown[1].reveal().as_str()), ("–", "a b"));
    }

    #[test]
    fn a_notice_waits_its_time_unless_the_clock_is_set_back() {
        let notice = NoticeRow { kind: "missed_call".to_owned(), values: Vec::new(), not_before_ms: 5_000 };
        let row = OutgoingRow { put_ms: 2_000, notice: Some(notice), ..OutgoingRow::default() };
        assert_eq!(left(&row, 2_000), Some(Duration::from_secs(3)));
        assert_eq!(left(&row, 4_999), Some(Duration::from_millis(1)));
        assert_eq!((left(&row, 5_000), left(&row, 1_999)), (None, None));
        assert_eq!(left(&OutgoingRow::default(), 0), None);
    }
}
