//! The worker that makes leads of facts, and lets go of the oldest when there are too many.

use std::sync::Arc;
use std::time::Duration;

use leads::LeadId;
use store::{
    ApiAnswers, Batch, CommitError, Delivered, Deliveries, LeadFacts, LeadHistory, Leads as LeadRows, LeadsByPhone,
    Query, Store, StoreError,
};
use tokio::time::{Instant, sleep_until};

use super::{SLICE, Written};
use crate::api::once::ANSWERS_FOR;
use crate::app::Parts;
use crate::archive::Archive;

/// Facts taken up at once.
const FACTS: usize = 100;
/// Longest time between two looks for facts, for those whose teller could not wake anybody.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Time between two looks for what is old: a program that asks as fast as it may leaves 30,000 answers meanwhile.
const TRIM_EVERY: Duration = Duration::from_mins(10);
/// Leads kept; beyond that the ones first heard of longest ago go, unless a change of theirs waits.
const MAX_LEADS: usize = 20_000;
/// Leads let go of at one look.
const MAX_TRIMMED: usize = 500;
/// Answers kept at most.
const MAX_ANSWERS: usize = 5_000;

/// Makes leads of facts until the program stops.
///
/// # Cancellation safety
///
/// Dropped half way, what was not folded is folded after the next start.
pub(crate) async fn run(parts: Arc<Parts>) {
    let mut trim_at = Instant::now() + TRIM_EVERY;
    loop {
        if let Err(error) = fold_all(&parts).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "facts are not folded yet");
        }
        if Instant::now() >= trim_at {
            trim_at = Instant::now() + TRIM_EVERY;
            trim(&parts).await;
        }
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            () = parts.leads.told.notified() => {}
            () = sleep_until(Instant::now() + LOOK_EVERY) => {}
        }
    }
}

async fn fold_all(parts: &Parts) -> Result<(), StoreError> {
    let mut query = Query::<LeadFacts>::all().limit(FACTS);
    loop {
        let asked = query.clone();
        let facts = parts.archive.blocking(move |archive| archive.store().map(|store| store.query(&asked))).await;
        let Some(facts) = facts.flatten().transpose()? else { return Ok(()) };
        for (key, fact) in &facts {
            let key = key.clone();
            let folded = move |batch: &mut Batch, _: &Written| batch.delete::<LeadFacts>(&key);
            match parts.leads.fold(&parts.archive, fact.clone(), folded).await {
                Ok(_) => {}
                // A bug of ours: the next facts are none the worse for it.
                Err(StoreError::Commit(error @ CommitError::Encode(_))) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a fact cannot be folded");
                }
                Err(error) => return Err(error),
            }
        }
        let Some((last, _)) = facts.last().filter(|_| facts.len() == FACTS) else { return Ok(()) };
        query = Query::all().limit(FACTS).after(last);
    }
}

async fn trim(parts: &Parts) {
    let _guard = Arc::clone(&parts.leads.writer).lock_owned().await;
    let now_wall_ms = parts.clock.wall_ms();
    let trimmed = parts.archive.blocking(move |archive: &Archive| {
        let Some(store) = archive.store() else { return Ok(0) };
        trim_answers(store, now_wall_ms)?;
        trim_leads(store, MAX_LEADS)
    });
    match trimmed.await {
        Some(Ok(0)) | None => {}
        Some(Ok(count)) => tracing::info!(count, "the oldest leads were let go of"),
        Some(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "old leads not let go of");
        }
    }
}

/// Lets go of the oldest leads beyond `keep`. Returns how many.
fn trim_leads(store: &Store, keep: usize) -> Result<usize, StoreError> {
    let (mut count, mut oldest) = (0_usize, Vec::<LeadId>::new());
    let mut query = Query::<LeadRows>::all().limit(SLICE);
    loop {
        let rows = store.query(&query)?;
        count = count.saturating_add(rows.len());
        oldest.extend(rows.iter().map(|(id, _)| *id).take(MAX_TRIMMED.saturating_sub(oldest.len())));
        let Some((last, _)) = rows.last().filter(|_| rows.len() == SLICE) else { break };
        query = Query::all().limit(SLICE).after(last);
    }
    let mut trimmed = 0;
    for id in oldest.into_iter().take(count.saturating_sub(keep)) {
        if !store.query(&Query::<Deliveries>::of_lead(id).limit(1))?.is_empty() {
            continue;
        }
        let mut batch = Batch::new();
        for (key, _) in store.query(&Query::<LeadHistory>::of_lead(id))? {
            batch.delete::<LeadHistory>(&key).map_err(CommitError::from)?;
        }
        if let Some(phone) = store.get::<LeadRows>(&id)?.and_then(|lead| lead.phone) {
            batch.delete::<LeadsByPhone>(phone.reveal()).map_err(CommitError::from)?;
        }
        batch.delete::<Delivered>(&id).map_err(CommitError::from)?;
        batch.delete::<LeadRows>(&id).map_err(CommitError::from)?;
        store.commit(batch)?;
        trimmed += 1;
    }
    Ok(trimmed)
}

/// Forgets answers that nobody asks for again.
fn trim_answers(store: &Store, now_wall_ms: u64) -> Result<(), StoreError> {
    let rows = store.query(&Query::<ApiAnswers>::all().limit(usize::MAX))?;
    let mut times: Vec<(u64, String)> = rows.into_iter().map(|(key, row)| (row.at_wall_ms, key)).collect();
    times.sort();
    let excess = times.len().saturating_sub(MAX_ANSWERS);
    let kept_ms = u64::try_from(ANSWERS_FOR.as_millis()).unwrap_or(u64::MAX);
    let mut batch = Batch::new();
    for (index, (at_wall_ms, key)) in times.iter().enumerate() {
        if index < excess || at_wall_ms.saturating_add(kept_ms) < now_wall_ms {
            batch.delete::<ApiAnswers>(key).map_err(CommitError::from)?;
        }
    }
    if batch.is_empty() { Ok(()) } else { Ok(store.commit(batch)?) }
}

#[cfg(test)]
mod tests {
    use leads::{Fact, Lead, LeadId, Source, SourceKind};
    use store::{ApiAnswerRow, ApiAnswers, Batch, Leads, LeadsByPhone, Query, Store, StoreConfig};
    use units::Pii;

    use super::{ANSWERS_FOR, trim_answers, trim_leads};

    #[test]
    fn the_oldest_leads_beyond_the_limit_go_with_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig::new(folder.path())).unwrap();
        let mut batch = Batch::new();
        for number in 0..300_u64 {
            let source = Source { kind: SourceKind::Call, id: number.to_string() };
            let phone = format!("+97254{number:07}");
            let lead = Lead::begun(LeadId::new(number, 0), &Fact::new(source, number, Pii::new(phone.clone())));
            batch.put::<Leads>(&lead.id, &lead).unwrap();
            batch.put::<LeadsByPhone>(&phone, &lead.id).unwrap();
        }
        store.commit(batch).unwrap();
        assert_eq!(trim_leads(&store, 290).unwrap(), 10);
        assert_eq!(trim_leads(&store, 290).unwrap(), 0);
        let left = store.query(&Query::<Leads>::all()).unwrap();
        assert_eq!((left.len(), left[0].0), (290, LeadId::new(10, 0)));
        assert_eq!(store.query(&Query::<LeadsByPhone>::all()).unwrap().len(), 290);
    }

    #[test]
    fn answers_are_forgotten_after_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig::new(folder.path())).unwrap();
        let mut batch = Batch::new();
        for at_wall_ms in [0, 10, 20] {
            let row = ApiAnswerRow { at_wall_ms, ..ApiAnswerRow::default() };
            batch.put::<ApiAnswers>(&at_wall_ms.to_string(), &row).unwrap();
        }
        store.commit(batch).unwrap();
        let day = u64::try_from(ANSWERS_FOR.as_millis()).unwrap();
        trim_answers(&store, day + 15).unwrap();
        assert_eq!(store.query(&Query::<ApiAnswers>::all()).unwrap().len(), 1);
    }
}
