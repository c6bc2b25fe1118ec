//! What a CRM is sent, when, and how it knows whose it is.

use std::time::Duration;

use super::{fact, told};
use crate::change::delivery;
use crate::queue::{MAX_BACK_OFF, MAX_RETRY_AFTER, back_off};
use crate::signature::{REPLAY_WINDOW_SECS, SignatureError, sign, verify};
use crate::{Delivery, Entry, Lead, LeadId, Outcome, Queue, Send};

const SECRET: &[u8] = b"a secret that only tests know";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn send(lead: u64, sequence: u64) -> Send {
    Send { lead: LeadId::new(lead, 0), sequence }
}

#[test]
fn a_receiver_believes_what_is_signed_and_recent_and_nothing_else() {
    let (body, now) = (b"{\"id\":\"1\"}", 1_795_000_000);
    let signature = sign(SECRET, now, body);
    let time = now.to_string();
    assert_eq!(verify(SECRET, &time, &signature, body, now), Ok(()));
    for away in [REPLAY_WINDOW_SECS, REPLAY_WINDOW_SECS + 1] {
        let expected = if away > REPLAY_WINDOW_SECS { Err(SignatureError::OutsideWindow) } else { Ok(()) };
        assert_eq!(verify(SECRET, &time, &signature, body, now + away), expected);
        assert_eq!(verify(SECRET, &time, &signature, body, now - away), expected);
    }
    let two = format!("v1={}, {signature}", "00".repeat(32));
    assert_eq!(verify(SECRET, &time, &two, body, now), Ok(()), "while a secret is changed there are two");
    for (secret, time, signatures, body) in [
        (b"another secret of the tests".as_slice(), time.as_str(), signature.as_str(), body.as_slice()),
        (SECRET, &time, &signature, b"{\"id\":\"2\"}"),
        (SECRET, "1795000001", &signature, body),
        (SECRET, &time, "", body),
        (SECRET, &time, &signature[3..], body),
        (SECRET, &time, &signature[..20], body),
        (SECRET, &time, &signature.replace("v1", "v2"), body),
    ] {
        assert_eq!(verify(secret, time, signatures, body, now), Err(SignatureError::Mismatch));
    }
    for time in ["", "+1795000000", "1e9", "99999999999999999999999"] {
        assert_eq!(verify(SECRET, time, &signature, body, now), Err(SignatureError::BadTimestamp), "{time}");
    }
}

#[test]
fn the_signature_is_the_one_that_openssl_makes() {
    // printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
    let signature = sign(b"secret", 1_700_000_000, b"{}");
    assert_eq!(signature, OPENSSL);
}

#[test]
fn a_merged_change_tells_from_where_it_counts() {
    let told = told("CA1", 5, "0541234567", "דנה", &[("area", "חיפה")]);
    let mut lead = Lead::begun(LeadId::new(1, 2), &told);
    lead.fold(&told, 6);
    let entry = Entry::Told(told);
    let first = delivery(&lead, &entry, None, 7).unwrap();
    let body: Delivery = serde_json::from_str(first.body.reveal()).unwrap();
    assert_eq!((body.sequence, body.from_sequence, body.change.as_str()), (1, 1, "created"));
    assert_eq!((body.id.as_str(), body.at_wall_ms), (first.key.as_str(), 6));
    assert_eq!(body.lead.phone.unwrap().reveal(), "+972541234567");
    lead.fold(&fact("CA2", 9, "0541234567"), 9);
    let second = delivery(&lead, &entry, Some(&first), 8).unwrap();
    let body: Delivery = serde_json::from_str(second.body.reveal()).unwrap();
    assert_eq!((body.sequence, body.from_sequence, body.change.as_str()), (2, 1, "told"));
    assert_ne!(first.key, second.key);
}

#[test]
fn the_next_change_of_a_lead_waits_and_other_leads_go_on() {
    let mut queue = Queue::new(4);
    for (lead, sequence) in [(1, 1), (1, 2), (2, 1)] {
        queue.add(secs(0), send(lead, sequence), 0);
    }
    assert_eq!(queue.next(secs(0)), Some(send(1, 1)));
    assert_eq!(queue.next(secs(0)), Some(send(2, 1)));
    assert_eq!((queue.next(secs(9_999)), queue.wake(), queue.waiting()), (None, None, 3));
    queue.done(secs(1), send(2, 1), Outcome::Delivered, 0);
    queue.done(secs(1), send(1, 1), Outcome::Failed { retry_after: None }, 0);
    assert_eq!((queue.next(secs(1)), queue.wake()), (None, Some(secs(2))));
    assert_eq!(queue.next(secs(2)), Some(send(1, 1)), "the same again");
    queue.done(secs(2), send(1, 1), Outcome::Delivered, 0);
    assert_eq!(queue.next(secs(2)), Some(send(1, 2)));
    queue.done(secs(2), send(1, 2), Outcome::Gone, 0);
    assert_eq!((queue.waiting(), queue.wake()), (0, None));
}

#[test]
fn no_more_are_on_their_way_than_may_be() {
    let mut queue = Queue::new(2);
    for lead in 0..5 {
        queue.add(secs(0), send(lead, 1), 0);
    }
    assert_eq!([0, 1, 2].map(|_| queue.next(secs(0)).is_some()), [true, true, false]);
    assert_eq!(queue.wake(), None);
    queue.done(secs(0), send(0, 1), Outcome::Delivered, 0);
    assert_eq!(queue.wake(), Some(secs(0)));
    assert!(queue.next(secs(0)).is_some());
}

#[test]
fn waits_double_up_to_an_hour_and_a_receiver_may_ask_for_a_day() {
    assert_eq!([1, 2, 3].map(|failures| back_off(failures, 0)), [secs(1), secs(2), secs(4)]);
    assert_eq!([1, 2, 3].map(|failures| back_off(failures, u32::MAX)), [secs(2), secs(4), secs(8)]);
    for failures in [20, 1_000, u32::MAX] {
        assert_eq!(back_off(failures, u32::MAX), MAX_BACK_OFF);
    }
    let mut queue = Queue::new(1);
    queue.add(secs(0), send(1, 1), 0);
    queue.next(secs(0)).unwrap();
    queue.done(secs(0), send(1, 1), Outcome::Failed { retry_after: Some(secs(600)) }, 0);
    assert_eq!(queue.wake(), Some(secs(600)));
    queue.hurry(secs(5), LeadId::new(1, 0));
    assert_eq!(queue.next(secs(5)), Some(send(1, 1)), "the owner may have it sooner");
    queue.done(secs(5), send(1, 1), Outcome::Failed { retry_after: Some(Duration::MAX) }, 0);
    assert_eq!(queue.wake(), Some(secs(5) + MAX_RETRY_AFTER));
}

#[test]
fn a_start_goes_on_with_the_waits_of_before() {
    let mut queue = Queue::new(1);
    queue.add(secs(0), send(1, 1), 4);
    queue.next(secs(0)).unwrap();
    queue.done(secs(0), send(1, 1), Outcome::Failed { retry_after: None }, 0);
    assert_eq!(queue.wake(), Some(back_off(5, 0)));
}

const OPENSSL: &str = "v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163";
