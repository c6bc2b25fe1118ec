//! Which calls are expected, on the line, or over. One table, one lock, no waiting under it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conversation::StreamWatchdog;
use telephony::dedup::{DedupConfig, DedupKey, DedupTable, Seen};
use telephony::one_time::{IssueError, RedeemError, StreamToken, TOKEN_RANDOM_BYTES, TokenConfig, TokenTable};
use telephony::wire::Address;
use units::{CallId, Language, Pii};

/// How long a token is good at most: longer than the longest greeting. The watchdog ends it sooner.
const TOKEN_LIFETIME: Duration = Duration::from_mins(10);
/// Calls that ended and are still remembered, so that the carrier's last questions about them are answered.
const MAX_ENDED: usize = 1_024;

/// Who calls whom, from the webhook of the incoming call.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The carrier's name for the call.
    pub call: CallId,
    /// Who calls.
    pub from: Pii<Address>,
    /// Which number was called.
    pub to: Pii<Address>,
    /// The language the call begins in.
    pub language: Language,
    /// When it came in, in milliseconds since 1970 as the box believes.
    pub started_wall_ms: u64,
    /// When it came in, since the program started.
    pub started: Duration,
}

/// What the carrier shall do when a call's media stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// End the call: everything was said.
    HangUp,
    /// Take a message.
    Voicemail,
    /// Put the caller through to a person.
    Transfer,
}

/// What an answered webhook was answered with: status and body.
pub type Answer = (u16, String);

/// Calls expected, on the line, and over.
#[derive(Debug)]
pub struct Switchboard {
    max_calls: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    tokens: TokenTable,
    answers: DedupTable<DedupKey, Answer>,
    expected: BTreeMap<CallId, Expected>,
    on_line: BTreeMap<CallId, Caller>,
    ended: BTreeMap<CallId, (Ending, Language)>,
    ended_order: VecDeque<CallId>,
}

#[derive(Debug)]
struct Expected {
    caller: Caller,
    watchdog: StreamWatchdog,
}

impl Switchboard {
    /// Makes an empty table for `max_calls` calls at once.
    pub fn new(max_calls: usize) -> Self {
        let inner = Inner {
            tokens: TokenTable::new(TokenConfig { lifetime: TOKEN_LIFETIME, ..TokenConfig::default() }),
            answers: DedupTable::new(DedupConfig::default()),
            expected: BTreeMap::new(),
            on_line: BTreeMap::new(),
            ended: BTreeMap::new(),
            ended_order: VecDeque::new(),
        };
        Self { max_calls, inner: Mutex::new(inner) }
    }

    /// Returns whether one call more may have a stream.
    pub fn has_room(&self) -> bool {
        let inner = self.lock();
        inner.expected.len().saturating_add(inner.on_line.len()) < self.max_calls
    }

    /// Expects the media stream of `caller` until `watchdog` fires, and returns the token that lets it in.
    ///
    /// A call that is expected already gets a new token, and the old one is worth nothing.
    pub fn expect(
        &self,
        now: Duration,
        caller: Caller,
        watchdog: StreamWatchdog,
        random: [u8; TOKEN_RANDOM_BYTES],
    ) -> Result<StreamToken, IssueError> {
        let mut inner = self.lock();
        let token = inner.tokens.issue(now, caller.call.clone(), random)?;
        inner.expected.insert(caller.call.clone(), Expected { caller, watchdog });
        Ok(token)
    }

    /// Lets a stream in: `token` must be the one of `call`, unused. The call is on the line from here on.
    pub fn connect(&self, now: Duration, call: &CallId, token: &str) -> Result<Caller, RedeemError> {
        let mut inner = self.lock();
        inner.tokens.redeem_for(now, call, token)?;
        let expected = inner.expected.remove(call).ok_or(RedeemError::Unknown)?;
        inner.on_line.insert(call.clone(), expected.caller.clone());
        Ok(expected.caller)
    }

    /// Returns whether `token` would let a stream in, without using it up.
    pub fn is_waiting(&self, now: Duration, token: &str) -> bool {
        self.lock().tokens.is_waiting(now, token)
    }

    /// Notes that the stream of `call` is over, and how the call goes on.
    pub fn end(&self, call: &CallId, ending: Ending, language: Language) {
        let mut inner = self.lock();
        inner.on_line.remove(call);
        inner.remember_end(call, ending, language);
    }

    /// Returns how `call` goes on after its stream, and in which language. A call the box knows nothing of goes on
    /// with voicemail.
    pub fn ending(&self, call: &CallId) -> Option<(Ending, Language)> {
        self.lock().ended.get(call).copied()
    }

    /// Takes out every call whose stream did not start in time; each is told once.
    pub fn overdue(&self, now: Duration) -> Vec<Caller> {
        let mut inner = self.lock();
        let due = inner
            .expected
            .iter_mut()
            .filter_map(|(call, expected)| expected.watchdog.handle_timeout(now).then(|| call.clone()));
        let calls: Vec<CallId> = due.collect();
        calls.iter().filter_map(|call| inner.forget_expected(call)).collect()
    }

    /// Returns when the next expected stream is overdue.
    pub fn next_overdue(&self) -> Option<Duration> {
        self.lock().expected.values().filter_map(|expected| expected.watchdog.poll_timeout()).min()
    }

    /// Forgets a call that is over for the carrier, whatever it was doing, and returns whether its stream was
    /// still expected.
    pub fn forget(&self, call: &CallId) -> bool {
        self.lock().forget_expected(call).is_some()
    }

    /// Returns whether `call` is on the line.
    pub fn is_on_line(&self, call: &CallId) -> bool {
        self.lock().on_line.contains_key(call)
    }

    /// Returns how many calls are on the line.
    pub fn on_line(&self) -> usize {
        self.lock().on_line.len()
    }

    /// Returns whether no call is on the line or expected.
    pub fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.expected.is_empty() && inner.on_line.is_empty()
    }

    /// Begins to answer a webhook; what was answered before is answered again.
    pub fn begin_webhook(&self, now: Duration, key: DedupKey) -> Seen<Answer> {
        self.lock().answers.begin(now, key)
    }

    /// Keeps the answer of a webhook for its repetitions.
    pub fn finish_webhook(&self, key: &DedupKey, answer: Answer) {
        self.lock().answers.finish(key, answer);
    }

    /// Forgets a webhook that could not be answered, so that its repetition is acted on.
    pub fn abandon_webhook(&self, key: &DedupKey) {
        self.lock().answers.abandon(key);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change of the table is whole before anything in it can panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget_expected(&mut self, call: &CallId) -> Option<Caller> {
        self.tokens.revoke(call);
        self.expected.remove(call).map(|expected| expected.caller)
    }

    fn remember_end(&mut self, call: &CallId, ending: Ending, language: Language) {
        if self.ended.insert(call.clone(), (ending, language)).is_none() {
            self.ended_order.push_back(call.clone());
        }
        while self.ended_order.len() > MAX_ENDED {
            if let Some(oldest) = self.ended_order.pop_front() {
                self.ended.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use conversation::StreamWatchdog;
    use telephony::one_time::{RedeemError, TOKEN_RANDOM_BYTES};
    use telephony::wire::Address;
    use units::{CallId, Language};

    use super::{Caller, Ending, MAX_ENDED, Switchboard};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_token_lets_its_own_call_in_once() {
        let board = Switchboard::new(2);
        let token = board.expect(SECOND, caller("CA1"), watchdog(), [1; TOKEN_RANDOM_BYTES]).unwrap();
        board.expect(SECOND, caller("CA2"), watchdog(), [2; TOKEN_RANDOM_BYTES]).unwrap();
        assert!(!board.has_room());
        assert!(matches!(board.connect(SECOND, &id("CA2"), token.as_str()), Err(RedeemError::OtherCall)));
        assert_eq!(board.connect(SECOND, &id("CA1"), token.as_str()).unwrap().call, id("CA1"));
        assert!(matches!(board.connect(SECOND, &id("CA1"), token.as_str()), Err(RedeemError::Unknown)));
        assert_eq!(board.on_line(), 1);
        board.end(&id("CA1"), Ending::HangUp, Language::English);
        assert_eq!(board.ending(&id("CA1")), Some((Ending::HangUp, Language::English)));
        assert!(board.has_room());
    }

    #[test]
    fn a_stream_that_never_starts_is_told_once_and_its_token_dies() {
        let board = Switchboard::new(2);
        let token = board.expect(SECOND, caller("CA1"), watchdog(), [1; TOKEN_RANDOM_BYTES]).unwrap();
        assert_eq!(board.next_overdue(), Some(7 * SECOND));
        assert!(board.overdue(6 * SECOND).is_empty());
        assert_eq!(board.overdue(7 * SECOND).len(), 1);
        assert!(board.overdue(8 * SECOND).is_empty());
        assert!(board.connect(8 * SECOND, &id("CA1"), token.as_str()).is_err());
    }

    #[test]
    fn a_second_answer_to_the_same_call_makes_the_first_token_worthless() {
        let board = Switchboard::new(2);
        let first = board.expect(SECOND, caller("CA1"), watchdog(), [1; TOKEN_RANDOM_BYTES]).unwrap();
        let second = board.expect(SECOND, caller("CA1"), watchdog(), [2; TOKEN_RANDOM_BYTES]).unwrap();
        assert!(board.connect(SECOND, &id("CA1"), first.as_str()).is_err());
        assert!(board.connect(SECOND, &id("CA1"), second.as_str()).is_ok());
    }

    #[test]
    fn ended_calls_are_remembered_up_to_a_limit() {
        let board = Switchboard::new(2);
        for number in 0..=MAX_ENDED {
            board.end(&id(&format!("CA{number}")), Ending::HangUp, Language::Hebrew);
        }
        assert_eq!(board.ending(&id("CA0")), None);
        assert!(board.ending(&id(&format!("CA{MAX_ENDED}"))).is_some());
    }

    fn watchdog() -> StreamWatchdog {
        StreamWatchdog::armed(SECOND, Duration::ZERO, 6 * SECOND)
    }

    fn id(text: &str) -> CallId {
        text.parse().unwrap()
    }

    fn caller(call: &str) -> Caller {
        Caller {
            call: id(call),
            from: Address::of("+972541234567").into(),
            to: Address::of("+97235550100").into(),
            language: Language::Hebrew,
            started_wall_ms: 0,
            started: SECOND,
        }
    }
}
