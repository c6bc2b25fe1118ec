//! What the call asks of engines, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use cloud::Usage;
use cloud::openai::ChatRequest;
use conversation::{Confidence, Failure, Input, Request, Stage};
use speech::{RecognizeRequest, SynthesizeRequest};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use units::{SampleCount, TurnId, UtteranceId};
use weather::{Decision, FailureKind, Plan, Role, Stage as Engines};

use super::brain::{self, Reply};
use super::utterances::Step;
use super::{COST_PATIENCE, FromEngine, Line};
use crate::weather::{Entry, Hearing, Source, Thought, Told, hear, run, speak, think};

/// With less time than this nobody is asked again: the fastest models take longer to a sentence.
const SHORTEST_REPLY: Duration = Duration::from_millis(300);

impl Line {
    /// Takes what an engine came to.
    pub(super) fn engine(&mut self, result: FromEngine) {
        match result {
            FromEngine::Heard { turn, attempt, told } => self.hearing(turn, attempt, told),
            FromEngine::Thought { turn, told } => self.thought(turn, told),
            FromEngine::Spoken { utterance, attempt, told } => self.spoken(utterance, attempt, told),
        }
    }

    /// Asks for a transcript.
    pub(super) fn recognize(&mut self, turn: TurnId, attempt: u32, from: SampleCount, to: SampleCount) {
        let audio = match self.ear.audio(from, to) {
            Ok(audio) => audio,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "audio not converted");
                return self.pending.push_back(Input::RecognizeFailed { turn, attempt, why: Failure::Broken });
            }
        };
        let request = self.parts.recognize_request(audio);
        let usage = Usage { audio_ms: milliseconds(&request), ..Usage::default() };
        let plan = self.parts.station.plan(Engines::Recognize, turn, &self.weather, &usage);
        let (parts, results) = (Arc::clone(&self.parts), self.results.clone());
        let guard = self.race(
            Engines::Recognize,
            plan,
            usage,
            move |engine, _role| hear(&parts, engine, &request),
            // A call that is over, or has fallen behind for good, is told no more.
            move |told| drop(results.try_send(FromEngine::Heard { turn, attempt, told })),
        );
        self.recognitions.push((turn, attempt, guard));
    }

    fn hearing(&mut self, turn: TurnId, attempt: u32, told: Told<Hearing>) {
        match told {
            Told::Serving(engine) => self.book.heard_by(turn, &engine),
            Told::Item(Hearing::Interim(text)) => {
                let (stage, confidence) = (Stage::Interim, Confidence(0));
                self.input(Input::Transcript { turn, attempt, stage, text, language: None, confidence });
            }
            Told::Item(Hearing::Final(recognition)) => {
                let confidence = confidence(recognition.mean_log_probability);
                let language = Some(recognition.language);
                let (stage, text) = (Stage::Final, recognition.text);
                self.input(Input::Transcript { turn, attempt, stage, text, language, confidence });
            }
            Told::Done => self.recognitions.retain(|(t, a, _)| (*t, *a) != (turn, attempt)),
            Told::Failed(failure) => {
                self.recognitions.retain(|(t, a, _)| (*t, *a) != (turn, attempt));
                self.pending.push_back(Input::RecognizeFailed { turn, attempt, why: why(failure.kind) });
            }
            Told::Spent(cost) => self.cost_micros = self.cost_micros.saturating_add(cost.0),
            Told::SoFar(decision) => self.noted(&decision),
            Told::Decided(decision) => self.decided(&decision),
        }
    }

    /// Asks for a reply.
    pub(super) fn think(&mut self, turn: TurnId, request: Request, heard: &[conversation::Heard]) {
        self.brain.heard(heard);
        // Also while none may serve: one that is to be tried again is tried beside the receptionist.
        let may_ask = self.parts.station.has_cloud(Engines::Reply);
        let reply = self.brain.request(turn, request, may_ask, self.parts.clock.wall_ms());
        if reply.ask.is_none() {
            self.book.replied_by(turn, crate::weather::LOCAL);
        }
        self.act_on(turn, reply);
    }

    fn thought(&mut self, turn: TurnId, told: Told<Thought>) {
        let reply = match told {
            Told::Serving(engine) => {
                self.book.replied_by(turn, &engine);
                Reply::default()
            }
            Told::Item(thought) => self.brain.thought(turn, thought),
            Told::Done => self.brain.end(turn),
            // The offline receptionist is an engine that cannot fail; without it, it takes over here.
            Told::Failed(_) => self.brain.thought(turn, Thought::Alone),
            Told::Spent(cost) => {
                self.cost_micros = self.cost_micros.saturating_add(cost.0);
                Reply::default()
            }
            Told::SoFar(decision) => {
                self.noted(&decision);
                Reply::default()
            }
            Told::Decided(decision) => {
                self.decided(&decision);
                Reply::default()
            }
        };
        self.act_on(turn, reply);
    }

    fn act_on(&mut self, turn: TurnId, reply: Reply) {
        let is_over = reply.inputs.iter().any(|input| matches!(input, Input::ReplyDone { .. }));
        self.pending.extend(reply.inputs);
        if is_over {
            self.reply = None;
        } else if let Some(request) = reply.ask {
            self.ask(turn, Arc::new(request));
        }
    }

    fn ask(&mut self, turn: TurnId, request: Arc<ChatRequest>) {
        // A second round of the same turn has what the first one left.
        let now = self.parts.clock.now();
        let asked = match self.asked {
            Some((asked, since)) if asked == turn => since,
            Some(_) | None => now,
        };
        self.asked = Some((turn, asked));
        let left = self.parts.config.weather.reply.deadline.saturating_sub(now.saturating_sub(asked));
        if left < SHORTEST_REPLY {
            let reply = self.brain.thought(turn, Thought::Alone);
            return self.act_on(turn, reply);
        }
        let usage = brain::likely_usage(&request);
        let plan = self.parts.station.plan(Engines::Reply, turn, &self.weather, &usage).within(left);
        let (parts, results) = (Arc::clone(&self.parts), self.results.clone());
        let guard = self.race(
            Engines::Reply,
            plan,
            usage,
            move |engine, _role| think(&parts, engine, &request),
            move |told| drop(results.try_send(FromEngine::Thought { turn, told })),
        );
        self.reply = Some((turn, guard));
    }

    /// Asks for the audio of an utterance.
    pub(super) fn synthesize(&mut self, id: UtteranceId) {
        let Some(utterance) = self.utterances.get_mut(id) else { return };
        let (turn, attempt) = (utterance.turn, utterance.attempt);
        let request = SynthesizeRequest { text: utterance.text.reveal().clone(), language: utterance.language };
        let characters = u64::try_from(request.text.chars().count()).unwrap_or(u64::MAX);
        let usage = Usage { characters, ..Usage::default() };
        let plan = self.parts.station.plan(Engines::Synthesize, turn, &self.weather, &usage);
        let (parts, results) = (Arc::clone(&self.parts), self.results.clone());
        let guard = self.race(
            Engines::Synthesize,
            plan,
            usage,
            move |engine, role| speak(&parts, engine, role, &request),
            move |told| drop(results.try_send(FromEngine::Spoken { utterance: id, attempt, told })),
        );
        if let Some(utterance) = self.utterances.get_mut(id) {
            utterance.request = Some(guard);
        }
    }

    fn spoken(&mut self, utterance: UtteranceId, attempt: u32, told: Told<Vec<u8>>) {
        match told {
            Told::Serving(engine) => self.utterances.served_by(utterance, attempt, engine),
            Told::Item(mulaw) => self.utterances.audio(utterance, attempt, &mulaw),
            Told::Done => self.utterances.done(utterance, attempt),
            Told::Failed(failure) => {
                self.utterances.remove(utterance);
                self.pending.push_back(Input::SynthesizeFailed { utterance, why: why(failure.kind) });
            }
            Told::Spent(cost) => self.cost_micros = self.cost_micros.saturating_add(cost.0),
            Told::SoFar(decision) => self.noted(&decision),
            Told::Decided(decision) => self.decided(&decision),
        }
        self.settle_voices();
    }

    /// Lets through what may be heard now.
    pub(super) fn settle_voices(&mut self) {
        let station = &self.parts.station;
        let voice = self.weather.voice().map(str::to_owned);
        let steps = self.utterances.settle(voice.as_deref(), |engine| station.rank(Engines::Synthesize, engine));
        for step in steps {
            match step {
                Step::Voice { turn, engine } => {
                    self.weather.has_spoken(&engine);
                    self.book.spoken_by(turn, &engine);
                }
                Step::Audio { id, mulaw, last } => {
                    let samples = self.mouth.push(id, &mulaw, last);
                    self.input(Input::Synthesized { utterance: id, samples, last });
                }
                Step::Again(id) => {
                    if let Some(utterance) = self.utterances.get_mut(id) {
                        utterance.attempt = utterance.attempt.saturating_add(1);
                    }
                    self.synthesize(id);
                }
            }
        }
    }

    /// Takes what requests cost that ended with the call; nothing else of them matters any more.
    pub(super) async fn take_last_costs(&mut self, results: &mut mpsc::Receiver<FromEngine>) {
        // The channel ends with the last request that still holds a sender.
        self.results = mpsc::channel(1).0;
        let taking = async {
            while let Some(result) = results.recv().await {
                match result {
                    FromEngine::Heard { told: Told::Spent(cost), .. }
                    | FromEngine::Thought { told: Told::Spent(cost), .. }
                    | FromEngine::Spoken { told: Told::Spent(cost), .. } => {
                        self.cost_micros = self.cost_micros.saturating_add(cost.0);
                    }
                    FromEngine::Heard { told: Told::Decided(decision), .. }
                    | FromEngine::Thought { told: Told::Decided(decision), .. }
                    | FromEngine::Spoken { told: Told::Decided(decision), .. } => self.decided(&decision),
                    FromEngine::Heard { .. } | FromEngine::Thought { .. } | FromEngine::Spoken { .. } => {}
                }
            }
        };
        // A request in the shadow may go on for longer; it is not the call's.
        drop(timeout(COST_PATIENCE, taking).await);
    }

    /// Sends a request on its way. It ends when the guard is dropped, or by itself.
    fn race<T: Send + 'static>(
        &self,
        stage: Engines,
        plan: Plan,
        usage: Usage,
        start: impl FnMut(&str, Role) -> Source<T> + Send + 'static,
        tell: impl FnMut(Told<T>) + Send + 'static,
    ) -> DropGuard {
        let cancelled = CancellationToken::new();
        let entry = Entry { stage, plan, estimate: self.parts.station.estimate(usage) };
        let racing = run(Arc::clone(&self.parts), entry, cancelled.clone(), start, tell);
        // It outlives the call by a shadow's patience at most, and the program waits for it as it does for calls.
        self.parts.tasks.spawn(racing);
        cancelled.drop_guard()
    }

    /// Notes who served a request, and why.
    fn decided(&mut self, decision: &Decision) {
        tracing::debug!(call_id = %self.caller.call, %decision, "engine chosen");
        self.log.chosen(self.now(), decision);
        self.noted(decision);
    }

    /// Remembers what the caller has waited for in vain.
    fn noted(&mut self, decision: &Decision) {
        self.weather.note(self.parts.clock.now(), decision.turn, decision.stage, decision);
    }
}

fn milliseconds(request: &RecognizeRequest) -> u64 {
    u64::try_from(request.audio.len() / 16).unwrap_or(u64::MAX)
}

/// Returns a failure in the core's words.
fn why(kind: FailureKind) -> Failure {
    match kind {
        FailureKind::Busy => Failure::Busy,
        FailureKind::TimedOut => Failure::TimedOut,
        FailureKind::Refused
        | FailureKind::Resolve
        | FailureKind::Unroutable
        | FailureKind::Tls
        | FailureKind::Intercepted
        | FailureKind::Unauthorized
        | FailureKind::Forbidden
        | FailureKind::RateLimited
        | FailureKind::Server
        | FailureKind::Malformed
        | FailureKind::Cut
        | FailureKind::Clock
        | FailureKind::Invalid
        | FailureKind::Filtered
        | FailureKind::Broken => Failure::Broken,
    }
}

/// Turns a mean log probability of tokens into thousandths of certainty.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000 first")]
fn confidence(mean_log_probability: f32) -> Confidence {
    Confidence((mean_log_probability.exp() * 1_000.0).clamp(0.0, 1_000.0) as u16)
}

#[cfg(test)]
mod tests {
    use conversation::Confidence;

    use super::confidence;

    #[test]
    fn certainty_is_in_thousandths_and_never_more_than_whole() {
        for (mean_log_probability, expected) in [(0.0, 1_000), (-1.0, 367), (-100.0, 0), (3.0, 1_000)] {
            assert_eq!(confidence(mean_log_probability), Confidence(expected), "{mean_log_probability}");
        }
        assert_eq!(confidence(f32::NAN), Confidence(0), "a model that computes nonsense is not believed");
    }
}
