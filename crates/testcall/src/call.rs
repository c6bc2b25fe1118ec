//! One live call: asks the box for markup, follows it verb by verb, and writes down what happens.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use telephony::markup::{self, HttpMethod, Response, Verb};
use telephony::{Digit, Params};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use units::CallId;

use crate::api::CallUpdate;
use crate::audio::{self, AudioError};
use crate::caller::{Caller, CallerNote, ReadyStep, WhenDone};
use crate::carrier::{CallError, Exchange, Progress};
use crate::http::{Answer, HttpError, Method, timed};
use crate::line::{Line, LineTime, Recorded};
use crate::measure;
use crate::pace::Pacer;
use crate::playout::{FRAME_SAMPLES, MULAW_SILENCE};
use crate::report::{CallReport, Ended, Event, Happened, RequestReport, Warning};
use crate::script::{CallScript, Signing, Step};
use crate::sid::{new_sid, rfc_2822};

/// The most documents one call may ask for: a box that redirects for ever is stopped.
const MOST_DOCUMENTS: u32 = 100;

/// The most events kept of one call.
const MOST_EVENTS: usize = 50_000;

/// The most requests and documents kept of one call.
const MOST_REQUESTS: usize = 10_000;

/// One call in progress.
pub(crate) struct LiveCall<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) script: &'a CallScript,
    pub(crate) sid: CallId,
    pub(crate) line: Line,
    pub(crate) pacer: Pacer,
    pub(crate) report: CallReport,
    pub(crate) clears: Vec<LineTime>,
    pub(crate) updates: mpsc::Receiver<CallUpdate>,
    /// Callbacks that go on while the call does.
    pub(crate) aside: JoinSet<RequestReport>,
    /// The caller's steps on the stream; taken by the first stream.
    pub(crate) steps: Option<Vec<ReadyStep>>,
    /// The caller when asked to leave a message or press keys.
    pub(crate) at_prompt: Caller,
    began: Instant,
    sequence: u32,
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
struct Document {
    url: String,
    response: Response,
}

impl<'a> LiveCall<'a> {
    /// Renders what the caller says and makes the call, which has not begun yet.
    pub(crate) async fn prepare(
        exchange: &'a Exchange,
        script: &'a CallScript,
        sid: CallId,
        recorded: Recorded,
    ) -> Result<Self, CallError> {
        let steps = render(exchange, &script.steps, 0).await?;
        let voicemail = render(exchange, &script.voicemail, script.steps.len()).await?;
        Ok(Self {
            updates: exchange.api.know_call(sid.as_str()),
            report: CallReport { call_sid: sid.to_string(), ..CallReport::default() },
            exchange,
            script,
            sid,
            line: Line::new(recorded),
            pacer: Pacer::new(exchange.config.pace),
            clears: Vec::new(),
            aside: JoinSet::new(),
            steps: Some(steps),
            at_prompt: Caller::new(voicemail, WhenDone::StaySilent),
            began: Instant::now(),
            sequence: 0,
        })
    }

    /// Runs the call to its end.
    pub(crate) async fn run(mut self) -> Result<CallReport, CallError> {
        self.began = Instant::now();
        self.tell(Progress::Initiated).await;
        self.tell(Progress::Ringing).await;
        self.report.ended = self.follow().await;
        self.tell(Progress::Completed).await;
        self.finish().await
    }

    /// Follows the markup until the call is over.
    async fn follow(&mut self) -> Ended {
        let url = self.exchange.config.public_url.webhook(&self.exchange.config.incoming_path);
        let Some(mut document) = self.document(Method::Post, &url, "ringing", &Params::new()).await else {
            return Ended::ByError;
        };
        if !matches!(document.response.verbs.first(), Some(Verb::Reject(_)) | None) {
            self.tell(Progress::Answered).await;
        }
        for _ in 0..MOST_DOCUMENTS {
            let (url, method, extra) = match self.verbs(&document).await {
                Ok(Next::Verb) => return Ended::ByMarkup,
                Ok(Next::End(ended)) => return ended,
                Ok(Next::Fetch { url, method, extra }) => (url, method, extra),
                Err(Interrupted::ByCaller) => return Ended::ByCaller,
                Err(Interrupted::ByUpdate(CallUpdate::Complete)) => return Ended::ByRest,
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

    pub(crate) fn warn(&mut self, code: u32, text: impl Into<String>) {
        let text = text.into();
        tracing::debug!(code, text, "carrier warning");
        if self.report.warnings.len() < MOST_REQUESTS {
            self.report.warnings.push(Warning { code, text });
        }
    }

    /// Asks for a document; on failure asks the fallback URL. `None` when there is none to be had.
    async fn document(&mut self, method: Method, url: &str, status: &str, extra: &Params) -> Option<Document> {
        let params = self.params(status, extra);
        let problem = match self.exchange(method, url, &params, false).await {
            Ok(answer) => match self.read_answer(url, &answer) {
                Ok(document) => return Some(document),
                Err(code) => code,
            },
            Err(_) => 11_200,
        };
        self.warn(problem, "the box gave no usable markup");
        let fallback = self.exchange.config.fallback_url.clone()?;
        let params = params.with("ErrorCode", problem.to_string()).with("ErrorUrl", url);
        let answer = self.exchange(Method::Post, &fallback, &params, false).await.ok()?;
        match self.read_answer(&fallback, &answer) {
            Ok(document) => Some(document),
            Err(code) => {
                self.warn(code, "the fallback gave no usable markup");
                None
            }
        }
    }

    /// Reads an answer as the carrier does; the error is the carrier's code.
    fn read_answer(&mut self, url: &str, answer: &Answer) -> Result<Document, u32> {
        if !(200..300).contains(&answer.status) {
            return Err(11_200);
        }
        let content_type = answer.content_type.as_deref().unwrap_or_default();
        if !["text/xml", "application/xml"].iter().any(|known| content_type.starts_with(known)) {
            return Err(12_300);
        }
        let text = str::from_utf8(&answer.body).unwrap_or_default();
        if text.is_empty() {
            return Err(if answer.body.is_empty() { 11_770 } else { 12_100 });
        }
        self.read_markup(url, text).ok_or(12_100)
    }

    fn read_markup(&mut self, url: &str, text: &str) -> Option<Document> {
        if self.report.markup.len() < MOST_REQUESTS {
            self.report.markup.push(text.to_owned().into());
        }
        match markup::read(text) {
            Ok(response) => Some(Document { url: url.to_owned(), response }),
            Err(error) => {
                self.warn(12_200, error.to_string());
                None
            }
        }
    }

    /// Sends one webhook, twice if the script says so, and writes it down.
    pub(crate) async fn exchange(
        &mut self,
        method: Method,
        url: &str,
        params: &Params,
        is_callback: bool,
    ) -> Result<Answer, HttpError> {
        let at = self.line.position();
        let token = new_sid("ID");
        let mut outcome = self.exchange_once(at, method, url, params, &token, false).await;
        if self.script.faults.duplicate_webhooks {
            // The carrier follows the answer to its retry: it gave up on the first.
            outcome = self.exchange_once(at, method, url, params, &token, true).await;
        }
        if is_callback && outcome.as_ref().is_ok_and(|answer| answer.status >= 400) {
            self.warn(15_003, "a status callback was refused");
        }
        outcome
    }

    async fn exchange_once(
        &mut self,
        at: LineTime,
        method: Method,
        url: &str,
        params: &Params,
        token: &str,
        retry: bool,
    ) -> Result<Answer, HttpError> {
        let signing = self.script.faults.signature;
        let exchange = self.exchange.client.webhook(method, url, params, signing, token);
        let (outcome, micros) = timed(exchange).await;
        let status = outcome.as_ref().ok().map(|answer| answer.status);
        self.note_request(RequestReport { at, path: path_of(url), status, micros, retry });
        outcome
    }

    /// Sends a callback while the call goes on.
    pub(crate) fn call_back(&mut self, method: Option<HttpMethod>, url: &str, params: Params) {
        let client = self.exchange.client.clone();
        let (at, signing, url) = (self.line.position(), self.script.faults.signature, url.to_owned());
        let times = if self.script.faults.duplicate_webhooks { 2 } else { 1 };
        self.aside.spawn(async move { call_back(client, method_of(method), url, params, signing, at, times).await });
    }

    fn note_request(&mut self, request: RequestReport) {
        if self.report.requests.len() < MOST_REQUESTS {
            self.report.requests.push(request);
        }
    }

    /// Returns the parameters of a request of this call.
    pub(crate) fn params(&self, status: &str, extra: &Params) -> Params {
        let (from, to) = (self.script.from.reveal(), self.script.to.reveal());
        let mut params = Params::new()
            .with("CallSid", self.sid.as_str())
            .with("AccountSid", self.exchange.config.account_sid.as_str())
            .with("ApiVersion", "2010-04-01")
            .with("CallStatus", status)
            .with("Direction", "inbound")
            .with("From", from)
            .with("To", to)
            .with("Caller", from)
            .with("Called", to);
        for who in ["From", "To", "Caller", "Called"] {
            for what in ["City", "State", "Zip"] {
                params.push(format!("{who}{what}"), "");
            }
            params.push(format!("{who}Country"), "IL");
        }
        extra.iter().fold(params, |params, (name, value)| params.with(name, value))
    }

    /// Tells the box how far the call is, if it wants to know.
    async fn tell(&mut self, progress: Progress) {
        let config = &self.exchange.config;
        let Some(path) = config.status_path.as_deref().filter(|_| config.status_events.contains(&progress)) else {
            return;
        };
        let url = config.public_url.webhook(path);
        let mut extra = Params::new()
            .with("SequenceNumber", self.sequence.to_string())
            .with("CallbackSource", "call-progress-events")
            .with("Timestamp", rfc_2822(SystemTime::now()));
        let status = match progress {
            Progress::Initiated => "initiated",
            Progress::Ringing => "ringing",
            Progress::Answered => "in-progress",
            Progress::Completed => {
                let seconds = self.line.position().since_answer().as_millis().div_ceil(1_000);
                extra.push("CallDuration", seconds.to_string());
                extra.push("Duration", seconds.div_ceil(60).to_string());
                "completed"
            }
        };
        self.sequence += 1;
        let params = self.params(status, &extra);
        if let Err(error) = self.exchange(Method::Post, &url, &params, true).await {
            self.warn(15_003, format!("a status callback failed: {error}"));
        }
    }

    async fn finish(mut self) -> Result<CallReport, CallError> {
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

    /// Waits for the callbacks that are under way.
    pub(crate) async fn join_aside(&mut self) {
        while let Some(joined) = self.aside.join_next().await {
            match joined {
                Ok(request) => self.note_request(request),
                Err(_) => self.warn(15_003, "a callback ended early"),
            }
        }
    }
}

/// Sends a callback `times` times and returns what became of the last.
async fn call_back(
    client: crate::http::BoxClient,
    method: Method,
    url: String,
    params: Params,
    signing: Signing,
    at: LineTime,
    times: u32,
) -> RequestReport {
    let token = new_sid("ID");
    let mut report = RequestReport { at, path: path_of(&url), status: None, micros: 0, retry: times > 1 };
    for _ in 0..times {
        let (outcome, micros) = timed(client.webhook(method, &url, &params, signing, &token)).await;
        report.status = outcome.ok().map(|answer| answer.status);
        report.micros = micros;
    }
    report
}

/// Renders the audio of steps; `first` is the number of the first for messages.
async fn render(exchange: &Exchange, steps: &[Step], first: usize) -> Result<Vec<ReadyStep>, CallError> {
    let mut ready = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let failed = |source| CallError::Voice { step: first + index, source };
        match step {
            Step::Say { text, language } => {
                let spoken = speak(exchange, text.reveal(), *language).await?.map_err(failed)?;
                ready.push(ReadyStep::Audio(audio::to_mulaw(&spoken)));
            }
            Step::Interrupt { text, language, after } => {
                let spoken = speak(exchange, text.reveal(), *language).await?.map_err(failed)?;
                let limit = Step::INTERRUPT_LIMIT;
                ready.push(ReadyStep::WaitUntilAgentSpeaks { lasting: *after, limit });
                ready.push(ReadyStep::Audio(audio::to_mulaw(&spoken)));
            }
            Step::PlayWav { path } => {
                let path = path.clone();
                let reading = tokio::task::spawn_blocking(move || audio::read_wav_file(&path));
                let samples = reading.await.map_err(CallError::VoicePanicked)?.map_err(|error| failed(error.into()))?;
                ready.push(ReadyStep::Audio(audio::to_mulaw(&samples)));
            }
            Step::WaitForAgentToFinish { quiet, limit } => {
                ready.push(ReadyStep::WaitForAgentToFinish { quiet: *quiet, limit: *limit });
            }
            Step::WaitUntilAgentSpeaks { lasting, limit } => {
                ready.push(ReadyStep::WaitUntilAgentSpeaks { lasting: *lasting, limit: *limit });
            }
            Step::Silence { lasting } => ready.push(ReadyStep::Silence(*lasting)),
            Step::Dtmf { digits } => {
                ready.push(ReadyStep::Keys(digits.reveal().chars().filter_map(Digit::new).collect()));
            }
            Step::Hangup {} => ready.push(ReadyStep::Hangup),
            Step::WaitEnd { limit } => ready.push(ReadyStep::WaitEnd(*limit)),
        }
    }
    Ok(ready)
}

/// Speaks a text on a thread that may block.
pub(crate) async fn speak(
    exchange: &Exchange,
    text: &str,
    language: units::Language,
) -> Result<Result<Vec<i16>, crate::voice::VoiceError>, CallError> {
    let (voice, text) = (Arc::clone(&exchange.voice), text.to_owned());
    tokio::task::spawn_blocking(move || voice.speak(&text, language)).await.map_err(CallError::VoicePanicked)
}

/// Returns the carrier's own method for one named in the markup; without one it is a POST.
pub(crate) fn method_of(method: Option<HttpMethod>) -> Method {
    match method {
        Some(HttpMethod::Get) => Method::Get,
        Some(HttpMethod::Post) | None => Method::Post,
    }
}

/// Returns a URL of the markup made absolute: relative to the document it stands in.
pub(crate) fn resolve(document: &str, url: &str) -> String {
    if url.contains("://") {
        return url.to_owned();
    }
    let document = document.split(['?', '#']).next().unwrap_or_default();
    let authority_ends = document
        .find("://")
        .and_then(|at| document.get(at + 3..).map(|rest| at + 3 + rest.find('/').unwrap_or(rest.len())))
        .unwrap_or(document.len());
    let (origin, path) = document.split_at_checked(authority_ends).unwrap_or((document, ""));
    if url.starts_with('/') {
        return format!("{origin}{url}");
    }
    let folder = path.rfind('/').and_then(|at| path.get(..at)).unwrap_or_default();
    format!("{origin}{folder}/{url}")
}

fn path_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{path_of, resolve};

    #[test]
    fn urls_of_the_markup_are_relative_to_the_document_they_stand_in() {
        let document = "https://box.example/webhook/incoming_call?x=1";
        assert_eq!(resolve(document, "https://other.example/a"), "https://other.example/a");
        assert_eq!(resolve(document, "/webhook/ended"), "https://box.example/webhook/ended");
        assert_eq!(resolve(document, "ended"), "https://box.example/webhook/ended");
        assert_eq!(resolve("https://box.example", "ended"), "https://box.example/ended");
    }

    #[test]
    fn paths_in_the_report_have_no_query() {
        assert_eq!(path_of("https://box.example/a/b?c#d"), "/a/b");
        assert_eq!(path_of("https://box.example"), "/");
    }
}
