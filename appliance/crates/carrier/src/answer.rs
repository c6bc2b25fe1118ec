//! What an answer of the carrier means, and what no answer means.

use std::time::Duration;

use serde_json::Value;

use crate::request::Kind;

/// Codes of the carrier that change what a status means.
mod code {
    /// There is no such thing (<https://www.twilio.com/docs/api/errors/20404>).
    pub(super) const NOT_FOUND: u32 = 20_404;
    /// The call is not in a state for this: it is over (<https://www.twilio.com/docs/api/errors/21220>).
    pub(super) const CALL_OVER: u32 = 21_220;
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub enum Reply<'a> {
    /// An answer came.
    Answered(Answer<'a>),
    /// No connection was made, so the carrier knows nothing of the request.
    NotConnected,
    /// The connection broke, or time ran out, after the request may have arrived.
    Lost,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`, as far as it is text.
    pub content_type: Option<&'a str>,
    /// How long the carrier wants to be left alone (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// The body, or its beginning where it is not JSON.
    pub body: &'a [u8],
}

/// What it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done, or here it is.
    Done,
    /// What was asked about is not there: a call that is over, a recording that is deleted or not finished.
    Gone,
    /// It was not done and never will be.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The carrier's code.
        code: Option<u32>,
    },
    /// It was not done, or may be done once more without harm.
    TryAgain {
        /// Not before this long.
        after: Option<Duration>,
    },
    /// It may have been done or not, and must not be done twice.
    Uncertain,
}

/// Judges what came of a request of this kind.
pub fn judge(kind: Kind, reply: Reply<'_>) -> Outcome {
    match reply {
        Reply::NotConnected => Outcome::TryAgain { after: None },
        Reply::Lost => unknown(kind, None),
        Reply::Answered(answer) => judge_answer(kind, answer),
    }
}

fn judge_answer(kind: Kind, answer: Answer<'_>) -> Outcome {
    let code = || error_code(answer.body);
    match answer.status {
        // Something between here and the carrier answered in its place, if it is not what was asked for.
        200..=299 if is_expected(kind, answer) => Outcome::Done,
        200..=299 => unknown(kind, None),
        // Not processed, whatever it was.
        429 => Outcome::TryAgain { after: answer.retry_after },
        404 if !matches!(kind, Kind::CreateCall | Kind::SendMessage) => Outcome::Gone,
        400 if kind == Kind::UpdateCall && matches!(code(), Some(code::CALL_OVER | code::NOT_FOUND)) => Outcome::Gone,
        408 | 500..=599 => unknown(kind, answer.retry_after),
        status => Outcome::Refused { status, code: code() },
    }
}

/// What to do when nobody knows whether it was done.
fn unknown(kind: Kind, after: Option<Duration>) -> Outcome {
    if kind.is_repeatable() { Outcome::TryAgain { after } } else { Outcome::Uncertain }
}

fn is_expected(kind: Kind, answer: Answer<'_>) -> bool {
    match kind {
        Kind::CreateCall | Kind::SendMessage => sid(answer.body).is_some(),
        Kind::UpdateCall => json(answer.body).is_some_and(|value| value.is_object()),
        Kind::DeleteRecording | Kind::DeleteMedia | Kind::FetchRecording | Kind::FetchMedia => !is_page(answer),
    }
}

fn is_page(answer: Answer<'_>) -> bool {
    let media_type = answer.content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    ["text/html", "application/json"].iter().any(|page| media_type.eq_ignore_ascii_case(page))
}

/// Returns the carrier's name for what was made.
pub fn sid(body: &[u8]) -> Option<String> {
    json(body)?.get("sid")?.as_str().filter(|sid| !sid.is_empty()).map(str::to_owned)
}

/// Returns the carrier's code for what is wrong.
pub fn error_code(body: &[u8]) -> Option<u32> {
    json(body)?.get("code")?.as_u64().and_then(|code| u32::try_from(code).ok())
}

fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answered(kind: Kind, status: u16, body: &str) -> Outcome {
        let answer = Answer { status, content_type: None, retry_after: None, body: body.as_bytes() };
        judge(kind, Reply::Answered(answer))
    }

    #[test]
    fn a_call_that_is_over_is_gone_and_another_refusal_is_one() {
        let update = Kind::UpdateCall;
        assert_eq!(answered(update, 200, r#"{"sid":"CA1"}"#), Outcome::Done);
        assert_eq!(answered(update, 404, r#"{"code":20404}"#), Outcome::Gone);
        assert_eq!(answered(update, 404, ""), Outcome::Gone);
        assert_eq!(answered(update, 400, r#"{"code":21220}"#), Outcome::Gone);
        let refused = |status, code| Outcome::Refused { status, code };
        assert_eq!(answered(update, 400, r#"{"code":32018}"#), refused(400, Some(32_018)));
        assert_eq!(answered(update, 401, r#"{"code":20003}"#), refused(401, Some(20_003)));
        assert_eq!(answered(Kind::CreateCall, 404, r#"{"code":20404}"#), refused(404, Some(20_404)));
        assert_eq!(answered(Kind::CreateCall, 400, r#"{"code":21220}"#), refused(400, Some(21_220)));
        assert_eq!(answered(update, 302, ""), refused(302, None));
    }

    #[test]
    fn what_must_not_be_done_twice_is_uncertain_and_the_rest_is_tried_again() {
        let again = Outcome::TryAgain { after: None };
        for kind in Kind::ALL {
            let unknown = if kind.is_repeatable() { again } else { Outcome::Uncertain };
            for status in [408, 500, 502, 503, 504, 599] {
                assert_eq!(answered(kind, status, "<html>"), unknown, "{kind:?} {status}");
            }
            assert_eq!(judge(kind, Reply::Lost), unknown);
            assert_eq!(judge(kind, Reply::NotConnected), again);
            let answer =
                Answer { status: 429, content_type: None, retry_after: Some(Duration::from_secs(3)), body: b"" };
            let told = Outcome::TryAgain { after: Some(Duration::from_secs(3)) };
            assert_eq!(judge(kind, Reply::Answered(answer)), told, "nothing was done");
            let page =
                Answer { status: 200, content_type: Some("text/html; x"), retry_after: None, body: b"<p>Log in" };
            assert_eq!(judge(kind, Reply::Answered(page)), unknown, "a page is no answer of the carrier");
        }
    }

    proptest! {
        #[test]
        fn any_answer_can_be_judged(
            kind in prop::sample::select(Kind::ALL.to_vec()),
            status in 0..1_000_u16,
            body in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                "\\{\"(code|sid|status)\":(null|-?[0-9]{1,25}|\"[a-z0-9]{0,40}\"|\\[\\])\\}".prop_map(String::into_bytes),
            ],
            content_type in prop::option::of(".{0,40}"),
        ) {
            let answer =
                Answer { status, content_type: content_type.as_deref(), retry_after: None, body: &body };
            let outcome = judge(kind, Reply::Answered(answer));
            // What may have been done must not be called refused or worth another try.
            if !kind.is_repeatable() && (status == 408 || (500..600).contains(&status)) {
                prop_assert_eq!(outcome, Outcome::Uncertain);
            }
            prop_assert!(outcome != Outcome::Done || (200..300).contains(&status));
        }
    }
}
