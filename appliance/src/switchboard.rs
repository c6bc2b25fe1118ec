//! Which calls are expected, on the line, or over, and which way each goes. One table, one lock, no waiting under it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conversation::StreamWatchdog;
use receptionist::FormRecord;
use routing::{CallRate, Callers, Course, Event, Policy, Way};
use telephony::dedup::{DedupConfig, DedupKey, DedupTable, Seen};
use telephony::one_time::{IssueError, RedeemError, StreamToken, TOKEN_RANDOM_BYTES, TokenConfig, TokenTable};
use telephony::wire::Address;
use units::{CallId, Language, Pii};

use crate::course_log::CourseLog;

/// How long a token is good at most: longer than the longest greeting. The watchdog ends it sooner.
const TOKEN_LIFETIME: Duration = Duration::from_mins(10);
/// Calls remembered at most, so that the carrier's last questions about them are answered.
const MAX_COURSES: usize = 1_024;

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
    /// Whether the call may be recorded.
    pub may_record: bool,
    /// Whether the office called, because the customer asked for it.
    pub called_back: bool,
    /// What an earlier stream of the same call came to, when the caller comes back from a person.
    pub before: Option<Arc<SoFar>>,
}

/// What a media stream of a call came to.
#[derive(Clone, Debug)]
pub struct SoFar {
    /// What the office wanted to know, as far as the caller said it.
    pub form: FormRecord,
    /// The first turn that is free.
    pub next_turn: u32,
    /// What the cloud asked for it, in millionths of a dollar.
    pub cost_micros: u64,
    /// The language spoken last.
    pub language: Language,
}

/// What an answered webhook was answered with: status and body.
pub type Answer = (u16, String);

/// Calls expected, on the line, and over.
#[derive(Debug)]
pub struct Switchboard {
    max_calls: usize,
    policy: Policy,
    rate: CallRate,
    log: CourseLog,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    tokens: TokenTable,
    answers: DedupTable<DedupKey, Answer>,
    expected: BTreeMap<CallId, Expected>,
    on_line: BTreeMap<CallId, Caller>,
    /// Calls that have left the line and are being written down.
    unwritten: BTreeSet<CallId>,
    courses: BTreeMap<CallId, Kept>,
    courses_order: VecDeque<CallId>,
    callers: Callers,
}

/// A call and its way.
#[derive(Debug)]
struct Kept {
    course: Course,
    /// When its first event was, since the program started.
    began: Duration,
    /// Who calls; nothing is known of a call that came in before the program started.
    caller: Option<Caller>,
    so_far: Option<Arc<SoFar>>,
}

#[derive(Debug)]
struct Expected {
    caller: Caller,
    watchdog: StreamWatchdog,
}

impl Switchboard {
    /// Makes an empty table for `max_calls` calls at once, which go as `policy` and `rate` want, and are written to `log`.
    pub fn new(max_calls: usize, policy: Policy, rate: CallRate, log: CourseLog) -> Self {
        let inner = Inner {
            tokens: TokenTable::new(TokenConfig { lifetime: TOKEN_LIFETIME, ..TokenConfig::default() }),
            answers: DedupTable::new(DedupConfig::default()),
            expected: BTreeMap::new(),
            on_line: BTreeMap::new(),
            unwritten: BTreeSet::new(),
            courses: BTreeMap::new(),
            courses_order: VecDeque::new(),
            callers: Callers::default(),
        };
        Self { max_calls, policy, rate, log, inner: Mutex::new(inner) }
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

    /// Notes that `number` calls, and returns whether it calls too often.
    pub fn is_hurried(&self, now: Duration, number: &str) -> bool {
        self.lock().callers.note(self.rate, now, number)
    }

    /// Tells the course of `call` what happened, and returns what is to be done.
    pub fn tell(&self, now: Duration, call: &CallId, event: Event) -> Way {
        self.lock().tell(self, now, call, event)
    }

    /// As [`Switchboard::tell`], for a call that comes in.
    pub fn arrive(&self, now: Duration, caller: &Caller, event: Event) -> Way {
        let mut inner = self.lock();
        let way = inner.tell(self, now, &caller.call, event);
        if let Some(kept) = inner.courses.get_mut(&caller.call) {
            kept.caller.get_or_insert_with(|| caller.clone());
        }
        way
    }

    /// Notes that the stream of `call` is over and what came of it, and returns what is to be done. Where something came of
    /// it, whoever had the call on the line writes that down, and says so with [`Switchboard::written`].
    pub fn end(&self, now: Duration, call: &CallId, event: Event, so_far: Option<SoFar>) -> Way {
        let mut inner = self.lock();
        inner.on_line.remove(call);
        let way = inner.tell(self, now, call, event);
        if so_far.is_some() {
            inner.unwritten.insert(call.clone());
        }
        if let Some(kept) = inner.courses.get_mut(call) {
            kept.so_far = so_far.map(Arc::new);
        }
        way
    }

    /// Notes that what came of a stream of `call` is written down, or never will be.
    pub fn written(&self, call: &CallId) {
        self.lock().unwritten.remove(call);
    }

    /// Returns whether somebody has the record of `call` in hand: on the line, or writing it down after that.
    pub fn is_in_hand(&self, call: &CallId) -> bool {
        let inner = self.lock();
        inner.on_line.contains_key(call) || inner.unwritten.contains(call)
    }

    /// Returns who calls, with what a stream of the call came to, unless the call came in before the program started.
    pub fn caller(&self, call: &CallId) -> Option<Caller> {
        let inner = self.lock();
        let kept = inner.courses.get(call)?;
        let mut caller = kept.caller.clone()?;
        caller.before.clone_from(&kept.so_far);
        Some(caller)
    }

    /// Returns the language spoken last on a call the box knows.
    pub fn language(&self, call: &CallId) -> Option<Language> {
        let inner = self.lock();
        let kept = inner.courses.get(call)?;
        let spoken = kept.so_far.as_ref().map(|so_far| so_far.language);
        spoken.or_else(|| kept.caller.as_ref().map(|caller| caller.language))
    }

    /// Returns whether a person took `call`, as far as the box remembers.
    pub fn is_taken(&self, call: &CallId) -> bool {
        self.lock().courses.get(call).is_some_and(|kept| kept.course.is_taken())
    }

    /// Returns whether the caller of `call` wanted somebody and got nobody, as far as the box remembers.
    pub fn is_missed(&self, call: &CallId) -> bool {
        self.lock().courses.get(call).is_some_and(|kept| kept.course.is_missed())
    }

    /// Returns whether the caller of `call` was asked for a message, and nothing is known of one yet.
    pub fn is_asked_for_message(&self, call: &CallId) -> bool {
        self.lock().courses.get(call).is_some_and(|kept| kept.course.is_asked_for_message())
    }

    /// Returns whether `call` has come in before.
    pub fn is_known(&self, call: &CallId) -> bool {
        self.lock().courses.contains_key(call)
    }

    /// Returns whether the media stream of `call` is waited for.
    pub fn is_waiting_for(&self, call: &CallId) -> bool {
        self.lock().expected.contains_key(call)
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

    fn tell(&mut self, board: &Switchboard, now: Duration, call: &CallId, event: Event) -> Way {
        if !self.courses.contains_key(call) {
            let course = Course::new(board.policy.clone());
            board.log.begin(call, &board.policy);
            self.courses.insert(call.clone(), Kept { course, began: now, caller: None, so_far: None });
            self.courses_order.push_back(call.clone());
            self.forget_courses();
        }
        let Some(kept) = self.courses.get_mut(call) else { return Way::Nothing };
        let way = kept.course.handle(&event);
        board.log.note(call, now.saturating_sub(kept.began), event, way);
        way
    }

    fn forget_courses(&mut self) {
        while self.courses_order.len() > MAX_COURSES {
            if let Some(oldest) = self.courses_order.pop_front() {
                self.courses.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use conversation::StreamWatchdog;
    use routing::{Ending, Event, Policy, VoicemailCause, Way};
    use telephony::one_time::{RedeemError, TOKEN_RANDOM_BYTES};
    use telephony::wire::Address;
    use units::{CallId, Language};

    use super::{Caller, MAX_COURSES, Switchboard};
    use crate::config::Callers;
    use crate::course_log::CourseLog;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_token_lets_its_own_call_in_once() {
        let board = board();
        let token = board.expect(SECOND, caller("CA1"), watchdog(), [1; TOKEN_RANDOM_BYTES]).unwrap();
        board.expect(SECOND, caller("CA2"), watchdog(), [2; TOKEN_RANDOM_BYTES]).unwrap();
        assert!(!board.has_room());
        assert!(matches!(board.connect(SECOND, &id("CA2"), token.as_str()), Err(RedeemError::OtherCall)));
        assert_eq!(board.connect(SECOND, &id("CA1"), token.as_str()).unwrap().call, id("CA1"));
        assert!(matches!(board.connect(SECOND, &id("CA1"), token.as_str()), Err(RedeemError::Unknown)));
        assert_eq!(board.on_line(), 1);
        let ended = Event::StreamEnded { ending: Ending::HangUp };
        assert_eq!(board.end(SECOND, &id("CA1"), ended, None), Way::Complete);
        assert_eq!(board.tell(SECOND, &id("CA1"), Event::StreamAsked), Way::HangUp);
        assert!(board.has_room());
    }

    #[test]
    fn a_stream_that_never_starts_is_told_once_and_its_token_dies() {
        let board = board();
        let token = board.expect(SECOND, caller("CA1"), watchdog(), [1; TOKEN_RANDOM_BYTES]).unwrap();
        assert_eq!(board.next_overdue(), Some(7 * SECOND));
        assert!(board.overdue(6 * SECOND).is_empty());
        assert_eq!(board.overdue(7 * SECOND).len(), 1);
        assert!(board.overdue(8 * SECOND).is_empty());
        assert!(board.connect(8 * SECOND, &id("CA1"), token.as_str()).is_err());
    }

    #[test]
    fn a_second_answer_to_the_same_call_makes_the_first_token_worthless() {
        let board = board();
        let first = board.expect(SECOND, caller("CA1"), watchdog(), [1; TOKEN_RANDOM_BYTES]).unwrap();
        let second = board.expect(SECOND, caller("CA1"), watchdog(), [2; TOKEN_RANDOM_BYTES]).unwrap();
        assert!(board.connect(SECOND, &id("CA1"), first.as_str()).is_err());
        assert!(board.connect(SECOND, &id("CA1"), second.as_str()).is_ok());
    }

    #[test]
    fn calls_are_remembered_up_to_a_limit() {
        let board = board();
        for number in 0..=MAX_COURSES {
            let ended = Event::StreamEnded { ending: Ending::HangUp };
            board.end(SECOND, &id(&format!("CA{number}")), ended, None);
        }
        let voicemail = Way::Voicemail { cause: VoicemailCause::Unknown };
        assert_eq!(board.tell(SECOND, &id("CA0"), Event::StreamAsked), voicemail);
        assert_eq!(board.tell(SECOND, &id(&format!("CA{MAX_COURSES}")), Event::StreamAsked), Way::HangUp);
    }

    fn board() -> Switchboard {
        Switchboard::new(2, Policy::default(), Callers::default().rate(), CourseLog::new().0)
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
            may_record: true,
            called_back: false,
            before: None,
        }
    }
}
