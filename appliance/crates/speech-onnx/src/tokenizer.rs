//! Text to tokens and back, by the `tokenizer.json` of the model folder.

use std::collections::BTreeMap;
use std::path::Path;

use crate::folder::LoadError;

/// The tokenizer of one model.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    added: BTreeMap<String, u32>,
}

impl Tokenizer {
    /// Reads `tokenizer.json` at `path`.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|source| LoadError::unreadable(path, source))?;
        let mut inner = tokenizers::Tokenizer::from_bytes(&bytes)
            .map_err(|source| LoadError::Malformed { path: path.to_path_buf(), source })?;
        // What the office writes into a prompt is text, even where it looks like a special token.
        inner.set_encode_special_tokens(true);
        let added = inner.get_added_tokens_decoder().into_iter().map(|(id, token)| (token.content, id)).collect();
        Ok(Self { inner, added })
    }

    /// Returns the tokens of `text`. Nothing in it is taken for a special token.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        // It fails for texts a byte-level tokenizer cannot hold, of which there are none.
        self.inner.encode_fast(text, false).map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default()
    }

    /// Returns the text of `ids`, without special tokens. Bytes that are no character yet become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.inner.decode(ids, true).unwrap_or_default()
    }

    /// Returns the id of a special token such as `<|he|>`.
    pub fn special(&self, content: &str) -> Option<u32> {
        self.added.get(content).copied()
    }

    /// Returns the ids of all special tokens.
    pub fn specials(&self) -> impl Iterator<Item = u32> + '_ {
        self.added.values().copied()
    }
}
