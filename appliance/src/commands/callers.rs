//! What the callers of the demo and of the benchmarks say.

use std::time::Duration;

use testcall::{CallScript, DialAnswer, Faults, Person, Step};
use units::Language;

/// The number the Hebrew caller gives, as it is stored.
pub(super) const HEBREW_NUMBER: &str = "0528901234";
/// The number the English caller gives, as it is stored.
pub(super) const ENGLISH_NUMBER: &str = "0501234567";

/// A Hebrew caller who hears the greeting out, answers whatever is asked and agrees to the summary.
pub(super) fn hebrew() -> CallScript {
    let he = Language::Hebrew;
    let opening = [Step::wait_for_agent(), Step::say(HEBREW_NAME, he)];
    let closing = [Step::say("כן", he), Step::wait_end()];
    CallScript::of(opening.into_iter().chain(hebrew_answers()).chain(closing))
}

/// The same caller, who interrupts the greeting and the summary.
pub(super) fn hebrew_interrupting() -> CallScript {
    let he = Language::Hebrew;
    let closing = [Step::interrupt("להתראות", he), Step::wait_end()];
    CallScript::of([Step::interrupt(HEBREW_NAME, he)].into_iter().chain(hebrew_answers()).chain(closing))
}

const HEBREW_NAME: &str = "קוראים לי דני כהן";

/// The answers between the name and the summary.
fn hebrew_answers() -> [Step; 7] {
    let he = Language::Hebrew;
    [
        Step::wait_for_agent(),
        Step::say(format!("המספר שלי הוא {HEBREW_NUMBER}"), he),
        Step::wait_for_agent(),
        Step::say("כן נכון", he),
        Step::wait_for_agent(),
        Step::say("אני רוצה לקבוע תור", he),
        Step::wait_for_agent(),
    ]
}

/// The Hebrew caller, when a language model asks the questions: nothing is read back.
pub(super) fn hebrew_to_cloud() -> CallScript {
    let he = Language::Hebrew;
    CallScript::of([
        Step::wait_for_agent(),
        Step::say(HEBREW_NAME, he),
        Step::wait_for_agent(),
        Step::say(format!("המספר שלי הוא {HEBREW_NUMBER}"), he),
        Step::wait_for_agent(),
        Step::say("אני רוצה לקבוע תור", he),
        Step::wait_end(),
    ])
}

/// A Hebrew caller who says the name, and then wants a person, who takes the call and talks for two seconds.
pub(super) fn hebrew_to_person() -> CallScript {
    let he = Language::Hebrew;
    let person = Person::pressing("1", Duration::from_secs(2));
    CallScript::of([
        Step::wait_for_agent(),
        Step::say(HEBREW_NAME, he),
        Step::wait_for_agent(),
        Step::say("אני רוצה לדבר עם נציג", he),
        Step::wait_end(),
    ])
    .with_dial(DialAnswer::Person(person))
}

/// An English caller who interrupts the greeting, answers and says goodbye.
pub(super) fn english_interrupting() -> CallScript {
    let en = Language::English;
    CallScript::of([
        Step::interrupt("my name is david cohen", en),
        Step::wait_for_agent(),
        Step::say(ENGLISH_NUMBER, en),
        Step::wait_for_agent(),
        Step::say("yes", en),
        Step::wait_for_agent(),
        Step::say("i want to make an appointment", en),
        Step::wait_for_agent(),
        Step::say("goodbye", en),
        Step::wait_end(),
    ])
}

/// A caller who says nothing until the box ends the call.
pub(super) fn silent() -> CallScript {
    CallScript::of([Step::wait_end()])
}

/// A caller who says nothing for a while and hangs up.
pub(super) fn silent_for(lasting: Duration) -> CallScript {
    CallScript::of([Step::silence(lasting), Step::Hangup {}])
}

/// A Hebrew caller whose media stream is refused, who leaves a message.
pub(super) fn refused() -> CallScript {
    let message = [Step::say("שלום זה דני כהן תחזרו אליי בבקשה", Language::Hebrew), Step::Hangup {}];
    CallScript::of([]).with_voicemail(message).with_faults(Faults { refuse_stream: true, ..Faults::default() })
}
