//! Call logs.

use replay::player::{WakeUps, replay};
use replay::{Reader, Record, WriteError, encode};

/// The end of a header: its check, a quotation mark, a brace.
const CHECK: &str = ",\"crc\":\"";

/// What stands before the check of a payload, and before its length.
const PAYLOAD_CHECK: &str = "\"payload_crc\":\"";
const PAYLOAD_LENGTH: &str = "\"payload_length\":";

/// Digits of a check.
const CHECK_DIGITS: usize = 8;

/// Reads bytes as a log, as they are and with right checks, and plays them.
pub fn call_log(bytes: &[u8]) {
    read_through(bytes);
    // A fuzzer does not find a check by itself, and what is behind it is worth more.
    let mended = with_right_checks(bytes);
    read_through(&mended);
    play(&mended);
}

/// Reads a log; what is read is written and read the same, and what is torn off is told.
fn read_through(log: &[u8]) {
    let mut reader = Reader::new(log);
    let mut records = Vec::new();
    for record in &mut reader {
        match record {
            Ok(record) => records.push(record),
            Err(error) => assert_no_words(&error.to_string()),
        }
    }
    if let Some(torn) = reader.torn() {
        let whole = log.get(..torn).expect("a tear is inside of the log");
        let mut shorter = Reader::new(whole);
        assert_eq!((&mut shorter).filter_map(Result::ok).count(), records.len());
        assert_eq!(shorter.torn(), None);
    }
    let Some(written) = write(&records) else { return };
    let again: Vec<Record<'_>> =
        Reader::new(&written).map(|record| record.expect("what was written is read")).collect();
    assert_eq!(again, records);
}

/// Writes records; `None` if one of them became longer than a reader takes, by its escapes.
fn write(records: &[Record<'_>]) -> Option<Vec<u8>> {
    let mut log = Vec::new();
    for record in records {
        match encode(record.clone()) {
            Ok(bytes) => log.extend(bytes),
            Err(WriteError::TooLong { .. }) => return None,
            Err(error) => unreachable!("what was read cannot be written: {error}"),
        }
    }
    Some(log)
}

/// Plays a log: whenever the core is woken, the outcome is the same.
fn play(log: &[u8]) {
    let outcome = |wake_ups| replay(log, wake_ups).map_err(|error| error.to_string());
    let on_time = outcome(WakeUps::OnTime);
    if let Err(error) = &on_time {
        assert_no_words(error);
    }
    assert_eq!(outcome(WakeUps::Never).is_ok(), on_time.is_ok());
    assert_eq!(outcome(WakeUps::Random { seed: 7 }).is_ok(), on_time.is_ok());
}

/// Checks that an error has no Hebrew in it, as all that was said on the calls of the corpus is.
fn assert_no_words(error: &str) {
    assert!(!error.chars().any(|c| ('\u{590}'..='\u{5ff}').contains(&c)), "words show: {error}");
}

/// Returns the log with the checks of each record made right, as far as there are records.
fn with_right_checks(log: &[u8]) -> Vec<u8> {
    let mut mended = Vec::with_capacity(log.len());
    let mut rest = log;
    while let Some(newline) = rest.iter().position(|byte| *byte == b'\n') {
        let (header, behind) = rest.split_at(newline);
        let behind = behind.get(1..).unwrap_or_default();
        let Ok(header) = std::str::from_utf8(header) else { break };
        let header = header.rsplit_once(CHECK).map_or(header, |(header, _)| header);
        let length = payload_length(header).min(behind.len());
        let (payload, behind) = behind.split_at(length);
        let header = with_payload_check(header, payload);
        let check = crc32fast::hash(header.as_bytes());
        mended.extend(format!("{header}{CHECK}{check:08x}\"}}\n").into_bytes());
        mended.extend(payload);
        rest = behind;
    }
    mended.extend(rest);
    mended
}

/// Returns how many bytes a header says that follow it.
fn payload_length(header: &str) -> usize {
    let stated = header.rsplit_once(PAYLOAD_LENGTH).map_or("", |(_, behind)| behind);
    let digits: String = stated.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// Returns the header with the right check of its payload, if it has a check of one.
fn with_payload_check(header: &str, payload: &[u8]) -> String {
    let Some((before, behind)) = header.rsplit_once(PAYLOAD_CHECK) else { return header.to_owned() };
    let behind = behind.get(CHECK_DIGITS..).unwrap_or_default();
    format!("{before}{PAYLOAD_CHECK}{:08x}{behind}", crc32fast::hash(payload))
}
