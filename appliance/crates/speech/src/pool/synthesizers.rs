//! The pool that speaks.

use std::sync::mpsc;

use super::{BoxError, Event, Job, Pool, PoolConfig, PoolMetrics, StartError, SubmitError, Worker};
use crate::synthesizer::{Flow, SynthesizeError, SynthesizeRequest, Synthesizer};

/// What comes of a synthesis.
#[derive(Debug)]
pub enum Spoken {
    /// The next samples: mono, 8 kHz, never empty.
    Audio(Vec<i16>),
    /// The end.
    Done(Result<(), SynthesizeError>),
}

/// Synthesizers on threads of their own.
#[derive(Debug)]
pub struct SynthesizerPool {
    pool: Pool<SynthesizerWorker>,
    voice: String,
}

struct SynthesizerWorker(Box<dyn Synthesizer>);

impl SynthesizerPool {
    /// Makes the synthesizers, one for each thread, and starts the threads.
    pub fn start(
        config: PoolConfig,
        mut factory: impl FnMut() -> Result<Box<dyn Synthesizer>, BoxError> + Send + 'static,
    ) -> Result<Self, StartError> {
        let first = factory().map_err(StartError::Worker)?;
        let voice = first.voice().to_owned();
        let mut first = Some(first);
        let pool = Pool::start(config, move || first.take().map_or_else(&mut factory, Ok).map(SynthesizerWorker))?;
        Ok(Self { pool, voice })
    }

    /// Speaks in the background; `on` takes the audio, on the synthesizer's thread, and answers whether to go on.
    /// After [`Flow::Stop`] only [`Spoken::Done`] comes.
    ///
    /// Returns at once, with [`SynthesizeError::Busy`] when the queue is full.
    pub fn synthesize(
        &self,
        request: SynthesizeRequest,
        mut on: impl FnMut(Spoken) -> Flow + Send + 'static,
    ) -> Result<Job, SynthesizeError> {
        let callback = move |event| {
            on(match event {
                Event::Part(samples) => Spoken::Audio(samples),
                Event::Done(result) => Spoken::Done(result),
            })
        };
        self.pool.submit(request, callback).map_err(|error| match error {
            SubmitError::Busy => SynthesizeError::Busy,
            SubmitError::Gone => SynthesizeError::Gone,
        })
    }

    /// Speaks a whole text and returns its samples at 8 kHz. Blocks the caller; for prompts, not for calls.
    pub fn render(&self, request: SynthesizeRequest) -> Result<Vec<i16>, SynthesizeError> {
        let (sender, receiver) = mpsc::channel();
        // The receiver lives until the end of this function.
        let job = self.synthesize(request, move |spoken| match sender.send(spoken) {
            Ok(()) => Flow::Continue,
            Err(_) => Flow::Stop,
        })?;
        let mut samples = Vec::new();
        while let Ok(spoken) = receiver.recv() {
            match spoken {
                Spoken::Audio(more) => samples.extend_from_slice(&more),
                Spoken::Done(result) => return result.map(|()| samples),
            }
        }
        job.cancel();
        Err(SynthesizeError::Gone)
    }

    /// Returns the name of the voice.
    pub fn voice(&self) -> &str {
        &self.voice
    }

    /// Returns load and losses.
    pub fn metrics(&self) -> PoolMetrics {
        self.pool.metrics()
    }
}

impl Worker for SynthesizerWorker {
    type Request = SynthesizeRequest;
    type Part = Vec<i16>;
    type Output = ();
    type Error = SynthesizeError;

    fn work(
        &mut self,
        request: SynthesizeRequest,
        job: &Job,
        part: &mut dyn FnMut(Vec<i16>) -> Flow,
    ) -> Result<(), SynthesizeError> {
        let mut stopped = false;
        self.0.synthesize(&request, &mut |samples| {
            if stopped || job.is_cancelled() {
                return Flow::Stop;
            }
            if samples.is_empty() {
                return Flow::Continue;
            }
            let flow = part(samples.to_vec());
            stopped = flow == Flow::Stop;
            flow
        })
    }

    fn gone() -> SynthesizeError {
        SynthesizeError::Gone
    }
}
