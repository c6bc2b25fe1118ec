//! Reading forms.

use units::Language;

use super::{PLAIN, REAL_ESTATE, heard};
use crate::{Confirmation, FieldKind, Form, Receptionist};

#[test]
fn both_samples_are_forms_in_both_languages() {
    let plain = Form::from_toml(PLAIN).unwrap();
    let kinds: Vec<_> = plain.fields.iter().map(|field| &field.kind).collect();
    assert_eq!(kinds, [&FieldKind::Name, &FieldKind::Phone, &FieldKind::Reason]);
    assert_eq!(plain.field("phone").unwrap().confirm, Confirmation::Ask);
    let real_estate = Form::from_toml(REAL_ESTATE).unwrap();
    assert_eq!(real_estate.fields.len(), 7);
    for form in [plain, real_estate] {
        assert_eq!(form.languages, [Language::Hebrew, Language::English]);
        assert!(form.fields.iter().all(|field| !field.prompt.he.is_empty() && !field.prompt.en.is_empty()));
    }
}

#[test]
fn a_phrase_given_for_one_language_leaves_the_other_as_it_was() {
    let form = Form::from_toml(&format!("{PLAIN}\n[phrases]\nnoted = {{ he = \"מצוין.\" }}")).unwrap();
    assert_eq!(form.phrases.noted.he, "מצוין.");
    assert_eq!(form.phrases.noted.en, "Thank you, noted.");
}

#[test]
fn what_is_wrong_in_a_form_is_told_with_line_field_and_what_was_expected() {
    for (from, to, expected) in [
        ("version = 1", "version = 2", "line 8: version: expected 1, the version this release reads"),
        (
            "name = \"plain-office\"",
            "name = \"../x\"",
            "line 11: name: expected 1 to 40 ASCII letters, digits, '-' or '_'",
        ),
        (
            "languages = [\"he\", \"en\"]",
            "languages = []",
            "line 14: languages: expected one or more of \"he\" and \"en\", each once",
        ),
        (
            "{ he = \"המשרד\", en = \"the office\" }",
            "{ he = \"המשרד\" }",
            "line 17: office: expected a text in each of the form's languages",
        ),
        (
            "kind = \"name\"",
            "kind = \"name\"\nmin = 1",
            "line 39: fields.name.min: expected no range, or kind = \"number\"",
        ),
        ("id = \"phone\"", "id = \"name\"", "line 45: fields.name.id: expected an id that no other field has"),
        (
            "kind = \"reason\"",
            "kind = \"choice\"",
            "line 53: fields.reason.choices: expected two or more, each with an id and 'say' in each language",
        ),
        (
            "kind = \"reason\"",
            "kind = \"number\"\nmin = 5\nmax = 1",
            "line 53: fields.reason.min: expected a range with min below max",
        ),
    ] {
        let text = PLAIN.replacen(from, to, 1);
        assert_eq!(Form::from_toml(&text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn unknown_settings_and_bad_syntax_are_refused_at_their_line() {
    for (from, to, line) in [
        ("summary = true", "sumary = true", 23),
        ("kind = \"reason\"", "kind = \"reasons\"", 53),
        ("summary = true", "summary = maybe", 23),
        ("label = { he = \"טלפון\"", "label = { il = \"טלפון\"", 47),
    ] {
        let error = Form::from_toml(&PLAIN.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.line, line, "{error}");
        assert!(!error.expected.is_empty() && !error.field.is_empty(), "{error}");
    }
}

#[test]
fn a_text_that_is_no_form_at_all_is_refused() {
    for text in ["", "fields = 3", "שלום", "version = 1"] {
        assert!(Form::from_toml(text).is_err(), "{text:?}");
    }
}

#[test]
fn what_a_caller_hears_who_says_nothing_is_among_the_fixed_sentences() {
    for form in [PLAIN, REAL_ESTATE] {
        let form = Form::from_toml(form).unwrap();
        let fixed = form.fixed_sentences();
        assert!(fixed.iter().all(|(text, _)| !text.contains(['{', '}'])), "{fixed:?}");
        for language in Language::ALL {
            let mut receptionist = Receptionist::new(form.clone(), language);
            for line in ["[greet]", "[silence]", "[noise]", "[silence]", "[silence for the last time]"] {
                let sentences = receptionist.handle(&heard(line)).sentences;
                assert!(!sentences.is_empty(), "{line}");
                for (text, language) in sentences {
                    assert!(fixed.contains(&(text.reveal().clone(), language)), "{line}: {}", text.reveal());
                }
            }
        }
    }
}
