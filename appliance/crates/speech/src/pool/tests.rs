use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;

/// Longest wait of a test for another thread.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn jobs_are_done_and_their_parts_come_in_order() {
    let pool = pool(2, 8, 0);
    let (sender, receiver) = channel();
    pool.submit(Ask::Count(3), tell(sender)).unwrap();
    let told: Vec<String> = receiver.iter().collect();
    assert_eq!(told, ["0", "1", "2", "done 3"]);
}

#[test]
fn a_full_queue_is_an_answer_at_once_and_counted() {
    let pool = pool(1, 2, 0);
    let (gate, running) = block(&pool);
    running.recv_timeout(PATIENCE).unwrap();
    for _ in 0..2 {
        pool.submit(Ask::Count(0), |_| Flow::Continue).unwrap();
    }
    assert_eq!(pool.submit(Ask::Count(0), |_| Flow::Continue).unwrap_err(), SubmitError::Busy);
    let metrics = pool.metrics();
    assert_eq!((metrics.queued, metrics.running, metrics.refused, metrics.workers), (2, 1, 1, 1));
    drop(gate);
}

#[test]
fn a_cancelled_job_gives_its_place_to_another_and_never_runs() {
    let pool = pool(1, 1, 0);
    let (gate, running) = block(&pool);
    running.recv_timeout(PATIENCE).unwrap();
    let (cancelled, nothing) = channel();
    pool.submit(Ask::Count(1), tell(cancelled)).unwrap().cancel();
    let (sender, receiver) = channel();
    pool.submit(Ask::Count(0), tell(sender)).unwrap();
    drop(gate);
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), "done 0");
    assert_eq!(nothing.iter().count(), 0);
    assert_eq!(pool.metrics().cancelled, 1);
}

#[test]
fn a_running_job_is_told_that_it_is_cancelled_and_hears_no_more() {
    let pool = pool(1, 1, 0);
    let (sender, receiver) = channel();
    let job = pool.submit(Ask::Endless, tell(sender)).unwrap();
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), "on");
    job.cancel();
    assert!(receiver.iter().all(|told| told == "on"), "no end is told");
    let (sender, receiver) = channel();
    pool.submit(Ask::Count(0), tell(sender)).unwrap();
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), "done 0");
}

#[test]
fn a_panic_ends_one_job_and_its_worker_is_made_anew() {
    let pool = pool(1, 8, 2);
    for _ in 0..5 {
        // Each panic is followed by a job done well, so that the count starts again.
        let (sender, receiver) = channel();
        pool.submit(Ask::Panic, tell(sender)).unwrap();
        assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), "gone");
        let (sender, receiver) = channel();
        pool.submit(Ask::Count(0), tell(sender)).unwrap();
        assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), "done 0");
    }
    let metrics = pool.metrics();
    assert_eq!((metrics.panicked, metrics.restarted, metrics.done, metrics.workers), (5, 5, 5, 1));
}

#[test]
fn a_worker_that_only_panics_is_given_up_and_nobody_waits_for_it() {
    let pool = pool(1, 8, 1);
    let (gate, running) = block(&pool);
    running.recv_timeout(PATIENCE).unwrap();
    let receivers: Vec<Receiver<String>> = (0..4)
        .map(|_| {
            let (sender, receiver) = channel();
            pool.submit(Ask::Panic, tell(sender)).unwrap();
            receiver
        })
        .collect();
    drop(gate);
    for receiver in receivers {
        assert_eq!(receiver.iter().collect::<Vec<_>>(), ["gone"]);
    }
    assert_eq!(pool.submit(Ask::Count(0), |_| Flow::Continue).unwrap_err(), SubmitError::Gone);
    assert_eq!((pool.metrics().workers, pool.metrics().panicked), (0, 2));
}

#[test]
fn a_callback_that_panics_costs_no_worker() {
    let pool = pool(1, 8, 0);
    pool.submit(Ask::Count(0), |_| panic!("not ours")).unwrap();
    let (sender, receiver) = channel();
    pool.submit(Ask::Count(0), tell(sender)).unwrap();
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), "done 0");
}

#[test]
fn dropping_the_pool_stops_what_runs_and_joins_its_threads() {
    let made = Arc::new(AtomicU32::new(0));
    let alive = Arc::clone(&made);
    let pool = Pool::start(config(2, 4), move || Ok(Doer(Arc::clone(&made)))).unwrap();
    let (sender, receiver) = channel();
    pool.submit(Ask::Endless, tell(sender)).unwrap();
    receiver.recv_timeout(PATIENCE).unwrap();
    drop(pool);
    // Threads, workers and callbacks are gone, the factory with them.
    assert_eq!(Arc::strong_count(&alive), 1);
    assert_ne!(receiver.iter().last(), Some("done 0".to_owned()));
}

#[test]
fn a_worker_that_cannot_be_made_is_an_error() {
    let error = Pool::<Doer>::start(config(1, 1), || Err("no model".into())).unwrap_err();
    assert!(matches!(error, StartError::Worker(why) if why.to_string() == "no model"));
}

enum Ask {
    Count(u32),
    Endless,
    Panic,
    Block(Sender<()>, Receiver<()>),
}

struct Doer(Arc<AtomicU32>);

impl Worker for Doer {
    type Request = Ask;
    type Part = String;
    type Output = u32;
    type Error = &'static str;

    fn work(&mut self, ask: Ask, job: &Job, part: &mut dyn FnMut(String) -> Flow) -> Result<u32, &'static str> {
        self.0.fetch_add(1, Ordering::Relaxed);
        match ask {
            Ask::Count(to) => {
                for n in 0..to {
                    part(n.to_string());
                }
                Ok(to)
            }
            Ask::Endless => {
                while part("on".to_owned()) == Flow::Continue {
                    std::thread::yield_now();
                }
                assert!(job.is_cancelled());
                Ok(0)
            }
            Ask::Panic => panic!("asked to"),
            Ask::Block(running, gate) => {
                running.send(()).unwrap_or_default();
                gate.recv().unwrap_or_default();
                Ok(0)
            }
        }
    }

    fn gone() -> &'static str {
        "gone"
    }
}

fn config(workers: usize, queue: usize) -> PoolConfig {
    PoolConfig::new("test", NonZeroUsize::new(workers).unwrap(), NonZeroUsize::new(queue).unwrap())
}

fn pool(workers: usize, queue: usize, max_panics: u32) -> Pool<Doer> {
    let config = PoolConfig { max_panics, ..config(workers, queue) };
    Pool::start(config, || Ok(Doer(Arc::default()))).unwrap()
}

/// Occupies a worker until the sender is dropped; the receiver tells that it is.
fn block(pool: &Pool<Doer>) -> (Sender<()>, Receiver<()>) {
    let ((gate, gated), (sender, running)) = (channel(), channel());
    pool.submit(Ask::Block(sender, gated), |_| Flow::Continue).unwrap();
    (gate, running)
}

fn tell(sender: Sender<String>) -> impl FnMut(Event<Doer>) -> Flow + Send {
    move |event| {
        let told = match event {
            Event::Part(part) => part,
            Event::Done(Ok(output)) => format!("done {output}"),
            Event::Done(Err(error)) => error.to_owned(),
        };
        sender.send(told).unwrap_or_default();
        Flow::Continue
    }
}
