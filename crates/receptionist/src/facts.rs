//! What an answer says: to the question, and beyond it.

use std::ops::Range;

use crate::form::{Choice, Field, FieldKind, Form, NumberRange};
use crate::hearing::{self, Word};
use crate::number::{self, PhoneNumber};
use crate::record::Value;

/// The longest name, in words.
const MAX_NAME_WORDS: usize = 4;
/// The longest text kept of one answer, in characters.
const MAX_TEXT: usize = 500;

/// Words before a name that mean nothing else.
const NAME_MARKS: &[&str] = &[
    "קוראים לי",
    "שמי",
    "השם שלי הוא",
    "השם שלי זה",
    "השם שלי",
    "השם הוא",
    "השם זה",
    "השם המלא הוא",
    "my name is",
    "my name's",
    "the name is",
    "name is",
    "call me",
];
/// Words before a name that mean something else too: they count when the name was asked for.
const WEAK_NAME_MARKS: &[&str] =
    &["מדבר", "מדברת", "אני", "זה", "זאת", "כאן", "השם", "this is", "i am", "i'm", "it's", "it is"];
/// Words that end a name, or show that there is none.
const NOT_A_NAME: &[&str] = &[
    "מספר",
    "המספר",
    "טלפון",
    "הטלפון",
    "נייד",
    "הנייד",
    "אני",
    "רציתי",
    "רוצה",
    "צריך",
    "צריכה",
    "מחפש",
    "מחפשת",
    "מחפשים",
    "מעוניין",
    "מעוניינת",
    "מעוניינים",
    "מתקשר",
    "מתקשרת",
    "מתקשרים",
    "בקשר",
    "בנוגע",
    "בעניין",
    "לגבי",
    "מחברת",
    "ממשרד",
    "מהמשרד",
    "שלי",
    "הוא",
    "היא",
    "לא",
    "כן",
    "יש",
    "אין",
    "אפשר",
    "האם",
    "מה",
    "למה",
    "איך",
    "דירה",
    "בית",
    "and",
    "i",
    "i'm",
    "i'd",
    "calling",
    "from",
    "my",
    "number",
    "phone",
    "the",
    "a",
    "about",
    "want",
    "need",
    "looking",
    "would",
    "like",
    "not",
    "no",
    "yes",
    "is",
    "it",
    "regarding",
    "interested",
    "what",
    "why",
    "how",
    "לקנות",
    "לשכור",
    "בבקשה",
    "תודה",
    "please",
    "thanks",
    "but",
    "אבל",
];
/// Words before a phone number that belong to it.
const PHONE_MARKS: &[&str] = &[
    "המספר",
    "מספר",
    "הטלפון",
    "טלפון",
    "הנייד",
    "נייד",
    "הפלאפון",
    "שלי",
    "הוא",
    "זה",
    "number",
    "phone",
    "my",
    "is",
    "the",
    "mobile",
    "cell",
    "it's",
    "at",
    "and",
    "on",
    "לנו",
    "של",
    "אלי",
    "אליי",
];
/// Words that begin a reason.
const REASON_MARKS: &[&str] = &[
    "אני מתקשר בקשר",
    "אני מתקשרת בקשר",
    "מתקשר בקשר",
    "מתקשרת בקשר",
    "אני מתקשר",
    "אני מתקשרת",
    "בקשר",
    "בנוגע",
    "בעניין",
    "לגבי",
    "רציתי",
    "אני רוצה",
    "אני צריך",
    "אני צריכה",
    "אני מחפש",
    "אני מחפשת",
    "אנחנו מחפשים",
    "אני מעוניין",
    "אני מעוניינת",
    "יש לי בעיה",
    "יש לי שאלה",
    "i'm calling about",
    "i am calling about",
    "calling about",
    "calling to",
    "it's about",
    "regarding",
    "i need",
    "i want",
    "i wanted",
    "i would like",
    "i'd like",
    "i'm looking",
    "i am looking",
    "looking for",
    "interested in",
    "i have a question",
    "i have a problem",
];

/// What was understood.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Values, by the field's place in the form.
    pub(crate) values: Vec<(usize, Value)>,
    /// Digits that are only a part of a phone number.
    pub(crate) partial: Option<String>,
    /// Fields that were named, with or without a value.
    pub(crate) named: Vec<usize>,
}

/// What is being asked while an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The value of a field.
    Field(usize),
    /// What to change, or whether something read back is right.
    Change,
}

/// Reads an answer. `digits_before` are those of a phone number begun in an earlier answer.
pub(crate) fn read(form: &Form, asked: Asked, words: &[Word], digits_before: &str) -> Facts {
    let mut facts = Facts::default();
    let mut used: Vec<Range<usize>> = Vec::new();
    read_phone(form, asked, words, digits_before, &mut facts, &mut used);
    for (index, field) in form.fields.iter().enumerate() {
        let is_asked = asked == Asked::Field(index);
        let value = match &field.kind {
            FieldKind::Phone => None,
            FieldKind::Choice(choices) => choice(choices, words).map(Value::Choice),
            FieldKind::Number(range) => quantity(range, is_asked, words, &mut used).map(Value::Number),
            FieldKind::Name => name(is_asked, asked == Asked::Change, words, &mut used).map(Value::Text),
            FieldKind::YesNo => is_asked.then(|| hearing::yes_or_no(words)).flatten().map(Value::YesNo),
            FieldKind::Reason => reason(is_asked, words, &used).map(Value::Text),
            FieldKind::Text | FieldKind::DateTime => is_asked.then(|| whole_text(words)).flatten().map(Value::Text),
        };
        if let Some(value) = value {
            facts.values.push((index, value));
        }
        if is_named(field, words) {
            facts.named.push(index);
        }
    }
    facts
}

/// Tells whether the field's label, or the usual word for its kind, was said.
fn is_named(field: &Field, words: &[Word]) -> bool {
    let usual: &[&str] = match field.kind {
        FieldKind::Name => &["שם", "name"],
        FieldKind::Phone => &["מספר", "טלפון", "number", "phone"],
        FieldKind::Reason => &["סיבה", "נושא", "reason"],
        FieldKind::Choice(_) | FieldKind::Number(_) | FieldKind::YesNo | FieldKind::Text | FieldKind::DateTime => &[],
    };
    let label = |text: &str| {
        let label = hearing::words(text);
        let plain: Vec<&str> = label.iter().map(|word| word.plain.as_str()).collect();
        !plain.is_empty() && hearing::find(words, &plain.join(" ")).is_some()
    };
    // "שם" is too short to be found behind a prefix by the general rule.
    let direct = |word: &&str| words.iter().any(|said| said.plain == **word || said.plain == format!("ה{word}"));
    usual.iter().any(direct) || label(&field.label.he) || label(&field.label.en)
}

fn read_phone(
    form: &Form,
    asked: Asked,
    words: &[Word],
    digits_before: &str,
    facts: &mut Facts,
    used: &mut Vec<Range<usize>>,
) {
    let is_phone = |index: &usize| form.fields.get(*index).is_some_and(|field| field.kind == FieldKind::Phone);
    let asked_here = match asked {
        Asked::Field(index) => Some(index).filter(is_phone),
        Asked::Change => None,
    };
    let Some(target) = asked_here.or_else(|| (0..form.fields.len()).find(is_phone)) else { return };
    let runs = number::digit_runs(words);
    for run in &runs {
        if let PhoneNumber::Whole(phone) = number::phone_number(&run.digits, run.international) {
            used.push(with_marks(words, run.words.clone()));
            facts.values.push((target, Value::Phone(phone)));
            return;
        }
    }
    if asked_here.is_none() || runs.is_empty() {
        return;
    }
    // The rest of a number that was begun, or one that was said with other words in between.
    let joined: String = runs.iter().map(|run| run.digits.as_str()).collect();
    let international = runs.first().is_some_and(|run| run.international);
    let continued = format!("{digits_before}{joined}");
    for digits in [&continued, &joined] {
        match number::phone_number(digits, international) {
            PhoneNumber::Whole(phone) => {
                facts.values.push((target, Value::Phone(phone)));
                used.extend(runs.iter().map(|run| run.words.clone()));
                return;
            }
            PhoneNumber::Partial if facts.partial.is_none() => facts.partial = Some(digits.clone()),
            PhoneNumber::Partial | PhoneNumber::Wrong => {}
        }
    }
}

/// Widens a number to the words before it that only announce it.
fn with_marks(words: &[Word], number: Range<usize>) -> Range<usize> {
    let before = words.get(..number.start).unwrap_or_default();
    let marks =
        before.iter().rev().take_while(|word| PHONE_MARKS.iter().any(|mark| hearing::is_word(&word.plain, mark)));
    number.start.saturating_sub(marks.count())..number.end
}

/// Returns the only choice that was named; of several the last one that "no" or "not" does not stand before.
pub(crate) fn choice(choices: &[Choice], words: &[Word]) -> Option<String> {
    let mut named: Vec<(usize, &str)> = Vec::new();
    for choice in choices {
        let said = [choice.say.he.as_str(), choice.say.en.as_str()];
        let places = said.into_iter().chain(choice.synonyms.iter()).filter_map(|text| {
            let wanted = hearing::words(text);
            let plain: Vec<&str> = wanted.iter().map(|word| word.plain.as_str()).collect();
            hearing::find(words, &plain.join(" "))
        });
        // The longest words for a choice decide where it stands.
        if let Some(place) = places.max_by_key(|range| (range.len(), range.start)) {
            let denied = place.start.checked_sub(1).and_then(|before| words.get(before));
            if !denied.is_some_and(|word| !word.ends_clause && matches!(word.plain.as_str(), "לא" | "not" | "no")) {
                named.push((place.start, choice.id.as_str()));
            }
        }
    }
    match named.as_slice() {
        [(_, only)] => Some((*only).to_owned()),
        [] => None,
        // "לא, קנייה ולא שכירות" leaves one; two that both stand leave it open.
        [_, _, ..] => None,
    }
}

fn quantity(range: &NumberRange, is_asked: bool, words: &[Word], used: &mut Vec<Range<usize>>) -> Option<f64> {
    let near_unit = |place: &Range<usize>| {
        let after = words.get(place.end..place.end.saturating_add(2).min(words.len())).unwrap_or_default();
        let before = words.get(place.start.saturating_sub(3)..place.start).unwrap_or_default();
        let is_unit = |word: &Word| range.units.iter().any(|unit| hearing::is_word(&word.plain, unit));
        after.iter().any(is_unit) || (before.iter().any(is_unit) && !before.iter().any(|word| word.ends_clause))
    };
    let free = number::quantities(words).into_iter().filter(|quantity| {
        let overlaps = |taken: &Range<usize>| quantity.words.start < taken.end && taken.start < quantity.words.end;
        !used.iter().any(overlaps)
    });
    let fitting: Vec<_> = free.filter(|quantity| (range.min..=range.max).contains(&quantity.value)).collect();
    let chosen = fitting.iter().find(|quantity| near_unit(&quantity.words)).or_else(|| {
        // A bare number answers the question if it is the only one.
        fitting.first().filter(|_| is_asked && fitting.len() == 1)
    })?;
    used.push(chosen.words.clone());
    Some(chosen.value)
}

fn name(is_asked: bool, is_change: bool, words: &[Word], used: &mut Vec<Range<usize>>) -> Option<String> {
    let after = |marks: &[&str]| {
        marks.iter().find_map(|mark| {
            let place = hearing::find(words, mark)?;
            Some(place.start..name_end(words, place.end))
                .filter(|range| range.end > place.end)
                .map(|range| (place.end, range))
        })
    };
    let marked = after(NAME_MARKS).or_else(|| (is_asked || is_change).then(|| after(WEAK_NAME_MARKS)).flatten());
    let (start, place) = match marked {
        Some(found) => found,
        None if is_asked => {
            let start = words.iter().position(|word| !hearing::is_filler(word))?;
            let end = name_end(words, start);
            // An answer that goes on after what looks like a name is no name, unless a clause ends there or a
            // number begins.
            let stops = words.get(end.saturating_sub(1)).is_some_and(|word| word.ends_clause);
            let rest = words.get(end..).unwrap_or_default();
            let announced =
                rest.first().is_some_and(|word| PHONE_MARKS.iter().any(|mark| hearing::is_word(&word.plain, mark)));
            if end == start || !(stops || announced || rest.iter().all(hearing::is_filler) || starts_number(rest)) {
                return None;
            }
            (start, start..end)
        }
        None => return None,
    };
    let taken = words.get(start..place.end)?;
    let letters: usize = taken.iter().map(|word| word.plain.chars().count()).sum();
    if letters < 2 {
        return None;
    }
    used.push(place);
    Some(hearing::shown(taken))
}

fn starts_number(words: &[Word]) -> bool {
    number::digit_runs(words).first().is_some_and(|run| run.words.start == 0)
}

/// Returns where a name that begins at a place ends.
fn name_end(words: &[Word], start: usize) -> usize {
    let mut end = start;
    while let Some(word) = words.get(end) {
        let stops = NOT_A_NAME.iter().any(|stop| word.plain == *stop || word.plain.strip_prefix('ו') == Some(stop));
        let is_number = starts_number(words.get(end..end.saturating_add(1)).unwrap_or_default());
        if stops
            || is_number
            || (end > start && hearing::is_filler(word))
            || end.saturating_sub(start) >= MAX_NAME_WORDS
        {
            break;
        }
        end = end.saturating_add(1);
        if word.ends_clause {
            break;
        }
    }
    end
}

fn reason(is_asked: bool, words: &[Word], used: &[Range<usize>]) -> Option<String> {
    let marked = REASON_MARKS.iter().filter_map(|mark| hearing::find(words, mark)).map(|place| place.start).min();
    let is_free = |index: usize| !used.iter().any(|range| range.contains(&index));
    let from = match marked {
        Some(start) => start,
        None if is_asked => 0,
        None => return None,
    };
    let kept: Vec<Word> = words
        .iter()
        .enumerate()
        .skip(from)
        .filter(|(index, _)| is_free(*index))
        .map(|(_, word)| word.clone())
        .collect();
    let start = kept.iter().position(|word| !hearing::is_filler(word)).unwrap_or(kept.len());
    let kept = hearing::without_farewell(kept.get(start..).unwrap_or_default());
    hearing::has_content(kept).then(|| cut(&hearing::shown(kept)))
}

fn whole_text(words: &[Word]) -> Option<String> {
    let start = words.iter().position(|word| !hearing::is_filler(word))?;
    let kept = hearing::without_farewell(words.get(start..)?);
    hearing::has_content(kept).then(|| cut(&hearing::shown(kept)))
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
