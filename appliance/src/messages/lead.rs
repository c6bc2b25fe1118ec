//! What messages tell of their sender, for the leads.

use leads::{Fact, Source, SourceKind};
use receptionist::Form;
use store::{ConversationRow, MessageKey};

use super::reply::{Answered, Outcome};
use crate::leads::of_form;

/// Returns what a message told: when a form begins, so that the office knows of everybody who wrote and wrote no more; when
/// it is whole; and when nothing more is asked.
pub(super) fn fact(
    key: &MessageKey,
    conversation: &ConversationRow,
    answered: &Answered,
    form: &Form,
    now_ms: u64,
) -> Option<Fact> {
    let is_complete = answered.record.as_ref().is_some_and(|record| record.complete);
    if !is_complete && !answered.begins && matches!(answered.outcome, None | Some(Outcome::GoesOn)) {
        return None;
    }
    let source = Source { kind: SourceKind::Message, id: key.to_string() };
    let mut fact = Fact::new(source, now_ms, conversation.theirs.clone());
    fact.language = answered.language;
    fact.text = Some(answered.heard.clone());
    let mut fact = match &answered.record {
        Some(record) => of_form(fact, form, record),
        None => fact,
    };
    // What somebody says in the form is better than what the telephone says.
    fact.name = fact.name.or_else(|| conversation.name.clone());
    Some(fact)
}
