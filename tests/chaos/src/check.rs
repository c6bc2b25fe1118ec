//! What was promised against what is stored.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;

use anyhow::Context as _;
use protocol::EventId;
use serde::Serialize;

use crate::promise::Promise;

/// Findings of a kind that are described; more are counted.
const DESCRIBED: usize = 10;

/// The query whose rows [`Row`] reads.
pub(crate) const EVENTS: &str = "SELECT device, stream, epoch, seq, id FROM events ORDER BY device, stream, epoch, seq";
/// The query whose rows [`Loss`] reads.
pub(crate) const LOSSES: &str = "SELECT device, stream, epoch, from_seq, to_seq FROM losses";

/// Names a stream of one outbox: device, stream, epoch.
type Place = (String, String, u64);

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    place: Place,
    seq: u64,
    id: EventId,
}

/// Numbers that the database says are lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    place: Place,
    from: u64,
    to: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Findings {
    /// Events promised.
    pub(crate) promised: u64,
    /// Events stored, those included that nobody promised: logs, and what a device was killed over.
    pub(crate) stored: u64,
    /// Promised and not stored.
    pub(crate) missing: u64,
    /// Stored more than once: a number, or an identity.
    pub(crate) twice: u64,
    /// Stored under another number than was promised.
    pub(crate) misplaced: u64,
    /// Numbers that are neither stored nor told as lost, with one that is greater stored.
    pub(crate) gaps_unreported: u64,
    /// Numbers told as lost.
    pub(crate) gaps_reported: u64,
    /// Streams that began anew: epochs beyond the first of each.
    pub(crate) epochs_begun_anew: u64,
    /// Some of the findings, described.
    pub(crate) examples: Vec<String>,
}

impl Findings {
    /// Tells whether nothing promised is missing, and nothing is there twice, misplaced or left out without a word.
    pub(crate) const fn is_good(&self) -> bool {
        self.missing == 0 && self.twice == 0 && self.misplaced == 0 && self.gaps_unreported == 0
    }
}

/// Compares what each device promised with what is stored.
pub(crate) fn check(promised: &[(String, Promise)], rows: &[Row], losses: &[Loss]) -> Findings {
    let mut notes = Notes::default();
    let mut by_id: HashMap<EventId, Vec<&Row>> = HashMap::with_capacity(rows.len());
    for row in rows {
        by_id.entry(row.id).or_default().push(row);
    }
    let (mut missing, mut misplaced) = (0, 0);
    for (device, promise) in promised {
        let place = (device.clone(), promise.stream.to_string(), promise.epoch);
        match by_id.get(&promise.id).and_then(|rows| rows.first()) {
            None => {
                missing += 1;
                notes.add("missing", &place, promise.seq);
            }
            Some(row) if row.place != place || row.seq != promise.seq => {
                misplaced += 1;
                notes.add("misplaced", &place, promise.seq);
            }
            Some(_) => {}
        }
    }
    let mut places: BTreeMap<&Place, Numbers> = BTreeMap::new();
    let mut twice = 0;
    let mut seen = HashSet::with_capacity(rows.len());
    for row in rows {
        let is_new_number = places.entry(&row.place).or_default().stored.insert(row.seq);
        let is_new_id = seen.insert(row.id);
        if !is_new_number || !is_new_id {
            twice += 1;
            notes.add("twice", &row.place, row.seq);
        }
    }
    for loss in losses {
        places.entry(&loss.place).or_default().lost.extend(loss.from..=loss.to);
    }
    let mut gaps_unreported = 0;
    for (place, numbers) in &places {
        for seq in numbers.left_out() {
            gaps_unreported += 1;
            notes.add("a gap", place, seq);
        }
    }
    let streams: HashSet<(&str, &str)> = places.keys().map(|(device, stream, _)| (&**device, &**stream)).collect();
    Findings {
        promised: count(promised.len()),
        stored: count(rows.len()),
        missing,
        twice,
        misplaced,
        gaps_unreported,
        gaps_reported: places.values().map(|numbers| count(numbers.lost.len())).sum(),
        epochs_begun_anew: count(places.len().saturating_sub(streams.len())),
        examples: notes.0.into_values().flatten().collect(),
    }
}

/// Numbers of a stream. Campaigns are short; all of them fit.
#[derive(Default)]
struct Numbers {
    stored: HashSet<u64>,
    lost: HashSet<u64>,
}

impl Numbers {
    /// Returns the numbers below the greatest that are nowhere.
    fn left_out(&self) -> impl Iterator<Item = u64> {
        let greatest = self.stored.iter().chain(&self.lost).copied().max().unwrap_or(0);
        (1..=greatest).filter(|seq| !self.stored.contains(seq) && !self.lost.contains(seq))
    }
}

/// Descriptions of some findings of each kind.
#[derive(Default)]
struct Notes(BTreeMap<&'static str, Vec<String>>);

impl Notes {
    fn add(&mut self, what: &'static str, (device, stream, epoch): &Place, seq: u64) {
        let notes = self.0.entry(what).or_default();
        if notes.len() < DESCRIBED {
            notes.push(format!("{what}: {device} {stream} epoch {epoch} number {seq}"));
        }
    }
}

impl FromStr for Row {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let [device, stream, epoch, seq, id] = columns(line)?;
        let place = (device.to_owned(), stream.to_owned(), epoch.parse()?);
        Ok(Self { place, seq: seq.parse()?, id: id.parse()? })
    }
}

impl FromStr for Loss {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let [device, stream, epoch, from, to] = columns(line)?;
        let place = (device.to_owned(), stream.to_owned(), epoch.parse()?);
        Ok(Self { place, from: from.parse()?, to: to.parse()? })
    }
}

fn columns<const N: usize>(line: &str) -> anyhow::Result<[&str; N]> {
    let columns: Vec<&str> = line.split('|').collect();
    columns.try_into().ok().with_context(|| format!("expected {N} columns: {line}"))
}

/// Reads what psql printed.
pub(crate) fn read<T: FromStr<Err = anyhow::Error>>(printed: &str) -> anyhow::Result<Vec<T>> {
    printed.lines().map(str::parse).collect()
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
