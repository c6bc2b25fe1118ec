//! Threads that own models, and the bounded queue before them.
//!
//! Each thread is named and owns one worker. A job that finds the queue full is refused at once; the caller is never
//! made to wait. What a job makes is handed to its callback on the worker's thread. A job that panics ends alone: its
//! worker is made anew, a bounded number of times in a row.

mod job;
mod metrics;
mod recognizers;
mod synthesizers;
mod thread;

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

pub use self::job::Job;
use self::metrics::Counters;
pub use self::metrics::PoolMetrics;
pub use self::recognizers::{Heard, RecognizerPool};
pub use self::synthesizers::{Spoken, SynthesizerPool};
use crate::synthesizer::Flow;

/// What went wrong while something was loaded.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Does jobs of one kind, one at a time, on a thread of its own.
pub trait Worker: Send + 'static {
    /// What a job asks for.
    type Request: Send + 'static;
    /// What a job hands over on its way.
    type Part;
    /// What a job ends with.
    type Output;
    /// Why a job failed.
    type Error;

    /// Does one job. `part` takes what is ready and answers whether to go on; it says [`Flow::Stop`] from the moment
    /// on at which `job` is cancelled.
    fn work(
        &mut self,
        request: Self::Request,
        job: &Job,
        part: &mut dyn FnMut(Self::Part) -> Flow,
    ) -> Result<Self::Output, Self::Error>;

    /// Returns the error of a job whose worker is gone.
    fn gone() -> Self::Error;
}

/// What a callback is told.
#[derive(Debug)]
pub enum Event<W: Worker> {
    /// A piece of the result.
    Part(W::Part),
    /// The end. Comes exactly once for a job that is not cancelled, and not at all for one that is.
    Done(Result<W::Output, W::Error>),
}

/// How many threads, and how much may wait for them.
#[derive(Clone, Copy, Debug)]
pub struct PoolConfig {
    /// Name of the threads, a number is put behind it. At most 12 characters, or the system cuts it.
    pub name: &'static str,
    /// Threads, each with a worker of its own.
    pub workers: NonZeroUsize,
    /// Jobs that may wait; cancelled ones do not count.
    pub queue: NonZeroUsize,
    /// Panics in a row after which a thread gives up. A job done well starts the count again.
    pub max_panics: u32,
}

impl PoolConfig {
    /// Returns a configuration that gives up after three panics in a row.
    pub const fn new(name: &'static str, workers: NonZeroUsize, queue: NonZeroUsize) -> Self {
        Self { name, workers, queue, max_panics: 3 }
    }
}

/// Why a pool does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A worker cannot be made: its model does not load.
    #[error("cannot make a worker")]
    Worker(#[source] BoxError),
    /// The system gives no thread.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// Why a job is not taken. It ran into nothing; its callback is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// As many jobs wait as may.
    #[error("the queue is full")]
    Busy,
    /// No thread is left.
    #[error("all workers are gone")]
    Gone,
}

/// Threads and their queue. Dropping it cancels what waits and runs, and joins the threads.
pub struct Pool<W: Worker> {
    shared: Arc<Shared<W>>,
    threads: Vec<JoinHandle<()>>,
}

type Callback<W> = Box<dyn FnMut(Event<W>) -> Flow + Send>;
type Factory<W> = Box<dyn FnMut() -> Result<W, BoxError> + Send>;

/// A job in the queue.
struct Queued<W: Worker> {
    request: W::Request,
    callback: Callback<W>,
    job: Job,
    since: Instant,
}

/// What the threads and the pool share.
struct Shared<W: Worker> {
    config: PoolConfig,
    state: Mutex<State<W>>,
    available: Condvar,
    factory: Mutex<Factory<W>>,
    counters: Counters,
}

struct State<W: Worker> {
    queue: VecDeque<Queued<W>>,
    /// Jobs that run, to be cancelled when the pool is dropped.
    running: Vec<Job>,
    /// Threads that still work.
    alive: usize,
    closed: bool,
}

impl<W: Worker> Pool<W> {
    /// Makes the workers and starts their threads. `factory` is called once per worker now, and again after a panic.
    pub fn start(
        config: PoolConfig,
        mut factory: impl FnMut() -> Result<W, BoxError> + Send + 'static,
    ) -> Result<Self, StartError> {
        let count = config.workers.get();
        let workers = (0..count).map(|_| factory().map_err(StartError::Worker)).collect::<Result<Vec<_>, _>>()?;
        let state = State { queue: VecDeque::new(), running: Vec::new(), alive: count, closed: false };
        let shared = Arc::new(Shared {
            config,
            state: Mutex::new(state),
            available: Condvar::new(),
            factory: Mutex::new(Box::new(factory)),
            counters: Counters::default(),
        });
        // From here on, dropping the pool joins what was started.
        let mut pool = Self { shared, threads: Vec::with_capacity(count) };
        for (number, worker) in workers.into_iter().enumerate() {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name(format!("{}-{number}", config.name));
            pool.threads.push(thread.spawn(move || thread::run(&shared, worker)).map_err(StartError::Thread)?);
        }
        Ok(pool)
    }

    /// Puts a job into the queue. Returns at once, with a handle to cancel it.
    ///
    /// `callback` runs on the worker's thread. It may block for a while, which holds up that worker only.
    pub fn submit(
        &self,
        request: W::Request,
        callback: impl FnMut(Event<W>) -> Flow + Send + 'static,
    ) -> Result<Job, SubmitError> {
        let job = Job::default();
        let queued = Queued { request, callback: Box::new(callback), job: job.clone(), since: Instant::now() };
        let mut state = self.shared.lock();
        if state.alive == 0 {
            return Err(SubmitError::Gone);
        }
        let limit = self.shared.config.queue.get();
        if state.queue.len() >= limit {
            self.shared.forget_cancelled(&mut state);
        }
        if state.queue.len() >= limit {
            drop(state);
            self.shared.counters.refused.fetch_add(1, Ordering::Relaxed);
            return Err(SubmitError::Busy);
        }
        state.queue.push_back(queued);
        drop(state);
        self.shared.available.notify_one();
        Ok(job)
    }

    /// Returns what there is to know about load and losses.
    pub fn metrics(&self) -> PoolMetrics {
        let state = self.shared.lock();
        let (queued, running, workers) = (state.queue.len(), state.running.len(), state.alive);
        drop(state);
        self.shared.counters.read(queued, running, workers)
    }
}

impl<W: Worker> Drop for Pool<W> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.queue);
        for job in &state.running {
            job.cancel();
        }
        drop(state);
        self.shared.available.notify_all();
        drop(waiting);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::warn!("a worker's thread ended with a panic");
            }
        }
    }
}

impl<W: Worker> Shared<W> {
    /// Nothing that can panic runs under the lock, so a poisoned one is as good as another.
    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_cancelled(&self, state: &mut State<W>) {
        let before = state.queue.len();
        state.queue.retain(|queued| !queued.job.is_cancelled());
        self.counters.count_cancelled(before.saturating_sub(state.queue.len()));
    }
}

impl<W: Worker> std::fmt::Debug for Pool<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
