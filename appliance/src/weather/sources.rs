//! What each engine does with a request, as outputs that come one after the other.

use std::sync::Arc;

use cloud::openai::{ChatEvent, ChatRequest, ToolCall};
use cloud::{CloudError, Usage};
use futures_util::{StreamExt as _, stream};
use language::sentences::SentenceCutter;
use receptionist::{FieldKind, Form};
use speech::{Heard, Job, Recognition, RecognizeError, RecognizeRequest, SynthesizeError, SynthesizeRequest};
use tokio::sync::mpsc;
use units::Pii;
use weather::{Failure, FailureKind, Role, Stage};

use super::engines::{Hears, price};
use super::race::{Made, Source, received, source};
use super::{LOCAL, log_failure};
use crate::app::Parts;
use crate::metrics::ReasonLabel;
use crate::voice::Spoken;

/// Outputs of this device's threads that may wait. A thread that speaks waits for a place; one that hears loses interim
/// transcripts.
const OUTPUTS: usize = 64;

/// Names told to a recognizer: it looks at some 200 tokens.
const MAX_NAMES: usize = 40;

/// What comes of hearing.
#[derive(Debug)]
pub(crate) enum Hearing {
    Interim(Pii<String>),
    Final(Recognition),
}

/// What comes of thinking about a reply.
#[derive(Debug)]
pub(crate) enum Thought {
    /// A piece of what to say.
    Text(Pii<String>),
    /// A tool to be used.
    Call(ToolCall),
    /// The offline receptionist is to reply, which is done where the call is.
    Alone,
}

/// Cancels a job of this device's threads when nobody waits for it any more.
struct Cancel(Job);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Returns a source that can do nothing.
fn failed<T: Send + 'static>(kind: FailureKind) -> Source<T> {
    stream::once(std::future::ready(Made::Failed(Failure { kind, retry_after: None }))).boxed()
}

/// Returns the outputs of a job that was taken; dropping them cancels it.
fn of_job<T: Send + 'static>(outputs: mpsc::Receiver<Made<T>>, job: Job) -> Source<T> {
    let cancel = Cancel(job);
    received(outputs)
        .map(move |made| {
            let _lives_as_long = &cancel;
            made
        })
        .boxed()
}

/// Hears.
pub(crate) fn hear(parts: &Arc<Parts>, engine: &str, request: &RecognizeRequest) -> Source<Hearing> {
    if engine == LOCAL {
        return hear_here(parts, request.clone());
    }
    let Some((name, hears)) = parts.station.engines.hears.get_key_value(engine) else {
        return failed(FailureKind::Broken);
    };
    let (name, hears, parts) = (*name, Arc::clone(hears), Arc::clone(parts));
    let request = RecognizeRequest { prompt: hint(&parts.form), ..request.clone() };
    source(move |outputs| async move {
        let mut interim = |text: &str| {
            // What does not fit was only interim.
            drop(outputs.try_send(Made::Aside(Hearing::Interim(Pii::new(text.to_owned())))));
        };
        let heard = match &*hears {
            Hears::OpenAi(transcriber) => transcriber.transcribe(&request, &mut interim).await,
            Hears::Google(hearer) => hearer.transcribe(&request, &mut interim).await,
        };
        match heard {
            Ok(heard) => {
                let mut recognition = heard.recognition;
                // A model that hears nothing may repeat what it was told.
                if recognition.text.reveal().trim() == request.prompt {
                    recognition.text = Pii::default();
                }
                finish(&parts, name, outputs, &heard.cost, Some(Hearing::Final(recognition))).await;
            }
            Err(error) => give_up(Stage::Recognize, name, outputs, &error).await,
        }
    })
}

/// Returns the names that callers are likely to say: the office's, and those of the form's choices.
fn hint(form: &Form) -> String {
    let choices = form.fields.iter().filter_map(|field| match &field.kind {
        FieldKind::Choice(choices) => Some(choices.iter().map(|choice| &choice.say)),
        FieldKind::Name
        | FieldKind::Phone
        | FieldKind::Reason
        | FieldKind::Number(_)
        | FieldKind::YesNo
        | FieldKind::Text
        | FieldKind::DateTime => None,
    });
    let texts = std::iter::once(&form.office).chain(choices.flatten());
    let names = texts.flat_map(|text| form.languages.iter().map(|language| text.get(*language)));
    let names: Vec<&str> = names.filter(|name| !name.is_empty()).take(MAX_NAMES).collect();
    names.join(", ")
}

fn hear_here(parts: &Arc<Parts>, request: RecognizeRequest) -> Source<Hearing> {
    let (sender, outputs) = mpsc::channel(OUTPUTS);
    let noting = Arc::clone(parts);
    let submitted = parts.voice.recognize(request, move |heard| match heard {
        Heard::Interim(text) => drop(sender.try_send(Made::Aside(Hearing::Interim(text)))),
        Heard::Done(Ok(recognition)) => {
            drop(sender.blocking_send(Made::Useful(Hearing::Final(recognition))));
            drop(sender.blocking_send(Made::Done));
        }
        Heard::Done(Err(error)) => drop(sender.blocking_send(Made::Failed(not_heard(&noting, &error)))),
    });
    match submitted {
        Ok(job) => of_job(outputs, job),
        Err(error) => failed(not_heard(parts, &error).kind),
    }
}

/// Notes why this device did not hear.
fn not_heard(parts: &Parts, error: &RecognizeError) -> Failure {
    let kind = match error {
        RecognizeError::Busy => FailureKind::Busy,
        RecognizeError::Audio { .. } | RecognizeError::Model(_) | RecognizeError::Gone => FailureKind::Broken,
    };
    note_local(parts, "recognizer", kind, error)
}

fn note_local(
    parts: &Parts,
    engine: &'static str,
    kind: FailureKind,
    error: &(dyn std::error::Error + 'static),
) -> Failure {
    if kind == FailureKind::Busy {
        parts.metrics.busy.get_or_create(&ReasonLabel { reason: engine }).inc();
    } else {
        parts.voice_trouble.notify_one();
    }
    tracing::warn!(engine, error, "engine failed");
    Failure { kind, retry_after: None }
}

/// Speaks.
pub(crate) fn speak(parts: &Arc<Parts>, engine: &str, role: Role, request: &SynthesizeRequest) -> Source<Vec<u8>> {
    if engine == LOCAL {
        return speak_here(parts, request.clone());
    }
    let Some((name, speaks)) = parts.station.engines.speaks.get_key_value(engine) else {
        return failed(FailureKind::Broken);
    };
    let voice = speaks.voice(request.language);
    let cache = parts.station.prompts.clone();
    // One that is to show that it works is really asked.
    let kept = cache.as_ref().filter(|_| role != Role::Shadow).and_then(|cache| cache.find(&voice, request));
    if let Some(mulaw) = kept {
        return stream::iter([Made::Kept, Made::Useful(mulaw), Made::Done]).boxed();
    }
    let (name, speaks, parts, request) = (*name, Arc::clone(speaks), Arc::clone(parts), request.clone());
    source(move |outputs| async move {
        // The whole sentence or nothing: what one voice began no other can finish.
        match speaks.synthesize(&request.text, request.language).await {
            Ok(audio) => {
                if let Some(cache) = cache {
                    cache.keep(&voice, &request, &audio.mulaw);
                }
                finish(&parts, name, outputs, &audio.usage, Some(audio.mulaw)).await;
            }
            Err(error) => give_up(Stage::Synthesize, name, outputs, &error).await,
        }
    })
}

fn speak_here(parts: &Arc<Parts>, request: SynthesizeRequest) -> Source<Vec<u8>> {
    let (sender, outputs) = mpsc::channel(OUTPUTS);
    let noting = Arc::clone(parts);
    let mut has_begun = false;
    let submitted = parts.voice.synthesize(request.text, request.language, move |spoken| {
        let made = match spoken {
            Spoken::Audio(mulaw) if mulaw.is_empty() || has_begun => Made::Part(mulaw),
            Spoken::Audio(mulaw) => {
                has_begun = true;
                Made::Useful(mulaw)
            }
            Spoken::Done(Ok(())) => Made::Done,
            Spoken::Done(Err(error)) => Made::Failed(not_spoken(&noting, &error)),
        };
        sender.blocking_send(made).is_ok()
    });
    match submitted {
        Ok(job) => of_job(outputs, job),
        Err(error) => failed(not_spoken(parts, &error).kind),
    }
}

/// Notes why this device did not speak.
fn not_spoken(parts: &Parts, error: &SynthesizeError) -> Failure {
    let kind = match error {
        SynthesizeError::Busy => FailureKind::Busy,
        SynthesizeError::Overdue { .. } => FailureKind::TimedOut,
        SynthesizeError::Start { .. }
        | SynthesizeError::Failed { .. }
        | SynthesizeError::Text(_)
        | SynthesizeError::Gone => FailureKind::Broken,
    };
    note_local(parts, "synthesizer", kind, error)
}

/// Thinks.
pub(crate) fn think(parts: &Arc<Parts>, engine: &str, request: &Arc<ChatRequest>) -> Source<Thought> {
    if engine == LOCAL {
        return stream::iter([Made::Useful(Thought::Alone), Made::Done]).boxed();
    }
    let Some((name, chat)) = parts.station.engines.thinks.get_key_value(engine) else {
        return failed(FailureKind::Broken);
    };
    let (name, chat, parts, request) = (*name, Arc::clone(chat), Arc::clone(parts), Arc::clone(request));
    source(move |outputs| async move {
        let mut sentences = SentenceCutter::new();
        let mut is_lost = false;
        let mut take = |event: ChatEvent| {
            let made = match event {
                ChatEvent::Text(piece) => {
                    sentences.push(&piece);
                    let mut is_whole = false;
                    while let Some(sentence) = sentences.poll() {
                        is_whole |= !sentence.trim().is_empty();
                    }
                    if is_whole {
                        Made::Useful(Thought::Text(Pii::new(piece)))
                    } else {
                        Made::Part(Thought::Text(Pii::new(piece)))
                    }
                }
                // Nobody hears a call: a reply of nothing but calls is useful at its end.
                ChatEvent::Call(call) => Made::Part(Thought::Call(call)),
            };
            is_lost |= outputs.try_send(made).is_err();
        };
        let end = chat.reply(&request, &mut take).await;
        match end {
            // What is lost in the middle cannot be said: the rest would make no sense.
            Ok(_) if is_lost => {
                let failure = Failure { kind: FailureKind::Busy, retry_after: None };
                drop(outputs.send(Made::Failed(failure)).await);
            }
            Ok(end) => finish(&parts, name, outputs, &end.usage, None).await,
            Err(error) => give_up(Stage::Reply, name, outputs, &error).await,
        }
    })
}

/// Hands over the last of a request's outputs. Nobody may be left to take it.
async fn finish<T>(parts: &Parts, engine: &str, outputs: mpsc::Sender<Made<T>>, usage: &Usage, last: Option<T>) {
    drop(outputs.send(Made::Spent(price(&parts.station.prices, engine, usage))).await);
    if let Some(last) = last {
        drop(outputs.send(Made::Useful(last)).await);
    }
    drop(outputs.send(Made::Done).await);
}

async fn give_up<T>(stage: Stage, engine: &str, outputs: mpsc::Sender<Made<T>>, error: &CloudError) {
    log_failure(stage, engine, error);
    drop(outputs.send(Made::Failed(error.failure())).await);
}
