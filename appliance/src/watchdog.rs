//! Sends a call to voicemail whose media stream does not start, over the carrier's REST interface.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ::carrier::Change;
use routing::Event;
use tokio::time::{Instant, sleep_until};

use crate::app::Parts;
use crate::switchboard::Caller;

/// Longest time between two looks when nothing is expected.
const IDLE: Duration = Duration::from_mins(1);
/// Redirects under way at once.
const MAX_REDIRECTS: usize = 16;

/// Watches over expected streams until the program stops.
///
/// # Cancellation safety
///
/// Dropped half way, redirects under way are dropped too; their callers fall into voicemail when the carrier gives up.
pub async fn run(parts: Arc<Parts>) {
    let mut redirects = tokio::task::JoinSet::new();
    // No longer than there may be calls.
    let mut due = VecDeque::new();
    while !parts.shutdown.is_cancelled() {
        let now = parts.clock.now();
        for caller in parts.switchboard.overdue(now) {
            parts.metrics.watchdog.inc();
            parts.switchboard.tell(now, &caller.call, Event::StreamOverdue);
            due.push_back(caller);
        }
        while redirects.len() < MAX_REDIRECTS
            && let Some(caller) = due.pop_front()
        {
            redirects.spawn(redirect(Arc::clone(&parts), caller));
        }
        let wait = parts.switchboard.next_overdue().map_or(IDLE, |at| at.saturating_sub(now));
        tokio::select! {
            () = parts.shutdown.cancelled() => {}
            () = parts.watchdog.notified() => {}
            Some(_) = redirects.join_next() => {}
            () = sleep_until(Instant::now() + wait) => {}
        }
    }
    redirects.shutdown().await;
}

async fn redirect(parts: Arc<Parts>, caller: Caller) {
    let Some(carrier) = &parts.carrier else {
        tracing::warn!(call_id = %caller.call, "media stream did not start; no account to redirect the call with");
        return;
    };
    let document = parts.documents().voicemail(caller.language);
    match carrier.redirect(&caller.call, &document).await {
        Ok(Change::Made) => {
            tracing::warn!(call_id = %caller.call, "media stream did not start; call sent to voicemail");
        }
        Ok(Change::Gone) => tracing::info!(call_id = %caller.call, "media stream did not start; the call is over"),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(call_id = %caller.call, error, "media stream did not start; call not redirected");
        }
    }
}
