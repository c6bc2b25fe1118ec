//! Which deadlines a race has. They follow from where it stands, so that none can be left set or forgotten.

use core::time::Duration;

use super::runner::{Lane, State};
use super::{Phase, Race};

/// What a deadline is for; of equal ones the first comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The pause that the provider asked for is over.
    Retry,
    /// The cloud should have given something useful.
    Deadline,
    /// This device should begin beside the cloud.
    Hedge,
    /// The engine of the cloud that serves has paused for too long.
    Stall,
    /// The engine of the cloud that serves should have come to its end.
    Total,
    /// A shadow has run for long enough.
    Shadow,
    /// Not even this device has come to an end.
    LocalLimit,
}

impl Timer {
    const ALL: [Self; 7] =
        [Self::Retry, Self::Deadline, Self::Hedge, Self::Stall, Self::Total, Self::Shadow, Self::LocalLimit];
}

impl Race {
    pub(super) fn next_timer(&self) -> Option<(Duration, Timer)> {
        Timer::ALL.into_iter().filter_map(|timer| Some((self.due(timer)?, timer))).min()
    }

    /// Returns how long the cloud may take to its first useful output: while an engine of this device is left, no longer
    /// than the caller should wait; else as long as the request may take.
    pub(super) fn cloud_deadline(&self) -> Duration {
        let left = self.find(Lane::Local, |state| state != State::Out).is_some();
        if left { self.deadline } else { self.total }
    }

    fn due(&self, timer: Timer) -> Option<Duration> {
        let choosing = self.phase == Phase::Choosing;
        let after = |pause: Duration| self.start.saturating_add(pause);
        match timer {
            Timer::Retry => self.waits_until().filter(|_| choosing),
            Timer::Deadline => {
                let running = self.find(Lane::Cloud, State::is_running).filter(|_| choosing);
                running.map(|_| after(self.cloud_deadline()))
            }
            Timer::Hedge => {
                let untouched = self.find(Lane::Local, |state| !state.is_idle()).is_none();
                let insure =
                    choosing && untouched && self.has_hope() && self.find(Lane::Local, State::is_idle).is_some();
                self.hedge_after.filter(|_| insure).map(after)
            }
            Timer::Stall => self.cloud_serves().then(|| self.last_output.saturating_add(self.stall)),
            Timer::Total => self.cloud_serves().then(|| after(self.total)),
            Timer::Shadow => self.find(Lane::Shadow, State::is_running).map(|_| after(self.total)),
            Timer::LocalLimit => self.find(Lane::Local, State::is_running).map(|_| after(self.total.saturating_mul(2))),
        }
    }

    fn waits_until(&self) -> Option<Duration> {
        self.runners.iter().find_map(|runner| match runner.state {
            State::Waiting { until } => Some(until),
            State::Idle | State::Running | State::Parked | State::Finished | State::Out => None,
        })
    }

    fn cloud_serves(&self) -> bool {
        let Phase::Serving(which) = self.phase else { return false };
        self.runners.get(which).is_some_and(|runner| runner.lane == Lane::Cloud)
    }
}
