//! What holds whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::told;
use crate::csv::cell;
use crate::phone::e164;
use crate::{Lead, LeadId, Outcome, Queue, Send};

/// What happens to the deliveries of a box.
#[derive(Clone, Debug)]
enum Step {
    /// A lead changes.
    Change { lead: u8 },
    /// Time goes by.
    Wait { seconds: u16 },
    /// What is due is sent.
    Send,
    /// The oldest on its way comes back.
    Answer { delivered: bool, received: bool, retry_after: Option<u16> },
    /// The box is killed and starts again.
    Crash { received: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5_u8).prop_map(|lead| Step::Change { lead }),
        2 => any::<u16>().prop_map(|seconds| Step::Wait { seconds }),
        6 => Just(Step::Send),
        5 => (any::<bool>(), any::<bool>(), proptest::option::of(any::<u16>()))
            .prop_map(|(delivered, received, retry_after)| Step::Answer { delivered, received, retry_after }),
        1 => any::<bool>().prop_map(|received| Step::Crash { received }),
    ]
}

/// The store, the receiver and the queue between them.
struct World {
    queue: Queue,
    now: Duration,
    /// What waits on the disk.
    disk: BTreeSet<Send>,
    on_its_way: Vec<Send>,
    versions: BTreeMap<u8, u64>,
    received: Vec<Send>,
}

impl World {
    fn new() -> Self {
        let (queue, now) = (Queue::new(3), Duration::ZERO);
        let (disk, on_its_way) = (BTreeSet::new(), Vec::new());
        Self { queue, now, disk, on_its_way, versions: BTreeMap::new(), received: Vec::new() }
    }

    fn act(&mut self, step: &Step) {
        match *step {
            Step::Change { lead } => {
                let version = self.versions.entry(lead).or_default();
                *version += 1;
                let send = Send { lead: LeadId::new(u64::from(lead), 0), sequence: *version };
                self.disk.insert(send);
                self.queue.add(self.now, send, 0);
            }
            Step::Wait { seconds } => self.now += Duration::from_secs(u64::from(seconds)),
            Step::Send => self.on_its_way.extend(self.queue.next(self.now)),
            Step::Answer { delivered, received, retry_after } => self.answer(delivered, received, retry_after),
            Step::Crash { received } => {
                // What was on its way may have got there, unnoticed.
                let on_its_way = std::mem::take(&mut self.on_its_way);
                self.received.extend(on_its_way.into_iter().filter(|_| received));
                self.queue = Queue::new(3);
                self.now = Duration::ZERO;
                for send in &self.disk {
                    self.queue.add(self.now, *send, 0);
                }
            }
        }
        assert!(self.on_its_way.len() <= 3);
        let leads: BTreeSet<LeadId> = self.on_its_way.iter().map(|send| send.lead).collect();
        assert_eq!(leads.len(), self.on_its_way.len(), "two changes of one lead are on their way");
        assert_eq!(self.queue.waiting(), self.disk.len());
    }

    fn answer(&mut self, delivered: bool, received: bool, retry_after: Option<u16>) {
        if self.on_its_way.is_empty() {
            return;
        }
        let send = self.on_its_way.remove(0);
        if delivered || received {
            self.received.push(send);
        }
        let retry_after = retry_after.map(|seconds| Duration::from_secs(u64::from(seconds)));
        let outcome = if delivered { Outcome::Delivered } else { Outcome::Failed { retry_after } };
        if delivered {
            self.disk.remove(&send);
        }
        self.queue.done(self.now, send, outcome, 12_345);
    }

    /// Lets everything be delivered.
    fn settle(&mut self) {
        while !self.disk.is_empty() {
            if let Some(due) = self.queue.wake() {
                self.now = self.now.max(due);
            }
            self.act(&Step::Send);
            self.act(&Step::Answer { delivered: true, received: true, retry_after: None });
        }
    }
}

proptest! {
    #[test]
    fn every_change_arrives_and_none_overtakes_another_of_its_lead(steps in prop::collection::vec(step(), 0..200)) {
        let mut world = World::new();
        for step in &steps {
            world.act(step);
        }
        world.settle();
        for (lead, version) in &world.versions {
            let lead = LeadId::new(u64::from(*lead), 0);
            let mut last = 0;
            for send in world.received.iter().filter(|send| send.lead == lead) {
                // The same again, or the next one.
                prop_assert!(send.sequence == last || send.sequence == last + 1, "{:?}", world.received);
                last = send.sequence;
            }
            prop_assert_eq!(last, *version);
        }
    }

    #[test]
    fn facts_in_any_order_make_the_same_fields(
        facts in prop::collection::vec((0..20_u64, 0..4_usize, "[a-c]{1,2}"), 1..12),
        order in any::<prop::sample::Index>(),
    ) {
        let facts: Vec<_> = facts.iter().enumerate().map(|(number, (at, field, value))| {
            told(&format!("CA{number}"), *at, "0541234567", value, &[(["a", "b", "c", "d"][*field], value.as_str())])
        }).collect();
        let fold = |facts: &[crate::Fact]| {
            let mut lead = Lead::begun(LeadId::new(1, 1), &facts[0]);
            for fact in facts {
                lead.fold(fact, 0);
            }
            (lead.name, lead.fields, lead.first_seen_wall_ms, lead.last_seen_wall_ms, lead.sources)
        };
        let mut turned = facts.clone();
        turned.rotate_left(order.index(facts.len()));
        turned.reverse();
        prop_assert_eq!(fold(&facts), fold(&turned));
    }

    #[test]
    fn no_text_makes_a_number_that_is_none(text in "\\PC{0,24}") {
        if let Some(number) = e164(&text) {
            prop_assert!(number.starts_with('+') && (8..=16).contains(&number.len()));
            prop_assert_eq!(e164(&number), Some(number));
        }
    }

    #[test]
    fn a_cell_is_no_formula_and_ends_where_it_should(text in "[=+@a\", \r\n-]{0,12}") {
        let cell = cell(&text);
        let inner = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&cell);
        prop_assert!(!inner.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        if !cell.starts_with('"') {
            prop_assert!(!cell.contains([',', '"', '\r', '\n']), "{cell}");
        }
        prop_assert!(!inner.replace("\"\"", "").contains('"'), "{cell}");
        let back = inner.replace("\"\"", "\"");
        prop_assert_eq!(back.strip_prefix('\'').unwrap_or(&back), text.strip_prefix('\'').unwrap_or(&text));
    }
}
