//! What a caller hears.

use units::Language::{English, Hebrew};

use super::{OFFICE, calendar, local};

#[test]
fn the_reason_is_said_in_both_languages() {
    let office = calendar(OFFICE);
    for (at, hebrew, english) in [
        ("2026-11-22T10:00", "המשרד פתוח עכשיו.", "The office is open now."),
        ("2026-11-22T14:00", "המשרד סגור כרגע.", "The office is closed right now."),
        ("2026-11-28T12:00", "המשרד סגור בשבת.", "The office is closed for the Sabbath."),
        ("2026-09-21T12:00", "המשרד סגור לרגל יום כיפור.", "The office is closed for Yom Kippur."),
        ("2026-04-22T12:00", "המשרד סגור לרגל יום העצמאות.", "The office is closed for Independence Day."),
        (
            "2026-04-01T14:00",
            "המשרד נסגר היום מוקדם לרגל ערב חג הפסח.",
            "The office closed early today, on the eve of Passover.",
        ),
        (
            "2026-08-02T12:00",
            "המשרד סגור עכשיו, היום השעות שונות מהרגיל.",
            "The office is closed now, the hours are different today.",
        ),
    ] {
        let status = office.at(local(at));
        assert_eq!((status.spoken(Hebrew).as_str(), status.spoken(English).as_str()), (hebrew, english), "{at}");
    }
}

#[test]
fn the_next_opening_is_said_as_a_person_says_it() {
    let office = calendar(OFFICE);
    for (at, hebrew, english) in [
        ("2026-11-22T14:00", "נפתח היום בארבע אחר הצהריים.", "We open today at four in the afternoon."),
        ("2026-11-22T20:00", "נפתח מחר בתשע בבוקר.", "We open tomorrow at nine in the morning."),
        ("2026-11-26T20:00", "נפתח מחר בשמונה וחצי בבוקר.", "We open tomorrow at half past eight in the morning."),
        ("2026-11-27T20:00", "נפתח ביום ראשון בתשע בבוקר.", "We open on Sunday at nine in the morning."),
        ("2026-09-11T14:00", "נפתח ביום שני בתשע בבוקר.", "We open on Monday at nine in the morning."),
    ] {
        let spoken = (office.spoken_next_opening(local(at), Hebrew), office.spoken_next_opening(local(at), English));
        assert_eq!((spoken.0.as_str(), spoken.1.as_str()), (hebrew, english), "{at}");
    }
}

#[test]
fn far_openings_have_a_date_and_evenings_after_the_sabbath_their_name() {
    let far = calendar("[dates]\n2026-12-31 = [\"00:00-12:00\"]");
    assert_eq!(far.spoken_next_opening(local("2026-11-22T14:00"), Hebrew), "נפתח ביום חמישי, 31 בדצמבר, בחצות.");
    assert_eq!(
        far.spoken_next_opening(local("2026-11-22T14:00"), English),
        "We open on Thursday, December 31, at midnight."
    );
    let evening = calendar("[hours]\nsaturday = [\"20:30-23:00\"]");
    let friday = local("2026-11-27T20:00");
    assert_eq!(evening.spoken_next_opening(friday, Hebrew), "נפתח במוצאי שבת בשמונה וחצי בערב.");
    assert_eq!(
        evening.spoken_next_opening(friday, English),
        "We open on Saturday, after the Sabbath, at half past eight in the evening."
    );
    assert_eq!(calendar("").spoken_next_opening(friday, Hebrew), "מועד הפתיחה הבא עדיין לא ידוע.");
}

#[test]
fn every_time_of_day_has_its_words() {
    for (time, hebrew, english) in [
        ("00:30", "בשתים עשרה וחצי בלילה", "at half past twelve in the morning"),
        ("07:45", "ברבע לשמונה בבוקר", "at a quarter to eight in the morning"),
        ("11:50", "בעשרה לשתים עשרה בבוקר", "at ten to twelve in the morning"),
        ("12:00", "בשתים עשרה בצהריים", "at noon"),
        ("12:15", "בשתים עשרה ורבע בצהריים", "at a quarter past twelve in the afternoon"),
        ("13:20", "באחת ועשרים בצהריים", "at twenty past one in the afternoon"),
        ("17:16", "ב-5:16 אחר הצהריים", "at 5:16 in the afternoon"),
        ("22:00", "בעשר בלילה", "at ten at night"),
    ] {
        let text = format!("[keep]\nsabbath = false\n[hours]\ntuesday = [\"{time}-24:00\"]");
        let spoken = |language| calendar(&text).spoken_next_opening(local("2026-11-23T12:00"), language);
        assert_eq!(spoken(Hebrew), format!("נפתח מחר {hebrew}."), "{time}");
        assert_eq!(spoken(English), format!("We open tomorrow {english}."), "{time}");
    }
}

#[test]
fn names_with_abbreviations_have_their_marks() {
    let calendar = calendar("[days]\nlag_baomer = []\ntisha_beav = []");
    assert_eq!(calendar.at(local("2026-05-05T12:00")).spoken(Hebrew), "המשרד סגור לרגל ל״ג בעומר.");
    assert_eq!(calendar.at(local("2026-07-23T12:00")).spoken(Hebrew), "המשרד סגור לרגל ט׳ באב.");
}
