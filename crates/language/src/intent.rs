//! What a short answer means: yes or no, goodbye, "go on", "say it again", "give me a person".
//!
//! Everything works on whole words and phrases, so that a word inside a longer sentence does not fire
//! (`תגיד לו להתראות` is no goodbye). Callers mix the languages, so English is understood in a Hebrew call too and
//! the other way round; there is no language argument where none is needed.

use crate::phrases::{contains, cover, ends_in, longest, spoken};

/// The answer to a question that can be answered by yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YesNo {
    /// כן, נכון, בסדר; yes, right.
    Yes,
    /// לא, ממש לא; no, wrong.
    No,
}

const GOODBYES: &[&str] = &[
    "ביי", "ביי ביי", "בי", "להתראות", "ולהתראות", "יום טוב", "ויום טוב", "המשך יום טוב", "יום נעים", "ערב טוב ולהתראות", "לילה טוב",
    "ולילה טוב", "שבוע טוב ולהתראות", "סוף שבוע נעים", "שבת שלום ולהתראות", "נדבר", "נשתמע", "זה הכל תודה", "זהו תודה", "שיהיה יום טוב",
    "שיהיה לך יום טוב", "שיהיה לכם יום טוב", "שתהיה שבת שלום", "bye", "bye bye", "goodbye", "good bye", "see you", "see you later",
    "see ya", "have a good day", "have a nice day", "have a great day", "good night", "take care", "talk to you later", "thats all thanks",
    "that is all thank you", "thats all thank you", "cheers bye",
];
const GOODBYE_FILLERS: &[&str] = &[
    "תודה", "תודה רבה", "תודה לך", "תודה לכם", "רבה", "המון תודה", "טוב", "אוקיי", "אוקי", "בסדר", "בסדר גמור", "אז", "נו", "יאללה", "סבבה",
    "לך", "לכם", "לכולם", "אה", "כן", "לא", "זהו", "זה הכל", "מצוין", "אחלה", "מעולה", "גם לך", "גם לכם", "ו", "שלום", "ok", "okay", "thanks",
    "thank you", "thank you very much", "thanks a lot", "so much", "very much", "alright", "all right", "well", "then", "and", "you too", "great",
    "yes", "no", "for now", "now", "everyone", "thats all", "that is all", "thats it", "perfect",
];
const STRONG_GOODBYES: &[&str] = &["ביי", "ביי ביי", "להתראות", "ולהתראות", "bye", "bye bye", "goodbye", "good bye"];
/// Who speaks of a goodbye does not say it.
const TELLING: &[&str] = &[
    "תגיד", "תגידי", "תגידו", "להגיד", "למסור", "תמסור", "תמסרי", "תמסרו", "אמר", "אמרה", "אמרתי", "לומר", "אומר", "אומרת", "אומרים", "המילה",
    "tell", "say", "said", "says", "word", "told",
];

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

const YES: &[&str] = &[
    "כן", "בטח", "נכון", "בדיוק", "בסדר", "בסדר גמור", "אוקיי", "אוקי", "בוודאי", "ודאי", "כמובן", "ברור", "סבבה", "אחלה", "מעולה", "מצוין",
    "טוב", "זה נכון", "זה בסדר", "הכל בסדר", "מאה אחוז", "100 אחוז", "אין בעיה", "בשמחה", "שכן", "אכן", "מתאים", "מתאים לי", "בהחלט", "יאללה",
    "yes", "yeah", "yep", "yup", "yes please", "correct", "right", "thats right", "that is right", "thats correct", "that is correct", "sure",
    "of course", "ok", "okay", "alright", "all right", "exactly", "absolutely", "definitely", "no problem", "please do", "sounds good", "fine",
    "it is", "i do", "indeed", "perfect", "go ahead",
];
const NO: &[&str] = &[
    "לא", "לא נכון", "ממש לא", "בכלל לא", "לא תודה", "זה לא נכון", "זה לא", "לא ולא", "לא מתאים", "לא בדיוק", "לא ממש", "שלילי", "אין צורך",
    "ממש ממש לא", "שלא", "טעות", "זאת טעות", "זו טעות", "לא טוב", "לא בסדר", "אף פעם", "no", "nope", "nah", "no thanks", "no thank you", "not really", "not right",
    "not correct", "thats wrong", "that is wrong", "thats not right", "that is not right", "thats not correct", "incorrect", "wrong", "never",
    "not at all", "of course not", "absolutely not", "i dont", "it isnt", "its not", "dont",
];
/// Holds a yes or no word but answers neither.
const NEITHER: &[&str] = &[
    "לא יודע", "לא יודעת", "אני לא יודע", "אני לא יודעת", "לא בטוח", "לא בטוחה", "אני לא בטוח", "אני לא בטוחה", "לא משנה", "לא שמעתי",
    "לא הבנתי", "לא שומע", "לא שומעת", "לא שומעים", "לא אכפת לי", "לא זוכר", "לא זוכרת", "אולי", "כן או לא", "כן ולא", "בוקר טוב", "ערב טוב", "יום טוב", "לילה טוב", "no idea", "not sure", "im not sure",
    "i am not sure", "i dont know", "dont know", "maybe", "never mind", "i didnt hear", "i dont understand", "yes or no", "yes and no", "right now", "no one",
];
const ANSWER_FILLERS: &[&str] = &[
    "אה", "אהה", "אממ", "אמ", "נו", "אז", "תודה", "תודה רבה", "בבקשה", "רבה", "זה", "הוא", "היא", "אני", "חושב", "חושבת", "שזה", "המספר", "השם", "לי",
    "אממ", "רגע", "uh", "um", "well", "please", "thanks", "thank you", "i", "think", "so", "oh", "that", "it", "is", "the", "number",
];

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

const BACKCHANNELS: &[&str] = &[
    "אהה", "אהא", "אה", "אממ", "אמ", "ממ", "מממ", "אה הא", "כן", "כן כן", "אוקיי", "אוקי", "הבנתי", "טוב", "בסדר", "נכון", "יפה", "נו", "בטח",
    "mhm", "mmhmm", "mm", "hmm", "hm", "uh huh", "uhhuh", "uh", "aha", "ah", "oh", "ok", "okay", "yeah", "yes", "right", "sure", "i see", "got it", "mm hmm",
];

/// Whether a few words only say "I am listening", so that the agent need not stop for them.
pub fn is_backchannel(text: &str) -> bool {
    let words = spoken(text);
    words.len() <= 3 && cover(&words, BACKCHANNELS, &[]).is_some_and(|found| found > 0)
}

pub(crate) const HESITATIONS: &[&str] = &[
    "אה", "אהה", "אמ", "אממ", "אמממ", "אה אה", "רגע", "רגע אחד", "רגע בבקשה", "אז", "אז ככה", "שנייה", "שניה", "שנייה אחת", "שניה אחת", "דקה", "חכה", "חכי",
    "חכה רגע", "חכי רגע", "תן לי רגע", "תני לי רגע", "תן לי לחשוב", "תני לי לחשוב", "כאילו", "איך אומרים", "נו", "אני בודק", "אני בודקת", "טוב אז", "uh", "um",
    "er", "erm", "hmm", "hm", "well", "so", "like", "you know", "hold on", "wait", "one moment", "one second", "just a moment", "just a second", "let me see",
    "let me think", "let me check", "one sec", "a moment", "hang on", "wait a minute", "give me a second", "i mean",
];

/// Whether nothing but hesitation was said: the caller will go on.
pub fn is_hesitation(text: &str) -> bool {
    let words = spoken(text);
    cover(&words, HESITATIONS, &["בבקשה", "please", "רק", "just", "אוקיי", "okay", "ok"]).is_some_and(|found| found > 0)
}

const HUMANS: &[&str] = &[
    "נציג", "נציגה", "נציג אנושי", "בן אדם", "מישהו אמיתי", "אדם אמיתי", "עם מישהו", "מענה אנושי", "המנהל", "המנהלת", "מנהל", "מנהלת", "המזכירה",
    "מזכירה", "עם אדם", "human", "a person", "real person", "someone", "somebody", "an agent", "agent", "representative", "operator", "the manager",
    "a manager", "the receptionist", "customer service",
];
const ASKING: &[&str] = &[
    "לדבר", "תעביר", "תעבירי", "תעבירו", "להעביר", "רוצה", "אפשר", "תן", "תני", "צריך", "צריכה", "יש", "בבקשה", "speak", "talk", "transfer", "connect", "want",
    "get", "give", "can", "need", "please",
];

/// Whether the caller wants a person instead of the machine.
pub fn asks_for_human(text: &str) -> bool {
    let words = spoken(text);
    contains(HUMANS, &words) && (words.len() <= 2 || contains(ASKING, &words))
}

const REPEATS: &[&str] = &[
    "מה", "מה אמרת", "מה אמרתם", "סליחה מה", "לא שמעתי", "לא שמעתי אותך", "לא הבנתי", "אפשר לחזור על זה", "אפשר לחזור", "תחזור", "תחזור על זה", "תחזרי",
    "תחזרי על זה", "תחזור בבקשה", "תחזרי בבקשה", "שוב", "שוב בבקשה", "עוד פעם", "עוד פעם בבקשה", "לא שומע", "לא שומעת", "לא שומעים", "לא שומעים אותך",
    "תוכל לחזור", "תוכלי לחזור", "תוכל לחזור על זה", "תוכלי לחזור על זה", "יותר לאט", "מה זה", "what", "what was that", "what did you say", "pardon", "pardon me", "sorry", "excuse me", "say that again", "say again", "come again",
    "again", "again please", "repeat", "repeat that", "can you repeat", "can you repeat that", "could you repeat that", "can you say that again",
    "could you say that again", "i didnt hear", "i didnt hear you", "i didnt catch that", "i cant hear you", "i dont understand", "i didnt understand", "please repeat", "slower please",
];

/// Whether the caller asks to hear it again.
pub fn asks_to_repeat(text: &str) -> bool {
    let words = spoken(text);
    cover(&words, REPEATS, &["סליחה", "בבקשה", "אני", "אה", "את", "זה", "רגע", "אפשר", "i", "please", "you", "me", "that", "im", "uh"]).is_some_and(|found| found > 0)
}

const ORDINALS: [&[&str]; 5] = [
    &["הראשון", "הראשונה", "ראשון", "ראשונה", "אחת", "אחד", "1", "one", "first", "the first"],
    &["השני", "השנייה", "השניה", "שני", "שנייה", "שניה", "שתיים", "שתים", "שניים", "2", "two", "second", "the second"],
    &["השלישי", "השלישית", "שלישי", "שלישית", "שלוש", "שלושה", "3", "three", "third"],
    &["הרביעי", "הרביעית", "רביעי", "רביעית", "ארבע", "ארבעה", "4", "four", "fourth"],
    &["החמישי", "החמישית", "חמישי", "חמישית", "חמש", "חמישה", "5", "five", "fifth"],
];

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
