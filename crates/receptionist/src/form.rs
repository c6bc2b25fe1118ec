//! What an office wants to know, and the words it asks with.

use std::iter;

use serde::Deserialize;
use toml::Spanned;
use units::Language;

use crate::phrases::Phrases;

/// The version of form files this release reads.
const VERSION: u32 = 1;
/// More fields than anybody answers on the phone.
const MAX_FIELDS: usize = 20;

/// The form of one office.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// Its name, as in records: letters, digits, `-`.
    pub name: String,
    /// The languages spoken, the preferred one first. Never empty.
    pub languages: Vec<Language>,
    /// The office's name, as it is spoken.
    pub office: Text,
    /// The first words of a call.
    pub greeting: Text,
    /// What to ask, in order.
    pub fields: Vec<Field>,
    /// Whether everything is read back at the end, to be agreed to.
    pub summary: bool,
    /// What is said beside the questions.
    pub phrases: Phrases,
}

/// A text in the form's languages. Hebrew may carry niqqud, which helps the voice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// In Hebrew.
    #[serde(default)]
    pub he: String,
    /// In English.
    #[serde(default)]
    pub en: String,
}

impl Text {
    /// Returns the text in a language; empty if there is none.
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::Hebrew => &self.he,
            Language::English => &self.en,
        }
    }
}

/// Words in the form's languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synonyms {
    /// In Hebrew, without niqqud and without prefixes.
    #[serde(default)]
    pub he: Vec<String>,
    /// In English.
    #[serde(default)]
    pub en: Vec<String>,
}

impl Synonyms {
    /// Returns the words of all languages: callers mix them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.he.iter().chain(&self.en).map(String::as_str)
    }
}

/// One thing the office wants to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its id, as in records: letters, digits, `_`, `-`.
    pub id: String,
    /// What kind of answer is expected.
    pub kind: FieldKind,
    /// Whether the record is incomplete without it. An optional field is asked for too, but skipped when the
    /// answer is not understood.
    pub required: bool,
    /// What it is called when everything is read back.
    pub label: Text,
    /// The question.
    pub prompt: Text,
    /// The question asked again, with more help. Empty: the first one again.
    pub retry: Text,
    /// How the value is confirmed.
    pub confirm: Confirmation,
}

/// What kind of answer is expected.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldKind {
    /// A person's name.
    Name,
    /// A phone number, said or keyed.
    Phone,
    /// Why they call, in their own words.
    Reason,
    /// One of several.
    Choice(Vec<Choice>),
    /// A number.
    Number(NumberRange),
    /// Yes or no.
    YesNo,
    /// Anything.
    Text,
    /// A day, a time or both, in the caller's words.
    DateTime,
}

/// One of several answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Its id, as in records.
    pub id: String,
    /// How it is said when read back.
    pub say: Text,
    /// Other words for it. What is in `say` is understood anyway.
    #[serde(default)]
    pub synonyms: Synonyms,
}

/// Which numbers make sense.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberRange {
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// Words that follow the number, such as rooms; a number before one of them is understood without asking.
    pub units: Synonyms,
}

/// How a value is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmation {
    /// It is read back and agreed to at once.
    Ask,
    /// It is repeated in passing, so that the caller can protest.
    Echo,
    /// Not before everything is read back.
    None,
}

/// Why a form cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {field}: expected {expected}")]
pub struct FormError {
    /// The line, from 1.
    pub line: usize,
    /// The field, as a path.
    pub field: String,
    /// What was expected there.
    pub expected: String,
}

impl Form {
    /// Reads a form from the text of its file.
    ///
    /// # Errors
    ///
    /// The first thing wrong, with its line, what it belongs to, and what was expected.
    pub fn from_toml(text: &str) -> Result<Self, FormError> {
        let file: FormFile = toml::from_str(text).map_err(|error| syntax_error(text, &error))?;
        file.check(text)
    }

    /// Tells whether the form can be filled in a language.
    pub fn speaks(&self, language: Language) -> bool {
        self.languages.contains(&language)
    }

    /// Returns every sentence that is the same on each call, in the form's languages: the greeting, the questions, and
    /// the phrases that repeat nothing a caller said. They may be rendered before anybody calls.
    pub fn fixed_sentences(&self) -> Vec<(String, Language)> {
        let questions = self.fields.iter().flat_map(|field| [&field.prompt, &field.retry]);
        let texts: Vec<&Text> = iter::once(&self.greeting).chain(questions).chain(self.phrases.all()).collect();
        let mut sentences = Vec::new();
        for language in &self.languages {
            for text in texts.iter().filter(|text| !text.get(*language).contains("{value}")) {
                let sentence = (self.with_office(text, *language), *language);
                if !sentence.0.trim().is_empty() && !sentences.contains(&sentence) {
                    sentences.push(sentence);
                }
            }
        }
        sentences
    }

    /// Returns one of the form's texts with the office's name in it, as it is said.
    pub fn with_office(&self, text: &Text, language: Language) -> String {
        text.get(language).replace("{office}", self.office.get(language))
    }

    /// Returns a field by its id.
    pub fn field(&self, id: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.id == id)
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormFile {
    version: Spanned<u32>,
    name: Spanned<String>,
    languages: Spanned<Vec<Language>>,
    office: Spanned<Text>,
    greeting: Spanned<Text>,
    #[serde(default = "yes")]
    summary: bool,
    #[serde(default)]
    phrases: Option<Spanned<Phrases>>,
    fields: Spanned<Vec<Spanned<FieldFile>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldFile {
    id: Spanned<String>,
    kind: Spanned<KindWord>,
    #[serde(default = "yes")]
    required: bool,
    label: Text,
    prompt: Text,
    #[serde(default)]
    retry: Text,
    #[serde(default)]
    confirm: Option<Confirmation>,
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    min: Option<f64>,
    #[serde(default)]
    max: Option<f64>,
    #[serde(default)]
    units: Synonyms,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindWord {
    Name,
    Phone,
    Reason,
    Choice,
    Number,
    YesNo,
    Text,
    DateTime,
}

const fn yes() -> bool {
    true
}

impl FormFile {
    fn check(self, text: &str) -> Result<Form, FormError> {
        let fail = |at: usize, field: &str, expected: &str| FormError {
            line: line_of(text, at),
            field: field.to_owned(),
            expected: expected.to_owned(),
        };
        if *self.version.get_ref() != VERSION {
            return Err(fail(self.version.span().start, "version", "1, the version this release reads"));
        }
        if !is_id(self.name.get_ref()) {
            return Err(fail(self.name.span().start, "name", "1 to 40 ASCII letters, digits, '-' or '_'"));
        }
        let languages = self.languages.get_ref().clone();
        let distinct =
            languages.iter().enumerate().all(|(index, one)| languages.iter().skip(index + 1).all(|other| one != other));
        if languages.is_empty() || !distinct {
            return Err(fail(self.languages.span().start, "languages", "one or more of \"he\" and \"en\", each once"));
        }
        for (field, text) in [("office", &self.office), ("greeting", &self.greeting)] {
            if !is_whole(text.get_ref(), &languages) {
                return Err(fail(text.span().start, field, "a text in each of the form's languages"));
            }
        }
        let fields_at = self.fields.span().start;
        let count = self.fields.get_ref().len();
        if count == 0 || count > MAX_FIELDS {
            return Err(fail(fields_at, "fields", "1 to 20 fields"));
        }
        let mut fields: Vec<Field> = Vec::with_capacity(count);
        for file in self.fields.into_inner() {
            let id_at = file.get_ref().id.span().start;
            let field = file.into_inner().check(&languages, &fail)?;
            if fields.iter().any(|other| other.id == field.id) {
                return Err(fail(id_at, &format!("fields.{}.id", field.id), "an id that no other field has"));
            }
            fields.push(field);
        }
        Ok(Form {
            name: self.name.into_inner(),
            languages,
            office: self.office.into_inner(),
            greeting: self.greeting.into_inner(),
            fields,
            summary: self.summary,
            phrases: self.phrases.map(Spanned::into_inner).unwrap_or_default(),
        })
    }
}

impl FieldFile {
    fn check(self, languages: &[Language], fail: &impl Fn(usize, &str, &str) -> FormError) -> Result<Field, FormError> {
        let (id_at, kind_at) = (self.id.span().start, self.kind.span().start);
        let path = |what: &str| format!("fields.{}.{what}", self.id.get_ref());
        if !is_id(self.id.get_ref()) {
            return Err(fail(id_at, "fields.id", "1 to 40 ASCII letters, digits, '-' or '_'"));
        }
        for (what, text) in [("label", &self.label), ("prompt", &self.prompt)] {
            if !is_whole(text, languages) {
                return Err(fail(id_at, &path(what), "a text in each of the form's languages"));
            }
        }
        let word = *self.kind.get_ref();
        if word != KindWord::Choice && !self.choices.is_empty() {
            return Err(fail(kind_at, &path("choices"), "no choices, or kind = \"choice\""));
        }
        if word != KindWord::Number && (self.min.is_some() || self.max.is_some()) {
            return Err(fail(kind_at, &path("min"), "no range, or kind = \"number\""));
        }
        let kind = match word {
            KindWord::Name => FieldKind::Name,
            KindWord::Phone => FieldKind::Phone,
            KindWord::Reason => FieldKind::Reason,
            KindWord::YesNo => FieldKind::YesNo,
            KindWord::Text => FieldKind::Text,
            KindWord::DateTime => FieldKind::DateTime,
            KindWord::Choice => {
                let whole = self.choices.iter().all(|choice| is_id(&choice.id) && is_whole(&choice.say, languages));
                if self.choices.len() < 2 || !whole {
                    return Err(fail(
                        kind_at,
                        &path("choices"),
                        "two or more, each with an id and 'say' in each language",
                    ));
                }
                FieldKind::Choice(self.choices.clone())
            }
            KindWord::Number => {
                let (min, max) = (self.min.unwrap_or(0.0), self.max.unwrap_or(1e12));
                if !(min.is_finite() && max.is_finite() && min < max) {
                    return Err(fail(kind_at, &path("min"), "a range with min below max"));
                }
                FieldKind::Number(NumberRange { min, max, units: self.units.clone() })
            }
        };
        let confirm = self.confirm.unwrap_or(match kind {
            FieldKind::Phone => Confirmation::Ask,
            FieldKind::Choice(_) | FieldKind::Number(_) | FieldKind::Name => Confirmation::Echo,
            FieldKind::Reason | FieldKind::YesNo | FieldKind::Text | FieldKind::DateTime => Confirmation::None,
        });
        Ok(Field {
            id: self.id.into_inner(),
            kind,
            required: self.required,
            label: self.label,
            prompt: self.prompt,
            retry: self.retry,
            confirm,
        })
    }
}

fn is_id(text: &str) -> bool {
    let clean = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    (1..=40).contains(&text.len()) && clean
}

fn is_whole(text: &Text, languages: &[Language]) -> bool {
    languages.iter().all(|language| !text.get(*language).trim().is_empty())
}

fn syntax_error(text: &str, error: &toml::de::Error) -> FormError {
    let at = error.span().map_or(0, |span| span.start);
    let line = line_of(text, at);
    let field =
        text.lines().nth(line.saturating_sub(1)).and_then(|line| line.split(['=', '#']).next()).unwrap_or_default();
    FormError { line, field: field.trim().to_owned(), expected: format!("a form file ({})", error.message()) }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count().saturating_add(1)
}
