//! The answer to words: by the language model where the weather allows, by the receptionist otherwise.

use std::sync::Arc;
use std::time::Duration;

use cloud::openai::ChatRequest;
use receptionist::{FormRecord, Next};
use store::{Author, ConversationRow, MessageKey, MessageRow, Messages, Query, Said, Thought};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use units::{Language, Pii, TurnId};
use weather::{CallWeather, Stage};

use super::answer::may_ask;
use super::dialogue::{Dialogue, Reply, Turn, Written, stored};
use super::receive::words_of;
use super::{MessagesError, words};
use crate::app::Parts;
use crate::call::brain;
use crate::weather::{Entry, LOCAL, Told, run, think};

/// Time for a model's first sentence: nobody holds a telephone.
const DEADLINE: Duration = Duration::from_secs(8);
/// Times a model is asked for one answer.
const MAX_ROUNDS: usize = 3;
/// What an engine made and nobody took yet.
const TOLD: usize = 1_024;
/// Messages of one form that the dialogue is led through again; a longer one begins anew.
const MAX_TURNS: usize = 120;
/// How long a form waits for its next message.
const FORM_LASTS: Duration = Duration::from_hours(24);

/// An answer, and what it does to the conversation.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    /// What is sent.
    pub(super) text: Pii<String>,
    /// Who wrote it.
    pub(super) author: Author,
    /// What became of the form; `None` when it did not hear the message.
    pub(super) outcome: Option<Outcome>,
    /// What the model made of the message.
    pub(super) thoughts: Vec<Thought>,
    /// The language that was written in, where it is known.
    pub(super) language: Option<Language>,
    /// What was said.
    pub(super) heard: Pii<String>,
    /// What is known by now.
    pub(super) record: Option<FormRecord>,
    /// Whether the form began with this message.
    pub(super) begins: bool,
}

/// What became of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is being filled.
    GoesOn,
    /// It is filled, or given up.
    Over,
    /// What comes next is a free message.
    FreeMessage,
    /// A person is to answer.
    Person,
}

impl Answered {
    /// Returns an answer that the form knows nothing of.
    pub(super) fn fixed(text: &str) -> Self {
        Self {
            text: Pii::new(text.to_owned()),
            author: Author::Receptionist,
            outcome: None,
            thoughts: Vec::new(),
            language: None,
            heard: Pii::default(),
            record: None,
            begins: false,
        }
    }
}

/// Answers words in a conversation.
pub(super) async fn reply(
    parts: &Arc<Parts>,
    key: &MessageKey,
    conversation: &ConversationRow,
    text: Pii<String>,
    language: Language,
) -> Result<Answered, MessagesError> {
    if conversation.takes_free_message {
        let thanks = words::pick(
            language,
            "תודה, ההודעה נרשמה, ונחזור אליכם.",
            "Thank you, your message is noted, and we will get back to you.",
        );
        let outcome = Some(Outcome::Over);
        return Ok(Answered { outcome, heard: text, language: Some(language), ..Answered::fixed(thanks) });
    }
    let number = super::desk::address(&conversation.theirs).reveal().phone_number().map(str::to_owned);
    let earlier = earlier(parts, key, conversation).await?;
    let first = earlier.first().map_or(language, |(written, _)| written.language);
    let mut dialogue = Dialogue::new(parts, first, number.as_deref());
    for (written, thoughts) in &earlier {
        lead_again(&mut dialogue, written, thoughts);
    }
    let written = Written { text: text.clone(), language, wall_ms: parts.clock.wall_ms() };
    let mut thoughts = Vec::new();
    let (mut turn, mut author) = (dialogue.hear(&written, may_ask(parts)), Author::Receptionist);
    let mut rounds = 0_usize;
    let reply = loop {
        match turn {
            Turn::Done(reply) => break reply,
            Turn::Ask(request) => {
                rounds = rounds.saturating_add(1);
                turn = ask(parts, &mut dialogue, request, rounds, &mut thoughts, &mut author).await;
            }
        }
    };
    let record = Some(dialogue.record());
    let outcome = Some(outcome(reply.next));
    let (language, begins) = (Some(language), earlier.is_empty());
    Ok(Answered { text: reply.text, author, outcome, thoughts, language, heard: text, record, begins })
}

fn outcome(next: Next) -> Outcome {
    match next {
        Next::Listen | Next::Digits { .. } => Outcome::GoesOn,
        Next::Hangup => Outcome::Over,
        Next::Voicemail => Outcome::FreeMessage,
        Next::Transfer => Outcome::Person,
    }
}

/// Returns what the form heard before this message, the oldest first.
async fn earlier(
    parts: &Parts,
    key: &MessageKey,
    conversation: &ConversationRow,
) -> Result<Vec<(Written, Vec<Thought>)>, MessagesError> {
    let Some(since) = conversation.form_since_ms else { return Ok(Vec::new()) };
    let (key, id) = (*key, key.conversation);
    let rows = parts.archive.blocking(move |archive| {
        let store = archive.store().ok_or(MessagesError::NoStore)?;
        let mut query = Query::<Messages>::of_conversation(&id).before(&key).limit(MAX_TURNS * 2);
        if let Some(at_ms) = since.checked_sub(1) {
            query = query.after(&MessageKey { conversation: id, at_ms });
        }
        store.query(&query).map_err(MessagesError::from)
    });
    let rows: Vec<(MessageKey, MessageRow)> = rows.await.ok_or(MessagesError::Stopped)??;
    let last = rows.last().map_or(0, |(key, _)| key.at_ms);
    let is_stale = u128::from(key.at_ms.saturating_sub(last)) > FORM_LASTS.as_millis();
    let mut language = parts.language;
    let turns: Vec<_> = rows
        .into_iter()
        .filter_map(|(_, row)| {
            let turn = turn_of(row, language)?;
            language = turn.0.language;
            Some(turn)
        })
        .collect();
    Ok(if is_stale || turns.len() > MAX_TURNS { Vec::new() } else { turns })
}

/// Returns what the form heard of a message; `otherwise` is the language of one without letters.
fn turn_of(row: MessageRow, otherwise: Language) -> Option<(Written, Vec<Thought>)> {
    let Said::Inbound(content) = &row.said else { return None };
    let wall_ms = row.answered_ms?;
    let (text, language) = if let Some(heard) = &row.transcript {
        (heard.text.clone(), heard.language)
    } else {
        let text = words_of(content)?;
        (text.clone(), words::language_of(text.reveal(), otherwise))
    };
    Some((Written { text, language, wall_ms }, row.thoughts))
}

/// Leads the dialogue through a message it has heard before.
fn lead_again(dialogue: &mut Dialogue, written: &Written, thoughts: &[Thought]) {
    let mut turn = Some(dialogue.hear(written, !thoughts.is_empty()));
    for thought in thoughts {
        if matches!(turn, Some(Turn::Done(_))) {
            return;
        }
        turn = dialogue.think(thought);
    }
    if !matches!(turn, Some(Turn::Done(_))) {
        dialogue.think(&Thought::Alone);
    }
}

/// Asks a language model, and takes what it makes of the message.
async fn ask(
    parts: &Arc<Parts>,
    dialogue: &mut Dialogue,
    request: Arc<ChatRequest>,
    round: usize,
    thoughts: &mut Vec<Thought>,
    author: &mut Author,
) -> Turn {
    let (sender, mut told) = mpsc::channel(TOLD);
    let usage = brain::likely_usage(&request);
    let plan = parts.station.plan(Stage::Reply, TurnId(1), &CallWeather::default(), &usage).unhurried(DEADLINE);
    let cancelled = CancellationToken::new();
    let _cancel = cancelled.clone().drop_guard();
    let entry = Entry { stage: Stage::Reply, plan, estimate: parts.station.estimate(usage) };
    let asked = Arc::clone(parts);
    let start = move |engine: &str, _role| think(&asked, engine, &request);
    // Beyond its first useful output nobody may be left to be told.
    parts.tasks.spawn(run(Arc::clone(parts), entry, cancelled, start, move |news| drop(sender.try_send(news))));
    loop {
        let thought = match told.recv().await {
            Some(Told::Serving(engine)) => {
                if engine != LOCAL && round <= MAX_ROUNDS {
                    *author = Author::Model;
                }
                continue;
            }
            Some(Told::Item(thought)) if round <= MAX_ROUNDS => stored(thought),
            Some(Told::Done) => Thought::End,
            Some(Told::Spent(_) | Told::SoFar(_) | Told::Decided(_)) => continue,
            // Without an answer the receptionist takes over.
            Some(Told::Failed(_) | Told::Item(_)) | None => Thought::Alone,
        };
        let turn = dialogue.think(&thought);
        note(thoughts, thought);
        if let Some(turn) = turn {
            return turn;
        }
        if !dialogue.wants_more() {
            note(thoughts, Thought::End);
            if let Some(turn) = dialogue.think(&Thought::End) {
                return turn;
            }
            // No turn is open, so there is nothing to say.
            return Turn::Done(Reply { text: Pii::default(), next: Next::Listen });
        }
    }
}

/// Keeps a thought; pieces of one text are one.
fn note(thoughts: &mut Vec<Thought>, thought: Thought) {
    match (thoughts.last_mut(), thought) {
        (Some(Thought::Text(text)), Thought::Text(more)) => {
            *text = Pii::new(format!("{}{}", text.reveal(), more.reveal()));
        }
        (_, thought) => thoughts.push(thought),
    }
}
