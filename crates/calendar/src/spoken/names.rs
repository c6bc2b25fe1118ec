//! Names of days and months.

use jiff::civil::Weekday;
use units::Language;

use crate::holiday::{Holiday, Note};

impl Holiday {
    /// Returns the name as it is said.
    pub const fn spoken(self, language: Language) -> &'static str {
        let (hebrew, english) = match self {
            Self::RoshHashana => ("ראש השנה", "Rosh Hashana"),
            Self::YomKippur => ("יום כיפור", "Yom Kippur"),
            Self::Sukkot => ("חג הסוכות", "Sukkot"),
            Self::SimchatTorah => ("שמחת תורה", "Simchat Torah"),
            Self::Pesach => ("חג הפסח", "Passover"),
            Self::SeventhOfPesach => ("שביעי של פסח", "the seventh day of Passover"),
            Self::Shavuot => ("חג השבועות", "Shavuot"),
            Self::Note(note) => return note.spoken(language),
        };
        choose(language, hebrew, english)
    }
}

impl Note {
    /// Returns the name as it is said.
    pub const fn spoken(self, language: Language) -> &'static str {
        let (hebrew, english) = match self {
            Self::CholHaMoedSukkot => ("חול המועד סוכות", "the intermediate days of Sukkot"),
            Self::CholHaMoedPesach => ("חול המועד פסח", "the intermediate days of Passover"),
            Self::IndependenceDay => ("יום העצמאות", "Independence Day"),
            Self::MemorialDay => ("יום הזיכרון", "Memorial Day"),
            Self::HolocaustDay => ("יום הזיכרון לשואה ולגבורה", "Holocaust Remembrance Day"),
            Self::Purim => ("פורים", "Purim"),
            Self::Hanukkah => ("חנוכה", "Hanukkah"),
            Self::LagBaOmer => ("ל״ג בעומר", "Lag ba-Omer"),
            Self::TishaBeAv => ("ט׳ באב", "Tisha be-Av"),
        };
        choose(language, hebrew, english)
    }
}

pub(super) const fn weekday(day: Weekday, language: Language) -> &'static str {
    let (hebrew, english) = match day {
        Weekday::Sunday => ("יום ראשון", "Sunday"),
        Weekday::Monday => ("יום שני", "Monday"),
        Weekday::Tuesday => ("יום שלישי", "Tuesday"),
        Weekday::Wednesday => ("יום רביעי", "Wednesday"),
        Weekday::Thursday => ("יום חמישי", "Thursday"),
        Weekday::Friday => ("יום שישי", "Friday"),
        Weekday::Saturday => ("שבת", "Saturday"),
    };
    choose(language, hebrew, english)
}

/// Returns the evening after the Sabbath.
pub(super) const fn after_sabbath(language: Language) -> &'static str {
    choose(language, "במוצאי שבת", "Saturday, after the Sabbath,")
}

/// Returns the name of a month, 1 to 12.
pub(super) const fn month(month: i8, language: Language) -> &'static str {
    let (hebrew, english) = match month {
        1 => ("ינואר", "January"),
        2 => ("פברואר", "February"),
        3 => ("מרץ", "March"),
        4 => ("אפריל", "April"),
        5 => ("מאי", "May"),
        6 => ("יוני", "June"),
        7 => ("יולי", "July"),
        8 => ("אוגוסט", "August"),
        9 => ("ספטמבר", "September"),
        10 => ("אוקטובר", "October"),
        11 => ("נובמבר", "November"),
        _ => ("דצמבר", "December"),
    };
    choose(language, hebrew, english)
}

const fn choose(language: Language, hebrew: &'static str, english: &'static str) -> &'static str {
    match language {
        Language::Hebrew => hebrew,
        Language::English => english,
    }
}
