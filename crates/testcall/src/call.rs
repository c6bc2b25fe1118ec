//! One live call: asks the box for markup, follows it verb by verb, and writes down what happens.

use std::collections::VecDeque;
use std::time::Instant;

use telephony::Params;
use telephony::markup::{Response, Verb};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use units::{CallId, Pii};

use crate::api::CallUpdate;
use crate::audio::{self, AudioError};
use crate::caller::{Caller, CallerNote, ReadyStep, WhenDone};
use crate::carrier::{CallError, CarrierConfig, Exchange, Progress};
use crate::http::Method;
use crate::line::{Line, LineTime, Recorded};
use crate::measure;
use crate::pace::Pacer;
use crate::playout::{FRAME_SAMPLES, MULAW_SILENCE};
use crate::report::{CallReport, Ended, Event, Happened, RequestReport, Warning};
use crate::script::CallScript;
use crate::steps::render;

/// The most documents one call may ask for: a box that redirects for ever is stopped.
pub(crate) const MOST_DOCUMENTS: u32 = 100;

/// The most events kept of one call.
const MOST_EVENTS: usize = 50_000;

/// The most requests and documents kept of one call.
pub(crate) const MOST_REQUESTS: usize = 10_000;

/// One call in progress.
pub(crate) struct LiveCall<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) script: &'a CallScript,
    pub(crate) terms: Terms,
    pub(crate) sid: CallId,
    pub(crate) line: Line,
    pub(crate) pacer: Pacer,
    pub(crate) report: CallReport,
    pub(crate) clears: Vec<LineTime>,
    pub(crate) updates: mpsc::Receiver<CallUpdate>,
    /// Callbacks that go on while the call does.
    pub(crate) aside: JoinSet<RequestReport>,
    /// The caller's steps on each stream to come.
    pub(crate) steps: VecDeque<Vec<ReadyStep>>,
    /// The caller when asked to leave a message or press keys.
    pub(crate) at_prompt: Caller,
    pub(crate) sequence: u32,
    began: Instant,
}

/// How a call came about, and who is told of it.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) direction: &'static str,
    pub(crate) from: Pii<String>,
    pub(crate) to: Pii<String>,
    pub(crate) told: Option<Told>,
    pub(crate) fallback_url: Option<String>,
}

/// Where the progress of a call is told.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) url: String,
    pub(crate) method: Method,
    pub(crate) events: Vec<Progress>,
}

impl Terms {
    /// Returns the terms of a call that rings the box.
    pub(crate) fn inbound(config: &CarrierConfig, script: &CallScript) -> Self {
        let told = config.status_path.as_deref().map(|path| Told {
            url: config.public_url.webhook(path),
            method: Method::Post,
            events: config.status_events.clone(),
        });
        Self {
            direction: "inbound",
            from: script.from.clone(),
            to: script.to.clone(),
            told,
            fallback_url: config.fallback_url.clone(),
        }
    }
}

/// Why a verb stopped before its end.
#[derive(Debug)]
pub(crate) enum Interrupted {
    /// The caller hung up.
    ByCaller,
    /// The box changed the call.
    ByUpdate(CallUpdate),
}

/// What is next, after a verb.
#[derive(Debug)]
pub(crate) enum Next {
    /// The verb behind it.
    Verb,
    /// The document at a URL, asked for with these parameters besides the usual ones.
    Fetch { url: String, method: Method, extra: Params },
    /// Nothing: the call is over.
    End(Ended),
}

/// A document and where it came from.
pub(crate) struct Document {
    pub(crate) url: String,
    pub(crate) response: Response,
}

impl<'a> LiveCall<'a> {
    /// Renders what the caller says and makes the call, which has not begun yet.
    pub(crate) async fn prepare(
        exchange: &'a Exchange,
        script: &'a CallScript,
        sid: CallId,
        terms: Terms,
        updates: mpsc::Receiver<CallUpdate>,
    ) -> Result<Self, CallError> {
        let mut rendered = script.steps.len();
        let mut steps = VecDeque::from([render(exchange, &script.steps, 0).await?]);
        let voicemail = render(exchange, &script.voicemail, rendered).await?;
        rendered += script.voicemail.len();
        for later in &script.later_streams {
            steps.push_back(render(exchange, later, rendered).await?);
            rendered += later.len();
        }
        let recorded = if exchange.config.audio_folder.is_some() { Recorded::Kept } else { Recorded::Dropped };
        Ok(Self {
            updates,
            report: CallReport { call_sid: sid.to_string(), ..CallReport::default() },
            exchange,
            script,
            terms,
            sid,
            line: Line::new(recorded),
            pacer: Pacer::new(exchange.config.pace),
            clears: Vec::new(),
            aside: JoinSet::new(),
            steps,
            at_prompt: Caller::new(voicemail, WhenDone::StaySilent),
            sequence: 0,
            began: Instant::now(),
        })
    }

    /// Rings the box and runs the call to its end.
    pub(crate) async fn run(mut self) -> Result<CallReport, CallError> {
        self.begin().await;
        self.report.ended = self.ring_box().await;
        self.tell(Progress::Completed, "completed").await;
        self.finish().await
    }

    /// Tells that the call exists and rings.
    pub(crate) async fn begin(&mut self) {
        self.began = Instant::now();
        self.tell(Progress::Initiated, "").await;
        self.tell(Progress::Ringing, "").await;
    }

    /// Tells that the call was answered.
    pub(crate) async fn answered(&mut self) {
        self.exchange.api.answer_call(self.sid.as_str());
        self.tell(Progress::Answered, "").await;
    }

    /// Asks the box what to do with a call that rings, and follows it.
    async fn ring_box(&mut self) -> Ended {
        let url = self.exchange.config.public_url.webhook(&self.exchange.config.incoming_path);
        let Some(document) = self.document(Method::Post, &url, "ringing", &Params::new()).await else {
            return Ended::ByError;
        };
        if !matches!(document.response.verbs.first(), Some(Verb::Reject(_)) | None) {
            self.answered().await;
        }
        self.follow(document).await
    }

    /// Follows the markup until the call is over.
    pub(crate) async fn follow(&mut self, mut document: Document) -> Ended {
        for _ in 0..MOST_DOCUMENTS {
            let (url, method, extra) = match self.verbs(&document).await {
                Ok(Next::Verb) => return Ended::ByMarkup,
                Ok(Next::End(ended)) => return ended,
                Ok(Next::Fetch { url, method, extra }) => (url, method, extra),
                Err(Interrupted::ByCaller) => return Ended::ByCaller,
                Err(Interrupted::ByUpdate(CallUpdate::Complete | CallUpdate::Cancel)) => return Ended::ByRest,
                Err(Interrupted::ByUpdate(CallUpdate::Markup(text))) => {
                    match self.read_markup(&document.url, &text) {
                        Some(next) => document = next,
                        None => return Ended::ByError,
                    }
                    continue;
                }
                Err(Interrupted::ByUpdate(CallUpdate::Fetch { url, by_get })) => {
                    (url, if by_get { Method::Get } else { Method::Post }, Params::new())
                }
            };
            match self.document(method, &url, "in-progress", &extra).await {
                Some(next) => document = next,
                None => return Ended::ByError,
            }
        }
        self.warn(11_215, "the box redirects for ever");
        Ended::ByError
    }

    async fn verbs(&mut self, document: &Document) -> Result<Next, Interrupted> {
        for verb in &document.response.verbs {
            match self.verb(verb, &document.url).await? {
                Next::Verb => {}
                next @ (Next::Fetch { .. } | Next::End(_)) => return Ok(next),
            }
        }
        Ok(Next::Verb)
    }

    /// Plays one frame of audio to the caller, who is silent, and moves the line on.
    pub(crate) async fn play_frame(&mut self, agent: &[u8; FRAME_SAMPLES]) -> Result<(), Interrupted> {
        self.frame(&[MULAW_SILENCE; FRAME_SAMPLES], agent).await
    }

    /// Moves the line on by one frame outside a stream.
    pub(crate) async fn frame(
        &mut self,
        caller: &[u8; FRAME_SAMPLES],
        agent: &[u8; FRAME_SAMPLES],
    ) -> Result<(), Interrupted> {
        self.pacer.next_frame(false).await;
        self.pacer.frame_done();
        self.advance(caller, agent);
        self.interruption()
    }

    /// Moves the line on by one frame and notes who was heard. Returns whether the agent was.
    pub(crate) fn advance(&mut self, caller: &[u8; FRAME_SAMPLES], agent: &[u8; FRAME_SAMPLES]) -> bool {
        let before = self.line.agent_speech().len();
        let heard = self.line.advance(caller, agent);
        if let Some(speech) = self.line.agent_speech().get(before) {
            let at = speech.from;
            self.note_at(at, Happened::AgentStarted);
        }
        heard
    }

    /// Returns an error when something ends the current verb.
    pub(crate) fn interruption(&mut self) -> Result<(), Interrupted> {
        if self.caller_hangs_up_now() {
            self.note(Happened::CallerHungUp);
            return Err(Interrupted::ByCaller);
        }
        match self.updates.try_recv() {
            Ok(update) => {
                self.note(Happened::RestUpdate);
                Err(Interrupted::ByUpdate(update))
            }
            Err(_) => Ok(()),
        }
    }

    /// Returns whether the script makes the caller hang up at this time, whatever is going on.
    pub(crate) fn caller_hangs_up_now(&self) -> bool {
        self.script.hang_up_after.is_some_and(|after| self.line.position().since_answer() >= after)
    }

    /// Writes down what the caller did in the frame that begins at `start`.
    pub(crate) fn note_caller(&mut self, start: LineTime, notes: &[CallerNote]) {
        for note in notes {
            match *note {
                CallerNote::StepStarted(index) => self.note_at(start, Happened::Step(index)),
                CallerNote::StepTimedOut(index) => self.note_at(start, Happened::StepTimedOut(index)),
                CallerNote::SpeechStarted(at) => self.note_at(start.plus_samples(at), Happened::CallerStarted),
                CallerNote::SpeechEnded(at) => self.note_at(start.plus_samples(at), Happened::CallerStopped),
            }
        }
    }

    pub(crate) fn note(&mut self, what: Happened) {
        self.note_at(self.line.position(), what);
    }

    pub(crate) fn note_at(&mut self, at: LineTime, what: Happened) {
        if self.report.events.len() < MOST_EVENTS {
            self.report.events.push(Event { at, clock: self.began.elapsed(), what });
        }
    }

    pub(crate) fn note_request(&mut self, request: RequestReport) {
        if self.report.requests.len() < MOST_REQUESTS {
            self.report.requests.push(request);
        }
    }

    pub(crate) fn warn(&mut self, code: u32, text: impl Into<String>) {
        let text = text.into();
        tracing::debug!(code, text, "carrier warning");
        if self.report.warnings.len() < MOST_REQUESTS {
            self.report.warnings.push(Warning { code, text });
        }
    }

    pub(crate) async fn finish(mut self) -> Result<CallReport, CallError> {
        self.exchange.api.forget_call(self.sid.as_str());
        self.join_aside().await;
        let mut report = self.report;
        report.requests.sort_by_key(|request| request.at);
        for recording in &mut report.recordings {
            recording.fetched = self.exchange.api.times_fetched(&recording.recording_sid);
        }
        report.lasted = self.line.position().since_answer();
        report.took = self.began.elapsed();
        report.turns = measure::turns(self.line.caller_speech(), self.line.agent_speech(), &self.clears);
        report.caller_speech = self.line.caller_speech().to_vec();
        report.agent_speech = self.line.agent_speech().to_vec();
        let stereo = self.line.into_recording();
        if let (Some(folder), Some(stereo)) = (&self.exchange.config.audio_folder, stereo) {
            let path = folder.join(format!("{}.wav", self.sid));
            tokio::fs::write(&path, audio::stereo_wav(&stereo)?).await.map_err(AudioError::File)?;
            report.audio = Some(path);
        }
        Ok(report)
    }
}
