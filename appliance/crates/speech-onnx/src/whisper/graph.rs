//! One ONNX graph of a Whisper model: its inputs and outputs by meaning instead of by name.

use std::path::Path;

use ort::session::{NoSelectedOutputs, RunOptions, Session, SessionInputValue};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef};

use crate::folder::LoadError;
use crate::runtime::{Runtime, SessionSettings};

/// What an input or output of a graph is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// `input_features`.
    Features,
    /// `encoder_hidden_states` and `last_hidden_state`.
    Hidden,
    /// `input_ids`.
    Tokens,
    /// `cache_position`.
    Position,
    /// `use_cache_branch`.
    UseCache,
    /// Key or value of the decoder itself: twice the layer, plus one for the value.
    Own(usize),
    /// Key or value of the encoder's output, numbered likewise.
    Cross(usize),
    /// `logits`.
    Logits,
    /// An output nobody needs.
    Other,
}

impl Slot {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "input_features" => Some(Self::Features),
            "encoder_hidden_states" | "last_hidden_state" => Some(Self::Hidden),
            "input_ids" | "decoder_input_ids" => Some(Self::Tokens),
            "cache_position" => Some(Self::Position),
            "use_cache_branch" => Some(Self::UseCache),
            "logits" => Some(Self::Logits),
            cached => Self::parse_cached(cached),
        }
    }

    /// Reads `past_key_values.3.encoder.key`, `present.3.encoder.key`, and the like.
    fn parse_cached(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        if !matches!(parts.next()?, "past_key_values" | "present") {
            return None;
        }
        let layer: usize = parts.next()?.parse().ok()?;
        let side = parts.next()?;
        let value = match parts.next()? {
            "key" => 0,
            "value" => 1,
            _ => return None,
        };
        let index = layer.checked_mul(2)?.checked_add(value)?;
        match side {
            "decoder" => Some(Self::Own(index)),
            "encoder" => Some(Self::Cross(index)),
            _ => None,
        }
    }
}

/// A loaded graph.
#[derive(Debug)]
pub(crate) struct Graph {
    session: Session,
    inputs: Vec<Slot>,
    outputs: Vec<Slot>,
}

/// What is fed into a graph; what the graph does not ask for is left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feed<'a> {
    /// The log-mel spectrum and its shape.
    pub(crate) features: Option<([usize; 3], &'a [f32])>,
    /// The encoder's output.
    pub(crate) hidden: Option<&'a DynValue>,
    /// Tokens, shape `[1, tokens]`.
    pub(crate) tokens: &'a [i64],
    /// Tokens decoded before.
    pub(crate) position: usize,
    /// The decoder's keys and values so far.
    pub(crate) own: &'a [DynValue],
    /// The encoder's keys and values.
    pub(crate) cross: &'a [DynValue],
}

/// What came out of a graph.
#[derive(Debug, Default)]
pub(crate) struct Produce {
    pub(crate) hidden: Option<DynValue>,
    pub(crate) logits: Option<DynValue>,
    pub(crate) own: Vec<DynValue>,
    pub(crate) cross: Vec<DynValue>,
}

/// Why a graph did not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// ONNX Runtime refused or failed.
    #[error("the graph failed")]
    Failed(#[from] ort::Error),
    /// An input of the graph was not at hand, or an output did not come.
    #[error("the graph and what it is fed do not fit: {0:?}")]
    Mismatch(Slot),
    /// Nobody waits for it any more.
    #[error("the run was cancelled")]
    Cancelled,
}

impl Graph {
    /// Opens the graph at `path` and reads its inputs and outputs.
    pub(crate) fn open(runtime: &Runtime, path: &Path, settings: SessionSettings) -> Result<Self, LoadError> {
        if !path.is_file() {
            return Err(LoadError::Missing { path: path.to_path_buf(), wanted: "a graph of the model" });
        }
        if !runtime.offers(settings.provider) {
            return Err(LoadError::Provider { provider: settings.provider });
        }
        let session = runtime
            .session(path, settings)
            .map_err(|source| LoadError::Malformed { path: path.to_path_buf(), source: Box::new(source) })?;
        let inputs = session.inputs().iter().map(|input| read_input(path, input)).collect::<Result<_, _>>()?;
        let outputs =
            session.outputs().iter().map(|output| Slot::parse(output.name()).unwrap_or(Slot::Other)).collect();
        Ok(Self { session, inputs, outputs })
    }

    /// Returns whether the graph has this input.
    pub(crate) fn takes(&self, slot: Slot) -> bool {
        self.inputs.contains(&slot)
    }

    /// Returns whether the graph has this output.
    pub(crate) fn gives(&self, slot: Slot) -> bool {
        self.outputs.contains(&slot)
    }

    /// Returns the dimensions of an input, negative where they are free.
    pub(crate) fn input_shape(&self, slot: Slot) -> Option<&[i64]> {
        let index = self.inputs.iter().position(|input| *input == slot)?;
        let shape = self.session.inputs().get(index)?.dtype().tensor_shape()?;
        Some(shape)
    }

    /// Runs the graph.
    pub(crate) fn run(&mut self, feed: Feed<'_>, options: &RunOptions<NoSelectedOutputs>) -> Result<Produce, RunError> {
        let use_cache = [feed.position > 0];
        let positions: Vec<i64> =
            (feed.position..).take(feed.tokens.len()).filter_map(|position| i64::try_from(position).ok()).collect();
        let mut values: Vec<SessionInputValue<'_>> = Vec::with_capacity(self.inputs.len());
        for slot in &self.inputs {
            let mismatch = || RunError::Mismatch(*slot);
            values.push(match slot {
                Slot::Features => {
                    let (shape, samples) = feed.features.ok_or_else(mismatch)?;
                    TensorRef::from_array_view((shape, samples))?.into()
                }
                Slot::Hidden => feed.hidden.ok_or_else(mismatch)?.into(),
                Slot::Tokens => TensorRef::from_array_view(([1, feed.tokens.len()], feed.tokens))?.into(),
                Slot::Position => TensorRef::from_array_view(([positions.len()], positions.as_slice()))?.into(),
                Slot::UseCache => TensorRef::from_array_view(([1_usize], use_cache.as_slice()))?.into(),
                Slot::Own(index) => feed.own.get(*index).ok_or_else(mismatch)?.into(),
                Slot::Cross(index) => feed.cross.get(*index).ok_or_else(mismatch)?.into(),
                Slot::Logits | Slot::Other => return Err(mismatch()),
            });
        }
        let outputs = self.session.run_with_options(values.as_slice(), options)?;
        let mut own = Vec::new();
        let mut cross = Vec::new();
        let mut produce = Produce::default();
        for (slot, (_, value)) in self.outputs.iter().zip(outputs) {
            match slot {
                Slot::Hidden => produce.hidden = Some(value),
                Slot::Logits => produce.logits = Some(value),
                Slot::Own(index) => own.push((*index, value)),
                Slot::Cross(index) => cross.push((*index, value)),
                Slot::Features | Slot::Tokens | Slot::Position | Slot::UseCache | Slot::Other => {}
            }
        }
        produce.own = in_order(own, Slot::Own)?;
        produce.cross = in_order(cross, Slot::Cross)?;
        Ok(produce)
    }
}

/// Tells what an input is, and makes sure that it takes the numbers it will be given.
fn read_input(path: &Path, input: &Outlet) -> Result<Slot, LoadError> {
    let refused = |reason: String| LoadError::Graph { path: path.to_path_buf(), reason };
    let slot = Slot::parse(input.name()).ok_or_else(|| refused(format!("it asks for an input {:?}", input.name())))?;
    let expected = match slot {
        Slot::Tokens | Slot::Position => TensorElementType::Int64,
        Slot::UseCache => TensorElementType::Bool,
        Slot::Features | Slot::Hidden | Slot::Own(_) | Slot::Cross(_) => TensorElementType::Float32,
        Slot::Logits | Slot::Other => return Err(refused(format!("it asks for an input {:?}", input.name()))),
    };
    match input.dtype().tensor_type() {
        Some(found) if found == expected => Ok(slot),
        // An export in 16 bits, for one.
        found => Err(refused(format!("{} is {found:?} instead of {expected:?}", input.name()))),
    }
}

/// Sorts keys and values by layer and makes sure that none is missing.
fn in_order(mut values: Vec<(usize, DynValue)>, slot: fn(usize) -> Slot) -> Result<Vec<DynValue>, RunError> {
    values.sort_by_key(|(index, _)| *index);
    for (expected, (index, _)) in values.iter().enumerate() {
        if *index != expected {
            return Err(RunError::Mismatch(slot(expected)));
        }
    }
    Ok(values.into_iter().map(|(_, value)| value).collect())
}
