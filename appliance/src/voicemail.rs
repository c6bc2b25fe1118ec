//! Messages callers left, whichever way they came: recorded here over the stream, or by the carrier.
//!
//! All end as the same record: fetched until they are here, written down by this device's own recognizer, summed up, and
//! deleted at the carrier where the owner wants that. What is left to do stands in the store, so that a message that was
//! acknowledged is looked after following a restart too.

mod news;
mod recovered;
mod rows;
mod told;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use store::{Order, Query, VoicemailKey, Voicemails};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub(crate) use self::news::put_news;
pub use self::recovered::keep_recovered;
pub use self::rows::Alone;
use self::rows::Changing;
pub use self::told::{handle_recording, recording_status};
use self::work::Left;
use crate::app::Parts;

/// Messages that may wait to be noticed by the worker; those beyond are found in the store later.
const REQUESTS: usize = 64;
/// First wait after a failed try; doubled each time.
const FIRST_BACK_OFF: Duration = Duration::from_secs(2);
/// Longest wait between two tries, and between two looks for messages that are left.
const MAX_BACK_OFF: Duration = Duration::from_mins(30);
/// Messages looked through for ones with work left, the newest first.
const MAX_LOOKED_AT: usize = 10_000;

/// A message to be looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Which.
    pub key: VoicemailKey,
}

/// Where requests to look after a message are handed in, and where who changes its row waits for others.
#[derive(Clone, Debug)]
pub struct Mailbox {
    requests: mpsc::Sender<Fetch>,
    changing: Changing,
}

/// The worker's end.
#[derive(Debug)]
pub struct Requests(mpsc::Receiver<Fetch>);

impl Mailbox {
    /// Makes both ends.
    pub fn new() -> (Self, Requests) {
        let (requests, receiver) = mpsc::channel(REQUESTS);
        (Self { requests, changing: Changing::default() }, Requests(receiver))
    }

    /// Asks for a message to be looked after now. Never waits: when too many wait, it is found in the store later.
    pub fn request(&self, fetch: Fetch) {
        if self.requests.try_send(fetch).is_err() {
            tracing::warn!("many messages to look after; this one is found in the store later");
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Try {
    at: Instant,
    number: u32,
}

/// Looks after messages until the program stops.
///
/// # Cancellation safety
///
/// Dropped half way, what is left of the work is done after the next start.
pub async fn run(parts: Arc<Parts>, mut requests: Requests) {
    let mut waiting = BTreeMap::new();
    add_unfinished(&parts, &mut waiting).await;
    loop {
        let due = waiting.iter().min_by_key(|(_, attempt)| attempt.at).map(|(key, attempt)| (key.clone(), *attempt));
        let wake = due.as_ref().map_or_else(|| Instant::now() + MAX_BACK_OFF, |(_, attempt)| attempt.at);
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            Some(fetch) = requests.0.recv() => {
                let at = Instant::now();
                waiting.entry(fetch.key).or_insert(Try { at, number: 1 }).at = at;
            }
            () = sleep_until(wake) => {
                let Some((key, attempt)) = due else {
                    // Whatever did not fit into the queue, or could not be done then, is found in the store.
                    add_unfinished(&parts, &mut waiting).await;
                    continue;
                };
                waiting.remove(&key);
                let left = tokio::select! {
                    () = parts.shutdown.cancelled() => return,
                    left = work::work(&parts, &key, attempt.number) => left,
                };
                if left == Left::Again {
                    let wait = FIRST_BACK_OFF.saturating_mul(1 << attempt.number.min(12)).min(MAX_BACK_OFF);
                    waiting.insert(key, Try { at: Instant::now() + wait, number: attempt.number.saturating_add(1) });
                }
            }
        }
    }
}

/// Adds the messages of the store that have work left.
async fn add_unfinished(parts: &Parts, waiting: &mut BTreeMap<VoicemailKey, Try>) {
    let newest = Query::<Voicemails>::all().order(Order::Descending).limit(MAX_LOOKED_AT);
    let found = parts.archive.blocking(move |archive| archive.store()?.query(&newest).ok()).await;
    let rows = found.flatten().unwrap_or_default();
    let at = Instant::now();
    for (key, _) in rows.into_iter().filter(|(_, row)| work::has_work_left(row)) {
        waiting.entry(key).or_insert(Try { at, number: 1 });
    }
}
