//! The connection to the gateway's brokers, decided without a socket: which one, when, with what session, and what is
//! said first.
//!
//! ```text
//!   waiting --timer--> connecting --ConnAck--> greeting --SubAck--> up
//!      ^                   |                      |                 |
//!      +------ refused, lost, too slow -----------+-----------------+
//! ```
//!
//! After each `ConnAck` the subscriptions are made and the birth is published, whatever the broker remembers. The session
//! is clean on the first connect of a run, because the run knows nothing of what the one before it had under way; on
//! later ones it is resumed, so that the last will waits out its delay and short breaks are seen by nobody.

use std::time::Duration;

use rand::Rng;
use rand::RngExt as _;

/// Time since the program started. It comes in as an argument, and never goes back.
pub type Mono = Duration;

/// How the link behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// How many brokers there are; they are tried in turn. At least one.
    pub brokers: usize,
    /// Shortest wait before a connect. 0.5 s.
    pub min_backoff: Duration,
    /// Longest wait before a connect. 30 s: a fleet comes back within it, not at once, and an owner who watches sees
    /// the box return.
    pub max_backoff: Duration,
    /// Longest time from a connect to the answer of the broker, and from there to that of the subscription. 20 s: a
    /// TLS handshake on a mobile line that is not well.
    pub patience: Duration,
    /// How long a connection has to last to count as a good one. 60 s.
    pub settled: Duration,
}

impl LinkConfig {
    /// Makes the usual configuration for so many brokers.
    pub fn new(brokers: usize) -> Self {
        Self {
            brokers: brokers.max(1),
            min_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            patience: Duration::from_secs(20),
            settled: Duration::from_mins(1),
        }
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No connection came about, or it broke.
    Network,
    /// The broker's certificate, or ours, was refused.
    Tls,
    /// The broker does not let this device in.
    NotAuthorized,
    /// The broker does not let this device listen to its own topics.
    SubscriptionRefused,
    /// The broker is busy, closing down, or points elsewhere.
    Unavailable,
    /// Somebody else connected under this device's name.
    TakenOver,
    /// The broker or the library did what the standard does not allow, or what we did was refused as such.
    Protocol,
    /// Broker and device do not remember the same session.
    SessionMismatch,
    /// Nothing came back in time.
    TooSlow,
}

impl Trouble {
    /// Returns the name in logs and `/readyz`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Tls => "tls",
            Self::NotAuthorized => "not_authorized",
            Self::SubscriptionRefused => "subscription_refused",
            Self::Unavailable => "unavailable",
            Self::TakenOver => "taken_over",
            Self::Protocol => "protocol",
            Self::SessionMismatch => "session_mismatch",
            Self::TooSlow => "too_slow",
        }
    }

    /// Tells whether trying again at once can only make it worse: somebody has to do something first.
    const fn is_stubborn(self) -> bool {
        match self {
            Self::NotAuthorized | Self::SubscriptionRefused | Self::TakenOver => true,
            Self::Network | Self::Tls | Self::Unavailable | Self::Protocol | Self::SessionMismatch | Self::TooSlow => {
                false
            }
        }
    }
}

/// Whether the broker remembers the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// It does: what was published and not answered is published again by itself.
    Resumed,
    /// It does not: nothing published before counts.
    New,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkInput {
    /// The broker let us in.
    Connected(Session),
    /// It answered the subscriptions: all granted.
    Subscribed,
    /// There is no connection (any more).
    Failed(Trouble),
    /// What was published is not answered although the connection stands.
    Stuck,
    /// The program stops.
    Close,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkOutput {
    /// Connect to the broker with this index.
    Connect {
        /// Which broker.
        broker: usize,
        /// The number of this connection in the run, for birth and will.
        connected_seq: u64,
        /// Whether the broker is asked to forget what it knows of us.
        clean_start: bool,
    },
    /// Make the subscriptions.
    Subscribe,
    /// Publish the birth.
    Birth,
    /// Everything may be sent now.
    Up(Session),
    /// Nothing may be sent any more.
    Down(Trouble),
    /// Let go of the connection without a word, so that the broker publishes the will.
    Drop,
    /// Publish the goodbye and close the connection.
    Goodbye,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting { until: Mono },
    Connecting { since: Mono },
    Greeting { since: Mono, session: Session },
    Up { since: Mono },
    Closed,
}

/// The core; see the module's documentation.
#[derive(Debug)]
pub struct Link<R> {
    config: LinkConfig,
    rng: R,
    state: State,
    broker: usize,
    /// Failures in a row.
    failures: u32,
    connected_seq: u64,
    clean_start: bool,
    outputs: Vec<LinkOutput>,
}

impl<R: Rng> Link<R> {
    /// Makes a link that connects at once.
    pub fn new(config: LinkConfig, rng: R) -> Self {
        Self {
            config,
            rng,
            state: State::Waiting { until: Mono::ZERO },
            broker: 0,
            failures: 0,
            connected_seq: 0,
            clean_start: true,
            outputs: Vec::new(),
        }
    }

    /// Takes in what happened. What does not fit the state is passed over: it belongs to a connection that is gone.
    pub fn handle_input(&mut self, now: Mono, input: LinkInput) {
        self.handle_timeout(now);
        match (input, self.state) {
            (LinkInput::Connected(session), State::Connecting { .. }) => {
                self.clean_start = false;
                self.state = State::Greeting { since: now, session };
                self.outputs.extend([LinkOutput::Subscribe, LinkOutput::Birth]);
            }
            (LinkInput::Subscribed, State::Greeting { session, .. }) => {
                self.state = State::Up { since: now };
                self.outputs.push(LinkOutput::Up(session));
            }
            (LinkInput::Failed(trouble), State::Connecting { .. } | State::Greeting { .. } | State::Up { .. }) => {
                self.fail(now, trouble);
            }
            (LinkInput::Stuck, State::Greeting { .. } | State::Up { .. }) => {
                self.outputs.push(LinkOutput::Drop);
                self.clean_start = true;
                self.fail(now, Trouble::TooSlow);
            }
            (LinkInput::Close, State::Up { .. } | State::Greeting { .. }) => {
                self.state = State::Closed;
                self.outputs.push(LinkOutput::Goodbye);
            }
            (LinkInput::Close, State::Connecting { .. } | State::Waiting { .. }) => {
                self.state = State::Closed;
                self.outputs.push(LinkOutput::Drop);
            }
            (
                LinkInput::Connected(_)
                | LinkInput::Subscribed
                | LinkInput::Failed(_)
                | LinkInput::Stuck
                | LinkInput::Close,
                _,
            ) => {}
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Mono) {
        match self.state {
            State::Waiting { until } if until <= now => {
                self.connected_seq = self.connected_seq.saturating_add(1);
                self.state = State::Connecting { since: now };
                self.outputs.push(LinkOutput::Connect {
                    broker: self.broker,
                    connected_seq: self.connected_seq,
                    clean_start: self.clean_start,
                });
            }
            State::Connecting { since } | State::Greeting { since, .. } if self.deadline(since) <= now => {
                self.outputs.push(LinkOutput::Drop);
                self.fail(now, Trouble::TooSlow);
            }
            State::Waiting { .. }
            | State::Connecting { .. }
            | State::Greeting { .. }
            | State::Up { .. }
            | State::Closed => {}
        }
    }

    /// Returns the next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<LinkOutput> {
        if self.outputs.is_empty() { None } else { Some(self.outputs.remove(0)) }
    }

    /// Returns when [`Link::handle_timeout`] has to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Mono> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Connecting { since } | State::Greeting { since, .. } => Some(self.deadline(since)),
            State::Up { .. } | State::Closed => None,
        }
    }

    /// Tells whether everything may be sent.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// Tells whether the broker has let us in.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Up { .. } | State::Greeting { .. })
    }

    /// Returns which broker is connected, or tried next.
    pub fn broker(&self) -> usize {
        self.broker
    }

    fn deadline(&self, since: Mono) -> Mono {
        since.saturating_add(self.config.patience)
    }

    fn fail(&mut self, now: Mono, trouble: Trouble) {
        if let State::Up { since } = self.state
            && now.saturating_sub(since) >= self.config.settled
        {
            self.failures = 0;
        }
        if matches!(self.state, State::Up { .. } | State::Greeting { .. } | State::Connecting { .. }) {
            self.outputs.push(LinkOutput::Down(trouble));
        }
        // A session that the two sides remember differently is begun anew.
        self.clean_start |= matches!(trouble, Trouble::SessionMismatch | Trouble::Protocol);
        // Each broker is tried before the wait grows.
        let round = self.failures / u32::try_from(self.config.brokers).unwrap_or(1).max(1);
        let longest = if trouble.is_stubborn() {
            self.config.max_backoff
        } else {
            self.config.min_backoff.saturating_mul(1_u32.checked_shl(round.saturating_add(1)).unwrap_or(u32::MAX))
        };
        let longest = longest.clamp(self.config.min_backoff, self.config.max_backoff);
        let wait = self.rng.random_range(self.config.min_backoff..=longest);
        self.failures = self.failures.saturating_add(1);
        self.broker = self.broker.saturating_add(1) % self.config.brokers;
        self.state = State::Waiting { until: now.saturating_add(wait) };
    }
}
