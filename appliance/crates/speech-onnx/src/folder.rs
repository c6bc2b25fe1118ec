//! A model folder: which files are there, what they are, and what its JSON files say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use units::Language;

use crate::runtime::Provider;
use crate::tokenizer::Tokenizer;

/// Why a model cannot be loaded: which file, what was expected of it, what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is not there.
    #[error("{path} is missing: {wanted}; pull the model again")]
    Missing {
        /// Where it was expected.
        path: PathBuf,
        /// What it would hold.
        wanted: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read {path}; check the permissions and the disk")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file is longer or shorter than its card says.
    #[error("{path} is damaged: {found} bytes, {expected} expected; pull the model again")]
    Length {
        /// The file.
        path: PathBuf,
        /// Length on the card.
        expected: u64,
        /// Length found.
        found: u64,
    },
    /// A file differs from its card.
    #[error("{path} is damaged: its SHA-256 is {found}, expected {expected}; pull the model again")]
    Digest {
        /// The file.
        path: PathBuf,
        /// Digest on the card.
        expected: String,
        /// Digest found.
        found: String,
    },
    /// A file does not hold what a file of its name holds.
    #[error("{path} is not usable; pull the model again")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A graph has other inputs or outputs than expected.
    #[error("{path} is not a graph of this kind: {reason}; see models/export/README.md for what is expected")]
    Graph {
        /// The file.
        path: PathBuf,
        /// What is missing or unknown.
        reason: String,
    },
    /// The ONNX Runtime library in use was built without the provider that is configured.
    #[error("this ONNX Runtime has no {provider} provider; configure another provider or install a build that has it")]
    Provider {
        /// The provider that was asked for.
        provider: Provider,
    },
}

impl LoadError {
    pub(crate) fn unreadable(path: &Path, source: std::io::Error) -> Self {
        Self::Unreadable { path: path.to_path_buf(), source }
    }

    /// Makes the error for a file that could not be opened.
    pub(crate) fn opening(path: &Path, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::NotFound {
            return Self::Missing { path: path.to_path_buf(), wanted: "the card names it" };
        }
        Self::unreadable(path, source)
    }

    pub(crate) fn malformed(path: &Path, reason: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_path_buf(), source: reason.into().into() }
    }
}

/// Which number format is preferred where a folder holds several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 8-bit weights: two to three times as fast on a processor.
    #[default]
    Int8,
    /// 32-bit weights: what graphics processors and old processors without dot products prefer.
    Fp32,
}

impl Precision {
    /// File name endings, the preferred first.
    const fn suffixes(self) -> [&'static str; 3] {
        match self {
            Self::Int8 => ["_int8", "_quantized", ""],
            Self::Fp32 => ["", "_int8", "_quantized"],
        }
    }
}

/// The graphs of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Graphs {
    pub(crate) encoder: PathBuf,
    /// The encoder takes windows of any length.
    pub(crate) free_length: bool,
    pub(crate) decoder: DecoderFiles,
}

/// How the decoder is laid out in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DecoderFiles {
    /// One graph for the first step and one for the others.
    Pair { first: PathBuf, next: PathBuf },
    /// Both in one graph with a switch.
    Merged(PathBuf),
    /// One graph whose cache may be empty; the encoder makes the cross keys and values.
    Single(PathBuf),
}

/// Finds the graphs of `folder`, as `models/export/README.md` describes them.
pub(crate) fn locate(folder: &Path, precision: Precision) -> Result<Graphs, LoadError> {
    let inner = folder.join("onnx");
    for place in [folder, inner.as_path()] {
        if let Some(graphs) = single(place, precision) {
            return Ok(graphs);
        }
        if let Some(graphs) = common(place, precision)? {
            return Ok(graphs);
        }
    }
    Err(LoadError::Missing {
        path: folder.join("encoder_int8.onnx"),
        wanted: "the encoder graph, under any of its names",
    })
}

fn existing(place: &Path, stem: &str, suffix: &str) -> Option<PathBuf> {
    let path = place.join(format!("{stem}{suffix}.onnx"));
    path.is_file().then_some(path)
}

fn single(place: &Path, precision: Precision) -> Option<Graphs> {
    precision.suffixes().into_iter().find_map(|suffix| {
        let encoder = existing(place, "encoder", suffix)?;
        let decoder = existing(place, "decoder", suffix)?;
        Some(Graphs { encoder, free_length: true, decoder: DecoderFiles::Single(decoder) })
    })
}

fn common(place: &Path, precision: Precision) -> Result<Option<Graphs>, LoadError> {
    let found = precision.suffixes().into_iter().find_map(|suffix| {
        let free = existing(place, "encoder_dyn", suffix).map(|path| (path, true));
        free.or_else(|| existing(place, "encoder_model", suffix).map(|path| (path, false)))
    });
    let Some((encoder, free_length)) = found else {
        return Ok(None);
    };
    let pair = || {
        precision.suffixes().into_iter().find_map(|suffix| {
            let first = existing(place, "decoder_model", suffix)?;
            let next = existing(place, "decoder_with_past_model", suffix)?;
            Some(DecoderFiles::Pair { first, next })
        })
    };
    // The pair goes first: the merged file keeps its shared weights in fp32.
    let merged = || {
        precision
            .suffixes()
            .into_iter()
            .find_map(|suffix| existing(place, "decoder_model_merged", suffix).map(DecoderFiles::Merged))
    };
    let Some(decoder) = pair().or_else(merged) else {
        return Err(LoadError::Missing {
            path: place.join("decoder_with_past_model_int8.onnx"),
            wanted: "an encoder needs decoder_model and decoder_with_past_model, or decoder_model_merged",
        });
    };
    Ok(Some(Graphs { encoder, free_length, decoder }))
}

/// What `config.json` says of the sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Sizes {
    pub(crate) d_model: usize,
    pub(crate) decoder_layers: usize,
    pub(crate) decoder_attention_heads: usize,
    #[serde(default = "default_mels")]
    pub(crate) num_mel_bins: usize,
    #[serde(default = "default_positions")]
    pub(crate) max_target_positions: usize,
    pub(crate) vocab_size: usize,
}

const fn default_mels() -> usize {
    80
}

const fn default_positions() -> usize {
    448
}

impl Sizes {
    /// Reads `config.json`.
    pub(crate) fn read(folder: &Path) -> Result<Self, LoadError> {
        let path = folder.join("config.json");
        let sizes: Self =
            read_json(&path)?.ok_or(LoadError::Missing { path: path.clone(), wanted: "the sizes of the model" })?;
        let usable = (1..=1_024).contains(&sizes.num_mel_bins)
            && (1..=256).contains(&sizes.decoder_layers)
            && (1..=256).contains(&sizes.decoder_attention_heads)
            && (1..=65_536).contains(&sizes.d_model)
            && sizes.d_model.is_multiple_of(sizes.decoder_attention_heads)
            && (8..=65_536).contains(&sizes.max_target_positions)
            && (2..=10_000_000).contains(&sizes.vocab_size);
        if usable { Ok(sizes) } else { Err(LoadError::malformed(&path, "its sizes are not those of a Whisper model")) }
    }

    pub(crate) fn head_width(&self) -> usize {
        self.d_model.checked_div(self.decoder_attention_heads).unwrap_or_default()
    }
}

/// What `generation_config.json` says; every field may be missing.
#[derive(Clone, Debug, Default, Deserialize)]
struct Generation {
    #[serde(default)]
    decoder_start_token_id: Option<u32>,
    #[serde(default)]
    no_timestamps_token_id: Option<u32>,
    #[serde(default)]
    prev_sot_token_id: Option<u32>,
    #[serde(default)]
    is_multilingual: Option<bool>,
    #[serde(default)]
    lang_to_id: BTreeMap<String, u32>,
    #[serde(default)]
    task_to_id: BTreeMap<String, u32>,
    #[serde(default)]
    suppress_tokens: Option<Vec<i64>>,
    #[serde(default)]
    begin_suppress_tokens: Option<Vec<i64>>,
}

/// The special tokens of a model and what it must not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vocabulary {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) no_timestamps: Option<u32>,
    pub(crate) previous: Option<u32>,
    pub(crate) no_speech: Option<u32>,
    /// Token of `transcribe`; `None` for a model of one language, which has no tasks either.
    pub(crate) transcribe: Option<u32>,
    /// Languages of the box that the model knows, with their tokens.
    pub(crate) languages: Vec<(Language, Option<u32>)>,
    /// Never said, sorted: special tokens except the end, timestamps, and the model's own list.
    pub(crate) suppressed: Vec<u32>,
    /// Never said first.
    pub(crate) suppressed_first: Vec<u32>,
}

impl Vocabulary {
    /// Collects the special tokens from `generation_config.json` and, where that is silent, the tokenizer.
    pub(crate) fn read(folder: &Path, tokenizer: &Tokenizer, size: usize) -> Result<Self, LoadError> {
        let path = folder.join("generation_config.json");
        let generation: Generation = read_json(&path)?.unwrap_or_default();
        let tokenizer_path = folder.join("tokenizer.json");
        let known = |id: u32| usize::try_from(id).is_ok_and(|id| id < size);
        let find =
            |given: Option<u32>, content: &str| given.or_else(|| tokenizer.special(content)).filter(|id| known(*id));
        let need = |given: Option<u32>, content: &str| {
            find(given, content)
                .ok_or_else(|| LoadError::malformed(&tokenizer_path, format!("there is no token {content}")))
        };
        let start = need(generation.decoder_start_token_id, "<|startoftranscript|>")?;
        let end = need(None, "<|endoftext|>")?;
        let no_timestamps = find(generation.no_timestamps_token_id, "<|notimestamps|>");
        let transcribe = find(generation.task_to_id.get("transcribe").copied(), "<|transcribe|>");
        let one_language = generation.is_multilingual == Some(false) || transcribe.is_none();
        let languages = if one_language {
            vec![(Language::English, None)]
        } else {
            let token = |language: Language| {
                let content = format!("<|{}|>", language.code());
                find(generation.lang_to_id.get(&content).copied(), &content)
            };
            Language::ALL.into_iter().filter_map(|language| Some((language, Some(token(language)?)))).collect()
        };
        if languages.is_empty() {
            return Err(LoadError::malformed(&tokenizer_path, "there is a token for neither Hebrew nor English"));
        }
        let listed = |list: &Option<Vec<i64>>| -> Vec<u32> {
            list.iter().flatten().filter_map(|id| u32::try_from(*id).ok()).filter(|id| known(*id)).collect()
        };
        let mut suppressed: Vec<u32> = tokenizer.specials().filter(|id| known(*id)).collect();
        let timestamps =
            no_timestamps.map_or(0..0, |last| last.saturating_add(1)..u32::try_from(size).unwrap_or(u32::MAX));
        suppressed.extend(timestamps);
        suppressed.extend(listed(&generation.suppress_tokens));
        suppressed.retain(|id| *id != end);
        suppressed.sort_unstable();
        suppressed.dedup();
        Ok(Self {
            start,
            end,
            no_timestamps,
            previous: find(generation.prev_sot_token_id, "<|startofprev|>"),
            no_speech: find(None, "<|nospeech|>").or_else(|| find(None, "<|nocaptions|>")),
            transcribe: if one_language { None } else { transcribe },
            languages,
            suppressed,
            suppressed_first: listed(&generation.begin_suppress_tokens),
        })
    }
}

/// Reads a JSON file, `None` where there is none.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, LoadError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LoadError::unreadable(path, source)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|source| LoadError::Malformed { path: path.to_path_buf(), source: source.into() })
}
