//! Nakdimon: vowel points for Hebrew text, by a small network over letters.
//!
//! The model is `nakdimon.onnx` of the Python package `piper-tts` 1.8.0 (MIT), checked by its digest. For every letter
//! it tells three things: the dagesh, the dot of the shin, and the vowel. They are written in that order, which is
//! how Hebrew is stored and what speech programs expect; normalising the text would put the vowel first.
//!
//! Words that come with points keep them: the owner's spelling of a name is better than any guess. The network
//! sees them without, as it was trained.
//!
//! Source: E. Gershuni and Y. Pinter, "Restoring Hebrew Diacritics Without a Dictionary" (2022),
//! <https://github.com/elazarg/nakdimon>.

mod letters;

use std::path::Path;

use ort::session::Session;
use ort::value::TensorRef;
use speech::{Diacritizer, SynthesizeError};

use crate::card::sha256;
use crate::folder::LoadError;
use crate::runtime::{Runtime, SessionSettings};

use self::letters::{DAGESHES, DOTS, Marks, VOWELS};

/// Digest of the only model file this code knows the meaning of.
const SHA256: &str = "9ff491dcc7d66392019d427a98b97d5de10c0d721628ae740858174ae22b190e";

/// Most letters the network reads at once: some sentences. Memory grows with it.
const MAX_LETTERS: usize = 512;

/// A loaded Nakdimon.
#[derive(Debug)]
pub struct Nakdimon {
    session: Session,
}

/// Why a text got no points; comes wrapped in [`SynthesizeError::Text`].
#[derive(Debug, thiserror::Error)]
pub enum NakdimonError {
    /// The graph failed.
    #[error("the diacritizer's graph failed")]
    Graph(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The graph gave something else than three scores per letter.
    #[error("the diacritizer gave no {0}")]
    Output(&'static str),
}

impl From<ort::Error> for NakdimonError {
    fn from(error: ort::Error) -> Self {
        Self::Graph(Box::new(error))
    }
}

impl Nakdimon {
    /// Loads the model at `path`, having compared it with its digest.
    pub fn load(runtime: &Runtime, path: &Path, settings: SessionSettings) -> Result<Self, LoadError> {
        if !path.is_file() {
            return Err(LoadError::Missing {
                path: path.to_path_buf(),
                wanted: "the Hebrew diacritizer, which `make setup` fetches",
            });
        }
        let found = sha256(path)?;
        if found != SHA256 {
            return Err(LoadError::Digest { path: path.to_path_buf(), expected: SHA256.to_owned(), found });
        }
        let session = runtime
            .session(path, settings)
            .map_err(|source| LoadError::Malformed { path: path.to_path_buf(), source: Box::new(source) })?;
        Ok(Self { session })
    }

    /// Returns the marks of each of `letters`.
    fn marks(&mut self, letters: &[char]) -> Result<Vec<Marks>, NakdimonError> {
        // The graph looks its embedding up by numbers given as floats.
        let ids: Vec<f32> = letters.iter().map(|letter| f32::from(letters::id(*letter))).collect();
        let input = TensorRef::from_array_view(([1, ids.len()], ids.as_slice()))?;
        let outputs = self.session.run(ort::inputs![input])?;
        let classes = |name: &'static str, count: usize| -> Result<Vec<usize>, NakdimonError> {
            let value = outputs.get(name).ok_or(NakdimonError::Output(name))?;
            let (_, scores) = value.try_extract_tensor::<f32>()?;
            let best: Vec<usize> = scores.chunks_exact(count).map(best_class).collect();
            if best.len() == letters.len() { Ok(best) } else { Err(NakdimonError::Output(name)) }
        };
        let vowels = classes("N", VOWELS.len())?;
        let dageshes = classes("D", DAGESHES.len())?;
        let dots = classes("S", DOTS.len())?;
        let marks = vowels.into_iter().zip(dageshes).zip(dots);
        Ok(marks.map(|((vowel, dagesh), dot)| Marks::new(dagesh, dot, vowel)).collect())
    }

    fn point(&mut self, text: &str) -> Result<String, NakdimonError> {
        let mut pointed = String::with_capacity(text.len().saturating_mul(2));
        for piece in letters::pieces(text, MAX_LETTERS) {
            let bare: Vec<char> = piece.chars().filter(|letter| !letters::is_mark(*letter)).collect();
            if !bare.iter().copied().any(letters::is_hebrew) {
                pointed.push_str(piece);
                continue;
            }
            let marks = self.marks(&bare)?;
            letters::write(piece, &marks, &mut pointed);
        }
        Ok(pointed)
    }
}

impl Diacritizer for Nakdimon {
    fn diacritize(&mut self, text: &str) -> Result<String, SynthesizeError> {
        self.point(text).map_err(|error| SynthesizeError::Text(Box::new(error)))
    }
}

fn best_class(scores: &[f32]) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (class, score) in scores.iter().enumerate() {
        if *score > best.1 {
            best = (class, *score);
        }
    }
    best.0
}
