//! The card of a model folder, `card.toml`: what the model is, and the digest of every file.
//!
//! ```toml
//! name = "receptionist-mini"
//! version = "1"
//! context = false         # it was not trained with text before the utterance: prompts are left out
//!
//! [window]
//! policy = "fit"          # or "full": always 30 s
//! pad_ms = 0              # silence appended before the window is closed
//!
//! [[file]]
//! name = "encoder_int8.onnx"
//! bytes = 1783193
//! sha256 = "6f9c7afc30547d35..."
//! ```
//!
//! A card may hold more (licence, source, figures); what is not named here is left to people.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::folder::LoadError;
use crate::whisper::WindowPolicy;

/// Name of the card in a model folder.
pub const CARD_FILE: &str = "card.toml";

/// What the card says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Card {
    /// Name of the model.
    pub name: String,
    /// Version of the model.
    #[serde(default)]
    pub version: String,
    /// Whether the model was trained with text before the utterance. Default yes; if not, prompts are left out.
    #[serde(default = "yes")]
    pub context: bool,
    /// How much audio the model wants to see.
    #[serde(default)]
    pub window: Option<CardWindow>,
    /// Every file of the model.
    #[serde(rename = "file")]
    pub files: Vec<CardFile>,
}

const fn yes() -> bool {
    true
}

/// The `[window]` of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct CardWindow {
    /// Which policy.
    policy: CardPolicy,
    /// Silence appended, milliseconds.
    #[serde(default)]
    pad_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CardPolicy {
    Fit,
    Full,
}

impl From<CardWindow> for WindowPolicy {
    fn from(window: CardWindow) -> Self {
        match window.policy {
            CardPolicy::Fit => Self::Fit { pad: Duration::from_millis(window.pad_ms) },
            CardPolicy::Full => Self::Full30s,
        }
    }
}

/// One file of the card.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CardFile {
    /// Path in the folder.
    pub name: String,
    /// Length in bytes, where it is known.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
}

impl Card {
    /// Reads the card of `folder`, `None` where there is none.
    pub fn read(folder: &Path) -> Result<Option<Self>, LoadError> {
        let path = folder.join(CARD_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LoadError::unreadable(&path, source)),
        };
        let card = toml::from_str(&text).map_err(|source| LoadError::Malformed { path, source: source.into() })?;
        Ok(Some(card))
    }

    /// Returns name and version in one word.
    pub fn title(&self) -> String {
        if self.version.is_empty() { self.name.clone() } else { format!("{} {}", self.name, self.version) }
    }
}

/// Compares every file of the model folder with its card and returns the card.
///
/// Files are read in pieces, so that memory does not grow with the model.
pub fn verify(folder: &Path) -> Result<Card, LoadError> {
    let path = folder.join(CARD_FILE);
    let Some(card) = Card::read(folder)? else {
        return Err(LoadError::Missing { path, wanted: "the card with the digests of the model's files" });
    };
    for file in &card.files {
        check_name(&path, &file.name)?;
        check_digest(&folder.join(&file.name), file)?;
    }
    Ok(card)
}

/// A card comes with the model, from elsewhere: it must not name files outside of its folder.
fn check_name(card: &Path, name: &str) -> Result<(), LoadError> {
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if inside && !name.is_empty() {
        return Ok(());
    }
    Err(LoadError::Malformed {
        path: card.to_path_buf(),
        source: format!("the file name {name:?} leaves the folder").into(),
    })
}

fn check_digest(path: &Path, file: &CardFile) -> Result<(), LoadError> {
    let len = std::fs::metadata(path).map_err(|source| LoadError::opening(path, source))?.len();
    if let Some(expected) = file.bytes
        && len != expected
    {
        return Err(LoadError::Length { path: path.to_path_buf(), expected, found: len });
    }
    let found = sha256(path)?;
    if !found.eq_ignore_ascii_case(file.sha256.trim()) {
        return Err(LoadError::Digest { path: path.to_path_buf(), expected: file.sha256.clone(), found });
    }
    Ok(())
}

/// Returns the SHA-256 of a file, 64 hexadecimal digits in lower case.
pub fn sha256(path: &Path) -> Result<String, LoadError> {
    let mut file = File::open(path).map_err(|source| LoadError::opening(path, source))?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 256 * 1024];
    loop {
        let len = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(LoadError::unreadable(path, source)),
        };
        hash.update(piece.get(..len).unwrap_or_default());
    }
    let digits = hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    Ok(digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect())
}
