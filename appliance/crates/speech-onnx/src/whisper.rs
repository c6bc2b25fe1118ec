//! Whisper: a recognizer for any checkpoint of that architecture exported to ONNX.
//!
//! One utterance goes through four stages, timed apart: log-mel, encoder, prefill (the prompt), and one step per
//! token. The language is pinned by the request, or told by the model at the first step among the allowed ones.
//! Decoding is without timestamps: short turns come out better without them.
//!
//! There is no temperature fallback. Sampling again at a higher temperature costs a multiple of the time a caller
//! waits for, and what it returns for a turn that failed once is a guess the dialog would have to ask about anyway.
//! A decoding that loops in a fitted window is run again in the full one instead, which is what loops there call
//! for; what still loops is cut or dropped.

mod graph;
mod guard;
mod model;
mod prompt;
mod scores;
mod search;
mod window;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ort::session::{NoSelectedOutputs, RunOptions};
use speech::{Recognition, RecognizeError, RecognizeRequest, Recognizer};
use units::{Language, Pii};

use crate::card::{self, Card};
use crate::folder::{self, LoadError, Precision, Sizes, Vocabulary};
use crate::mel::LogMel;
use crate::runtime::{Runtime, SessionSettings};
use crate::tokenizer::Tokenizer;
use crate::whisper::graph::RunError;
use crate::whisper::model::{Model, State};
use crate::whisper::search::{Bounds, Found, Scorer};

pub use crate::whisper::guard::Guards;
pub use crate::whisper::window::WindowPolicy;

/// How a model is loaded and used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WhisperOptions {
    /// Which files are preferred where there are several. Default 8 bit.
    pub precision: Precision,
    /// Texts followed at once; 1 is greedy, the norm for calls. Default 1, at most 16.
    pub beam: NonZeroUsize,
    /// How much audio the encoder sees; `None` takes what the model's card says, or the safe default.
    pub window: Option<WindowPolicy>,
    /// Limits beyond which a text is dropped.
    pub guards: Guards,
    /// Threads and provider.
    pub session: SessionSettings,
    /// Whether a folder without a card may be loaded. Default no.
    pub verification: Verification,
}

impl Default for WhisperOptions {
    fn default() -> Self {
        Self {
            precision: Precision::default(),
            beam: NonZeroUsize::MIN,
            window: None,
            guards: Guards::default(),
            session: SessionSettings::default(),
            verification: Verification::default(),
        }
    }
}

/// Whether a model's files must match their card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// Every file on the card is compared with its digest; a folder without a card is refused.
    #[default]
    Required,
    /// As above, but a folder without a card is accepted.
    WhereCarded,
    /// Nothing is compared: the folder was verified a moment ago.
    Done,
}

/// Where the time of one recognition went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Log-mel spectrum.
    pub mel: Duration,
    /// Encoder.
    pub encode: Duration,
    /// First decoder run: the prompt, and the language where it is told.
    pub prefill: Duration,
    /// All other decoder runs and the search.
    pub decode: Duration,
    /// Tokens decoded, dropped ones included.
    pub tokens: usize,
    /// Frames the encoder saw, of 10 ms each.
    pub frames: usize,
}

/// Ends a running recognition from another thread. It then returns an error soon.
#[derive(Clone, Debug)]
pub struct Canceller(Arc<Cancel>);

struct Cancel {
    asked: AtomicBool,
    options: RunOptions<NoSelectedOutputs>,
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancel").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl Canceller {
    /// Ends the recognition that is running now; a later one is not touched.
    pub fn cancel(&self) {
        self.0.asked.store(true, Ordering::Release);
        if let Err(error) = self.0.options.terminate() {
            tracing::debug!(%error, "a running graph cannot be ended");
        }
    }
}

/// Why an utterance was not recognized; comes wrapped in [`RecognizeError::Model`].
#[derive(Debug, thiserror::Error)]
pub enum WhisperError {
    /// [`Canceller::cancel`] was called.
    #[error("the recognition was cancelled")]
    Cancelled,
    /// The model does not know the language.
    #[error("the model {model} does not know the language {language}")]
    Language {
        /// The model.
        model: String,
        /// The language that was asked for.
        language: Language,
    },
    /// The graph failed.
    #[error("a graph of the model {model} failed")]
    Graph {
        /// The model.
        model: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A loaded Whisper model.
#[derive(Debug)]
pub struct WhisperRecognizer {
    title: String,
    model: Model,
    sizes: Sizes,
    vocabulary: Vocabulary,
    tokenizer: Tokenizer,
    mel: LogMel,
    window: WindowPolicy,
    /// Most tokens of text before the utterance.
    max_context: usize,
    options: WhisperOptions,
    cancel: Arc<Cancel>,
    timings: Timings,
}

/// Most texts a beam follows.
const MAX_BEAM: usize = 16;

/// Tokens per second of audio that nobody speaks faster than. Hebrew was measured at 6.3 on average and 8.3 with a
/// fast broadcaster; a cap of 6, which one runtime has, cuts Hebrew.
const TOKENS_PER_SECOND: usize = 12;

/// Tokens on top of it, for very short audio.
const EXTRA_TOKENS: usize = 10;

/// Amplitude below which there is nothing to hear: two steps of G.711 around silence.
const SILENCE: f32 = 5e-4;

impl WhisperRecognizer {
    /// Loads the model in `folder`, having compared its files with their digests.
    pub fn load(runtime: &Runtime, folder: &Path, options: WhisperOptions) -> Result<Self, LoadError> {
        let card = match options.verification {
            Verification::Required => Some(card::verify(folder)?),
            Verification::WhereCarded if folder.join(card::CARD_FILE).exists() => Some(card::verify(folder)?),
            Verification::WhereCarded | Verification::Done => Card::read(folder)?,
        };
        let graphs = folder::locate(folder, options.precision)?;
        let sizes = Sizes::read(folder)?;
        let tokenizer = Tokenizer::load(&folder.join("tokenizer.json"))?;
        let vocabulary = Vocabulary::read(folder, &tokenizer, sizes.vocab_size)?;
        let model = Model::open(runtime, &graphs, sizes, options.session)?;
        let run_options = RunOptions::new()
            .map_err(|source| LoadError::Malformed { path: folder.to_path_buf(), source: Box::new(source) })?;
        let carded = card.as_ref().and_then(|card| card.window).map(WindowPolicy::from);
        let folder_name = || folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let recognizer = Self {
            title: card.as_ref().map_or_else(folder_name, Card::title),
            mel: LogMel::new(sizes.num_mel_bins),
            window: options.window.or(carded).unwrap_or_default(),
            max_context: prompt::max_context(sizes.max_target_positions, card.as_ref().is_none_or(|card| card.context)),
            cancel: Arc::new(Cancel { asked: AtomicBool::new(false), options: run_options }),
            timings: Timings::default(),
            model,
            sizes,
            vocabulary,
            tokenizer,
            options,
        };
        let encoder = graphs.encoder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tracing::info!(model = recognizer.title, encoder, provider = %options.session.provider, "loaded a recognizer");
        Ok(recognizer)
    }

    /// Returns what ends a running recognition.
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.cancel))
    }

    /// Returns the languages of the box that the model knows.
    pub fn languages(&self) -> impl Iterator<Item = Language> + '_ {
        self.vocabulary.languages.iter().map(|(language, _)| *language)
    }

    /// Returns where the time of the last recognition went.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    fn recognize_all(
        &mut self,
        request: &RecognizeRequest,
        cancelled: &dyn Fn() -> bool,
        interim: &mut dyn FnMut(&str),
    ) -> Result<Recognition, WhisperError> {
        let allowed = prompt::allowed(&self.vocabulary, request);
        let Some(first) = allowed.first() else {
            let language = request.language.or(request.among.first().copied()).unwrap_or_default();
            return Err(WhisperError::Language { model: self.title.clone(), language });
        };
        let context = prompt::context(&self.tokenizer, &self.vocabulary, &request.prompt, self.max_context);
        let mut whole = Whole::new(first.0);
        for piece in window::split(&request.audio) {
            let audio = request.audio.get(piece).unwrap_or_default();
            if audio.iter().all(|sample| sample.abs() < SILENCE) {
                continue;
            }
            let before = whole.text.clone();
            let mut tell = |text: &str| interim(join(&before, text).trim());
            let mut turn = Turn { allowed: &allowed, context: &context, cancelled, tell: &mut tell };
            let heard = self.hear(audio, &mut turn)?;
            whole.add(&heard);
        }
        Ok(whole.finish())
    }

    /// Recognizes one window, twice where the first decoding looped in a fitted one.
    fn hear(&mut self, audio: &[f32], turn: &mut Turn<'_>) -> Result<Heard, WhisperError> {
        let fitted = self.model.fixed_frames().unwrap_or_else(|| self.window.frames(audio.len()));
        let heard = self.hear_in(audio, fitted, turn)?;
        let full = WindowPolicy::Full30s.frames(audio.len());
        if !heard.suspicious || fitted >= full {
            return Ok(heard);
        }
        tracing::debug!(model = self.title, frames = fitted, "the text looped, recognizing again in the full window");
        self.hear_in(audio, full, turn)
    }

    fn hear_in(&mut self, audio: &[f32], frames: usize, turn: &mut Turn<'_>) -> Result<Heard, WhisperError> {
        self.check(turn)?;
        let started = Instant::now();
        let mel = self.mel.compute(audio, frames);
        let mel_done = Instant::now();
        self.timings.mel += mel_done.duration_since(started);
        self.timings.frames += frames;
        let cancel = Arc::clone(&self.cancel);
        let encoded = self.model.encode(&mel, frames, &cancel.options).map_err(|error| self.failed(error))?;
        drop(mel);
        let encode_done = Instant::now();
        self.timings.encode += encode_done.duration_since(mel_done);
        self.check(turn)?;

        let opening = self.open(encoded, turn.allowed, turn.context);
        self.timings.prefill += encode_done.elapsed();
        let opening = opening?;
        if opening.no_speech >= self.options.guards.certain_no_speech {
            return Ok(Heard::nothing(opening.language, opening.no_speech));
        }
        let decode_started = Instant::now();
        let room = self.sizes.max_target_positions.saturating_sub(opening.fed);
        let bounds = Bounds { end: self.vocabulary.end, max_tokens: room.min(most_tokens(audio.len())) };
        let found = self.search(opening.state, opening.scores, bounds, turn);
        self.timings.decode += decode_started.elapsed();
        let found = found?;
        self.timings.tokens += found.tokens.len();
        Ok(self.judge(found, opening.language, opening.no_speech))
    }

    fn search(
        &mut self,
        state: State,
        scores: Vec<f32>,
        bounds: Bounds,
        turn: &mut Turn<'_>,
    ) -> Result<Found, WhisperError> {
        let cancel = Arc::clone(&self.cancel);
        let mut scorer = DecoderScorer {
            model: &mut self.model,
            suppressed: &self.vocabulary.suppressed,
            cancel: &cancel,
            cancelled: turn.cancelled,
        };
        let tokenizer = &self.tokenizer;
        let tell = &mut *turn.tell;
        let seen = |tokens: &[u32]| {
            let text = tokenizer.decode(tokens);
            // A letter that is only half there yet would flicker.
            if !text.ends_with('\u{FFFD}') {
                tell(text.trim());
            }
            if guard::before_loop(tokens).is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let first = (state, scores);
        let width = self.options.beam.get().min(MAX_BEAM);
        let found = if width == 1 {
            search::greedy(&mut scorer, first, bounds, seen)
        } else {
            search::beam(&mut scorer, first, bounds, width, seen)
        };
        found.map_err(|error| self.failed(error))
    }

    /// Applies the guards to what was found.
    fn judge(&self, mut found: Found, language: Language, no_speech: f32) -> Heard {
        let guards = self.options.guards;
        let mean = found.mean();
        if no_speech >= guards.no_speech && mean < guards.log_probability {
            return Heard::nothing(language, no_speech);
        }
        let looped = guard::before_loop(&found.tokens);
        if let Some(len) = looped {
            found.tokens.truncate(len);
        }
        let text = self.tokenizer.decode(&found.tokens).replace('\u{FFFD}', "").trim().to_owned();
        let repetitive = guard::compression(&text) > guards.compression;
        Heard {
            // A text that is nothing but a loop was said by nobody.
            text: if repetitive || (looped.is_some() && found.tokens.len() <= guard::LONGEST_PHRASE) {
                String::new()
            } else {
                text
            },
            language,
            mean,
            no_speech,
            suspicious: looped.is_some() || repetitive || !found.ended,
        }
    }

    /// Ends the turn when nobody waits for it.
    fn check(&self, turn: &Turn<'_>) -> Result<(), WhisperError> {
        let cancelled = self.cancel.asked.load(Ordering::Acquire) || (turn.cancelled)();
        if cancelled { Err(WhisperError::Cancelled) } else { Ok(()) }
    }

    fn failed(&self, error: RunError) -> WhisperError {
        if matches!(error, RunError::Cancelled) || self.cancel.asked.load(Ordering::Acquire) {
            return WhisperError::Cancelled;
        }
        WhisperError::Graph { model: self.title.clone(), source: Box::new(error) }
    }
}

impl Recognizer for WhisperRecognizer {
    fn recognize(
        &mut self,
        request: &RecognizeRequest,
        interim: &mut dyn FnMut(&str),
    ) -> Result<Recognition, RecognizeError> {
        self.recognize_unless(request, &|| false, interim)
    }

    /// Gives up before the encoder, after it, and before each token.
    fn recognize_unless(
        &mut self,
        request: &RecognizeRequest,
        cancelled: &dyn Fn() -> bool,
        interim: &mut dyn FnMut(&str),
    ) -> Result<Recognition, RecognizeError> {
        if request.audio.iter().any(|sample| !sample.is_finite()) {
            return Err(RecognizeError::Audio { reason: "a sample is not a number" });
        }
        self.cancel.asked.store(false, Ordering::Release);
        if let Err(error) = self.cancel.options.unterminate() {
            return Err(RecognizeError::Model(Box::new(error)));
        }
        self.timings = Timings::default();
        self.recognize_all(request, cancelled, interim).map_err(|error| RecognizeError::Model(Box::new(error)))
    }

    fn model(&self) -> &str {
        &self.title
    }
}

/// Most tokens of a text heard in this many samples.
fn most_tokens(samples: usize) -> usize {
    let spoken = samples.saturating_mul(TOKENS_PER_SECOND).div_ceil(crate::mel::SAMPLE_RATE_HZ);
    spoken.saturating_add(EXTRA_TOKENS)
}

/// What stays the same for all windows of a request.
struct Turn<'a> {
    allowed: &'a [(Language, Option<u32>)],
    context: &'a [u32],
    cancelled: &'a dyn Fn() -> bool,
    tell: &'a mut dyn FnMut(&str),
}

/// Steps the decoder for a search.
struct DecoderScorer<'a> {
    model: &'a mut Model,
    suppressed: &'a [u32],
    cancel: &'a Cancel,
    cancelled: &'a dyn Fn() -> bool,
}

impl Scorer for DecoderScorer<'_> {
    type State = State;
    type Error = RunError;

    fn step(&mut self, state: &State, token: u32, scores: &mut Vec<f32>) -> Result<State, RunError> {
        if self.cancel.asked.load(Ordering::Acquire) || (self.cancelled)() {
            return Err(RunError::Cancelled);
        }
        let (state, logits) = self.model.step(state, i64::from(token), &self.cancel.options)?;
        scores.clear();
        scores.extend_from_slice(logits.row(0)?);
        scores::suppress(scores, self.suppressed);
        Ok(state)
    }
}

/// What one window held.
#[derive(Debug)]
struct Heard {
    text: String,
    language: Language,
    mean: f32,
    no_speech: f32,
    /// The decoding looped, compressed too well or did not end.
    suspicious: bool,
}

impl Heard {
    fn nothing(language: Language, no_speech: f32) -> Self {
        Self { text: String::new(), language, mean: 0.0, no_speech, suspicious: false }
    }
}

/// The windows of a long recording put together.
struct Whole {
    text: String,
    language: Option<Language>,
    fallback: Language,
    log_probability: f32,
    letters: f32,
    no_speech: f32,
}

impl Whole {
    fn new(fallback: Language) -> Self {
        Self { text: String::new(), language: None, fallback, log_probability: 0.0, letters: 0.0, no_speech: 1.0 }
    }

    /// Adds what a window held. A silent window changes nothing: the probability of no speech in the whole is that
    /// of its most spoken part.
    fn add(&mut self, heard: &Heard) {
        self.no_speech = self.no_speech.min(heard.no_speech);
        if heard.text.is_empty() {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a window holds a few hundred letters")]
        let letters = heard.text.len() as f32;
        self.log_probability += heard.mean * letters;
        self.letters += letters;
        self.language.get_or_insert(heard.language);
        self.text = join(&self.text, &heard.text);
    }

    fn finish(self) -> Recognition {
        Recognition {
            text: Pii::new(self.text),
            language: self.language.unwrap_or(self.fallback),
            mean_log_probability: if self.letters > 0.0 { self.log_probability / self.letters } else { 0.0 },
            no_speech_probability: self.no_speech,
        }
    }
}

fn join(before: &str, text: &str) -> String {
    if before.is_empty() { text.to_owned() } else { format!("{before} {text}") }
}
