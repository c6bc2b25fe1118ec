//! Work on one message from somebody: fetch its files, hear its sound, write the answer.
//!
//! Every step can be taken again: the files and the transcript are noted as soon as they are there, and the answer is
//! queued in the commit that takes the work away.

use std::sync::Arc;
use std::time::Duration;

use messaging::conversation::{Answerer, Model};
use messaging::message::{Content, Media, MediaKind, MediaSource};
use messaging::outbound::{MAX_IMAGE_BYTES, MAX_MEDIA_BYTES, OutboundContent};
use messaging::{Provider, UnixTime};
use store::{
    Author, ConversationRow, FileRow, FileState, MessageKey, MessageRow, Outgoing, OutgoingKey, Said, Transcript,
};
use units::{Language, Pii};
use weather::Stage;

use super::desk::Desk;
use super::files::is_digest;
use super::lanes::Done;
use super::provider::FetchError;
use super::receive::{files_of, words_of};
use super::reply::{self, Answered, Outcome};
use super::{MessagesError, Notice, lead, voice_note, words};
use crate::app::Parts;
use crate::config::NoticeKind;
use crate::leads::put_fact;
use crate::metrics::ReasonLabel;

/// Times a file is asked for, over about a quarter of an hour.
const MAX_TRIES: u32 = 10;

/// A message being worked on.
struct Job {
    key: MessageKey,
    row: MessageRow,
    content: Content,
    conversation: ConversationRow,
    reply: bool,
}

/// Works on a message.
///
/// # Cancellation safety
///
/// Dropped half way, what was not noted is done again.
pub(super) async fn answer(parts: &Arc<Parts>, key: MessageKey, tries: u32) -> Done {
    match work(parts, key, tries).await {
        Ok(done) => done,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "message not worked on yet");
            Done::Again
        }
    }
}

async fn work(parts: &Arc<Parts>, key: MessageKey, tries: u32) -> Result<Done, MessagesError> {
    let Some(mut job) = parts.at_desk(move |desk| load(desk, key)).await? else { return Ok(Done::Yes) };
    let before = job.row.clone();
    let fetched = fetch_files(parts, &mut job, tries).await;
    if job.row.files != before.files {
        note(parts, key, &job.row).await?;
    }
    if fetched == Done::Again {
        return Ok(Done::Again);
    }
    if let (Content::VoiceNote(_), None, Some(FileRow { state: FileState::Here, name: Some(name), .. })) =
        (&job.content, &job.row.transcript, job.row.files.first())
    {
        let Some(transcript) = hear(parts, &job, name.clone()).await else { return Ok(Done::Again) };
        job.row.transcript = Some(transcript);
        note(parts, key, &job.row).await?;
        parts.metrics.text_messages.get_or_create(&ReasonLabel { reason: "voice_note_heard" }).inc();
    }
    let answered = if job.reply { write(parts, &job).await? } else { None };
    parts.at_desk(move |desk| finish(desk, key, answered)).await?;
    Ok(Done::Yes)
}

/// Reads what there is to do; `None` when it was done or dropped.
fn load(desk: &mut Desk<'_>, key: MessageKey) -> Result<Option<Job>, MessagesError> {
    let todo = OutgoingKey::Answer(key);
    let Some(work) = desk.store.get::<Outgoing>(&todo)? else { return Ok(None) };
    let row = desk.message(&key)?;
    let conversation = desk.conversation(key.conversation)?.cloned();
    let (Some(row), Some(conversation)) = (row, conversation) else {
        desk.batch.delete::<Outgoing>(&todo)?;
        return Ok(None);
    };
    let Said::Inbound(content) = row.said.clone() else { return Ok(None) };
    Ok(Some(Job { key, row, content, conversation, reply: work.reply }))
}

/// Notes files and transcript in the row, as it is by now.
async fn note(parts: &Arc<Parts>, key: MessageKey, row: &MessageRow) -> Result<(), MessagesError> {
    let (files, transcript) = (row.files.clone(), row.transcript.clone());
    parts
        .at_desk(move |desk| {
            let Some(mut row) = desk.message(&key)? else { return Ok(()) };
            (row.files, row.transcript) = (files, transcript);
            desk.put(&key, &row)
        })
        .await
}

/// Fetches the files that are not here yet.
async fn fetch_files(parts: &Arc<Parts>, job: &mut Job, tries: u32) -> Done {
    let media: Vec<Media> = files_of(&job.content).cloned().collect();
    for (index, media) in media.iter().enumerate() {
        let Some(row) = job.row.files.get_mut(index).filter(|row| row.state == FileState::Waiting) else { continue };
        match fetch(parts, &job.key, index, media).await {
            Ok(file) => *row = file,
            Err(()) if tries < MAX_TRIES => return Done::Again,
            Err(()) => row.state = FileState::Missing,
        }
    }
    Done::Yes
}

/// Fetches and keeps one file; the error is worth another try.
async fn fetch(parts: &Arc<Parts>, key: &MessageKey, index: usize, media: &Media) -> Result<FileRow, ()> {
    let state = |state| Ok(FileRow { state, ..FileRow::default() });
    let provider = match media.source {
        MediaSource::Twilio { .. } => Provider::Twilio,
        MediaSource::Meta { .. } => Provider::Meta,
    };
    let Some(carrier) = parts.messages.carrier_named(provider) else { return state(FileState::Missing) };
    let limit = if media.kind == MediaKind::Image { MAX_IMAGE_BYTES } else { MAX_MEDIA_BYTES };
    let bytes = match carrier.fetch(&media.source, limit).await {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::info!(error = &error as &dyn std::error::Error, "file of a message not here");
            return match error {
                FetchError::TooLarge { .. } => state(FileState::TooLarge),
                error if error.is_transient() => Err(()),
                FetchError::Unreachable(_)
                | FetchError::Carrier(_)
                | FetchError::Refused { .. }
                | FetchError::Address
                | FetchError::Answer => state(FileState::Missing),
            };
        }
    };
    if media.sha256.as_ref().is_some_and(|announced| !is_digest(&bytes, announced)) {
        return state(FileState::Damaged);
    }
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let (files, key, content_type) = (parts.messages.files.clone(), *key, media.content_type.clone());
    let keeping = tokio::task::spawn_blocking(move || files.keep(&key, index, &content_type, &bytes));
    match keeping.await.map_err(|_stopped| ())? {
        Ok(name) => Ok(FileRow { state: FileState::Here, name: Some(name), bytes: len }),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "file of a message not kept yet");
            Err(())
        }
    }
}

/// Hears a voice note; `None` when it is worth another try.
async fn hear(parts: &Arc<Parts>, job: &Job, name: String) -> Option<Transcript> {
    let files = parts.messages.files.clone();
    let file = tokio::task::spawn_blocking(move || files.read(&name)).await.ok()?;
    let otherwise = job.conversation.language.unwrap_or(parts.language);
    let nothing = Transcript { text: Pii::default(), language: otherwise };
    let Ok(file) = file else { return Some(nothing) };
    // Sound that is not a voice note of a telephone's is kept, and not heard.
    let heard = voice_note::hear(parts, file, otherwise).await.ok()?;
    Some(heard.unwrap_or(nothing))
}

/// Writes the answer.
async fn write(parts: &Arc<Parts>, job: &Job) -> Result<Option<Answered>, MessagesError> {
    let language = job.conversation.language.unwrap_or(parts.language);
    let too_large = job.row.files.iter().any(|file| file.state == FileState::TooLarge);
    let apology = too_large.then(|| {
        words::pick(
            language,
            "הקובץ גדול מדי, ולא הצלחתי לקבל אותו. אפשר לשלוח תמונה עד 5 מגה או קובץ עד 16 מגה.",
            "The file is too large, and I could not take it. A picture may have up to 5 MB, another file up to 16 MB.",
        )
    });
    let heard = job.row.transcript.as_ref().filter(|heard| !heard.text.reveal().is_empty());
    let said = match (&job.content, heard) {
        (Content::VoiceNote(_), Some(heard)) => Some((heard.text.clone(), heard.language)),
        _ => words_of(&job.content).map(|text| (text.clone(), words::language_of(text.reveal(), language))),
    };
    let Some((text, said_in)) = said else {
        let text = apology.unwrap_or_else(|| without_words(&job.content, language));
        return Ok(Some(Answered::fixed(text)));
    };
    let mut answered = reply::reply(parts, &job.key, &job.conversation, text, said_in).await?;
    if let Some(apology) = apology {
        answered.text = answered.text.map(|text| format!("{apology} {text}"));
    }
    Ok(Some(answered))
}

/// Returns what is answered to a message without words.
fn without_words(content: &Content, language: Language) -> &'static str {
    match content {
        Content::VoiceNote(_) => words::pick(
            language,
            "לא הצלחתי לשמוע את ההודעה הקולית. אפשר לכתוב לי במקום?",
            "I could not make out the voice message. Could you write it instead?",
        ),
        Content::Media { .. } | Content::Location(_) | Content::Contacts(_) | Content::Unknown { .. } => words::pick(
            language,
            "תודה, קיבלתי. אפשר לכתוב לי בכמה מילים במה מדובר?",
            "Thank you, I have it. Could you write in a few words what it is about?",
        ),
        Content::Text(_) | Content::Button { .. } | Content::Reaction { .. } => {
            words::pick(language, "במה אפשר לעזור?", "How can I help?")
        }
    }
}

/// Queues the answer, if there still is to be one, and takes the work away.
fn finish(desk: &mut Desk<'_>, key: MessageKey, answered: Option<Answered>) -> Result<(), MessagesError> {
    let todo = OutgoingKey::Answer(key);
    if desk.store.get::<Outgoing>(&todo)?.is_none() {
        return Ok(());
    }
    desk.batch.delete::<Outgoing>(&todo)?;
    let (Some(answered), Some(mut row)) = (answered, desk.message(&key)?) else { return Ok(()) };
    let rules = desk.parts.messages.rules;
    let now = UnixTime::from_millis(desk.now_ms);
    let (form, now_ms) = (&desk.parts.form, desk.now_ms);
    let Some(conversation) = desk.conversation(key.conversation)? else { return Ok(()) };
    let answerer = conversation.state.answerer(&rules, now, Model::Reachable);
    if matches!(answerer, Answerer::Human | Answerer::Nobody) {
        // A person took over, or the sender wants no more, while the answer was written.
        return Ok(());
    }
    conversation.language = answered.language.or(conversation.language);
    let fact = lead::fact(&key, conversation, &answered, form, now_ms);
    let (name, theirs) = (conversation.name.clone(), conversation.theirs.clone());
    let mut author = answered.author;
    if let Some(outcome) = answered.outcome {
        row.thoughts = answered.thoughts;
        row.answered_ms = Some(now.as_millis());
        conversation.takes_free_message = outcome == Outcome::FreeMessage;
        conversation.form_since_ms = match outcome {
            Outcome::GoesOn => conversation.form_since_ms.filter(|_| !answered.begins).or(Some(key.at_ms)),
            Outcome::Over | Outcome::FreeMessage | Outcome::Person => None,
        };
        if outcome == Outcome::Person {
            conversation.state.take_over(now);
            author = Author::Notice;
        }
        desk.put(&key, &row)?;
        if let Some(fact) = fact {
            put_fact(&mut desk.batch, &fact)?;
            desk.tells_leads = true;
        }
        if outcome == Outcome::Person {
            let who = name.unwrap_or(theirs);
            let config = &desk.parts.config;
            let values = vec![who, answered.heard];
            let messages = &desk.parts.messages;
            let (kind, wait) = (NoticeKind::PersonWanted, Duration::ZERO);
            let notice = Notice { kind, name: key.to_string(), values, wait };
            messages.put_notice(&mut desk.batch, config, notice, desk.now_ms)?;
            desk.tells_owner = true;
        }
    }
    if !answered.text.reveal().trim().is_empty() {
        desk.queue(key.conversation, OutboundContent::Text(answered.text), author)?;
    }
    Ok(())
}

/// Returns whether a language model may be asked.
pub(super) fn may_ask(parts: &Parts) -> bool {
    // Also while none may serve: one that is to be tried again is tried beside the receptionist.
    parts.station.has_cloud(Stage::Reply)
}
