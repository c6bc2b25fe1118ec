//! The ONNX Runtime library: found, checked and loaded once per process.
//!
//! A missing, damaged or too old library is an error the caller can act on (the box answers with voicemail). The
//! binding would load the library on first use and end the thread where that fails; so nothing of it is touched
//! before [`Runtime::load`] has succeeded, and every session takes a [`Runtime`].

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::ep::{self, ExecutionProvider as _, ExecutionProviderDispatch};
use ort::logging::LogLevel;
use ort::session::Session;

use crate::elf::{self, ElfError};

/// The loaded library. Cheap to clone; the library stays loaded until the process ends.
#[derive(Clone, Debug)]
pub struct Runtime {
    library: PathBuf,
    environment: Environment,
}

/// What a session may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Threads that work on one operation. Default 1: the audio of every call needs a free core, and one thread is
    /// what stays fast beside a busy neighbour.
    pub threads: NonZeroUsize,
    /// What computes. Default CPU.
    pub provider: Provider,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { threads: NonZeroUsize::MIN, provider: Provider::Cpu }
    }
}

/// What computes a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA graphics processor through CUDA.
    Cuda,
    /// An NVIDIA graphics processor through `TensorRT`, with CUDA for what it does not support.
    TensorRt,
}

impl Provider {
    /// Returns the name as it is written in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
        }
    }
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Provider {
    type Err = ParseProviderError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Cpu, Self::Cuda, Self::TensorRt]
            .into_iter()
            .find(|provider| provider.name() == text)
            .ok_or(ParseProviderError)
    }
}

/// A text that names no provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 'cpu', 'cuda' or 'tensorrt'")]
pub struct ParseProviderError;

/// Why the library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The file cannot be opened.
    #[error("cannot read the ONNX Runtime library {path}; run `make setup` or set its path in the configuration")]
    Unreadable {
        /// Where it was expected.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is no library this machine can load.
    #[error("the ONNX Runtime library {path} cannot be loaded: {reason}; fetch it again with `make setup`")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The library loads, but is not ONNX Runtime or is too old.
    #[error("the library {path} is not a usable ONNX Runtime (1.{MINIMUM_MINOR} or newer)")]
    Incompatible {
        /// The file.
        path: PathBuf,
        /// What it is.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another library is in this process already; only one can be.
    #[error("ONNX Runtime was loaded from {loaded} already, so not from {path}")]
    OtherLoaded {
        /// The library in use.
        loaded: PathBuf,
        /// The library asked for.
        path: PathBuf,
    },
    /// The library could not be started.
    #[error("ONNX Runtime from {path} does not start")]
    Start {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Oldest minor version of ONNX Runtime 1.x that is accepted: what the binding is compiled for.
const MINIMUM_MINOR: u32 = ort::MINOR_VERSION;

/// The one environment of this process. The binding allows one for the life of the process, so it is never dropped.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// Loads the library at `path`, or returns the one loaded before from the same path.
    ///
    /// A failed attempt may be repeated, with another path too.
    pub fn load(path: &Path) -> Result<Self, RuntimeError> {
        let library =
            path.canonicalize().map_err(|source| RuntimeError::Unreadable { path: path.to_path_buf(), source })?;
        if cfg!(target_os = "linux") {
            check_library(&library)?;
        }
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = loaded.as_ref() {
            if runtime.library == library {
                return Ok(runtime.clone());
            }
            return Err(RuntimeError::OtherLoaded { loaded: runtime.library.clone(), path: library });
        }
        let runtime = start(library)?;
        tracing::info!(library = %runtime.library.display(), "loaded ONNX Runtime");
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// Returns where the library was loaded from.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Returns whether the library was built with `provider`.
    pub fn offers(&self, provider: Provider) -> bool {
        match provider {
            Provider::Cpu => true,
            Provider::Cuda => ep::CUDA::is_available().unwrap_or(false),
            Provider::TensorRt => ep::TensorRT::is_available().unwrap_or(false),
        }
    }

    /// Opens the graph at `path`.
    pub(crate) fn session(&self, path: &Path, settings: SessionSettings) -> Result<Session, ort::Error> {
        let mut builder = Session::builder(&self.environment)?
            .with_intra_threads(settings.threads.get())?
            .with_inter_threads(1)?
            // A waiting thread sleeps: spinning costs a core and, beside other work, ten times the latency.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            // The shapes differ from run to run; a pattern planned for one of them only holds memory.
            .with_memory_pattern(false)?;
        let providers = dispatch(settings.provider);
        if !providers.is_empty() {
            builder = builder.with_execution_providers(providers)?;
        }
        builder.commit_from_file(path)
    }
}

fn dispatch(provider: Provider) -> Vec<ExecutionProviderDispatch> {
    // Without `error_on_failure` a missing provider silently becomes the processor.
    let cuda = || ep::CUDA::default().build().error_on_failure();
    match provider {
        Provider::Cpu => Vec::new(),
        Provider::Cuda => vec![cuda()],
        Provider::TensorRt => vec![ep::TensorRT::default().build().error_on_failure(), cuda()],
    }
}

fn check_library(path: &Path) -> Result<(), RuntimeError> {
    let unreadable = |source| RuntimeError::Unreadable { path: path.to_path_buf(), source };
    let damaged = |error: ElfError| RuntimeError::Damaged { path: path.to_path_buf(), reason: error.to_string() };

    let mut file = File::open(path).map_err(unreadable)?;
    let len = file.metadata().map_err(unreadable)?.len();
    let mut header = [0; elf::HEADER_LEN];
    if file.read_exact(&mut header).is_err() {
        return Err(damaged(ElfError::NotElf));
    }
    let programs = elf::check_header(&header, len).map_err(damaged)?;
    file.seek(SeekFrom::Start(programs.offset)).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(programs.len).read_to_end(&mut bytes).map_err(unreadable)?;
    elf::check_segments(&bytes, len).map_err(damaged)
}

fn start(library: PathBuf) -> Result<Runtime, RuntimeError> {
    // The binding asserts what it expects of the library; a library that breaks it must not take the thread along.
    let started = catch_unwind(AssertUnwindSafe(|| {
        let builder = ort::init_from(&library)
            .map_err(|source| RuntimeError::Incompatible { path: library.clone(), source: Box::new(source) })?;
        let environment = builder
            .with_name("kolbox")
            .with_telemetry(false)
            .with_logger(Arc::new(log))
            .build()
            .map_err(|source| RuntimeError::Start { path: library.clone(), source: Box::new(source) })?;
        environment.set_log_level(LogLevel::Warning);
        Ok(environment)
    }));
    match started {
        Ok(environment) => Ok(Runtime { library, environment: environment? }),
        Err(_panic) => Err(RuntimeError::Damaged { path: library, reason: "it breaks its own interface".to_owned() }),
    }
}

/// Hands what the library says to the log. It speaks of graphs and operators, never of what is computed.
fn log(level: LogLevel, category: &str, _id: &str, _location: &str, message: &str) {
    match level {
        LogLevel::Verbose => tracing::trace!(category, message, "ONNX Runtime says"),
        LogLevel::Info => tracing::debug!(category, message, "ONNX Runtime says"),
        // It warns of missed optimisations and reports as errors what the caller gets as an error anyway.
        LogLevel::Warning | LogLevel::Error | LogLevel::Fatal => {
            tracing::warn!(category, message, "ONNX Runtime says");
        }
    }
}
