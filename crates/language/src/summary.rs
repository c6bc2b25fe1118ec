//! What a message is about, in its own words: the first sentences that fit on a line or two.
//!
//! A caller says at the beginning who they are and what they want; a list of messages needs no more. No model is asked,
//! so it is there as soon as the transcript is, and it never says what was not said.

use alloc::string::String;
use alloc::vec::Vec;

use crate::sentences::sentences;

/// Longest summary of a message, in characters: two lines on a telephone.
pub const MESSAGE_SUMMARY: usize = 160;

/// What stands for the rest.
const ELLIPSIS: char = '\u{2026}';

/// Sentences that say nothing of what a message is about.
const GREETINGS: [&str; 17] = [
    "hello",
    "hello there",
    "hi",
    "hi there",
    "hey",
    "good morning",
    "good afternoon",
    "good evening",
    "שלום",
    "שלום רב",
    "הלו",
    "היי",
    "הי",
    "בוקר טוב",
    "צהריים טובים",
    "אחר הצהריים טובים",
    "ערב טוב",
];

/// Returns the first sentences of `text` that fit into `longest` characters, without a greeting before them. Where not
/// even one fits it is cut behind a word and ends in an ellipsis. Empty only where `text` is, or where nothing fits.
pub fn summary(text: &str, longest: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut sentences = whole_sentences(&words.join(" "));
    let greetings = sentences.iter().take_while(|sentence| is_greeting(sentence)).count();
    if greetings < sentences.len() {
        sentences.drain(..greetings);
    }
    let mut taken = String::new();
    for sentence in &sentences {
        if length(&taken) + length(sentence.trim_end()) > longest {
            break;
        }
        taken.push_str(sentence);
    }
    if taken.is_empty() {
        let whole: String = sentences.concat();
        return shortened(whole.trim_end(), longest);
    }
    taken.truncate(taken.trim_end().len());
    taken
}

/// Cuts a text into sentences that end where they end: a clause that is spoken early stays with its sentence.
fn whole_sentences(text: &str) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    for piece in sentences(text) {
        match whole.last_mut() {
            Some(last) if last.trim_end().ends_with([',', ';', ':', '\u{2013}', '\u{2014}']) => last.push_str(&piece),
            _ => whole.push(piece),
        }
    }
    whole
}

fn is_greeting(sentence: &str) -> bool {
    let bare = sentence.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    GREETINGS.contains(&bare.as_str())
}

/// Cuts a text behind the last word that leaves room for an ellipsis.
fn shortened(text: &str, longest: usize) -> String {
    if length(text) <= longest || longest == 0 {
        return text.chars().take(longest).collect();
    }
    let room: String = text.chars().take(longest).collect();
    let end = room.rfind(char::is_whitespace).unwrap_or(0);
    let mut cut: String = room.get(..end).unwrap_or_default().trim_end_matches([',', ';', ':', '-', ' ']).into();
    if cut.is_empty() {
        cut = room.chars().take(longest - 1).collect();
    }
    cut.push(ELLIPSIS);
    cut
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::{ELLIPSIS, MESSAGE_SUMMARY, summary};

    #[test]
    fn a_short_message_is_its_own_summary() {
        assert_eq!(
            summary("please call me back about the flat", MESSAGE_SUMMARY),
            "please call me back about the flat"
        );
        assert_eq!(summary("  בבקשה   תחזרו אליי. ", MESSAGE_SUMMARY), "בבקשה תחזרו אליי.");
        assert_eq!(summary("", MESSAGE_SUMMARY), "");
        assert_eq!(summary(" \n", MESSAGE_SUMMARY), "");
    }

    #[test]
    fn a_greeting_gives_way_to_what_is_wanted() {
        let hebrew = "שלום. בוקר טוב! מדברת דנה לוי, אני מתקשרת בקשר לדירה ברחוב הרצל. אשמח אם תחזרו אליי.";
        assert_eq!(summary(hebrew, 60), "מדברת דנה לוי, אני מתקשרת בקשר לדירה ברחוב הרצל.");
        let english = "Hello. This is Dana Levy about the flat at 12 Herzl St. near the sea. Please call back. Thanks.";
        assert_eq!(summary(english, 70), "This is Dana Levy about the flat at 12 Herzl St. near the sea.");
        assert_eq!(summary("שלום.", MESSAGE_SUMMARY), "שלום.");
        assert_eq!(summary("Hello, this is Dana.", MESSAGE_SUMMARY), "Hello, this is Dana.");
    }

    #[test]
    fn a_message_in_one_breath_is_cut_behind_a_word() {
        let breath = "אני רוצה לבוא לראות את הדירה מחר בבוקר אם אפשר ואם לא אז ביום ראשון אחרי הצהריים תודה רבה";
        let cut = summary(breath, 40);
        assert!(cut.ends_with(ELLIPSIS) && cut.chars().count() <= 40, "{cut}");
        assert!(breath.starts_with(cut.trim_end_matches(ELLIPSIS)), "{cut}");
        assert_eq!(summary(&"א".repeat(50), 10), String::from("אאאאאאאאא\u{2026}"));
        assert_eq!(summary("one two", 0), "");
        let clause = "This is Dana Levy from the office, about the flat that you showed us last week in Haifa. Bye.";
        assert_eq!(summary(clause, 50), "This is Dana Levy from the office, about the flat\u{2026}");
    }

    proptest! {
        #[test]
        fn a_summary_is_short_and_made_of_what_was_said(
            text in "([א-תa-zA-Z]{1,12}|[.,!?:\" \n]|[0-9]{1,3}|\\PC){0,60}",
            longest in 1_usize..200,
        ) {
            let summary = summary(&text, longest);
            prop_assert!(summary.chars().count() <= longest);
            prop_assert_eq!(summary.is_empty(), text.split_whitespace().next().is_none());
            let words: Vec<&str> = text.split_whitespace().collect();
            let said = words.join(" ");
            let kept = summary.strip_suffix(ELLIPSIS).unwrap_or(&summary);
            prop_assert!(said.contains(kept) || said.contains(&summary), "{summary:?} of {said:?}");
        }
    }
}
