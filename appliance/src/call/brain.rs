//! The offline receptionist, in the core's words.

use conversation::{GreetingMode, Input, Request};
use receptionist::{FormRecord, Greeting, Heard, Next, Receptionist};
use units::TurnId;

/// Asks the receptionist and turns its answer into inputs of the core, in order.
pub(super) fn reply(receptionist: &mut Receptionist, turn: TurnId, request: Request) -> Vec<Input> {
    let reply = receptionist.handle(&heard(request));
    let sentences = reply.sentences.into_iter();
    let mut inputs: Vec<Input> =
        sentences.map(|(text, language)| Input::ReplySentence { turn, text, language }).collect();
    inputs.push(Input::ReplyDone { turn, next: next(reply.next) });
    inputs
}

/// Returns the record as the receptionist knows it, as JSON, with its form's name.
pub(super) fn record_json(record: &FormRecord) -> serde_json::Value {
    serde_json::to_value(record).unwrap_or_default()
}

fn heard(request: Request) -> Heard {
    match request {
        Request::Greet { greeting: GreetingMode::Play } => Heard::Greet { greeting: Greeting::AlreadyHeard },
        Request::Greet { greeting: GreetingMode::Stream } => Heard::Greet { greeting: Greeting::Speak },
        Request::CallerSaid { text, language, digits, goodbye } => {
            Heard::CallerSaid { text, language, digits, goodbye }
        }
        Request::CallerSilent { count, last } => Heard::CallerSilent { count, last },
        Request::NotHeard { count } => Heard::NotHeard { count },
        Request::OutOfTime => Heard::OutOfTime,
    }
}

fn next(next: Next) -> conversation::Next {
    match next {
        Next::Listen => conversation::Next::Listen,
        Next::Digits { max } => conversation::Next::Digits { max },
        Next::Hangup => conversation::Next::Hangup,
        Next::Voicemail => conversation::Next::Voicemail,
        Next::Transfer => conversation::Next::Transfer,
    }
}
