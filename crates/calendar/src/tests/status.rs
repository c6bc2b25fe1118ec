//! What holds at a moment.

use super::{OFFICE, calendar, local, shown};
use crate::{Holiday, Note, Route, Why};

/// Moments, whether the office is open, why, and until when.
#[track_caller]
fn check(text: &str, rows: &[(&str, bool, Why, &str)]) {
    let calendar = calendar(text);
    for (at, open, why, until) in rows {
        let status = calendar.at(local(at));
        assert_eq!((status.open, status.why, shown(status.until).as_str()), (*open, *why, *until), "{at}");
    }
}

#[test]
fn an_ordinary_week_follows_the_hours() {
    check(
        OFFICE,
        &[
            ("2026-11-22T08:59", false, Why::Hours, "2026-11-22T09:00"),
            ("2026-11-22T09:00", true, Why::Hours, "2026-11-22T13:00"),
            ("2026-11-22T13:00", false, Why::Hours, "2026-11-22T16:00"),
            ("2026-11-22T19:00", false, Why::Hours, "2026-11-23T09:00"),
            ("2026-11-27T12:30", false, Why::Hours, "2026-11-27T16:16"),
            ("2026-11-27T16:16", false, Why::Sabbath, "2026-11-28T17:16"),
            ("2026-11-28T17:16", false, Why::Hours, "2026-11-29T09:00"),
        ],
    );
}

#[test]
fn special_dates_replace_the_hours() {
    check(
        OFFICE,
        &[
            ("2026-12-31T10:00", true, Why::SpecialDate, "2026-12-31T12:00"),
            ("2026-12-31T13:00", false, Why::SpecialDate, "2027-01-01T00:00"),
            ("2026-08-02T10:00", false, Why::SpecialDate, "2026-08-03T00:00"),
        ],
    );
}

#[test]
fn a_special_date_opens_an_eve_and_a_day_of_note_but_never_a_day_of_rest() {
    let text = "[dates]\n2026-09-20 = [\"00:00-24:00\"]\n2026-09-21 = [\"00:00-24:00\"]\n2026-09-28 = [\"08:00-10:00\"]
        [days]\nchol_hamoed = []";
    let kippur = Why::Holiday { which: Holiday::YomKippur };
    check(
        text,
        &[
            ("2026-09-20T14:00", true, Why::SpecialDate, "2026-09-20T17:58"),
            ("2026-09-20T18:00", false, kippur, "2026-09-21T19:14"),
            ("2026-09-21T19:14", true, Why::SpecialDate, "2026-09-22T00:00"),
            ("2026-09-28T09:00", true, Why::SpecialDate, "2026-09-28T10:00"),
        ],
    );
}

#[test]
fn eves_close_early_and_days_of_note_within_their_hours() {
    let eve = Why::Eve { which: Holiday::Pesach };
    let note = |note| Why::Holiday { which: Holiday::Note(note) };
    check(
        OFFICE,
        &[
            ("2026-04-01T12:00", true, Why::Hours, "2026-04-01T13:00"),
            ("2026-04-01T13:00", false, eve, "2026-04-01T17:00"),
            ("2026-04-05T12:00", true, Why::Hours, "2026-04-05T13:00"),
            ("2026-04-06T14:00", false, note(Note::CholHaMoedPesach), "2026-04-06T17:00"),
            ("2026-04-06T18:00", false, Why::Hours, "2026-04-07T09:00"),
            ("2026-04-21T10:00", false, note(Note::MemorialDay), "2026-04-21T12:00"),
            ("2026-04-22T10:00", false, note(Note::IndependenceDay), "2026-04-23T00:00"),
        ],
    );
}

#[test]
fn an_office_that_keeps_nothing_follows_its_hours_alone() {
    let text =
        "[hours]\nsaturday = [\"10:00-14:00\"]\nmonday = [\"09:00-17:00\"]\n[keep]\nsabbath = false\nholidays = []";
    check(
        text,
        &[
            ("2026-11-28T11:00", true, Why::Hours, "2026-11-28T14:00"),
            ("2026-09-21T11:00", true, Why::Hours, "2026-09-21T17:00"),
        ],
    );
}

#[test]
fn an_office_that_opens_after_the_sabbath_opens_at_the_stars() {
    let text = "[hours]\nsaturday = [\"17:00-22:00\"]";
    check(text, &[("2026-11-28T17:00", false, Why::Sabbath, "2026-11-28T17:15")]);
    let opening = calendar(text).next_opening(local("2026-11-27T20:00")).unwrap();
    assert_eq!(shown(opening), "2026-11-28T17:15");
}

#[test]
fn hours_follow_the_clock_when_it_changes() {
    // Friday 2026-03-27, 02:00 becomes 03:00; Sunday 2026-10-25, 02:00 becomes 01:00.
    let office = calendar("[keep]\nsabbath = false\n[hours]\nfriday = [\"01:00-04:00\"]\nsunday = [\"00:00-24:00\"]");
    let length = |at: &str| {
        let status = office.at(local(at));
        assert!(status.open, "{at}");
        status.until.duration_since(local(at)).as_mins()
    };
    assert_eq!(length("2026-03-20T01:00"), 180);
    assert_eq!(length("2026-03-27T01:00"), 120);
    assert_eq!(length("2026-10-18T00:00"), 24 * 60);
    assert_eq!(length("2026-10-25T00:00"), 25 * 60);
    // A time that the clock leaves out is taken after the gap; one that it shows twice, the first time.
    let gap = calendar("[keep]\nsabbath = false\n[hours]\nfriday = [\"02:30-05:00\"]\nsunday = [\"01:30-03:00\"]");
    assert_eq!(shown(gap.next_opening(local("2026-03-27T00:00")).unwrap()), "2026-03-27T03:30");
    let twice = gap.next_opening(local("2026-10-25T00:00")).unwrap();
    assert_eq!(twice, "2026-10-25T01:30:00+03:00".parse().unwrap());
}

#[test]
fn the_next_opening_is_the_one_after_this_and_may_be_none() {
    let office = calendar(OFFICE);
    let next = |at: &str| shown(office.next_opening(local(at)).unwrap());
    assert_eq!(next("2026-11-22T10:00"), "2026-11-22T16:00");
    assert_eq!(next("2026-11-27T13:00"), "2026-11-29T09:00");
    assert_eq!(next("2026-09-11T13:00"), "2026-09-14T09:00");
    assert_eq!(calendar("").next_opening(local("2026-11-22T10:00")), None);
    // Hours that meet are one opening.
    let whole = calendar("[keep]\nsabbath = false\n[hours]\nsunday = [\"20:00-24:00\"]\nmonday = [\"00:00-08:00\"]");
    let opening = whole.next_opening(local("2026-11-22T21:00")).unwrap();
    assert_eq!(shown(opening), "2026-11-29T20:00");
    assert_eq!(shown(whole.at(local("2026-11-22T21:00")).until), "2026-11-23T08:00");
}

#[test]
fn the_first_rule_that_fits_takes_the_call() {
    let text = format!(
        "{OFFICE}
        holocaust_day = []
        [routing]
        default = \"receptionist\"
        rules = [
            {{ when = \"sabbath\", then = \"voicemail\" }},
            {{ when = \"holiday\", then = \"voicemail\" }},
            {{ when = \"open\", hours = [\"09:00-12:00\"], then = \"human\" }},
            {{ when = \"closed\", hours = [\"22:00-24:00\", \"00:00-07:00\"], then = \"voicemail\" }},
        ]"
    );
    let calendar = calendar(&text);
    for (at, route, until) in [
        ("2026-11-22T10:00", Route::Human, "2026-11-22T12:00"),
        ("2026-11-22T12:00", Route::Receptionist, "2026-11-22T13:00"),
        ("2026-11-22T22:00", Route::Voicemail, "2026-11-23T07:00"),
        ("2026-11-23T07:30", Route::Receptionist, "2026-11-23T09:00"),
        ("2026-11-28T12:00", Route::Voicemail, "2026-11-28T17:16"),
        ("2026-09-21T12:00", Route::Voicemail, "2026-09-21T19:16"),
        ("2026-04-14T10:00", Route::Voicemail, "2026-04-15T00:00"),
        // Yom Kippur that is a Sabbath as well.
        ("2028-09-30T12:00", Route::Voicemail, "2028-09-30T19:03"),
    ] {
        let status = calendar.at(local(at));
        assert_eq!((status.route, shown(status.until).as_str()), (route, until), "{at}");
    }
}

#[test]
fn customers_are_called_back_in_permitted_hours_only() {
    let text = format!(
        "{OFFICE}\n[call_back]\nsunday = [\"09:00-20:00\"]\nfriday = [\"09:00-20:00\"]\nsaturday = [\"10:00-22:00\"]"
    );
    let (office, own) = (calendar(&text), calendar(OFFICE));
    for (at, permitted) in [
        ("2026-11-22T14:00", true),
        ("2026-11-22T20:00", false),
        ("2026-11-27T16:15", true),
        ("2026-11-27T16:16", false),
        ("2026-11-28T12:00", false),
        ("2026-11-28T18:00", true),
        ("2026-08-02T10:00", false),
        // The eve of Sukkot, and a day between its first and last.
        ("2026-09-25T12:59", true),
        ("2026-09-25T13:00", false),
        ("2026-09-27T14:00", false),
    ] {
        assert_eq!(office.may_call(local(at)), permitted, "{at}");
    }
    assert!(!own.may_call(local("2026-11-22T14:00")));
    assert!(own.may_call(local("2026-11-22T12:00")));
    assert_eq!(shown(office.next_call(local("2026-11-28T12:00")).unwrap()), "2026-11-28T17:16");
    assert_eq!(office.next_call(local("2026-11-22T14:00")), Some(local("2026-11-22T14:00")));
    assert_eq!(calendar("").next_call(local("2026-11-22T14:00")), None);
}

#[test]
fn the_hours_of_a_special_date_are_not_cut_for_calls_or_rules_either() {
    let text = "
        [call_back]
        sunday = [\"09:00-20:00\"]
        monday = [\"09:00-20:00\"]
        [dates]
        2026-09-20 = [\"10:00-15:00\"]
        2026-09-28 = [\"10:00-15:00\"]
        [days]
        chol_hamoed = []
        [routing]
        rules = [{ when = \"holiday\", then = \"voicemail\" }]
    ";
    let office = calendar(text);
    // The eve of Yom Kippur, and a day between the first and the last of Sukkot.
    assert!(office.may_call(local("2026-09-20T14:00")));
    assert!(office.may_call(local("2026-09-28T14:00")));
    assert_eq!(office.at(local("2026-09-28T14:00")).route, Route::Receptionist);
    assert_eq!(office.at(local("2026-09-29T14:00")).route, Route::Voicemail);
}

#[test]
fn changes_are_looked_for_as_far_as_400_days() {
    let text = |date| format!("[keep]\nsabbath = false\nholidays = []\n[dates]\n{date} = [\"09:00-10:00\"]");
    let now = local("2026-11-22T12:00");
    let (near, far) = (calendar(&text("2027-12-26")), calendar(&text("2027-12-29")));
    assert_eq!(shown(near.next_opening(now).unwrap()), "2027-12-26T09:00");
    assert_eq!(shown(near.at(now).until), "2027-12-26T00:00");
    assert_eq!(far.next_opening(now), None);
    assert_eq!(shown(far.at(now).until), "2027-12-27T12:00");
}
