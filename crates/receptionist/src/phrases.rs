//! What is said beside the questions.

use serde::Deserialize;

use crate::form::Text;

macro_rules! phrases {
    ($($(#[$doc:meta])* $name:ident: $he:literal, $en:literal;)*) => {
        /// What is said beside the questions; every one may be replaced in the form's file, for both languages or
        /// for one. `{office}` and `{value}` are filled in.
        ///
        /// The Hebrew ones address callers in the plural and speak of the box in the past or the first person,
        /// which fits callers and voices of any gender.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Phrases {
            $($(#[$doc])* pub $name: Text,)*
        }

        impl Phrases {
            /// Returns every phrase, in the order of the fields.
            pub(crate) fn all(&self) -> Vec<&Text> {
                vec![$(&self.$name),*]
            }
        }

        impl Default for Phrases {
            fn default() -> Self {
                Self { $($name: Text { he: $he.to_owned(), en: $en.to_owned() },)* }
            }
        }

        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct PhrasesFile {
            $($name: Text,)*
        }

        impl From<PhrasesFile> for Phrases {
            fn from(file: PhrasesFile) -> Self {
                let mut phrases = Self::default();
                $(replace(&mut phrases.$name, file.$name);)*
                phrases
            }
        }
    };
}

phrases! {
    /// The last answer was not understood; the question follows.
    not_understood: "סליחה, לא הבנתי.", "Sorry, I did not catch that.";
    /// Nothing was heard; the question follows.
    silence: "לא שמעתי תשובה.", "I did not hear anything.";
    /// A value is read back, to be agreed to.
    confirm: "רשמתי {value}. נכון?", "I have {value}. Is that right?";
    /// A value is repeated in passing.
    echo: "{value}, רשמתי.", "{value}, got it.";
    /// Something was noted.
    noted: "תודה, רשמתי.", "Thank you, noted.";
    /// The number the call came from is offered; the value is its last digits.
    caller_number: "לחזור אליכם למספר שממנו התקשרתם, שמסתיים בַּסְּפָרוֹת {value}?", "Shall we call back the number you are calling from, ending in {value}?";
    /// A part of a number was heard.
    more_digits: "רשמתי {value}. מה ההמשך?", "I have {value} so far. What comes next?";
    /// The caller may key the number in.
    key_in: "אפשר גם להקיש את המספר, ובסוף סולמית.", "You can also key the number in and press hash.";
    /// Yes or no is needed.
    yes_or_no: "אפשר לענות כן או לא.", "Please answer yes or no.";
    /// Everything is read back.
    summary: "אז רשמתי: {value}. הכול נכון?", "So I have: {value}. Is everything right?";
    /// Something read back was wrong.
    what_to_change: "מה לתקן?", "What should I change?";
    /// A free message is asked for.
    voicemail: "לא הצלחתי להבין, אבל אפשר להשאיר הודעה אחרי הצפצוף, ונחזור אליכם.", "I am having trouble understanding, but please leave a message after the tone and we will get back to you.";
    /// A free message is asked for because the caller wants to leave one.
    message: "אפשר להשאיר הודעה אחרי הצפצוף, ונחזור אליכם.", "Please leave a message after the tone and we will get back to you.";
    /// The caller is put through.
    transfer: "רק רגע, השיחה עוברת למשרד.", "One moment, I am putting you through.";
    /// The caller wants a person, and nobody can be rung at this hour; a free message is asked for.
    nobody_there: "כרגע אין במשרד מי שיענה. אפשר להשאיר הודעה אחרי הצפצוף, ונחזור אליכם.", "Nobody in the office can take your call right now. Please leave a message after the tone and we will get back to you.";
    /// Nobody could be reached to whom the caller was put through; the next question follows.
    nobody_answered: "כרגע אין מענה במשרד, אבל אפשר להמשיך כאן.", "Nobody can take your call right now, but I can help you here.";
    /// The office calls, because the customer asked for it; the next question follows.
    calling_back: "שלום, מדברים מ{office}. ביקשתם שנחזור אליכם.", "Hello, this is {office}. You asked us to call you back.";
    /// Everything was answered.
    goodbye: "תודה שהתקשרתם אל {office}. נחזור אליכם בהקדם. להתראות!", "Thank you for calling {office}. We will get back to you soon. Goodbye!";
    /// The caller said goodbye before that.
    goodbye_early: "תודה שהתקשרתם. להתראות!", "Thank you for calling. Goodbye!";
    /// The caller said nothing.
    goodbye_silent: "לא שמעתי אתכם. אפשר להתקשר אלינו שוב בכל עת. להתראות!", "I could not hear you. Please call us again any time. Goodbye!";
}

impl<'de> Deserialize<'de> for Phrases {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PhrasesFile::deserialize(deserializer).map(Self::from)
    }
}

fn replace(text: &mut Text, by: Text) {
    if !by.he.is_empty() {
        text.he = by.he;
    }
    if !by.en.is_empty() {
        text.en = by.en;
    }
}
