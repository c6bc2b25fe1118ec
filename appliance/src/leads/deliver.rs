//! The worker that brings changes of leads to the office's CRM.
//!
//! Only the configured address is ever asked, and no redirect is followed. A delivery ends when the receiver has answered
//! 2xx and its row is gone from the disk; only then the next one of the same lead is sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::leads::change::Failure;
use ::leads::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use ::leads::{Outcome, Send, Waiting};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use store::{Batch, Delivered, Deliveries, DeliveryKey, Query, ReadError, Store};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::app::Parts;
use crate::carrier::http_client;
use crate::config::{Credential, Secret};
use crate::health::{Part, PartState};
use crate::metrics::ReasonLabel;

/// The header that tells a repetition.
const IDEMPOTENCY_HEADER: &str = "Idempotency-Key";
/// Longest time between two looks at what waits, for the figures.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The receiver.
struct Crm {
    client: Client,
    url: Url,
    secret: Secret,
}

/// Delivers until the program stops. What is on its way then is sent again after the next start.
///
/// # Cancellation safety
///
/// Dropped half way, what was not confirmed is sent again after the next start.
pub(crate) async fn run(parts: Arc<Parts>) {
    let Some(crm) = receiver(&parts) else { return };
    let crm = Arc::new(crm);
    let loading = Arc::clone(&parts);
    let loaded = parts.archive.blocking(move |archive| loading.leads.load(archive)).await;
    if let Some(Err(error)) = loaded {
        let why = format!("what waits cannot be read: {error}; it is delivered after the next start");
        parts.health.set(Part::Crm, PartState::degraded(why));
    }
    let mut flights: JoinSet<Outcome> = JoinSet::new();
    let mut sends: HashMap<Id, Send> = HashMap::new();
    loop {
        while let Some(send) = parts.leads.next() {
            let (parts, crm) = (Arc::clone(&parts), Arc::clone(&crm));
            let flight = flights.spawn(async move { deliver(&parts, &crm, send).await });
            sends.insert(flight.id(), send);
        }
        show(&parts).await;
        let wake = Instant::now() + parts.leads.wake().unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            () = parts.leads.to_deliver.notified() => {}
            Some(ended) = flights.join_next_with_id() => {
                let (id, outcome) = match ended {
                    Ok(ended) => ended,
                    // A bug of ours; it is tried again.
                    Err(error) => (error.id(), Outcome::Failed { retry_after: None }),
                };
                if let Some(send) = sends.remove(&id) {
                    parts.leads.done(send, outcome);
                }
            }
            () = sleep_until(wake) => {}
        }
    }
}

/// Returns the receiver, if one is configured and its secret is there, and says how it is.
fn receiver(parts: &Parts) -> Option<Crm> {
    let config = &parts.config.crm;
    let state = match (&config.url, &config.secret) {
        (None, _) => PartState::disabled("crm.url is not set; leads are kept and delivered to nobody"),
        (Some(_), Credential::Missing) => {
            PartState::degraded("there is no secret to sign with; set crm.secret_file; changes wait")
        }
        (Some(_), Credential::Unreadable(why)) => PartState::degraded(format!("{why}; changes wait")),
        (Some(url), Credential::Given(secret)) => match http_client().timeout(config.timeout).build() {
            Ok(client) => {
                parts.health.set(Part::Crm, PartState::Ok);
                return Some(Crm { client, url: url.url().clone(), secret: secret.clone() });
            }
            Err(error) => PartState::degraded(format!("cannot set up the HTTP client: {error}")),
        },
    };
    parts.health.set(Part::Crm, state);
    None
}

async fn deliver(parts: &Parts, crm: &Crm, send: Send) -> Outcome {
    let key = DeliveryKey { lead: send.lead, sequence: send.sequence };
    let row = parts.archive.blocking(move |archive| archive.store().map(|store| waiting(store, key))).await;
    let row = match row.flatten() {
        Some(Ok(Some((row, Standing::Waits)))) => row,
        Some(Ok(Some((_, Standing::WasDelivered)))) => return remove(parts, key, Outcome::Gone).await,
        Some(Ok(None)) => return Outcome::Gone,
        Some(Err(ReadError::Damaged { .. } | ReadError::Newer { .. })) => {
            tracing::error!(lead = %send.lead, sequence = send.sequence, "a delivery cannot be read and is lost");
            return remove(parts, key, Outcome::Gone).await;
        }
        Some(Err(ReadError::Database { .. } | ReadError::Closed)) | None => {
            return Outcome::Failed { retry_after: None };
        }
    };
    match post(parts, crm, &row).await {
        Ok(()) => {
            let outcome = remove(parts, key, Outcome::Delivered).await;
            if outcome == Outcome::Delivered {
                parts.metrics.crm_delivered.inc();
                parts.health.set(Part::Crm, PartState::Ok);
            }
            outcome
        }
        Err(refusal) => {
            tracing::debug!(lead = %send.lead, sequence = send.sequence, status = ?refusal.status, "not delivered yet");
            note(parts, key, row, &refusal).await;
            Outcome::Failed { retry_after: refusal.retry_after }
        }
    }
}

/// Whether a delivery that is on the disk is still to be made.
enum Standing {
    Waits,
    /// The disk was damaged, and a salvage has put it back.
    WasDelivered,
}

fn waiting(store: &Store, key: DeliveryKey) -> Result<Option<(Waiting, Standing)>, ReadError> {
    let Some(row) = store.get::<Deliveries>(&key)? else { return Ok(None) };
    let delivered = store.get::<Delivered>(&key.lead)?.unwrap_or_default();
    let standing = if key.sequence > delivered { Standing::Waits } else { Standing::WasDelivered };
    Ok(Some((row, standing)))
}

/// Why a try came to nothing.
struct Refusal {
    /// The status; none when there was no answer.
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
}

async fn post(parts: &Parts, crm: &Crm, row: &Waiting) -> Result<(), Refusal> {
    let timestamp = parts.clock.wall_ms() / 1_000;
    let body = row.body.reveal();
    let signature = sign(crm.secret.expose().as_bytes(), timestamp, body.as_bytes());
    let request = crm
        .client
        .post(crm.url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header(IDEMPOTENCY_HEADER, &row.key)
        .header(TIMESTAMP_HEADER, timestamp)
        .header(SIGNATURE_HEADER, signature)
        .body(body.clone());
    let response = request.send().await.map_err(|_unanswered| Refusal { status: None, retry_after: None })?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    Err(Refusal { status: Some(status), retry_after: retry_after(response.headers(), SystemTime::now()) })
}

/// Reads `Retry-After`: seconds or a date (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default())
}

/// Takes a delivery off the disk. Until that is done, it counts as not delivered: it is better sent twice than overtaken.
async fn remove(parts: &Parts, key: DeliveryKey, outcome: Outcome) -> Outcome {
    let mut batch = Batch::new();
    let noted = match outcome {
        Outcome::Delivered => batch.put::<Delivered>(&key.lead, &key.sequence),
        Outcome::Gone | Outcome::Failed { .. } => Ok(()),
    };
    let removed = match noted.and_then(|()| batch.delete::<Deliveries>(&key)) {
        Ok(()) => parts.archive.commit(batch).await,
        Err(error) => Err(error.into()),
    };
    match removed {
        Ok(()) => outcome,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a delivery is sent again");
            Outcome::Failed { retry_after: None }
        }
    }
}

/// Notes in its row how a try went, for the owner and for the next start.
async fn note(parts: &Parts, key: DeliveryKey, mut row: Waiting, refusal: &Refusal) {
    let status = refusal.status.map(|status| status.as_u16());
    row.attempts = row.attempts.saturating_add(1);
    row.last = Some(Failure { at_wall_ms: parts.clock.wall_ms(), status });
    let (reason, said) = match status {
        Some(status) => ("refused", format!("the CRM answers {status}")),
        None => ("unreachable", "the CRM does not answer".to_owned()),
    };
    parts.metrics.crm_failed.get_or_create(&ReasonLabel { reason }).inc();
    parts.health.set(Part::Crm, PartState::degraded(format!("{said}; see /api/deliveries; it is tried again")));
    let mut batch = Batch::new();
    batch.unhurried();
    let noted = match batch.put::<Deliveries>(&key, &row) {
        Ok(()) => parts.archive.commit(batch).await,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = noted {
        tracing::debug!(error = &error as &dyn std::error::Error, "how a try went is not noted");
    }
}

/// Sets the figures of what waits.
async fn show(parts: &Parts) {
    let waiting = parts.leads.waiting();
    parts.metrics.crm_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    let oldest = if waiting == 0 {
        None
    } else {
        // The first row is of the lead made first, whose change is mostly the oldest.
        let first = parts.archive.blocking(|archive| {
            let query = Query::<Deliveries>::all().limit(1);
            archive.store().and_then(|store| store.query(&query).ok()).and_then(|rows| rows.into_iter().next())
        });
        first.await.flatten().map(|(_, row)| row.made_wall_ms)
    };
    let age_ms = oldest.map_or(0, |made| parts.clock.wall_ms().saturating_sub(made));
    parts.metrics.crm_oldest_seconds.set(i64::try_from(age_ms / 1_000).unwrap_or(i64::MAX));
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    use super::retry_after;

    #[test]
    fn a_receiver_may_ask_for_a_wait_in_seconds_or_by_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 09 Sep 2001 01:47:40 GMT", Some(60)),
            ("Sun, 09 Sep 2001 01:40:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
