//! What the check finds, each alone.

use fakes::crm::{Arrival, Reaction};
use leads::change::delivery;
use leads::signature::SignatureError;
use leads::{Entry, Fact, Lead, LeadId, LeadView, Source, SourceKind};
use serde_json::Value;
use units::Pii;

use super::{Ack, Findings, check};
use crate::box_report::Findings as _;

/// Returns a lead's changes 1 to `count` as they arrive, and the lead afterwards.
fn changes(count: u64) -> (Vec<Arrival>, Lead) {
    let fact = |at: u64| {
        let source = Source { kind: SourceKind::Web, id: at.to_string() };
        Fact::new(source, at, Pii::new("0541234567".to_owned()))
    };
    let mut lead = Lead::begun(LeadId::new(1, 1), &fact(1));
    let arrivals = (1..=count).map(|at| {
        lead.fold(&fact(at), at);
        arrival(&lead, &Entry::Told(fact(at)), 7)
    });
    (arrivals.collect(), lead)
}

fn arrival(lead: &Lead, entry: &Entry, chance: u32) -> Arrival {
    let waiting = delivery(lead, entry, None, chance).unwrap();
    let body = waiting.body.reveal().clone().into_bytes();
    let delivery = serde_json::from_slice(&body).ok();
    Arrival { key: waiting.key, body, delivery, proof: Ok(()), reaction: Reaction::Take }
}

fn ack(version: u64) -> Ack {
    Ack { person: 0, lead: LeadId::new(1, 1).to_string(), version }
}

fn shown(lead: &Lead) -> Vec<Value> {
    vec![serde_json::to_value(LeadView::of(lead)).unwrap()]
}

fn found(arrivals: &[Arrival], lead: &Lead) -> Findings {
    check(&[ack(1), ack(2), ack(3)], arrivals, &shown(lead))
}

#[test]
fn all_is_good_when_each_arrives_in_order_and_again() {
    let (mut arrivals, lead) = changes(3);
    arrivals.insert(1, arrivals[0].clone());
    let mut refused = arrivals[2].clone();
    refused.reaction = Reaction::Refuse(500);
    arrivals.insert(2, refused);
    let findings = found(&arrivals, &lead);
    assert!(findings.is_good(), "{findings:?}");
    assert_eq!((findings.taken, findings.duplicates, findings.arrived, findings.leads), (3, 1, 5, 1));
}

#[test]
fn what_is_wrong_is_found() {
    let (arrivals, lead) = changes(3);
    let without_last = found(&arrivals[..2], &lead);
    assert_eq!((without_last.missing, without_last.stale), (1, 1));

    let without_middle = found(&[arrivals[0].clone(), arrivals[2].clone()], &lead);
    assert_eq!((without_middle.missing, without_middle.gaps), (1, 1));

    let mut swapped = arrivals.clone();
    swapped.swap(0, 1);
    assert_eq!(found(&swapped, &lead).out_of_order, 1);

    let mut altered = arrivals.clone();
    altered.push(arrivals[2].clone());
    altered[3].key = "another".to_owned();
    assert_eq!(found(&altered, &lead).altered, 1);

    let mut unproven = arrivals.clone();
    unproven[2].proof = Err(SignatureError::Mismatch);
    let unproven = found(&unproven, &lead);
    assert_eq!((unproven.unproven, unproven.missing), (1, 1));

    let mut refused = arrivals.clone();
    refused[2].reaction = Reaction::Cut;
    assert_eq!(found(&refused, &lead).missing, 1);

    let other = Ack { lead: LeadId::new(2, 2).to_string(), ..ack(1) };
    assert_eq!(check(&[ack(1), other], &arrivals, &shown(&lead)).doubled, 1);
    assert!(!check(&[], &arrivals, &shown(&lead)).is_good(), "nothing was promised");
}

#[test]
fn a_change_merged_into_a_later_one_has_arrived() {
    let (mut arrivals, lead) = changes(3);
    let merged = arrivals.remove(1);
    let last = arrivals[1].delivery.as_mut().unwrap();
    last.from_sequence = merged.delivery.unwrap().sequence;
    let findings = found(&arrivals, &lead);
    assert!(findings.is_good() && findings.merged == 1, "{findings:?}");
}
