//! What arrived at the gateway, held against what the box promised: compared, and printed for people. Pure but for the
//! printing.

use std::collections::BTreeMap;

use protocol::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::OutboxHead;

use super::output;
use super::transcript::plain;

/// Longest text of an event in its line, in characters.
const MAX_SHOWN: usize = 100;

/// How far a stream is stored, as the gateway's API says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ArrivedStream {
    stream: String,
    epoch: u64,
    watermark: u64,
}

/// An event, as the gateway's API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ArrivedEvent {
    epoch: u64,
    seq: u64,
    kind: String,
    wall_ms: u64,
    data: Value,
}

impl ArrivedStream {
    /// Returns whether it is this one.
    pub(super) fn is(&self, stream: Stream, epoch: u64) -> bool {
        self.stream == stream.as_str() && self.epoch == epoch
    }

    /// Returns how far it is stored.
    pub(super) fn watermark(&self) -> u64 {
        self.watermark
    }
}

impl ArrivedEvent {
    /// Returns the outbox it came from.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns its number.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }
}

impl ArrivedEvent {
    /// Returns whether it tells `kind` of the call `call`.
    pub(super) fn tells(&self, kind: &str, call: &str) -> bool {
        self.kind == kind && self.data.get("call").and_then(Value::as_str) == Some(call)
    }
}

/// Everything that arrived from a box, and what its outbox says.
#[derive(Debug, Serialize)]
pub(super) struct Arrived {
    rows: Vec<Row>,
    events: BTreeMap<Stream, Vec<ArrivedEvent>>,
}

/// One stream.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    stream: Stream,
    /// Events that the box numbered.
    numbered: u64,
    /// Events at the gateway.
    arrived: u64,
    /// How far the gateway says it has them.
    watermark: u64,
    /// Events that are still in the outbox.
    left: u64,
    /// What is wrong, if anything is.
    wrong: Option<&'static str>,
}

impl Arrived {
    /// Compares. `heads` is the outbox after the box has stopped.
    pub(super) fn compare(
        heads: &[OutboxHead],
        streams: &[ArrivedStream],
        events: BTreeMap<Stream, Vec<ArrivedEvent>>,
    ) -> Self {
        let rows = heads.iter().map(|head| row(head, streams, events.get(&head.stream).map_or(&[], Vec::as_slice)));
        Self { rows: rows.collect(), events }
    }

    /// Returns how many events the box promised to deliver: those of streams that never drop any.
    pub(super) fn promised(&self) -> u64 {
        self.of_promised().map(|row| row.numbered).sum()
    }

    /// Returns how many of these arrived.
    pub(super) fn kept(&self) -> u64 {
        self.of_promised().map(|row| row.arrived.min(row.numbered)).sum()
    }

    /// Returns whether each of them arrived once and in order, and is gone from the outbox. There has to be one.
    pub(super) fn is_complete(&self) -> bool {
        self.promised() > 0 && self.of_promised().all(|row| row.wrong.is_none())
    }

    fn of_promised(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.stream.may_drop())
    }

    /// Prints the table of streams, and below it the events of each.
    pub(super) fn print(&self) {
        output::line("  stream     numbered  arrived  watermark  left in the outbox");
        for row in &self.rows {
            let Row { stream, numbered, arrived, watermark, left, wrong } = row;
            let stream = stream.as_str();
            let wrong = wrong.map_or_else(String::new, |what| format!("  FAIL {what}"));
            output::line(format_args!("  {stream:<10} {numbered:>8} {arrived:>8} {watermark:>10} {left:>19}{wrong}"));
        }
        for (stream, events) in self.events.iter().filter(|(_, events)| !events.is_empty()) {
            output::line(format_args!("  {stream}"));
            for event in events {
                output::line(format_args!("    {}", line(event)));
            }
        }
    }
}

fn row(head: &OutboxHead, streams: &[ArrivedStream], events: &[ArrivedEvent]) -> Row {
    let stream = head.stream;
    let numbered = head.next.saturating_sub(1);
    let of_epoch: Vec<u64> = events.iter().filter(|event| event.epoch == head.epoch).map(|event| event.seq).collect();
    let known = streams.iter().find(|known| known.stream == stream.as_str() && known.epoch == head.epoch);
    let watermark = known.map_or(0, |known| known.watermark);
    let left = numbered.saturating_sub(head.through);
    let wrong = if of_epoch.windows(2).any(|pair| matches!(pair, [one, next] if one >= next)) {
        Some("not in order")
    } else if !of_epoch.iter().copied().eq(1..=numbered) && !stream.may_drop() {
        Some("events are missing")
    } else if watermark != numbered && !stream.may_drop() {
        Some("the watermark is not at the last")
    } else if left > 0 && !stream.may_drop() {
        Some("the outbox is not empty")
    } else {
        None
    };
    Row { stream, numbered, arrived: u64::try_from(of_epoch.len()).unwrap_or(u64::MAX), watermark, left, wrong }
}

/// Returns an event as one line: number, time of day (UTC), kind, and the gist.
fn line(event: &ArrivedEvent) -> String {
    let second = event.wall_ms / 1_000 % 86_400;
    let (hour, minute, second, ms) = (second / 3_600, second / 60 % 60, second % 60, event.wall_ms % 1_000);
    let gist = gist(&event.kind, &event.data);
    format!("{:>4}  {hour:02}:{minute:02}:{second:02}.{ms:03}  {:<21} {gist}", event.seq, event.kind)
}

/// Returns what an event says, short.
fn gist(kind: &str, data: &Value) -> String {
    let text = |name: &str| data.get(name).map(plain).unwrap_or_default();
    let said = |name: &str, who: &str| {
        let text = text(name);
        if text.is_empty() { None } else { Some(format!("{who}: {text}")) }
    };
    let gist = match kind {
        "call.started" => format!("from {} to {}", text("from"), text("to")),
        "call.turn" => {
            [said("caller", "caller"), said("agent", "agent")].into_iter().flatten().collect::<Vec<_>>().join(" | ")
        }
        "call.ended" => format!("{}, {} ms, {} turns", text("outcome"), text("duration_ms"), text("turns")),
        "voicemail.saved" => format!("{} ms", text("duration_ms")),
        "voicemail.transcribed" => text("transcript"),
        "form.record" => fields(data),
        "log.line" => format!("{} {}", text("level"), text("message")),
        _ => data.to_string(),
    };
    shortened(&gist)
}

/// Returns the fields of a form's record.
fn fields(data: &Value) -> String {
    let fields = data.get("record").and_then(|record| record.get("fields")).and_then(Value::as_object);
    let shown = fields
        .into_iter()
        .flatten()
        .map(|(name, field)| format!("{name}: {}", field.get("value").map(plain).unwrap_or_default()));
    shown.collect::<Vec<_>>().join(", ")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{} ...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use protocol::Stream;
    use serde_json::json;
    use store::OutboxHead;

    use super::{Arrived, ArrivedEvent, ArrivedStream, MAX_SHOWN, gist, line};

    #[test]
    fn what_arrived_once_in_order_and_left_the_outbox_is_complete() {
        assert!(compared(Stream::Calls, &[1, 2, 3], 3, 3).is_complete());
        assert!(!compared(Stream::Metrics, &[1, 2, 3], 3, 3).is_complete(), "nothing was promised");
        for (seqs, watermark, through) in
            [(&[1, 3][..], 3, 3), (&[1, 3, 2], 3, 3), (&[1, 2, 2, 3], 3, 3), (&[1, 2, 3], 2, 3), (&[1, 2, 3], 3, 2)]
        {
            let arrived = compared(Stream::Calls, seqs, watermark, through);
            assert!(!arrived.is_complete(), "{arrived:?}");
        }
    }

    #[test]
    fn a_stream_that_may_lose_some_is_shown_and_not_judged() {
        let arrived = compared(Stream::Logs, &[2, 3], 3, 3);
        assert_eq!((arrived.rows[0].wrong, arrived.promised()), (None, 0));
    }

    #[test]
    fn lines_show_what_was_said_as_it_was_said() {
        let event = ArrivedEvent {
            epoch: 1,
            seq: 7,
            kind: "call.turn".to_owned(),
            wall_ms: 1_790_000_000_123,
            data: json!({ "caller": "קוראים לי דני כהן", "agent": "מה המספר?" }),
        };
        assert_eq!(
            line(&event),
            "   7  14:13:20.123  call.turn             caller: קוראים לי דני כהן | agent: מה המספר?"
        );
        let long = gist("voicemail.transcribed", &json!({ "transcript": "א".repeat(500) }));
        assert_eq!(long.chars().count(), MAX_SHOWN + 4);
        let form = json!({ "record": { "fields": { "name": { "value": "דני" }, "phone": { "value": "052" } } } });
        assert_eq!(gist("form.record", &form), "name: דני, phone: 052");
    }

    fn compared(stream: Stream, seqs: &[u64], watermark: u64, through: u64) -> Arrived {
        let head = OutboxHead { stream, epoch: 9, open: true, through, next: 4, bytes: 0 };
        let event = |seq: &u64| ArrivedEvent {
            epoch: 9,
            seq: *seq,
            kind: "call.started".to_owned(),
            wall_ms: 0,
            data: json!({}),
        };
        let streams = [ArrivedStream { stream: stream.to_string(), epoch: 9, watermark }];
        Arrived::compare(&[head], &streams, [(stream, seqs.iter().map(event).collect())].into())
    }
}
