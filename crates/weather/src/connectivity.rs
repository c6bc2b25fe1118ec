//! Whether a provider can be reached: what real requests tell, and checks where there are none.
//!
//! Real requests are the first source. Without any, one authenticated probe a minute is sent at most. While offline the free
//! checks (is there a route, does the name resolve) run often, and the probe only when they pass.
//!
//! ```text
//! watch.passive(now, result);                    // a real request ended
//! while let Some(check) = watch.poll(now) {}     // start each check
//! watch.handle(now, Input::Dns(result));         // a check ended
//! watch.poll_timeout();                          // when to poll again at the latest
//! ```

use core::fmt;
use core::time::Duration;

use crate::FailureKind;

/// The shortest time between two probes, and from a real success to a probe.
pub const PROBE_INTERVAL: Duration = Duration::from_mins(1);
/// The time from one round of free checks to the next, at first.
pub const FIRST_ROUND: Duration = Duration::from_secs(5);
/// The time from one round of free checks to the next, at most.
pub const MAX_ROUND: Duration = Duration::from_secs(30);
/// How long a check may take before it counts as failed, in case the shell never answers.
pub const CHECK_LIMIT: Duration = Duration::from_secs(15);
/// How many signs in a row make a provider offline, unless one is enough.
const SIGNS: u32 = 2;

/// Whether a provider can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Online {
    /// Nobody has tried.
    #[default]
    Unknown,
    /// It can.
    Yes,
    /// It cannot.
    No(OfflineReason),
}

impl Online {
    /// Returns whether it is known that the provider cannot be reached.
    pub const fn is_no(self) -> bool {
        matches!(self, Self::No(_))
    }
}

impl fmt::Display for Online {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Yes => f.write_str("online"),
            Self::No(reason) => write!(f, "offline: {reason}"),
        }
    }
}

/// Why a provider cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OfflineReason {
    /// The device has no route to the internet.
    NoRoute,
    /// Names do not resolve.
    NoDns,
    /// Connections are refused.
    Refused,
    /// No trusted connection can be made.
    Tls,
    /// Somebody else answers.
    CaptivePortal,
    /// Packets are not routed to it.
    Unreachable,
    /// It accepts connections and says nothing.
    Silent,
}

impl fmt::Display for OfflineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoute => "no route",
            Self::NoDns => "no DNS",
            Self::Refused => "refused",
            Self::Tls => "TLS",
            Self::CaptivePortal => "captive portal",
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
        })
    }
}

/// A check to run. The shell answers with the [`Input`] of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Whether the device has a route to the internet. Free.
    Route,
    /// Whether the provider's name resolves. Free.
    Dns,
    /// Whether the provider answers an authenticated request.
    Probe,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Whether there is a route.
    Route(Result<(), ()>),
    /// Whether the name resolved.
    Dns(Result<(), ()>),
    /// Whether the provider answered.
    Probe(Result<(), FailureKind>),
}

/// Watches one provider.
#[derive(Clone, Debug)]
pub struct Connectivity {
    online: Online,
    /// Offline signs in a row, probes and real requests together.
    signs: u32,
    /// Probes in a row that timed out.
    silences: u32,
    /// The check to run next, and when.
    next: (Check, Duration),
    /// The check that runs, and since when.
    running: Option<(Check, Duration)>,
    /// When the next probe may be sent.
    probe_from: Duration,
    round: Duration,
}

impl Connectivity {
    /// Returns a watch that knows nothing. The first probe is due at once.
    pub const fn new(now: Duration) -> Self {
        Self {
            online: Online::Unknown,
            signs: 0,
            silences: 0,
            next: (Check::Probe, now),
            running: None,
            probe_from: now,
            round: FIRST_ROUND,
        }
    }

    /// Takes note of how a real request went.
    pub fn passive(&mut self, now: Duration, result: Result<(), FailureKind>) {
        match result {
            Ok(()) => {
                self.probe_from = self.probe_from.max(now.saturating_add(PROBE_INTERVAL));
                self.reached();
            }
            Err(kind) => self.judge(now, kind),
        }
    }

    /// Takes note of how a check went. One that was not asked for counts as well.
    pub fn handle(&mut self, now: Duration, input: Input) {
        let check = match input {
            Input::Route(_) => Check::Route,
            Input::Dns(_) => Check::Dns,
            Input::Probe(_) => Check::Probe,
        };
        let asked = self.running.is_some_and(|(running, _)| running == check);
        if asked {
            self.running = None;
        }
        match input {
            Input::Probe(Ok(())) => self.reached(),
            Input::Probe(Err(kind)) => self.probe_failed(now, kind),
            // A real request has succeeded in the meantime, which weighs more.
            Input::Route(_) | Input::Dns(_) if asked && !self.online.is_no() => {}
            Input::Route(Ok(())) if asked => self.next = (Check::Dns, now),
            Input::Dns(Ok(())) if asked => self.probe_or_wait(now),
            Input::Route(Ok(())) | Input::Dns(Ok(())) => {}
            Input::Route(Err(())) => self.free_check_failed(now, OfflineReason::NoRoute, asked),
            Input::Dns(Err(())) => self.free_check_failed(now, OfflineReason::NoDns, asked),
        }
    }

    /// Returns the next check to run, or `None` when there is none to start now.
    pub fn poll(&mut self, now: Duration) -> Option<Check> {
        if let Some((check, since)) = self.running {
            if now < since.saturating_add(CHECK_LIMIT) {
                return None;
            }
            self.handle(now, overdue(check));
        }
        let (check, due) = self.next_due();
        if now < due {
            return None;
        }
        if check == Check::Probe {
            self.probe_from = now.saturating_add(PROBE_INTERVAL);
        }
        self.running = Some((check, now));
        Some(check)
    }

    /// Returns when to call [`Connectivity::poll`] at the latest.
    pub fn poll_timeout(&self) -> Duration {
        match self.running {
            Some((_, since)) => since.saturating_add(CHECK_LIMIT),
            None => self.next_due().1,
        }
    }

    /// Returns whether the provider can be reached.
    pub const fn online(&self) -> Online {
        self.online
    }

    fn next_due(&self) -> (Check, Duration) {
        match self.next {
            (Check::Probe, due) => (Check::Probe, due.max(self.probe_from)),
            free => free,
        }
    }

    fn reached(&mut self) {
        self.online = Online::Yes;
        self.signs = 0;
        self.silences = 0;
        self.round = FIRST_ROUND;
        self.next = (Check::Probe, self.probe_from);
    }

    fn free_check_failed(&mut self, now: Duration, reason: OfflineReason, asked: bool) {
        self.offline(now, reason);
        if asked {
            self.wait(now);
        }
    }

    fn probe_failed(&mut self, now: Duration, kind: FailureKind) {
        let was_offline = self.online.is_no();
        self.silences = if kind == FailureKind::TimedOut { self.silences.saturating_add(1) } else { 0 };
        if self.silences >= SIGNS {
            self.offline(now, OfflineReason::Silent);
        } else {
            self.judge(now, kind);
        }
        if was_offline == self.online.is_no() {
            self.wait(now);
        }
    }

    /// Weighs a failure.
    fn judge(&mut self, now: Duration, kind: FailureKind) {
        let (reason, signs) = match kind {
            FailureKind::Unauthorized
            | FailureKind::Forbidden
            | FailureKind::RateLimited
            | FailureKind::Server
            | FailureKind::Malformed
            | FailureKind::Invalid
            | FailureKind::Filtered => return self.reached(),
            // Says nothing about the way to the provider: it may be slow, the clock may be wrong, or it is our own trouble.
            FailureKind::TimedOut | FailureKind::Cut | FailureKind::Clock | FailureKind::Busy | FailureKind::Broken => {
                return;
            }
            FailureKind::Intercepted => (OfflineReason::CaptivePortal, 1),
            FailureKind::Tls => (OfflineReason::Tls, 1),
            FailureKind::Refused => (OfflineReason::Refused, SIGNS),
            FailureKind::Resolve => (OfflineReason::NoDns, SIGNS),
            FailureKind::Unroutable => (OfflineReason::Unreachable, SIGNS),
        };
        self.signs = self.signs.saturating_add(1);
        if self.signs >= signs {
            self.offline(now, reason);
        }
    }

    fn offline(&mut self, now: Duration, reason: OfflineReason) {
        let was_offline = self.online.is_no();
        self.online = Online::No(reason);
        if !was_offline {
            self.round = FIRST_ROUND;
            self.wait(now);
        }
    }

    /// The free checks have passed: the probe, or another round if it may not be sent yet.
    fn probe_or_wait(&mut self, now: Duration) {
        if now >= self.probe_from {
            self.next = (Check::Probe, now);
        } else {
            self.wait(now);
        }
    }

    /// Waits for the next round of free checks, or for the next probe while there is hope.
    fn wait(&mut self, now: Duration) {
        if !self.online.is_no() {
            self.next = (Check::Probe, self.probe_from);
            return;
        }
        let round = now.saturating_add(self.round);
        // A round just before a probe may be sent would only put the probe off.
        let due = if self.probe_from > now { round.min(self.probe_from) } else { round };
        self.next = (Check::Route, due);
        self.round = self.round.saturating_mul(2).min(MAX_ROUND);
    }
}

/// What a check counts as that the shell never answered.
const fn overdue(check: Check) -> Input {
    match check {
        Check::Route => Input::Route(Err(())),
        Check::Dns => Input::Dns(Err(())),
        Check::Probe => Input::Probe(Err(FailureKind::TimedOut)),
    }
}
