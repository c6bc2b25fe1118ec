//! The diacritizer on its real model.

use speech::Diacritizer as _;
use speech_onnx::{LoadError, Nakdimon, SessionSettings};

use crate::support;

#[test]
fn sentences_get_the_points_the_published_program_gives_them() {
    let Some(mut nakdimon) = nakdimon() else { return };
    for (text, pointed) in [
        (
            "שלום, הגעתם למשרד של דני כהן.",
            "ש\u{05C1}\u{05B8}לו\u{05B9}ם, ה\u{05B7}ג\u{05BC}\u{05B8}ע\u{05B8}ת\u{05B6}ם ל\u{05B7}מ\u{05BC}\u{05B4}ש\u{05C2}\u{05B0}ר\u{05B8}ד ש\u{05C1}\u{05B6}ל ד\u{05BC}\u{05B8}נ\u{05B4}י כ\u{05BC}\u{05B9}ה\u{05B5}ן.",
        ),
        (
            "איך אפשר לעזור לך היום?",
            "א\u{05B5}יך\u{05B0} א\u{05B6}פ\u{05B0}ש\u{05C1}\u{05B8}ר ל\u{05B7}ע\u{05B2}זו\u{05B9}ר ל\u{05B0}ך\u{05B0} ה\u{05B7}י\u{05BC}ו\u{05B9}ם?",
        ),
        (
            "אמא הלכה לים, ואבא נשאר בבית!",
            "א\u{05B4}מ\u{05BC}\u{05B8}א ה\u{05B8}ל\u{05B0}כ\u{05B8}ה ל\u{05B7}י\u{05BC}\u{05B8}ם, ו\u{05B0}א\u{05B7}ב\u{05BC}\u{05B8}א נ\u{05B4}ש\u{05C1}\u{05B0}א\u{05B7}ר ב\u{05BC}\u{05B7}ב\u{05BC}\u{05B7}י\u{05B4}ת!",
        ),
        (
            "ארה״ב וצה\"ל - ג'ירפה 42 abc",
            "א\u{05B7}ר\u{05B0}ה\u{05B8}״ב ו\u{05B0}צ\u{05B7}ה\u{05B7}\"ל - ג\u{05B4}'יר\u{05B0}פ\u{05B8}ה 42 abc",
        ),
    ] {
        assert_eq!(nakdimon.diacritize(text).unwrap(), pointed);
    }
}

#[test]
fn words_that_have_points_keep_them() {
    let Some(mut nakdimon) = nakdimon() else { return };
    let pointed = nakdimon.diacritize("איך אפשר לעזור ל\u{05B8}ך\u{05B0} היום?").unwrap();
    assert_eq!(
        pointed,
        "א\u{05B5}יך\u{05B0} א\u{05B6}פ\u{05B0}ש\u{05C1}\u{05B8}ר ל\u{05B7}ע\u{05B2}זו\u{05B9}ר ל\u{05B8}ך\u{05B0} ה\u{05B7}י\u{05BC}ו\u{05B9}ם?"
    );
}

#[test]
fn text_without_hebrew_stays_as_it_is() {
    let Some(mut nakdimon) = nakdimon() else { return };
    for text in ["", " ", "Good morning, 054-1234567.", "\u{05B8}"] {
        assert_eq!(nakdimon.diacritize(text).unwrap(), text);
    }
}

#[test]
fn a_long_text_is_pointed_piece_by_piece() {
    let Some(mut nakdimon) = nakdimon() else { return };
    let text = "אמא הלכה לים, ואבא נשאר בבית! ".repeat(60);
    let pointed = nakdimon.diacritize(&text).unwrap();
    assert!(pointed.len() > text.len());
    let bare: String = pointed.chars().filter(|letter| !('\u{0591}'..='\u{05C7}').contains(letter)).collect();
    assert_eq!(bare, text);
}

#[test]
fn a_model_that_is_not_the_known_one_is_refused() {
    let Some(runtime) = support::runtime() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nakdimon.onnx");
    let missing = Nakdimon::load(&runtime, &path, SessionSettings::default());
    assert!(matches!(missing, Err(LoadError::Missing { .. })), "{missing:?}");
    std::fs::write(&path, b"something else").unwrap();
    let other = Nakdimon::load(&runtime, &path, SessionSettings::default());
    assert!(matches!(other, Err(LoadError::Digest { .. })), "{other:?}");
}

fn nakdimon() -> Option<Nakdimon> {
    let path = support::nakdimon()?;
    let runtime = support::runtime()?;
    Some(Nakdimon::load(&runtime, &path, SessionSettings::default()).expect("the model loads"))
}
