//! What a caller is told about hours.

mod clock;
mod names;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::{Timestamp, ToSpan as _};
use units::Language;

use crate::{Calendar, Status, Why};

impl Status {
    /// Returns a sentence about why the office is open or closed, for the voice.
    pub fn spoken(&self, language: Language) -> String {
        match (self.open, language) {
            (true, Language::Hebrew) => "המשרד פתוח עכשיו.".to_owned(),
            (true, Language::English) => "The office is open now.".to_owned(),
            (false, Language::Hebrew) => match self.why {
                Why::Hours => "המשרד סגור כרגע.".to_owned(),
                Why::Sabbath => "המשרד סגור בשבת.".to_owned(),
                Why::Holiday { which } => format!("המשרד סגור לרגל {}.", which.spoken(language)),
                Why::Eve { which } => format!("המשרד נסגר היום מוקדם לרגל ערב {}.", which.spoken(language)),
                Why::SpecialDate => "המשרד סגור עכשיו, היום השעות שונות מהרגיל.".to_owned(),
            },
            (false, Language::English) => match self.why {
                Why::Hours => "The office is closed right now.".to_owned(),
                Why::Sabbath => "The office is closed for the Sabbath.".to_owned(),
                Why::Holiday { which } => format!("The office is closed for {}.", which.spoken(language)),
                Why::Eve { which } => {
                    format!("The office closed early today, on the eve of {}.", which.spoken(language))
                }
                Why::SpecialDate => "The office is closed now, the hours are different today.".to_owned(),
            },
        }
    }
}

impl Calendar {
    /// Returns a sentence about the next opening after `now` for the voice, such as "נפתח מחר בתשע בבוקר.". When it
    /// is not known, the sentence says so.
    pub fn spoken_next_opening(&self, now: Timestamp, language: Language) -> String {
        let Some(opening) = self.next_opening(now) else {
            return match language {
                Language::Hebrew => "מועד הפתיחה הבא עדיין לא ידוע.".to_owned(),
                Language::English => "The next opening is not known yet.".to_owned(),
            };
        };
        let (today, opening) = (self.zone.to_datetime(now).date(), self.zone.to_datetime(opening));
        let (day, clock) = (self.day_spoken(today, opening, language), clock::spoken(opening.time(), language));
        match language {
            Language::Hebrew => format!("נפתח {day} {clock}."),
            Language::English => format!("We open {day} {clock}."),
        }
    }

    /// Returns the day of an opening as it is said today.
    fn day_spoken(&self, today: Date, opening: DateTime, language: Language) -> String {
        let date = opening.date();
        if date == today {
            return match language {
                Language::Hebrew => "היום".to_owned(),
                Language::English => "today".to_owned(),
            };
        }
        let after_rest = self.plan.keeps_sabbath() && date.weekday() == Weekday::Saturday;
        let tomorrow = today.checked_add(1.day()).is_ok_and(|tomorrow| tomorrow == date);
        let near = today.checked_add(6.days()).is_ok_and(|last| date <= last);
        let weekday = names::weekday(date.weekday(), language);
        let evening = names::after_sabbath(language);
        match language {
            Language::Hebrew if near && after_rest => evening.to_owned(),
            Language::English if near && after_rest => format!("on {evening}"),
            Language::Hebrew if tomorrow => "מחר".to_owned(),
            Language::English if tomorrow => "tomorrow".to_owned(),
            Language::Hebrew if near => format!("ב{weekday}"),
            Language::English if near => format!("on {weekday}"),
            Language::Hebrew => format!("ב{weekday}, {} ב{},", date.day(), names::month(date.month(), language)),
            Language::English => format!("on {weekday}, {} {},", names::month(date.month(), language), date.day()),
        }
    }
}
