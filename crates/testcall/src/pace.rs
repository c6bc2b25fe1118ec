//! How fast a call runs on the clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::playout::FRAME;

/// A line that has fallen this far behind the clock starts counting anew instead of catching up in a burst.
const MOST_BEHIND: Duration = Duration::from_millis(500);

/// While the caller waits for the box, even the fastest line leaves it this long per frame.
const LEAST_WAIT: Duration = Duration::from_millis(1);

/// How fast a call runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// One second of the line takes a second.
    #[default]
    RealTime,
    /// One second of the line takes a second divided by this.
    Times(u32),
    /// What does not wait for the box takes no time at all; what does takes 1 ms per frame.
    AsFastAsPossible,
}

/// Keeps one call to its pace.
#[derive(Debug)]
pub(crate) struct Pacer {
    pace: Pace,
    due: Option<Instant>,
}

impl Pacer {
    pub(crate) const fn new(pace: Pace) -> Self {
        Self { pace, due: None }
    }

    /// Waits until the next frame is due. `waiting` says that the caller waits for the box.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way: the frame stays due at the same time until [`Pacer::frame_done`].
    pub(crate) async fn next_frame(&mut self, waiting: bool) {
        let Some(length) = self.frame_length() else {
            if waiting {
                tokio::time::sleep(LEAST_WAIT).await;
            } else {
                tokio::task::yield_now().await;
            }
            return;
        };
        let now = Instant::now();
        let due = *self.due.get_or_insert(now + length);
        if now.saturating_duration_since(due) > MOST_BEHIND {
            self.due = Some(now);
        }
        tokio::time::sleep_until(due).await;
    }

    /// The frame that was due has been dealt with.
    pub(crate) fn frame_done(&mut self) {
        if let (Some(length), Some(due)) = (self.frame_length(), self.due) {
            self.due = Some(due + length);
        }
    }

    fn frame_length(&self) -> Option<Duration> {
        match self.pace {
            Pace::RealTime => Some(FRAME),
            Pace::Times(times) => Some(FRAME / times.max(1)),
            Pace::AsFastAsPossible => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{Pace, Pacer};

    #[tokio::test(start_paused = true)]
    async fn a_second_of_the_line_takes_a_second_or_its_part() {
        for (pace, milliseconds) in [(Pace::RealTime, 1_000), (Pace::Times(4), 250), (Pace::AsFastAsPossible, 0)] {
            assert_eq!(run(&mut Pacer::new(pace), 50, false).await, Duration::from_millis(milliseconds), "{pace:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_box_leaves_it_time() {
        let took = run(&mut Pacer::new(Pace::AsFastAsPossible), 50, true).await;
        assert!(took >= Duration::from_millis(50), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_delay_is_caught_up_and_a_long_one_is_not() {
        let mut pacer = Pacer::new(Pace::RealTime);
        run(&mut pacer, 1, false).await;
        advance(Duration::from_millis(100)).await;
        assert_eq!(run(&mut pacer, 10, false).await, Duration::from_millis(100), "five frames were due already");
        advance(Duration::from_secs(5)).await;
        let took = run(&mut pacer, 10, false).await;
        assert!(took >= Duration::from_millis(180), "no burst after a long delay, but {took:?}");
    }

    async fn run(pacer: &mut Pacer, frames: u32, waiting: bool) -> Duration {
        let started = Instant::now();
        for _ in 0..frames {
            pacer.next_frame(waiting).await;
            pacer.frame_done();
        }
        started.elapsed()
    }
}
