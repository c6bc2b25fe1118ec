//! What goes into the call log.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::ToString as _;
use alloc::vec;

use units::TurnId;

use super::ms;
use crate::{Decision, FailedEngine, FailureKind, Micros, SkipReason, Skipped, Stage};

fn decision() -> Decision {
    Decision {
        stage: Stage::Recognize,
        turn: TurnId(3),
        served: Some("local".to_owned()),
        took: Some(ms(1_234)),
        skipped: vec![Skipped { engine: "google".to_owned(), why: SkipReason::WaitedAlready }],
        failed: vec![FailedEngine { engine: "openai".to_owned(), kind: FailureKind::TimedOut, after: ms(1_200) }],
        took_over: false,
    }
}

#[test]
fn a_decision_is_written_and_read_back() {
    let json = serde_json::to_string(&decision()).expect("it can be written");
    assert_eq!(
        json,
        r#"{"stage":"recognize","turn":3,"served":"local","took_ms":1234,"skipped":[{"engine":"google","why":"waited_already"}],"failed":[{"engine":"openai","kind":"timed_out","after_ms":1200}],"took_over":false}"#
    );
    assert_eq!(serde_json::from_str::<Decision>(&json).expect("it can be read"), decision());
}

#[test]
fn what_is_missing_in_a_decision_is_nothing() {
    let read: Decision = serde_json::from_str(r#"{"stage":"reply","turn":1,"served":null}"#).expect("it can be read");
    assert_eq!((read.took, read.skipped.len(), read.failed.len(), read.took_over), (None, 0, 0, false));
    assert_eq!(read.to_string(), "reply: nobody served");
}

#[test]
fn a_decision_reads_like_a_sentence() {
    assert_eq!(
        decision().to_string(),
        "recognize: local served after 1234 ms; openai timed out after 1200 ms; google skipped (waited already)"
    );
}

#[test]
fn every_kind_of_failure_has_a_name_and_words_of_its_own() {
    let mut seen = alloc::collections::BTreeSet::new();
    for kind in FailureKind::ALL {
        let name = serde_json::to_string(&kind).expect("it can be written");
        assert_eq!(serde_json::from_str::<FailureKind>(&name).expect("it can be read"), kind);
        assert!(seen.insert(name) && seen.insert(kind.to_string()), "{kind:?}");
    }
}

#[test]
fn signs_of_being_offline_and_reasons_to_give_up_are_different_kinds() {
    let of = |is: fn(FailureKind) -> bool| {
        FailureKind::ALL.into_iter().filter(move |kind| is(*kind)).map(|kind| format!("{kind:?}"))
    };
    let offline: vec::Vec<_> = of(FailureKind::is_offline_sign).collect();
    assert_eq!(offline, ["Refused", "Resolve", "Unroutable", "Tls", "Intercepted"]);
    let at_once: vec::Vec<_> = of(FailureKind::opens_at_once).collect();
    assert_eq!(at_once, ["Unauthorized", "Forbidden", "Clock"]);
}

#[test]
fn money_saturates_and_shows_dollars() {
    assert_eq!(Micros(1_006_000).to_string(), "$1.006000");
    assert_eq!(Micros(u64::MAX).saturating_add(Micros(1)), Micros(u64::MAX));
    assert_eq!(Micros(1).saturating_sub(Micros(2)), Micros::ZERO);
    assert_eq!(serde_json::to_string(&Micros(7)).expect("it can be written"), "7");
}
