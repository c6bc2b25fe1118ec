//! The graphs of one model as two operations: encode a window, and take one more step of decoding.
//!
//! The cache is what the decoder gave and is given back as it is, without a copy. A state is cheap to clone, which
//! is all a beam search needs.

use std::path::Path;
use std::sync::Arc;

use ort::session::{NoSelectedOutputs, RunOptions};
use ort::value::{DynValue, Tensor};

use crate::folder::{DecoderFiles, Graphs, LoadError, Sizes};
use crate::mel::MAX_FRAMES;
use crate::runtime::{Runtime, SessionSettings};
use crate::whisper::graph::{Feed, Graph, Produce, RunError, Slot};

/// Encoder and decoder of a loaded model.
#[derive(Debug)]
pub(crate) struct Model {
    encoder: Graph,
    decoder: Decoder,
    sizes: Sizes,
    /// Frames the encoder was traced with, where it takes no other number.
    fixed_frames: Option<usize>,
    /// Zero-length keys and values for a first step that wants them.
    empty: Vec<DynValue>,
}

#[derive(Debug)]
enum Decoder {
    Pair { first: Graph, next: Graph },
    Merged(Graph),
    Single(Graph),
}

/// What the encoder made of one window.
#[derive(Debug)]
pub(crate) struct Encoded {
    hidden: Option<Arc<DynValue>>,
    cross: Arc<Vec<DynValue>>,
}

/// Where a decoding stands.
#[derive(Clone, Debug)]
pub(crate) struct State {
    hidden: Option<Arc<DynValue>>,
    cross: Arc<Vec<DynValue>>,
    own: Arc<Vec<DynValue>>,
    len: usize,
}

/// The scores of the next token after each token that was fed.
#[derive(Debug)]
pub(crate) struct Logits {
    value: DynValue,
    vocabulary: usize,
}

impl Logits {
    /// Returns the scores after the token number `row` of those fed.
    pub(crate) fn row(&self, row: usize) -> Result<&[f32], RunError> {
        let (_, scores) = self.value.try_extract_tensor::<f32>()?;
        scores.chunks_exact(self.vocabulary).nth(row).ok_or(RunError::Mismatch(Slot::Logits))
    }
}

impl Model {
    /// Opens the graphs and checks that they belong together.
    pub(crate) fn open(
        runtime: &Runtime,
        graphs: &Graphs,
        sizes: Sizes,
        settings: SessionSettings,
    ) -> Result<Self, LoadError> {
        let open = |path: &Path| Graph::open(runtime, path, settings);
        let encoder = open(&graphs.encoder)?;
        let fixed_frames = check_encoder(&encoder, graphs, sizes)?;
        let last = sizes.decoder_layers.saturating_mul(2).saturating_sub(1);
        let check = |graph: &Graph, path: &Path, inputs: &[Slot], outputs: &[Slot]| {
            let missing = inputs.iter().find(|slot| !graph.takes(**slot));
            let absent = outputs.iter().find(|slot| !graph.gives(**slot));
            let reason = match (missing, absent) {
                (Some(slot), _) => format!("it has no input {slot:?}"),
                (None, Some(slot)) => format!("it has no output {slot:?}"),
                (None, None) => return Ok(()),
            };
            Err(LoadError::Graph { path: path.to_path_buf(), reason })
        };
        let (own, cross) = (Slot::Own(last), Slot::Cross(last));
        let decoder = match &graphs.decoder {
            DecoderFiles::Pair { first, next } => {
                let (first_graph, next_graph) = (open(first)?, open(next)?);
                check(&encoder, &graphs.encoder, &[Slot::Features], &[Slot::Hidden])?;
                check(&first_graph, first, &[Slot::Tokens, Slot::Hidden], &[Slot::Logits, own, cross])?;
                check(&next_graph, next, &[Slot::Tokens, own, cross], &[Slot::Logits, own])?;
                Decoder::Pair { first: first_graph, next: next_graph }
            }
            DecoderFiles::Merged(path) => {
                let graph = open(path)?;
                let inputs = [Slot::Tokens, Slot::Hidden, Slot::UseCache, own, cross];
                check(&encoder, &graphs.encoder, &[Slot::Features], &[Slot::Hidden])?;
                check(&graph, path, &inputs, &[Slot::Logits, own, cross])?;
                Decoder::Merged(graph)
            }
            DecoderFiles::Single(path) => {
                let graph = open(path)?;
                check(&encoder, &graphs.encoder, &[Slot::Features], &[cross])?;
                check(&graph, path, &[Slot::Tokens, own, cross], &[Slot::Logits, own])?;
                Decoder::Single(graph)
            }
        };
        let empty = empty_cache(sizes)
            .map_err(|source| LoadError::Malformed { path: graphs.encoder.clone(), source: Box::new(source) })?;
        Ok(Self { encoder, decoder, sizes, fixed_frames, empty })
    }

    /// Returns the number of frames the encoder insists on.
    pub(crate) fn fixed_frames(&self) -> Option<usize> {
        self.fixed_frames
    }

    /// Encodes one window, shape `[mels, frames]`.
    pub(crate) fn encode(
        &mut self,
        mel: &[f32],
        frames: usize,
        options: &RunOptions<NoSelectedOutputs>,
    ) -> Result<Encoded, RunError> {
        let feed = Feed {
            features: Some(([1, self.sizes.num_mel_bins, frames], mel)),
            hidden: None,
            tokens: &[],
            position: 0,
            own: &[],
            cross: &[],
        };
        let Produce { hidden, cross, .. } = self.encoder.run(feed, options)?;
        Ok(Encoded { hidden: hidden.map(Arc::new), cross: Arc::new(cross) })
    }

    /// Feeds the first tokens.
    pub(crate) fn start(
        &mut self,
        encoded: Encoded,
        tokens: &[i64],
        options: &RunOptions<NoSelectedOutputs>,
    ) -> Result<(State, Logits), RunError> {
        let graph = match &mut self.decoder {
            Decoder::Pair { first, .. } => first,
            Decoder::Merged(graph) | Decoder::Single(graph) => graph,
        };
        let Encoded { hidden, cross } = encoded;
        let feed = Feed {
            features: None,
            hidden: hidden.as_deref(),
            tokens,
            position: 0,
            own: &self.empty,
            cross: if cross.is_empty() { &self.empty } else { cross.as_slice() },
        };
        let produce = graph.run(feed, options)?;
        // Where the encoder did not make them, the first step of the decoder did.
        let cross = if cross.is_empty() { Arc::new(produce.cross) } else { cross };
        let state = State { hidden, cross, own: Arc::new(produce.own), len: tokens.len() };
        Ok((state, self.logits(produce.logits)?))
    }

    /// Feeds one more token.
    pub(crate) fn step(
        &mut self,
        state: &State,
        token: i64,
        options: &RunOptions<NoSelectedOutputs>,
    ) -> Result<(State, Logits), RunError> {
        let graph = match &mut self.decoder {
            Decoder::Pair { next, .. } => next,
            Decoder::Merged(graph) | Decoder::Single(graph) => graph,
        };
        let feed = Feed {
            features: None,
            hidden: state.hidden.as_deref(),
            tokens: &[token],
            position: state.len,
            own: &state.own,
            cross: &state.cross,
        };
        let produce = graph.run(feed, options)?;
        let state = State {
            hidden: state.hidden.clone(),
            cross: Arc::clone(&state.cross),
            own: Arc::new(produce.own),
            len: state.len.saturating_add(1),
        };
        Ok((state, self.logits(produce.logits)?))
    }

    fn logits(&self, value: Option<DynValue>) -> Result<Logits, RunError> {
        let value = value.ok_or(RunError::Mismatch(Slot::Logits))?;
        Ok(Logits { value, vocabulary: self.sizes.vocab_size })
    }
}

/// Compares the encoder's input with the configuration. Returns the number of frames where it is fixed.
fn check_encoder(encoder: &Graph, graphs: &Graphs, sizes: Sizes) -> Result<Option<usize>, LoadError> {
    let mismatch = |reason: String| Err(LoadError::Graph { path: graphs.encoder.clone(), reason });
    let Some(&[_, mels, frames]) = encoder.input_shape(Slot::Features) else {
        return mismatch("it has no input_features of three dimensions".to_owned());
    };
    if mels >= 0 && usize::try_from(mels).ok() != Some(sizes.num_mel_bins) {
        return mismatch(format!("it reads {mels} mel bands, config.json says {}", sizes.num_mel_bins));
    }
    match usize::try_from(frames) {
        Ok(frames) if (2..=MAX_FRAMES).contains(&frames) => Ok(Some(frames)),
        Ok(frames) => mismatch(format!("it reads {frames} frames")),
        Err(_) if graphs.free_length => Ok(None),
        // Traced with 30 s: the axis has a name, but the positions in the graph have one length.
        Err(_) => Ok(Some(MAX_FRAMES)),
    }
}

/// Makes keys and values of length zero for every layer.
fn empty_cache(sizes: Sizes) -> Result<Vec<DynValue>, ort::Error> {
    let shape = [1, sizes.decoder_attention_heads, 0, sizes.head_width()];
    (0..sizes.decoder_layers.saturating_mul(2))
        .map(|_| Ok(Tensor::from_array((shape, Vec::<f32>::new()))?.into_dyn()))
        .collect()
}
