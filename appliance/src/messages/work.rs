//! The worker: sends, answers and tells, until the program stops.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rand::RngExt as _;
use store::{Conversations, Delivery, MessageKey, Order, Outgoing, OutgoingKey, OutgoingRow, Query};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::desk::Desk;
use super::lanes::{Done, Lanes, MAX_WAITING};
use super::{MessagesError, answer, notice, send};
use crate::app::Parts;

/// Messages sent at once, of different conversations.
const SENDS: usize = 4;
/// Messages answered at once, of different conversations: hearing takes a core.
const ANSWERS: usize = 2;
/// Longest wait for what is being sent when the program stops; what is cut is uncertain.
const LAST_SENDS: Duration = Duration::from_secs(3);
/// Conversations found at the start.
const MAX_FOUND: usize = 100_000;
/// Wait when there is nothing to wait for.
const LONG: Duration = Duration::from_hours(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Send,
    Answer,
}

/// Works until the program stops.
///
/// # Cancellation safety
///
/// Dropped half way, what was begun is done after the next start, and what was being sent is uncertain.
pub async fn run(parts: Arc<Parts>) {
    if let Err(error) = parts.at_desk(find).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "messages that wait were not found");
    }
    let mut jobs = JoinSet::new();
    let (mut sends, mut answers) = (0_usize, 0_usize);
    while !parts.shutdown.is_cancelled() {
        tell_owner(&parts).await;
        let now = parts.clock.now();
        while sends < SENDS
            && let Some((key, tries)) = parts.messages.queues().send.take(now)
        {
            sends += 1;
            jobs.spawn(job(Arc::clone(&parts), Kind::Send, key, tries));
        }
        while answers < ANSWERS
            && let Some((key, tries)) = parts.messages.queues().answer.take(now)
        {
            answers += 1;
            jobs.spawn(job(Arc::clone(&parts), Kind::Answer, key, tries));
        }
        let wake = next_at(&parts, sends < SENDS, answers < ANSWERS).saturating_sub(now).min(LONG);
        tokio::select! {
            () = parts.shutdown.cancelled() => {}
            () = parts.messages.news.notified() => {}
            () = sleep_until(Instant::now() + wake) => {}
            Some(Ok((kind, key, done))) = jobs.join_next(), if !jobs.is_empty() => {
                let mut queues = parts.messages.queues();
                let (lanes, count) = match kind {
                    Kind::Send => (&mut queues.send, &mut sends),
                    Kind::Answer => (&mut queues.answer, &mut answers),
                };
                *count = count.saturating_sub(1);
                lanes.done(parts.clock.now(), &key, done, rand::rng().random());
            }
        }
        let (to_send, to_answer) = parts.messages.waiting();
        parts.metrics.messages_waiting(to_send, to_answer);
    }
    // An answer is written again after the next start; a message that is on its way is waited for.
    drop(timeout(LAST_SENDS, async { while jobs.join_next().await.is_some() {} }).await);
}

async fn job(parts: Arc<Parts>, kind: Kind, key: MessageKey, tries: u32) -> (Kind, MessageKey, Done) {
    let work = async {
        match kind {
            Kind::Send => send::send(&parts, key, tries).await,
            Kind::Answer => tokio::select! {
                done = answer::answer(&parts, key, tries) => done,
                () = parts.shutdown.cancelled() => Done::Again,
            },
        }
    };
    // A bug with one message keeps no other from its work; after the next start it is tried again.
    let done = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_panic| {
        tracing::error!(?kind, "work on a message ended in a bug");
        Done::Yes
    });
    (kind, key, done)
}

fn next_at(parts: &Parts, may_send: bool, may_answer: bool) -> Duration {
    let queues = parts.messages.queues();
    let of = |may: bool, at: Option<Duration>| at.filter(|_| may).unwrap_or(Duration::MAX);
    let notices = of(true, queues.notices_at);
    of(may_send, queues.send.next_at()).min(of(may_answer, queues.answer.next_at())).min(notices)
}

async fn tell_owner(parts: &Arc<Parts>) {
    loop {
        let now = parts.clock.now();
        if parts.messages.queues().notices_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        match parts.at_desk(notice::make_messages).await {
            Ok(Some(wait)) => {
                let at = now.saturating_add(wait);
                let mut queues = parts.messages.queues();
                queues.notices_at = Some(queues.notices_at.map_or(at, |sooner| sooner.min(at)));
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the owner is not told yet"),
        }
    }
}

/// Finds what the run before this one left. What it was sending may have been sent.
fn find(desk: &mut Desk<'_>) -> Result<(), MessagesError> {
    let conversations = desk.store.query(&Query::<Conversations>::all().order(Order::Ascending).limit(MAX_FOUND))?;
    let answers = desk.store.query(&Query::<Outgoing>::to_answer().limit(MAX_WAITING))?;
    let sends = desk.store.query(&Query::<Outgoing>::to_send().limit(MAX_WAITING))?;
    let mut to_send = Vec::new();
    for (key, row) in sends {
        match (&key, row) {
            (OutgoingKey::Send(message), OutgoingRow { sending: true, .. }) => {
                if let Some(mut row) = desk.message(message)? {
                    row.delivery = Delivery::Uncertain;
                    desk.put(message, &row)?;
                }
                desk.batch.delete::<Outgoing>(&key)?;
            }
            (OutgoingKey::Send(message), _) => to_send.push(*message),
            (OutgoingKey::Answer(_) | OutgoingKey::Notice(_) | OutgoingKey::Request(_), _) => {}
        }
    }
    let mut queues = desk.parts.messages.queues();
    queues.notices_at = Some(Duration::ZERO);
    for (id, row) in conversations {
        queues.note(id, row.last_ms);
    }
    // A webhook may have come in before this, and what it pushed is in the store too.
    (queues.send, queues.answer) = (Lanes::default(), Lanes::default());
    for key in to_send {
        queues.send.push(key);
    }
    for (key, _) in answers {
        if let OutgoingKey::Answer(message) = key {
            queues.answer.push(message);
        }
    }
    Ok(())
}
