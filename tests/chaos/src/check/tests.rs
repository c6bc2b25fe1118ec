//! Whatever can go wrong is found.

use protocol::{EventId, Stream};

use super::{Findings, Loss, Row, check, read};
use crate::promise::Promise;

fn id(byte: u8) -> EventId {
    EventId::from_bytes([byte; 16])
}

/// Numbers 1 to `last` of the calls of `box-1`, promised.
fn promised(last: u8) -> Vec<(String, Promise)> {
    let promise = |seq| Promise { stream: Stream::Calls, epoch: 5, seq: u64::from(seq), id: id(seq) };
    (1..=last).map(|seq| ("box-1".to_owned(), promise(seq))).collect()
}

fn stored(numbers: &[(u64, u8)]) -> Vec<Row> {
    let lines: Vec<String> = numbers.iter().map(|(seq, byte)| format!("box-1|calls|5|{seq}|{}", id(*byte))).collect();
    read(&lines.join("\n")).unwrap()
}

#[test]
fn everything_in_its_place_is_good_and_more_than_was_promised_too() {
    let findings = check(&promised(3), &stored(&[(1, 1), (2, 2), (3, 3), (4, 4)]), &[]);
    assert_eq!(findings, Findings { promised: 3, stored: 4, ..Findings::default() });
    assert!(findings.is_good());
}

#[test]
fn what_is_missing_at_the_end_or_between_is_found() {
    let findings = check(&promised(4), &stored(&[(1, 1), (3, 3)]), &[]);
    assert_eq!((findings.missing, findings.gaps_unreported), (2, 1));
    assert_eq!(
        findings.examples,
        [
            "a gap: box-1 calls epoch 5 number 2",
            "missing: box-1 calls epoch 5 number 2",
            "missing: box-1 calls epoch 5 number 4"
        ]
    );
    assert!(!findings.is_good());
}

#[test]
fn a_gap_that_was_reported_is_none_but_what_was_promised_is_missing_all_the_same() {
    let losses: Vec<Loss> = read("box-1|calls|5|2|3\n").unwrap();
    let findings = check(&[], &stored(&[(1, 1), (4, 4)]), &losses);
    assert_eq!((findings.gaps_reported, findings.is_good()), (2, true));
    assert_eq!(check(&promised(4), &stored(&[(1, 1), (4, 4)]), &losses).missing, 2);
}

#[test]
fn what_is_there_twice_by_number_or_by_identity_is_found() {
    assert_eq!(check(&[], &stored(&[(1, 1), (1, 9)]), &[]).twice, 1);
    assert_eq!(check(&[], &stored(&[(1, 1), (2, 1)]), &[]).twice, 1);
}

#[test]
fn another_number_another_stream_or_another_device_is_misplaced() {
    assert_eq!(check(&promised(2), &stored(&[(1, 2), (2, 1)]), &[]).misplaced, 2);
    for line in ["box-2|calls|5|1|", "box-1|audit|5|1|", "box-1|calls|6|1|"] {
        let rows: Vec<Row> = read(&format!("{line}{}", id(1))).unwrap();
        assert_eq!(check(&promised(1), &rows, &[]).misplaced, 1, "{line}");
    }
}

#[test]
fn epochs_beyond_the_first_of_a_stream_are_counted() {
    let lines = [("calls", 5), ("calls", 6), ("audit", 5)].map(|(stream, epoch)| {
        let byte = u8::try_from(stream.len() + epoch).unwrap() * 2 + u8::from(stream == "audit");
        format!("box-1|{stream}|{epoch}|1|{}", id(byte))
    });
    assert_eq!(check(&[], &read(&lines.join("\n")).unwrap(), &[]).epochs_begun_anew, 1);
}

#[test]
fn many_findings_are_counted_and_some_described() {
    let findings = check(&promised(200), &[], &[]);
    assert_eq!((findings.missing, findings.examples.len()), (200, 10));
}
