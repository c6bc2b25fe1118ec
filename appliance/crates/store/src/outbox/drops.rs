//! Which events were dropped for want of room, and whether that has been told: pure.

use std::collections::VecDeque;

use protocol::Stream;
use serde::{Deserialize, Serialize};

/// Runs of dropped events that a stream remembers. One is usual, and one more for what is not told yet; each change
/// between the two causes, and each damaged row between dropped ones, makes another.
const MAX_RUNS: usize = 16;

/// Why events were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropCause {
    /// The stream took as many bytes as it may.
    Cap,
    /// The disk was nearly full.
    Disk,
}

/// Events of a stream that were dropped, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxDrop {
    /// The stream.
    pub stream: Stream,
    /// The epoch.
    pub epoch: u64,
    /// The number of the first.
    pub from: u64,
    /// The number of the last.
    pub to: u64,
    /// Why.
    pub cause: DropCause,
}

/// Numbers that were dropped one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(super) epoch: u64,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) cause: DropCause,
    /// Whether an event of the audit tells of it.
    #[serde(default)]
    pub(super) is_told: bool,
}

/// The runs of a stream, the oldest first. Part of its head row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Drops(VecDeque<Run>);

impl Run {
    /// Tells whether `next` goes on where this ends.
    fn goes_on_with(&self, next: &Self) -> bool {
        self.epoch == next.epoch
            && self.cause == next.cause
            && self.is_told == next.is_told
            && self.to.saturating_add(1) == next.from
    }
}

impl Drops {
    /// Notes that events were dropped: later ones than any before.
    pub(super) fn note(&mut self, epoch: u64, from: u64, to: u64, cause: DropCause) {
        self.push(Run { epoch, from, to, cause, is_told: false });
    }

    /// Marks as told what was dropped of an epoch up to `through`. What was dropped since is not told yet.
    pub(super) fn mark_told(&mut self, epoch: u64, through: u64) {
        for run in std::mem::take(&mut self.0) {
            if run.epoch != epoch || run.from > through {
                self.push(run);
                continue;
            }
            self.push(Run { to: run.to.min(through), is_told: true, ..run });
            if run.to > through {
                self.push(Run { from: through.saturating_add(1), ..run });
            }
        }
    }

    /// Forgets what is told and needs to be announced no more: the gateway has `through(epoch)`, or the epoch is over.
    pub(super) fn forget(&mut self, through: impl Fn(u64) -> Option<u64>) {
        self.0.retain(|run| !run.is_told || through(run.epoch).is_some_and(|through| run.to > through));
    }

    /// Returns what is not told yet.
    pub(super) fn untold(&self, stream: Stream) -> impl Iterator<Item = OutboxDrop> {
        let untold = self.0.iter().filter(|run| !run.is_told);
        untold.map(move |run| OutboxDrop { stream, epoch: run.epoch, from: run.from, to: run.to, cause: run.cause })
    }

    /// Returns the runs of an epoch, in order.
    pub(super) fn of_epoch(&self, epoch: u64) -> Vec<Run> {
        self.0.iter().filter(|run| run.epoch == epoch).copied().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn push(&mut self, run: Run) {
        match self.0.back_mut() {
            Some(last) if last.goes_on_with(&run) => last.to = run.to,
            Some(_) | None => self.0.push_back(run),
        }
        if self.0.len() > MAX_RUNS {
            self.merge_two();
        }
    }

    /// Makes one run of the first two that can be: from the first number of the one to the last of the other. Where
    /// there are no two of one epoch the oldest is forgotten; its count stays in the loss of the stream.
    fn merge_two(&mut self) {
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        let found = pairs.into_iter().position(|(one, next)| one.epoch == next.epoch && one.is_told == next.is_told);
        match found {
            Some(at) => {
                let next = self.0.remove(at.saturating_add(1));
                if let (Some(run), Some(next)) = (self.0.get_mut(at), next) {
                    run.to = next.to;
                }
            }
            None => drop(self.0.pop_front()),
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Stream;

    use super::{DropCause, Drops, MAX_RUNS, OutboxDrop};

    #[test]
    fn what_is_dropped_one_after_the_other_is_one_run_and_told_once() {
        let mut drops = Drops::default();
        drops.note(7, 1, 10, DropCause::Cap);
        drops.note(7, 11, 12, DropCause::Cap);
        drops.note(7, 13, 20, DropCause::Disk);
        assert_eq!(untold(&drops), [(7, 1, 12, DropCause::Cap), (7, 13, 20, DropCause::Disk)]);
        // More is dropped while the first is told.
        drops.mark_told(7, 12);
        drops.note(7, 21, 25, DropCause::Disk);
        drops.mark_told(7, 20);
        assert_eq!(untold(&drops), [(7, 21, 25, DropCause::Disk)]);
        drops.mark_told(7, 25);
        assert_eq!(untold(&drops), []);
        let runs: Vec<(u64, u64)> = drops.of_epoch(7).iter().map(|run| (run.from, run.to)).collect();
        assert_eq!(runs, [(1, 12), (13, 25)], "told ones are one again");
    }

    #[test]
    fn a_run_is_forgotten_when_it_is_told_and_the_gateway_has_it() {
        let mut drops = Drops::default();
        drops.note(7, 1, 10, DropCause::Cap);
        drops.forget(|_| Some(10));
        assert!(!drops.is_empty(), "not told yet");
        drops.mark_told(7, 10);
        drops.forget(|_| Some(9));
        assert!(!drops.is_empty(), "not announced yet");
        drops.forget(|_| Some(10));
        assert!(drops.is_empty());
        drops.note(7, 11, 12, DropCause::Cap);
        drops.mark_told(7, 12);
        drops.forget(|_| None);
        assert!(drops.is_empty(), "the epoch is over");
    }

    #[test]
    fn there_are_never_more_runs_than_there_is_room_for_and_none_is_told_as_less_than_it_is() {
        let mut drops = Drops::default();
        for n in 0..100_u64 {
            drops.note(7, 2 * n, 2 * n, DropCause::Cap);
        }
        let told = untold(&drops);
        assert_eq!(told.len(), MAX_RUNS);
        assert_eq!((told[0].1, told[MAX_RUNS - 1].2), (0, 198));
        let mut drops = Drops::default();
        for epoch in 0..100 {
            drops.note(epoch, 1, 2, DropCause::Cap);
        }
        assert_eq!(untold(&drops).len(), MAX_RUNS);
    }

    fn untold(drops: &Drops) -> Vec<(u64, u64, u64, DropCause)> {
        let tuple = |drop: OutboxDrop| (drop.epoch, drop.from, drop.to, drop.cause);
        drops.untold(Stream::Logs).map(tuple).collect()
    }
}
