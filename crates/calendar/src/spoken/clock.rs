//! Times of day as they are said.

use jiff::civil::Time;
use units::Language;

/// Returns a time with its preposition and its part of the day, such as "בתשע וחצי בבוקר" or "at half past nine in the
/// morning". Minutes that are not quarters or tens stand in digits, which the voice reads itself.
pub(super) fn spoken(time: Time, language: Language) -> String {
    let (hour, minute) = (time.hour(), time.minute());
    match (hour, minute, language) {
        (0, 0, Language::Hebrew) => return "בחצות".to_owned(),
        (0, 0, Language::English) => return "at midnight".to_owned(),
        (12, 0, Language::English) => return "at noon".to_owned(),
        _ => {}
    }
    let part = part(hour, language);
    match language {
        Language::Hebrew => format!("{} {part}", hebrew(hour, minute)),
        Language::English => format!("at {} {part}", english(hour, minute)),
    }
}

fn hebrew(hour: i8, minute: i8) -> String {
    let (this, next) = (hour_word(hour, Language::Hebrew), hour_word(hour + 1, Language::Hebrew));
    match minute {
        0 => format!("ב{this}"),
        5 => format!("ב{this} וחמישה"),
        10 => format!("ב{this} ועשרה"),
        15 => format!("ב{this} ורבע"),
        20 => format!("ב{this} ועשרים"),
        30 => format!("ב{this} וחצי"),
        40 => format!("בעשרים ל{next}"),
        45 => format!("ברבע ל{next}"),
        50 => format!("בעשרה ל{next}"),
        55 => format!("בחמישה ל{next}"),
        minute => format!("ב-{}:{minute:02}", on_twelve(hour)),
    }
}

fn english(hour: i8, minute: i8) -> String {
    let (this, next) = (hour_word(hour, Language::English), hour_word(hour + 1, Language::English));
    match minute {
        0 => this.to_owned(),
        10 => format!("ten past {this}"),
        15 => format!("a quarter past {this}"),
        20 => format!("twenty past {this}"),
        30 => format!("half past {this}"),
        40 => format!("twenty to {next}"),
        45 => format!("a quarter to {next}"),
        50 => format!("ten to {next}"),
        minute => format!("{}:{minute:02}", on_twelve(hour)),
    }
}

/// Returns the part of the day of an hour.
const fn part(hour: i8, language: Language) -> &'static str {
    match (hour, language) {
        (5..=11, Language::Hebrew) => "בבוקר",
        (12..=14, Language::Hebrew) => "בצהריים",
        (15..=17, Language::Hebrew) => "אחר הצהריים",
        (18..=21, Language::Hebrew) => "בערב",
        (_, Language::Hebrew) => "בלילה",
        (0..=11, Language::English) => "in the morning",
        (12..=17, Language::English) => "in the afternoon",
        (18..=21, Language::English) => "in the evening",
        (_, Language::English) => "at night",
    }
}

/// Returns the hour on a dial, 1 to 12.
const fn on_twelve(hour: i8) -> i8 {
    match hour.rem_euclid(12) {
        0 => 12,
        hour => hour,
    }
}

const fn hour_word(hour: i8, language: Language) -> &'static str {
    let (hebrew, english) = match on_twelve(hour) {
        1 => ("אחת", "one"),
        2 => ("שתיים", "two"),
        3 => ("שלוש", "three"),
        4 => ("ארבע", "four"),
        5 => ("חמש", "five"),
        6 => ("שש", "six"),
        7 => ("שבע", "seven"),
        8 => ("שמונה", "eight"),
        9 => ("תשע", "nine"),
        10 => ("עשר", "ten"),
        11 => ("אחת עשרה", "eleven"),
        _ => ("שתים עשרה", "twelve"),
    };
    match language {
        Language::Hebrew => hebrew,
        Language::English => english,
    }
}
