//! What a connection is doing, and how long it may: decided without a clock and without a socket.

use std::time::Duration;

use tokio::time::Instant;

/// How long a connection may be at one thing.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the whole head of a request: from the opening of the connection, or from the first byte of a later request.
    pub head: Duration,
    /// For the first byte of the next request on a connection that is kept alive.
    pub keep_alive: Duration,
    /// For the other end to take more of an answer.
    pub stall: Duration,
}

/// Why the box closed a connection, as a word to count under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// The head of a request did not come in time.
    HeaderTimeout,
    /// No further request came in time.
    KeepAliveTimeout,
    /// The answer was not taken in time.
    Stalled,
    /// It was waited on and had to make room.
    Shed,
    /// Every place was taken by a request under way.
    Refused,
}

impl Closed {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::HeaderTimeout => "header_timeout",
            Self::KeepAliveTimeout => "keep_alive_timeout",
            Self::Stalled => "stalled",
            Self::Shed => "shed",
            Self::Refused => "refused",
        }
    }
}

/// What a connection is doing now, and since when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activity {
    doing: Doing,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// It was opened and has sent nothing.
    Opened,
    /// A request was answered, nothing of the next has come.
    Kept,
    /// Part of a request's head is here.
    Head,
    /// The head is here, the body is not. Whoever reads the body says how long that may take.
    Body,
    /// The whole request is here and is worked on. That takes what it takes: a record has to reach the disk.
    Working,
    /// The answer is being sent.
    Sending,
    /// The last of the answer was handed over, and waits for the other end to take it.
    Flushing,
    /// It has to make room; nothing is begun on it any more.
    GivenUp,
}

impl Activity {
    /// A connection was opened.
    pub(super) const fn opened(now: Instant) -> Self {
        Self { doing: Doing::Opened, since: now }
    }

    /// Bytes came in.
    pub(super) fn received(&mut self, now: Instant) {
        match self.doing {
            // Counted from the opening, however the bytes are spread.
            Doing::Opened => self.doing = Doing::Head,
            Doing::Kept => self.enter(Doing::Head, now),
            Doing::Head | Doing::Body | Doing::Working | Doing::Sending | Doing::Flushing | Doing::GivenUp => {}
        }
    }

    /// A request's head is whole. Returns whether the request may be begun.
    pub(super) fn request(&mut self, now: Instant, has_body: bool) -> bool {
        self.go_on(if has_body { Doing::Body } else { Doing::Working }, now)
    }

    /// A request's body is whole, or nobody reads more of it. Returns whether the request may be acted on.
    pub(super) fn body_read(&mut self, now: Instant) -> bool {
        if self.doing == Doing::Body { self.go_on(Doing::Working, now) } else { self.doing != Doing::GivenUp }
    }

    /// The answer is decided and being sent.
    pub(super) fn answered(&mut self, now: Instant) {
        self.go_on(Doing::Sending, now);
    }

    /// The other end took bytes.
    pub(super) fn sent(&mut self, now: Instant) {
        if matches!(self.doing, Doing::Sending | Doing::Flushing) {
            self.since = now;
        }
    }

    /// The last of the answer was handed over.
    pub(super) fn finished(&mut self, now: Instant) {
        self.go_on(Doing::Flushing, now);
    }

    /// All that was handed over was taken.
    pub(super) fn flushed(&mut self, now: Instant) {
        if self.doing == Doing::Flushing {
            self.enter(Doing::Kept, now);
        }
    }

    /// Gives the connection up if no whole request is here. Returns whether it was; nothing is begun on it afterwards.
    pub(super) fn give_up(&mut self) -> bool {
        let may = self.waiting_since().is_some();
        if may {
            self.doing = Doing::GivenUp;
        }
        may
    }

    /// Returns since when the connection is waited on for a request, or for the rest of one.
    pub(super) const fn waiting_since(&self) -> Option<Instant> {
        match self.doing {
            Doing::Opened | Doing::Kept | Doing::Head | Doing::Body => Some(self.since),
            Doing::Working | Doing::Sending | Doing::Flushing | Doing::GivenUp => None,
        }
    }

    /// Returns when the connection is to be closed if nothing changes, and why.
    pub(super) fn deadline(&self, patience: &Patience) -> Option<(Instant, Closed)> {
        let (limit, why) = match self.doing {
            Doing::Opened | Doing::Head => (patience.head, Closed::HeaderTimeout),
            Doing::Kept => (patience.keep_alive, Closed::KeepAliveTimeout),
            Doing::Sending | Doing::Flushing => (patience.stall, Closed::Stalled),
            Doing::Body | Doing::Working | Doing::GivenUp => return None,
        };
        // A limit beyond what the clock can say is none.
        self.since.checked_add(limit).map(|at| (at, why))
    }

    fn go_on(&mut self, doing: Doing, now: Instant) -> bool {
        let may = self.doing != Doing::GivenUp;
        if may {
            self.enter(doing, now);
        }
        may
    }

    fn enter(&mut self, doing: Doing, now: Instant) {
        *self = Self { doing, since: now };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Activity, Closed, Patience};

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(10),
        keep_alive: Duration::from_secs(150),
        stall: Duration::from_secs(20),
    };

    #[test]
    fn a_head_has_its_time_from_the_opening_and_later_from_its_first_byte() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut activity = Activity::opened(start);
        assert_eq!(activity.deadline(&PATIENCE), Some((at(10), Closed::HeaderTimeout)));
        activity.received(at(9));
        activity.received(at(9));
        assert_eq!(activity.deadline(&PATIENCE), Some((at(10), Closed::HeaderTimeout)), "bytes one by one win no time");
        assert!(activity.request(at(9), false));
        assert_eq!(activity.deadline(&PATIENCE), None, "work takes what it takes");
        activity.answered(at(30));
        assert_eq!(activity.deadline(&PATIENCE), Some((at(50), Closed::Stalled)));
        activity.sent(at(40));
        assert_eq!(activity.deadline(&PATIENCE), Some((at(60), Closed::Stalled)));
        activity.flushed(at(40));
        activity.finished(at(40));
        assert_eq!(
            activity.deadline(&PATIENCE),
            Some((at(60), Closed::Stalled)),
            "what is handed over is not yet taken"
        );
        activity.flushed(at(41));
        assert_eq!(activity.deadline(&PATIENCE), Some((at(191), Closed::KeepAliveTimeout)));
        activity.received(at(100));
        assert_eq!(activity.deadline(&PATIENCE), Some((at(110), Closed::HeaderTimeout)));
    }

    #[test]
    fn only_a_connection_without_a_whole_request_is_given_up_and_then_begins_nothing() {
        let now = Instant::now();
        for steps in 0..7 {
            let mut activity = Activity::opened(now);
            let mut forward: [&mut dyn FnMut(&mut Activity); 6] = [
                &mut |a| a.received(now),
                &mut |a| assert!(a.request(now, true)),
                &mut |a| assert!(a.body_read(now)),
                &mut |a| a.answered(now),
                &mut |a| a.finished(now),
                &mut |a| a.flushed(now),
            ];
            forward.iter_mut().take(steps).for_each(|step| step(&mut activity));
            let waits = matches!(steps, 0..=2 | 6);
            assert_eq!(activity.waiting_since().is_some(), waits, "after {steps} steps");
            assert_eq!(activity.give_up(), waits, "after {steps} steps");
            assert_eq!(activity.request(now, false), !waits, "after {steps} steps");
            assert_eq!(activity.body_read(now), !waits, "after {steps} steps");
            assert!(!waits || activity.deadline(&PATIENCE).is_none());
        }
    }
}
