//! The pool that hears.

use units::Pii;

use super::{BoxError, Event, Job, Pool, PoolConfig, PoolMetrics, StartError, SubmitError, Worker};
use crate::recognizer::{Recognition, RecognizeError, RecognizeRequest, Recognizer};
use crate::synthesizer::Flow;

/// What comes of a recognition.
#[derive(Debug)]
pub enum Heard {
    /// The text so far.
    Interim(Pii<String>),
    /// The end.
    Done(Result<Recognition, RecognizeError>),
}

/// Recognizers on threads of their own.
#[derive(Debug)]
pub struct RecognizerPool {
    pool: Pool<RecognizerWorker>,
    model: String,
}

struct RecognizerWorker(Box<dyn Recognizer>);

impl RecognizerPool {
    /// Makes the recognizers, one for each thread, and starts the threads.
    pub fn start(
        config: PoolConfig,
        mut factory: impl FnMut() -> Result<Box<dyn Recognizer>, BoxError> + Send + 'static,
    ) -> Result<Self, StartError> {
        // The name is asked of the first one, before it disappears into its thread.
        let first = factory().map_err(StartError::Worker)?;
        let model = first.model().to_owned();
        let mut first = Some(first);
        let pool = Pool::start(config, move || first.take().map_or_else(&mut factory, Ok).map(RecognizerWorker))?;
        Ok(Self { pool, model })
    }

    /// Recognizes in the background; `on` is told what comes of it, on the recognizer's thread.
    ///
    /// Returns at once, with [`RecognizeError::Busy`] when the queue is full.
    pub fn recognize(
        &self,
        request: RecognizeRequest,
        mut on: impl FnMut(Heard) + Send + 'static,
    ) -> Result<Job, RecognizeError> {
        let callback = move |event| {
            on(match event {
                Event::Part(text) => Heard::Interim(text),
                Event::Done(result) => Heard::Done(result),
            });
            Flow::Continue
        };
        self.pool.submit(request, callback).map_err(|error| match error {
            SubmitError::Busy => RecognizeError::Busy,
            SubmitError::Gone => RecognizeError::Gone,
        })
    }

    /// Returns the name and version of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Returns load and losses.
    pub fn metrics(&self) -> PoolMetrics {
        self.pool.metrics()
    }
}

impl Worker for RecognizerWorker {
    type Request = RecognizeRequest;
    type Part = Pii<String>;
    type Output = Recognition;
    type Error = RecognizeError;

    fn work(
        &mut self,
        request: RecognizeRequest,
        job: &Job,
        part: &mut dyn FnMut(Pii<String>) -> Flow,
    ) -> Result<Recognition, RecognizeError> {
        let mut interim = |text: &str| {
            part(Pii::new(text.to_owned()));
        };
        self.0.recognize_unless(&request, &|| job.is_cancelled(), &mut interim)
    }

    fn gone() -> RecognizeError {
        RecognizeError::Gone
    }
}
