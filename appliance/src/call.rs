//! One task per call: drives the conversation core, moves audio, keeps what was said.
//!
//! The task owns everything of its call. What takes long (recognition, synthesis) runs on the threads of
//! [`crate::voice`] and comes back over one bounded channel. The task ends when the core says so or the stream does.

mod book;
pub(crate) mod brain;
mod duplex;
pub(crate) mod ear;
mod log;
mod message;
mod mouth;
mod recording;
mod requests;
mod tape;
mod utterances;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use conversation::{Call, Input, Mark, Output};
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use routing::{Ending, Event, Way};
use store::{Batch, CallOutcome, CommitError, SpendingRow, Spendings};
use telephony::StreamId;
use telephony::stream::{IgnoreReason, InboundFrame, Media, OutboundFrame, StreamGuard, Verdict, write_media};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::DropGuard;
use units::{CallTime, TurnId, UtteranceId};
use weather::CallWeather;

use self::book::Book;
use self::brain::Brain;
use self::ear::{Ear, Event as Perceived};
use self::log::CallLog;
use self::mouth::{Mouth, Piece};
use self::recording::CallTape;
use self::utterances::{Utterance, Utterances};
use crate::app::Parts;
use crate::metrics::ReasonLabel;
use crate::reception::{self, address_text, ending, missed};
use crate::switchboard::{Caller, SoFar};
use crate::weather::{Hearing, Thought, Told};

/// Results of engines that may wait for the call's task. An engine never waits for one call: what does not fit is lost,
/// and the call's own patience ends in voicemail.
const RESULTS: usize = 1_024;
/// Longest wait for the carrier to take a frame; after that the stream is taken to be gone.
const SEND_PATIENCE: Duration = Duration::from_secs(5);
/// Longest silence of the carrier in a running stream; frames come every 20 ms, so after that the socket is dead.
const FRAME_PATIENCE: Duration = Duration::from_secs(20);
/// Longest wait for what requests cost that were given up at the end of a call.
const COST_PATIENCE: Duration = Duration::from_millis(200);
/// Longest wait for the carrier to free the line. The caller has heard goodbye, and may be gone.
const COMPLETE_PATIENCE: Duration = Duration::from_secs(3);
/// Longest wait for the last rows of a call to reach the disk.
const KEEP_PATIENCE: Duration = Duration::from_secs(10);

/// A text message to or from the carrier.
pub type Text = String;

/// What a call's task starts with.
pub struct Admitted {
    /// Who calls whom.
    pub caller: Caller,
    /// The stream's name, to be put on each frame.
    pub stream: StreamId,
    /// Knows the frames that came before and judges those to come.
    pub guard: StreamGuard,
}

/// What an engine came to.
#[derive(Debug)]
pub(crate) enum FromEngine {
    Heard { turn: TurnId, attempt: u32, told: Told<Hearing> },
    Thought { turn: TurnId, told: Told<Thought> },
    Spoken { utterance: UtteranceId, attempt: u32, told: Told<Vec<u8>> },
}

/// One call while it lasts.
struct Line {
    parts: Arc<Parts>,
    caller: Caller,
    stream: StreamId,
    guard: StreamGuard,
    started: Instant,
    core: Call,
    brain: Brain,
    ear: Ear,
    mouth: Mouth,
    book: Book,
    log: CallLog,
    results: mpsc::Sender<FromEngine>,
    recognitions: Vec<(TurnId, u32, DropGuard)>,
    reply: Option<(TurnId, DropGuard)>,
    /// The turn that a language model was asked about last, and when it was asked first.
    asked: Option<(TurnId, Duration)>,
    utterances: Utterances,
    /// What this call knows of the engines.
    weather: CallWeather,
    /// What it has cost, in micro-dollars.
    cost_micros: u64,
    /// What came of decisions at once, told to the core when every decision has been carried out.
    pending: VecDeque<Input>,
    frame: String,
    payload: Vec<u8>,
    over: bool,
    /// How the call goes on behind a message that was taken here.
    after_message: Option<Ending>,
    recording: Option<CallTape>,
}

/// What a message of the carrier comes to.
enum Judged<'t> {
    Frame(InboundFrame<'t>),
    Nothing,
    /// The stream is not to be listened to any longer.
    Close,
}

/// Serves one call from its `start` frame to its end. Never fails: what goes wrong ends the call and is kept.
///
/// # Cancellation safety
///
/// Dropped half way, the call's last rows are not kept and the carrier falls into voicemail.
pub async fn serve<S, K>(parts: Arc<Parts>, admitted: Admitted, mut frames: S, mut carrier: K)
where
    S: Stream<Item = Text> + Unpin,
    K: Sink<Text> + Unpin,
{
    let (results, mut from_engines) = mpsc::channel(RESULTS);
    let mut line = Line::new(parts, admitted, results);
    line.begin_recording().await;
    let greeting = line.brain.greeting_mode(line.parts.config.greeting.mode);
    line.input(Input::StreamStarted { greeting });
    let mut heard_from_carrier = Instant::now();
    let mut told_shutdown = false;
    while line.act(&mut carrier).await {
        let deadline = line.core.poll_timeout().map(|(at, _)| line.started + at.since_start());
        let silent = heard_from_carrier + FRAME_PATIENCE;
        let wake = deadline.map_or(silent, |deadline| deadline.min(silent));
        let parts = Arc::clone(&line.parts);
        tokio::select! {
            biased;
            () = parts.shutdown.cancelled(), if !told_shutdown => {
                told_shutdown = true;
                line.input(Input::Shutdown);
            }
            Some(result) = from_engines.recv() => line.engine(result),
            frame = frames.next() => {
                heard_from_carrier = Instant::now();
                match frame {
                    Some(text) => line.frame(&text),
                    None => line.input(Input::StreamStopped),
                }
            }
            () = sleep_until(wake) => {
                if Instant::now() >= silent {
                    line.input(Input::StreamStopped);
                } else {
                    line.core.handle_timeout(line.now());
                }
            }
        }
    }
    line.give_up_requests();
    line.take_last_costs(&mut from_engines).await;
    if line.can_take_message() {
        line.take_message(&mut frames, &mut carrier).await;
    }
    // The carrier is let go before the disk is waited for.
    line.let_go().await;
    // The carrier closes its end by itself when it is gone already.
    drop(timeout(SEND_PATIENCE, carrier.close()).await);
    line.finish().await;
}

impl Line {
    fn new(parts: Arc<Parts>, admitted: Admitted, results: mpsc::Sender<FromEngine>) -> Self {
        let Admitted { caller, stream, guard } = admitted;
        let mut config = parts.config.conversation.clone();
        config.language = caller.language;
        config.dtmf.zero_is_human |= parts.can_transfer();
        let brain = Brain::new(&parts, &caller);
        let record = reception::call_record(&caller);
        parts.metrics.calls_answered.inc();
        let book = Book::new(record, parts.voice.weather(), caller.before.as_deref());
        let log = CallLog::open(&parts, &caller, &config);
        Self {
            started: Instant::now(),
            core: Call::new(config),
            ear: Ear::new(parts.voice.vad()),
            mouth: Mouth::default(),
            brain,
            book,
            log,
            results,
            recognitions: Vec::new(),
            reply: None,
            asked: None,
            utterances: Utterances::default(),
            weather: CallWeather::default(),
            cost_micros: 0,
            pending: VecDeque::new(),
            frame: String::new(),
            payload: Vec::new(),
            over: false,
            after_message: None,
            recording: None,
            parts,
            caller,
            stream,
            guard,
        }
    }

    fn now(&self) -> CallTime {
        CallTime::from_duration(self.started.elapsed())
    }

    /// Tells the core what happened, and the log.
    fn input(&mut self, input: Input) {
        let now = self.now();
        self.log.perceived(now, &input);
        self.core.handle_input(now, input);
    }

    /// Does what the core decided, to the last. Returns whether the call goes on.
    async fn act<K: Sink<Text> + Unpin>(&mut self, carrier: &mut K) -> bool {
        loop {
            while let Some((at, output)) = self.core.poll_decision() {
                self.log.decided(at, &output);
                self.book.note(&output);
                if !self.perform(output, carrier).await {
                    self.pending.push_back(Input::StreamStopped);
                }
            }
            if self.pending.is_empty() && !self.over && !self.send_audio(carrier).await {
                self.pending.push_back(Input::StreamStopped);
            }
            let Some(input) = self.pending.pop_front() else { return !self.over };
            self.input(input);
        }
    }

    /// Does one thing. Returns `false` when the carrier does not take it.
    async fn perform<K: Sink<Text> + Unpin>(&mut self, output: Output, carrier: &mut K) -> bool {
        match output {
            Output::Recognize { turn, attempt, from, to, speculative: _ } => {
                self.recognize(turn, attempt, from, to);
            }
            Output::CancelRecognition { turn, attempt } => {
                self.recognitions.retain(|(t, a, _)| (*t, *a) != (turn, attempt));
            }
            Output::Reply { turn, request, heard } => {
                self.think(turn, request, &heard);
                self.keep_progress();
            }
            Output::CancelReply { turn, undo } => {
                self.reply = None;
                self.brain.cancel(turn, undo);
            }
            Output::Synthesize { utterance, turn, text, language } => {
                self.utterances.push(Utterance::new(utterance, turn, text, language));
                self.synthesize(utterance);
            }
            Output::CancelSynthesis { utterance } => {
                self.utterances.remove(utterance);
                self.settle_voices();
            }
            Output::Play { utterance, generation, from } => self.mouth.play(utterance, generation, from),
            Output::Release { utterance } => {
                self.utterances.remove(utterance);
                self.mouth.release(utterance);
            }
            Output::Clear { generation: _ } => {
                self.mouth.clear();
                self.note_clear();
                self.note_cleared();
                let clear = OutboundFrame::Clear { stream_id: self.stream.clone() }.encode();
                return send(carrier, clear).await;
            }
            Output::Latency { turn: _, latency } => {
                let metrics = &self.parts.metrics;
                metrics.stage("end_of_turn", latency.end_of_turn);
                metrics.stage("transcript", latency.transcript);
                metrics.stage("reply", latency.reply);
                metrics.stage("first_audio", latency.first_audio);
            }
            Output::Ended => self.over = true,
            Output::Ignored { reason } => tracing::debug!(call_id = %self.caller.call, ?reason, "input ignored"),
            Output::Hangup { .. } | Output::Voicemail { .. } | Output::Transfer { .. } | Output::Said { .. } => {}
        }
        true
    }

    async fn send_audio<K: Sink<Text> + Unpin>(&mut self, carrier: &mut K) -> bool {
        for piece in self.mouth.take() {
            let mut text = std::mem::take(&mut self.frame);
            match piece {
                Piece::Audio(mulaw) => {
                    self.note_said(&mulaw);
                    text.clear();
                    write_media(&mut text, &self.stream, &mulaw);
                }
                Piece::Mark(mark) => {
                    text =
                        OutboundFrame::Mark { stream_id: self.stream.clone(), name: mark.to_string().into() }.encode();
                }
            }
            if !send(carrier, text).await {
                return false;
            }
        }
        true
    }

    /// Takes a message of the carrier.
    fn frame(&mut self, text: &str) {
        match self.judge(text) {
            Judged::Frame(frame) => self.accepted(frame),
            Judged::Nothing => {}
            Judged::Close => {
                self.input(Input::StreamStopped);
                self.over = true;
            }
        }
    }

    /// Returns what a message of the carrier comes to, and counts what is ignored.
    fn judge<'t>(&mut self, text: &'t str) -> Judged<'t> {
        let since_start = self.started.elapsed();
        let parsed = InboundFrame::parse(text);
        let verdict = match &parsed {
            Ok(frame) => self.guard.check(since_start, frame),
            Err(error) => self.guard.check_malformed(since_start, error),
        };
        match (verdict, parsed) {
            (Verdict::Accept, Ok(frame)) => return Judged::Frame(frame),
            (Verdict::Accept | Verdict::Ignore(_), Err(_)) => self.count_ignored("malformed"),
            (Verdict::Ignore(reason), Ok(_)) => self.count_ignored(ignored_word(reason)),
            (Verdict::Close(reason), _) => {
                tracing::warn!(call_id = %self.caller.call, ?reason, "media stream closed");
                self.count_ignored("closed");
                return Judged::Close;
            }
        }
        Judged::Nothing
    }

    /// Listens to a piece of the caller's audio. Returns `false` for one that is none.
    fn hear(&mut self, media: &Media<'_>) -> bool {
        let mut payload = std::mem::take(&mut self.payload);
        let is_audio = media.decode(&mut payload).is_ok();
        if is_audio {
            self.log.audio(self.now(), &payload);
            self.ear.listen(media.timestamp_ms, &payload);
            self.record_both();
        } else {
            self.count_ignored("malformed");
        }
        self.payload = payload;
        is_audio
    }

    fn accepted(&mut self, frame: InboundFrame<'_>) {
        match frame {
            InboundFrame::Media(media) => {
                if self.hear(&media) {
                    while let Some(event) = self.ear.poll_event() {
                        self.input(match event {
                            Perceived::SpeechStarted { at, detected } => Input::SpeechStarted { at, detected },
                            Perceived::SpeechEnded { at, detected } => Input::SpeechEnded { at, detected },
                        });
                    }
                }
            }
            InboundFrame::Dtmf(dtmf) => match conversation::Digit::new(dtmf.digit.label()) {
                Some(digit) => self.input(Input::Dtmf { digit }),
                None => self.count_ignored("malformed"),
            },
            InboundFrame::Mark(mark) => match mark.name.parse::<Mark>() {
                Ok(mark) => self.input(Input::MarkReached { mark }),
                Err(_) => self.count_ignored("other_mark"),
            },
            InboundFrame::Stop(_) => self.input(Input::StreamStopped),
            InboundFrame::Connected(_) | InboundFrame::Start(_) => {}
        }
    }

    fn count_ignored(&self, reason: &'static str) {
        self.parts.metrics.frames_ignored.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Notes how much audio lay between the start of the caller's speech and the clear.
    fn note_clear(&self) {
        if let Some(lead) = self.ear.since_speech_started() {
            self.parts.metrics.clear_seconds.observe(lead.as_secs_f64());
        }
    }

    /// Hands the rows that changed to the store without waiting; the end of the call waits.
    fn keep_progress(&mut self) {
        let mut batch = Batch::new();
        let form = self.brain.record();
        let put = self
            .book
            .put_progress(&mut batch, &form, self.parts.clock.wall_ms())
            .and_then(|()| self.put_spending(&mut batch));
        let Some(store) = self.parts.archive.store() else { return };
        let submitted = put.map_err(CommitError::from).and_then(|()| {
            store.submit(batch, |result| {
                if let Err(error) = result {
                    tracing::warn!(error = &error as &dyn std::error::Error, "turn not yet recorded");
                }
            })
        });
        if let Err(error) = submitted {
            tracing::warn!(call_id = %self.caller.call, error = &error as &dyn std::error::Error, "turn not yet recorded");
        }
    }

    /// Adds what the cloud cost today, if there is a cloud.
    fn put_spending(&self, batch: &mut Batch) -> Result<(), store::EncodeError> {
        let (day, micros) = self.parts.station.spent_today();
        if micros.is_empty() {
            return Ok(());
        }
        batch.put::<Spendings>(&u64::from(day), &SpendingRow { micros })
    }

    /// Stops what still works for the call.
    fn give_up_requests(&mut self) {
        self.recognitions.clear();
        self.reply = None;
        self.utterances.clear();
    }

    /// Says how the call goes on. A call that is finished is ended over REST, so that the line is free at once; where that
    /// does not work, the carrier is told when it asks how the call goes on.
    async fn let_go(&mut self) {
        let (call, language) = (self.caller.call.clone(), self.book.language());
        let (next_turn, cost_micros) = (self.book.next_turn(), self.book.cost(self.cost_micros));
        let so_far = SoFar { form: self.brain.record(), next_turn, cost_micros, language };
        let event = Event::StreamEnded { ending: self.after_message.unwrap_or_else(|| self.book.ending()) };
        let way = self.parts.switchboard.end(self.parts.clock.now(), &call, event, Some(so_far));
        let (Way::Complete, Some(carrier)) = (way, &self.parts.carrier) else { return };
        match timeout(COMPLETE_PATIENCE, carrier.complete(&call)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(call_id = %call, error = &error as &dyn std::error::Error, "line not freed over REST");
            }
            Err(_elapsed) => tracing::warn!(call_id = %call, "line not freed over REST in time"),
        }
    }

    /// Adds that the owner is told of somebody who called and said nothing, or wanted a person, got none, and said the
    /// rest to the receptionist.
    fn tell_owner(&self, batch: &mut Batch, outcome: CallOutcome) -> Result<(), store::EncodeError> {
        let is_wordless = matches!(outcome, CallOutcome::CallerHungUp | CallOutcome::Silent) && self.book.is_silent();
        // Who hung up may be asked for a message yet, as far as is known here; then the notice waits.
        let is_finished = self.book.ending() == Ending::HangUp;
        let parts = &self.parts;
        if is_wordless || is_finished && parts.switchboard.is_missed(&self.caller.call) {
            let notice = missed::notice(&self.caller.call, address_text(&self.caller.from), Duration::ZERO);
            parts.messages.put_notice(batch, &parts.config, notice, parts.clock.wall_ms())?;
        }
        Ok(())
    }

    /// Keeps what is known of the call.
    async fn finish(&mut self) {
        self.end_recording().await;
        let call = self.caller.call.clone();
        let lasted = self.started.elapsed();
        let outcome = self.book.outcome();
        self.parts.metrics.calls.get_or_create(&ReasonLabel { reason: outcome_word(outcome) }).inc();
        self.parts.metrics.call_cost(self.cost_micros);
        let mut batch = Batch::new();
        let form = self.brain.record();
        let put = self
            .book
            .put_progress(&mut batch, &form, self.parts.clock.wall_ms())
            .and_then(|()| self.book.put_end(&mut batch, self.parts.clock.wall_ms(), self.cost_micros))
            .and_then(|()| self.put_spending(&mut batch));
        self.book.tell(&self.parts.events, &mut batch, &form, self.parts.clock.wall_ms());
        self.book.put_lead(&mut batch, &self.parts.form, &form, self.parts.clock.wall_ms());
        let put = put.and_then(|()| self.tell_owner(&mut batch, outcome));
        let kept = match put {
            Ok(()) => timeout(KEEP_PATIENCE, ending::commit(&self.parts, batch)).await,
            Err(error) => Ok(Err(error.into())),
        };
        match kept {
            Ok(Ok(())) => {
                self.parts.leads.notify();
                self.parts.messages.wake();
            }
            Ok(Err(error)) => {
                tracing::error!(call_id = %call, error = &error as &dyn std::error::Error, "call not recorded");
            }
            Err(_elapsed) => tracing::error!(call_id = %call, "call not recorded in time"),
        }
        self.parts.switchboard.written(&call);
        if timeout(KEEP_PATIENCE, self.log.close()).await.is_err() {
            tracing::warn!(call_id = %call, "call log not written in time");
        }
        let counters = self.guard.counters();
        tracing::info!(
            call_id = %call,
            ?outcome,
            reason = ?self.book.voicemail_reason(),
            seconds = lasted.as_secs(),
            frames = counters.frames,
            ignored = counters.ignored(),
            "call ended"
        );
    }
}

/// Hands a frame to the carrier. Returns `false` when it does not take it in time.
async fn send<K: Sink<Text> + Unpin>(carrier: &mut K, text: Text) -> bool {
    matches!(timeout(SEND_PATIENCE, carrier.send(text)).await, Ok(Ok(())))
}

fn ignored_word(reason: IgnoreReason) -> &'static str {
    match reason {
        IgnoreReason::Malformed => "malformed",
        IgnoreReason::BeforeStart => "before_start",
        IgnoreReason::SecondConnected => "second_connected",
        IgnoreReason::SecondStart => "second_start",
        IgnoreReason::AfterStop => "after_stop",
        IgnoreReason::OtherStream => "other_stream",
        IgnoreReason::Repeated => "repeated",
        IgnoreReason::OutboundTrack => "outbound_track",
    }
}

fn outcome_word(outcome: CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::Completed => "hang_up",
        CallOutcome::Voicemail => "voicemail",
        CallOutcome::Transferred => "transfer",
        CallOutcome::CallerHungUp => "caller_hung_up",
        CallOutcome::Silent => "silent",
        CallOutcome::InProgress
        | CallOutcome::Refused
        | CallOutcome::Failed
        | CallOutcome::Interrupted
        | CallOutcome::Unknown => "other",
    }
}
