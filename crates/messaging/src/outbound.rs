//! What the office sends.

use serde::{Deserialize, Serialize};
use telephony::wire::Address;
use units::Pii;

use crate::message::{MediaKind, media_type};
use crate::refusal::{Refusal, Refused};

/// Largest file, in bytes (16 MB).
pub const MAX_MEDIA_BYTES: u64 = 16_000_000;

/// Largest picture, in bytes (5 MB).
pub const MAX_IMAGE_BYTES: u64 = 5_000_000;

/// Longest template with its values filled in, in characters.
pub const MAX_TEMPLATE_CHARS: usize = 1_024;

/// Most spaces in a row in a value of a template.
pub const MAX_SPACES_IN_A_ROW: usize = 4;

/// Most values of a template.
pub const MAX_VARIABLES: usize = 100;

/// Longest URL of a file, in bytes.
pub const MAX_MEDIA_URL_BYTES: usize = 2_048;

/// A message to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// Who shall get it: [`Address::WhatsApp`], or [`Address::Phone`] for an SMS.
    pub to: Pii<Address>,
    /// What it says.
    pub content: OutboundContent,
}

/// What a message to somebody says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboundContent {
    /// Words. Free text: on `WhatsApp` only inside the [window](crate::Window).
    Text(Pii<String>),
    /// A file, with words or without. Free, like text.
    Media(OutboundMedia),
    /// A text the provider approved, with values filled in. Allowed at any time.
    Template(Template),
}

/// A file to send. The provider fetches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundMedia {
    /// Where the provider fetches it: `https`. Often holds a token, so it is shown to nobody.
    pub url: Pii<String>,
    /// The words under it. A sound has none.
    pub caption: Option<Pii<String>>,
    /// Its media type, such as `image/jpeg`.
    pub content_type: String,
    /// Its size in bytes, where it is known; an unknown size is left to the provider to judge.
    pub bytes: Option<u64>,
}

/// A text the provider approved. It carries its name at both providers, so that either can send it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its name at Meta.
    pub name: String,
    /// Its name at Twilio (`ContentSid`, `HX…`); `None` if it was never made there.
    pub sid: Option<String>,
    /// The language it is approved in, such as `he` or `en_US`.
    pub language: String,
    /// The values of `{{1}}`, `{{2}}` and so on.
    pub variables: Vec<Pii<String>>,
    /// The approved text with its places, where it is known: then the number of values and the whole length are
    /// checked, else the length of the values alone.
    pub text: Option<String>,
}

impl Outbound {
    /// Checks what both providers ask of a message; `max_text_chars` is what differs.
    pub(crate) fn check(&self, max_text_chars: usize) -> Result<(), Refused> {
        match &self.content {
            OutboundContent::Text(text) => check_text(text.reveal(), max_text_chars),
            OutboundContent::Media(media) => media.check(max_text_chars),
            OutboundContent::Template(template) => template.check(),
        }
    }
}

impl OutboundMedia {
    /// Returns what the file is.
    pub fn kind(&self) -> MediaKind {
        MediaKind::of(&self.content_type)
    }

    fn check(&self, max_text_chars: usize) -> Result<(), Refused> {
        let url = self.url.reveal();
        let fits = url.len() <= MAX_MEDIA_URL_BYTES && url.bytes().all(|b| b.is_ascii_graphic());
        let host = url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
        if !fits || host.is_none_or(str::is_empty) {
            return Err(Refused::at("media.url", Refusal::MediaUrlInvalid));
        }
        if media_type(&self.content_type).is_none() {
            return Err(Refused::at("media.content_type", Refusal::ContentRefused));
        }
        let max = if self.kind() == MediaKind::Image { MAX_IMAGE_BYTES } else { MAX_MEDIA_BYTES };
        if self.bytes.is_some_and(|bytes| bytes > max) {
            return Err(Refused::at("media.bytes", Refusal::MediaTooLarge));
        }
        let Some(caption) = &self.caption else { return Ok(()) };
        if self.kind() == MediaKind::Audio {
            return Err(Refused::at("media.caption", Refusal::ContentRefused));
        }
        check_text(caption.reveal(), max_text_chars).map_err(|refused| Refused::at("media.caption", refused.refusal))
    }
}

impl Template {
    fn check(&self) -> Result<(), Refused> {
        self.check_names()?;
        if self.variables.len() > MAX_VARIABLES {
            return Err(Refused::at("template.variables", Refusal::VariableCount));
        }
        if self.variables.iter().any(|value| !is_variable(value.reveal())) {
            return Err(Refused::at("template.variables", Refusal::VariableInvalid));
        }
        if self.filled_chars()? > MAX_TEMPLATE_CHARS {
            return Err(Refused::at("template.variables", Refusal::TemplateTooLong));
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), Refused> {
        let is_word = |word: &str, max: usize| {
            (1..=max).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let sid = self.sid.as_deref().unwrap_or("none");
        for (field, word, max) in [
            ("template.name", self.name.as_str(), 512),
            ("template.sid", sid, 64),
            ("template.language", self.language.as_str(), 16),
        ] {
            if !is_word(word, max) {
                return Err(Refused::at(field, Refusal::TemplateUnknown));
            }
        }
        Ok(())
    }

    /// Returns the length with the values filled in, in characters; of the values alone where the text is not known.
    fn filled_chars(&self) -> Result<usize, Refused> {
        let lengths: Vec<usize> = self.variables.iter().map(|value| value.reveal().chars().count()).collect();
        let Some(text) = &self.text else { return Ok(lengths.into_iter().sum()) };
        let places = Places::of(text);
        if places.highest != lengths.len() {
            return Err(Refused::at("template.variables", Refusal::VariableCount));
        }
        let length = |number: usize| number.checked_sub(1).and_then(|index| lengths.get(index)).copied().unwrap_or(0);
        Ok(places.fixed_chars.saturating_add(places.numbers.into_iter().map(length).sum()))
    }
}

/// Where a template's values go.
struct Places {
    /// The numbers in braces, from 1, in the order of the text.
    numbers: Vec<usize>,
    /// The largest of them, or 0.
    highest: usize,
    /// Characters outside braces.
    fixed_chars: usize,
}

impl Places {
    fn of(text: &str) -> Self {
        let mut places = Self { numbers: Vec::new(), highest: 0, fixed_chars: 0 };
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            places.fixed_chars = places.fixed_chars.saturating_add(before.chars().count());
            let place =
                after.split_once("}}").and_then(|(name, tail)| Some((name.trim().parse::<usize>().ok()?, tail)));
            if let Some((number, tail)) = place {
                places.highest = places.highest.max(number);
                places.numbers.push(number);
                rest = tail;
            } else {
                places.fixed_chars = places.fixed_chars.saturating_add(2);
                rest = after;
            }
        }
        places.fixed_chars = places.fixed_chars.saturating_add(rest.chars().count());
        places
    }
}

/// Checks words: something to read, and not too much of it.
fn check_text(text: &str, max_chars: usize) -> Result<(), Refused> {
    if text.trim().is_empty() {
        return Err(Refused::at("text", Refusal::TextEmpty));
    }
    if text.chars().count() > max_chars {
        return Err(Refused::at("text", Refusal::TextTooLong));
    }
    Ok(())
}

/// Returns whether a value may stand in a template: not empty, on one line, without a wide gap.
fn is_variable(value: &str) -> bool {
    let mut spaces = 0_usize;
    let has_gap = value.chars().any(|c| {
        spaces = if c == ' ' { spaces.saturating_add(1) } else { 0 };
        spaces > MAX_SPACES_IN_A_ROW
    });
    !value.trim().is_empty() && !has_gap && !value.contains(['\n', '\r', '\t'])
}
