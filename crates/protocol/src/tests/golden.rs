//! What released versions wrote must be read for ever, and written again with nothing missing.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{device, up};
use crate::{
    AuditEntry, CallEnded, CallStarted, CallTurn, CommandRequest, CommandStatus, Desired, Document, Event, EventBatch,
    EventData, Fault, FormRecord, Kind, LogLine, MetricsSample, OutboxLost, Presence, Reported, StoreReset, Stream,
    Topic, VoicemailSaved, VoicemailTranscribed, Watermark, decode, decode_batch, encode,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// Every golden file.
fn files() -> Vec<String> {
    let mut files: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    files
}

/// Every golden file that is plain JSON.
fn json_files() -> Vec<String> {
    files()
        .into_iter()
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "json"))
        .collect()
}

fn again<D: Document>(topic: &Topic, payload: &[u8]) -> Value {
    let document: D = decode(topic, payload).unwrap();
    let written = encode(&document).unwrap();
    let again: D = decode(topic, &written).unwrap();
    serde_json::to_value(&again).unwrap()
}

fn topic(name: &str, value: &Value) -> Topic {
    let device = device("office-17");
    let command = || value["id"].as_str().unwrap().parse().unwrap();
    match name.split(['_', '.']).find(|word| *word != "unknown").unwrap() {
        "batch" => up("office-17", value["stream"].as_str().unwrap().parse().unwrap()),
        "watermark" => Topic::Ack { device, stream: value["stream"].as_str().unwrap().parse().unwrap() },
        "presence" => Topic::Presence { device },
        "reported" => Topic::Reported { device },
        "desired" => Topic::Desired { device },
        "command" if name.contains("request") => Topic::CommandRequest { device, command: command() },
        "command" => Topic::CommandStatus { device, command: command() },
        other => panic!("{name}: no topic for {other}"),
    }
}

#[test]
fn every_golden_file_is_read_and_written_unchanged() {
    let files = json_files();
    assert_eq!(files.len(), 16, "{files:?}");
    for name in &files {
        let payload = read(name);
        let value: Value = serde_json::from_slice(&payload).unwrap();
        let topic = topic(name, &value);
        let written = match &topic {
            Topic::Up { .. } => again::<EventBatch>(&topic, &payload),
            Topic::Ack { .. } => again::<Watermark>(&topic, &payload),
            Topic::Presence { .. } => again::<Presence>(&topic, &payload),
            Topic::Reported { .. } => again::<Reported>(&topic, &payload),
            Topic::Desired { .. } => again::<Desired>(&topic, &payload),
            Topic::CommandRequest { .. } => again::<CommandRequest>(&topic, &payload),
            Topic::CommandStatus { .. } => again::<CommandStatus>(&topic, &payload),
        };
        assert_eq!(written, value, "{name}");
    }
}

#[test]
fn the_reader_that_salvages_reads_golden_batches_the_same() {
    let mut batches = 0;
    for name in json_files().iter().filter(|name| name.contains("batch")) {
        let payload = read(name);
        let value: Value = serde_json::from_slice(&payload).unwrap();
        let received = decode_batch(&topic(name, &value), &payload).unwrap();
        assert_eq!(received.bad, [], "{name}");
        assert_eq!(received.gaps, [], "{name}");
        assert_eq!(serde_json::to_value(&received.batch).unwrap(), value, "{name}");
        batches += 1;
    }
    assert_eq!(batches, 7);
}

#[test]
fn the_compressed_golden_batch_is_the_plain_one() {
    let plain = decode_batch(&up("office-17", Stream::Calls), &read("batch_calls.json")).unwrap();
    let compressed = decode_batch(&up("office-17", Stream::Calls), &read("batch_calls.json.zst")).unwrap();
    assert_eq!(plain, compressed);
}

#[test]
fn what_each_kind_tells_is_read_and_written_unchanged() {
    let mut seen = Vec::new();
    for (_, stream) in Kind::KNOWN {
        let batch = decode_batch(&up("office-17", stream), &read(&format!("batch_{stream}.json"))).unwrap().batch;
        for event in &batch.events {
            check_data(event);
            if !seen.contains(&event.kind) {
                seen.push(event.kind.clone());
            }
        }
    }
    seen.sort();
    let mut known: Vec<Kind> = Kind::KNOWN.into_iter().map(|(kind, _)| kind).collect();
    known.sort();
    assert_eq!(seen, known, "a kind without a golden event");
}

fn check_data(event: &Event) {
    fn same<D: EventData>(event: &Event) -> Result<Value, Fault> {
        assert_eq!(event.kind.stream(), Some(D::STREAM));
        event.data_as::<D>().map(|data| serde_json::to_value(&data).unwrap())
    }
    let written = [
        same::<CallStarted>,
        same::<CallTurn>,
        same::<CallEnded>,
        same::<VoicemailSaved>,
        same::<VoicemailTranscribed>,
        same::<FormRecord>,
        same::<LogLine>,
        same::<MetricsSample>,
        same::<OutboxLost>,
        same::<StoreReset>,
        same::<AuditEntry>,
    ];
    let place = Kind::KNOWN.iter().position(|(kind, _)| *kind == event.kind).unwrap();
    // In the order of the table of kinds.
    assert_eq!(&written[place](event).unwrap(), event.data.reveal(), "{}", event.kind);
}

#[test]
fn unknown_fields_and_kinds_survive_and_are_counted() {
    let batch = decode_batch(&up("office-17", Stream::Calls), &read("unknown_batch.json")).unwrap().batch;
    assert_eq!(batch.unknown_kinds(), 1);
    assert_eq!(batch.extra.len(), 1);
    assert!(batch.extra.get("trace").is_some());
    assert_eq!(batch.events[0].extra.get("priority"), Some(&Value::from(3)));
    assert_eq!(batch.skipped[0].extra.len(), 1);
    let ended: CallEnded = batch.events[1].data_as().unwrap();
    assert_eq!(ended.extra.get("mood"), Some(&Value::from("good")));
    assert_eq!(&serde_json::to_value(&ended).unwrap(), batch.events[1].data.reveal());
}
