//! What was acknowledged against what arrived.

use std::collections::{BTreeMap, BTreeSet};

use fakes::crm::Arrival;
use leads::LeadView;
use serde::Serialize;
use serde_json::Value;

use super::office::Ack;
use crate::box_report::{self, Examples};

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    /// Leads that the box acknowledged.
    pub(crate) leads: u64,
    /// Changes that the box acknowledged.
    pub(crate) acknowledged: u64,
    /// Deliveries that came in, taken or not.
    pub(crate) arrived: u64,
    /// Deliveries that the receiver has, each once.
    pub(crate) taken: u64,
    /// Deliveries that the receiver had already.
    pub(crate) duplicates: u64,
    /// Changes that came merged into later ones.
    pub(crate) merged: u64,
    /// Acknowledged changes that never arrived.
    pub(crate) missing: u64,
    /// Deliveries that came after a later one of the same lead.
    pub(crate) out_of_order: u64,
    /// Repetitions with another key or other bytes.
    pub(crate) altered: u64,
    /// Deliveries whose signature or time is wrong.
    pub(crate) unproven: u64,
    /// Changes between two that arrived, which nothing tells of.
    pub(crate) gaps: u64,
    /// Leads that are otherwise in the box than they were last delivered.
    pub(crate) stale: u64,
    /// People with more than one lead.
    pub(crate) doubled: u64,
    /// Some of what is wrong, in words.
    pub(crate) examples: Examples,
}

impl box_report::Findings for Findings {
    const NAME: &'static str = "crm";
    const PROMISE: &'static str = "every acknowledged change arrived, in order";

    fn is_good(&self) -> bool {
        let wrong = [self.missing, self.out_of_order, self.altered, self.unproven, self.gaps, self.stale, self.doubled];
        wrong.iter().all(|count| *count == 0) && self.acknowledged > 0
    }

    fn figures(&self) -> Vec<(&'static str, u64, &'static str)> {
        vec![
            ("leads", self.leads, ""),
            ("changes acknowledged", self.acknowledged, ""),
            ("deliveries arrived", self.arrived, "taken, refused and cut"),
            ("deliveries taken", self.taken, ""),
            ("duplicates", self.duplicates, "same key, same bytes"),
            ("changes merged", self.merged, "too many of their lead waited"),
            ("missing", self.missing, "must be 0"),
            ("out of order", self.out_of_order, "must be 0"),
            ("altered", self.altered, "must be 0"),
            ("unproven", self.unproven, "must be 0"),
            ("gaps", self.gaps, "must be 0"),
            ("stale leads", self.stale, "must be 0"),
            ("doubled leads", self.doubled, "must be 0"),
        ]
    }

    fn examples(&self) -> &Examples {
        &self.examples
    }
}

/// A delivery that the receiver has.
struct Taken<'a> {
    key: &'a str,
    body: &'a [u8],
    from_sequence: u64,
    view: &'a LeadView,
}

/// Compares what the box acknowledged, what came in, and the leads as the box has them in the end.
pub(super) fn check(acks: &[Ack], arrivals: &[Arrival], leads: &[Value]) -> Findings {
    let mut findings =
        Findings { acknowledged: acks.len() as u64, arrived: arrivals.len() as u64, ..Findings::default() };
    let taken = follow(arrivals, &mut findings);
    for ack in acks {
        let later = taken.get(ack.lead.as_str()).into_iter().flat_map(|taken| taken.range(ack.version..));
        if !later.map(|(_, one)| one.from_sequence).any(|from| from <= ack.version) {
            findings.missing += 1;
            findings.examples.push(|| format!("change {} of lead {} never arrived", ack.version, ack.lead));
        }
    }
    count_gaps(&taken, &mut findings);
    compare(&taken, leads, &mut findings);
    let mut of_person: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for ack in acks {
        of_person.entry(ack.person).or_default().insert(&ack.lead);
    }
    findings.leads = of_person.len() as u64;
    findings.doubled = of_person.values().filter(|leads| leads.len() > 1).count() as u64;
    findings
}

/// Goes through what came in, in order. Returns what the receiver has, by lead and sequence.
fn follow<'a>(arrivals: &'a [Arrival], findings: &mut Findings) -> BTreeMap<&'a str, BTreeMap<u64, Taken<'a>>> {
    let mut taken: BTreeMap<&str, BTreeMap<u64, Taken<'a>>> = BTreeMap::new();
    let mut highest: BTreeMap<&str, u64> = BTreeMap::new();
    for arrival in arrivals {
        let (Some(delivery), Ok(())) = (&arrival.delivery, arrival.proof) else {
            findings.unproven += 1;
            findings.examples.push(|| format!("a delivery is not proven: {:?}", arrival.proof));
            continue;
        };
        let (lead, sequence) = (delivery.lead.id.as_str(), delivery.sequence);
        let newest = highest.entry(lead).or_default();
        if sequence < *newest {
            findings.out_of_order += 1;
            findings.examples.push(|| format!("change {sequence} of lead {lead} came after change {newest}"));
        }
        *newest = sequence.max(*newest);
        let of_lead = taken.entry(lead).or_default();
        if let Some(before) = of_lead.get(&sequence) {
            if before.key != arrival.key || before.body != arrival.body || delivery.id != arrival.key {
                findings.altered += 1;
                findings.examples.push(|| format!("change {sequence} of lead {lead} came again, altered"));
            }
            findings.duplicates += 1;
        } else if arrival.reaction.takes() {
            findings.taken += 1;
            findings.merged += sequence - delivery.from_sequence.min(sequence);
            let from_sequence = delivery.from_sequence;
            let (key, body, view) = (arrival.key.as_str(), arrival.body.as_slice(), &delivery.lead);
            of_lead.insert(sequence, Taken { key, body, from_sequence, view });
        }
    }
    taken
}

fn count_gaps(taken: &BTreeMap<&str, BTreeMap<u64, Taken<'_>>>, findings: &mut Findings) {
    for (lead, of_lead) in taken {
        let mut told = 0;
        for (sequence, one) in of_lead {
            if one.from_sequence > told + 1 {
                findings.gaps += one.from_sequence - told - 1;
                findings.examples.push(|| {
                    format!("nothing tells of changes {} to {} of lead {lead}", told + 1, one.from_sequence - 1)
                });
            }
            told = *sequence;
        }
    }
}

/// Compares the leads of the box with what was delivered last of each.
fn compare(taken: &BTreeMap<&str, BTreeMap<u64, Taken<'_>>>, leads: &[Value], findings: &mut Findings) {
    for lead in leads {
        let id = lead.get("id").and_then(Value::as_str).unwrap_or_default();
        let last = taken.get(id).and_then(|of_lead| of_lead.last_key_value()).map(|(_, one)| one.view);
        let same = last.and_then(|view| serde_json::to_value(view).ok()).is_some_and(|view| view == *lead);
        if !same {
            findings.stale += 1;
            findings.examples.push(|| format!("lead {id} is not as it was last delivered"));
        }
    }
}

#[cfg(test)]
mod tests;
