//! What a short answer means: yes or no, goodbye, "go on", "say it again", "give me a person".
//!
//! Everything works on whole words and phrases, so that a word inside a longer sentence does not fire
//! (`תגיד לו להתראות` is no goodbye). Callers mix the languages, so English is understood in a Hebrew call too and
//! the other way round; there is no language argument where none is needed.

mod lists;

pub(crate) use self::lists::HESITATIONS;
use self::lists::{
    ANSWER_FILLERS, ASKING, BACKCHANNELS, GOODBYE_FILLERS, GOODBYES, HUMANS, NEITHER, NO, ORDINALS, REPEATS, TELLING,
    YES,
};
use crate::phrases::{contains, cover, ends_in, longest, spoken};

/// The answer to a question that can be answered by yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YesNo {
    /// כן, נכון, בסדר; yes, right.
    Yes,
    /// לא, ממש לא; no, wrong.
    No,
}

const STRONG_GOODBYES: &[&str] = &["ביי", "ביי ביי", "להתראות", "ולהתראות", "bye", "bye bye", "goodbye", "good bye"];

/// Whether the caller says goodbye.
pub fn is_goodbye(text: &str) -> bool {
    let words = spoken(text);
    if cover(&words, GOODBYES, GOODBYE_FILLERS).is_some_and(|found| found > 0) {
        return true;
    }
    // "I will wait for your call, bye": a last word after a pause, unless somebody is told to say it.
    let pause = words.iter().rposition(|word| word.after_pause);
    let after = pause.and_then(|at| words.get(at..)).unwrap_or_default();
    let said_after_pause = cover(after, GOODBYES, GOODBYE_FILLERS).is_some_and(|found| found > 0);
    (said_after_pause || ends_in(STRONG_GOODBYES, &words)) && !contains(TELLING, &words)
}

/// Returns what a yes-or-no question was answered by, or `None` where it was not (or both ways).
///
/// The answer counts where it is all that was said, or where the sentence starts with it (`לא, המספר הוא...`).
pub fn yes_no(text: &str) -> Option<YesNo> {
    let words = spoken(text);
    let mut at = 0;
    let mut answer: Option<YesNo> = None;
    while let Some(rest) = words.get(at..).filter(|rest| !rest.is_empty()) {
        let len = |list| longest(list, rest).unwrap_or(0);
        let (yes, no, neither, filler) = (len(YES), len(NO), len(NEITHER), len(ANSWER_FILLERS));
        let best = yes.max(no).max(neither).max(filler);
        if best == 0 {
            break;
        }
        if neither == best {
            return None;
        }
        let said = if no == best {
            Some(YesNo::No)
        } else if yes == best {
            Some(YesNo::Yes)
        } else {
            None
        };
        // "no, right": the first word decides, unless a yes is taken back ("yes ... no").
        match (answer, said) {
            (None, said) => answer = said,
            (Some(YesNo::Yes), Some(YesNo::No)) => return None,
            _ => {}
        }
        at += best;
    }
    answer
}

/// Whether a few words only say "I am listening", so that the agent need not stop for them.
pub fn is_backchannel(text: &str) -> bool {
    let words = spoken(text);
    words.len() <= 3 && cover(&words, BACKCHANNELS, &[]).is_some_and(|found| found > 0)
}

/// Whether nothing but hesitation was said: the caller will go on.
pub fn is_hesitation(text: &str) -> bool {
    let words = spoken(text);
    cover(&words, HESITATIONS, &["בבקשה", "please", "רק", "just", "אוקיי", "okay", "ok"]).is_some_and(|found| found > 0)
}

/// Whether the caller wants a person instead of the machine.
pub fn asks_for_human(text: &str) -> bool {
    let words = spoken(text);
    contains(HUMANS, &words) && (words.len() <= 2 || contains(ASKING, &words))
}

/// Whether the caller asks to hear it again.
pub fn asks_to_repeat(text: &str) -> bool {
    let words = spoken(text);
    cover(
        &words,
        REPEATS,
        &["סליחה", "בבקשה", "אני", "אה", "את", "זה", "רגע", "אפשר", "i", "please", "you", "me", "that", "im", "uh"],
    )
    .is_some_and(|found| found > 0)
}

/// Returns which of `count` choices was named by its place, counted from 1: `האפשרות השנייה`, `two`, `the last one`.
///
/// At most five choices are told apart by place; a voice menu should not have more. `None` where no place was named,
/// or more than one.
pub fn choice(text: &str, count: usize) -> Option<usize> {
    let words = spoken(text);
    if contains(&["האחרון", "האחרונה", "the last", "last one"], &words) {
        return (count > 0).then_some(count);
    }
    let moments = ["רגע אחד", "שנייה אחת", "one moment", "one second", "just a second"];
    if contains(&moments, &words) {
        return None;
    }
    // "the second one": the "one" behind an ordinal counts nothing.
    let ordinal_one = contains(&["first one", "second one", "third one", "fourth one", "fifth one"], &words);
    let mut named = ORDINALS.iter().enumerate().filter(|(at, names)| {
        let names: &[&str] = if *at == 0 && ordinal_one { &["first"] } else { names };
        contains(names, &words)
    });
    let (place, _) = named.next()?;
    (named.next().is_none() && place < count).then_some(place + 1)
}
