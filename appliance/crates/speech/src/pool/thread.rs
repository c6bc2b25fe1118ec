//! What each thread of a pool does.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{Event, Queued, Shared, Worker};
use crate::synthesizer::Flow;

/// How a job ended.
enum End {
    Whole,
    Panicked,
}

/// Works until the pool is dropped or the worker panics too often.
pub(super) fn run<W: Worker>(shared: &Shared<W>, worker: W) {
    let mut worker = worker;
    let mut panics = 0_u32;
    while let Some(queued) = next(shared) {
        shared.counters.waited(queued.since.elapsed());
        let job = queued.job.clone();
        let started = Instant::now();
        let end = work(shared, &mut worker, queued);
        shared.counters.worked(started.elapsed());
        shared.lock().running.retain(|other| !other.is(&job));
        match end {
            End::Whole => panics = 0,
            End::Panicked => {
                panics = panics.saturating_add(1);
                match renew(shared, panics) {
                    Some(renewed) => {
                        // A worker that panicked may panic again while it is dropped.
                        let old = std::mem::replace(&mut worker, renewed);
                        drop(catch_unwind(AssertUnwindSafe(|| drop(old))));
                    }
                    None => break,
                }
            }
        }
    }
    leave(shared);
}

/// Waits for a job. Returns nothing once the pool is closed.
fn next<W: Worker>(shared: &Shared<W>) -> Option<Queued<W>> {
    let mut state = shared.lock();
    loop {
        if state.closed {
            return None;
        }
        match state.queue.pop_front() {
            Some(queued) if queued.job.is_cancelled() => shared.counters.count_cancelled(1),
            Some(queued) => {
                state.running.push(queued.job.clone());
                return Some(queued);
            }
            None => state = shared.available.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

fn work<W: Worker>(shared: &Shared<W>, worker: &mut W, queued: Queued<W>) -> End {
    let Queued { request, mut callback, job, since: _ } = queued;
    let mut stopped = false;
    let result = catch_unwind(AssertUnwindSafe(|| {
        worker.work(request, &job, &mut |part| {
            if stopped || job.is_cancelled() {
                return Flow::Stop;
            }
            let flow = callback(Event::Part(part));
            stopped = flow == Flow::Stop;
            flow
        })
    }));
    let (counter, result, end) = match result {
        Ok(Ok(output)) => (&shared.counters.done, Ok(output), End::Whole),
        Ok(Err(error)) => (&shared.counters.failed, Err(error), End::Whole),
        Err(_) => {
            tracing::warn!(pool = shared.config.name, "a job panicked");
            (&shared.counters.panicked, Err(W::gone()), End::Panicked)
        }
    };
    if job.is_cancelled() && matches!(end, End::Whole) {
        shared.counters.count_cancelled(1);
        return end;
    }
    counter.fetch_add(1, Ordering::Relaxed);
    if job.is_cancelled() {
        return end;
    }
    // The callback is not ours; what it does wrong is no reason to lose a worker.
    if catch_unwind(AssertUnwindSafe(|| callback(Event::Done(result)))).is_err() {
        tracing::warn!(pool = shared.config.name, "a callback panicked");
    }
    end
}

/// Makes a new worker, unless it panicked too often.
fn renew<W: Worker>(shared: &Shared<W>, panics: u32) -> Option<W> {
    let pool = shared.config.name;
    if panics > shared.config.max_panics {
        tracing::error!(pool, panics, "a worker panicked too often and is not started again");
        return None;
    }
    let mut factory = shared.factory.lock().unwrap_or_else(PoisonError::into_inner);
    let made = catch_unwind(AssertUnwindSafe(&mut *factory));
    drop(factory);
    match made {
        Ok(Ok(worker)) => {
            shared.counters.restarted.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(pool, panics, "a worker was started again");
            Some(worker)
        }
        Ok(Err(error)) => {
            tracing::error!(pool, error = error.as_ref() as &dyn std::error::Error, "a worker cannot be started again");
            None
        }
        Err(_) => {
            tracing::error!(pool, "a worker panicked while it was started again");
            None
        }
    }
}

/// Ends this thread's part. The last one to go tells those who wait.
fn leave<W: Worker>(shared: &Shared<W>) {
    let mut state = shared.lock();
    state.alive = state.alive.saturating_sub(1);
    let waiting = if state.alive == 0 { std::mem::take(&mut state.queue) } else { VecDeque::default() };
    let closed = state.closed;
    drop(state);
    if closed {
        return;
    }
    for mut queued in waiting {
        if !queued.job.is_cancelled() {
            let told = catch_unwind(AssertUnwindSafe(|| (queued.callback)(Event::Done(Err(W::gone())))));
            drop(told);
        }
    }
}
