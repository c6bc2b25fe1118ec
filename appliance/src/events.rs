//! What the gateway is told: each fact as an event, in the same commit as the fact.
//!
//! Without a gateway nothing is told: events would pile up for nobody.

use protocol::limits::MAX_TEXT_LEN;
use protocol::{
    CallEnded, CallStarted, CallTurn, EventData, EventId, Extra, FormRecord, Latencies, NewEvent, OutboxLost, Skipped,
    Stamp, StoreReset, VoicemailSaved, VoicemailTranscribed, Weather, Word,
};
use rand::RngExt as _;
use store::{Batch, CallOutcome, CallRecord, DropCause, FormRow, OpenReport, OutboxDrop, TurnRow, VoicemailRecord};
use units::Pii;

use crate::clock::Clock;

/// Makes events. Shared; one for the program.
#[derive(Clone, Copy, Debug)]
pub struct Events {
    /// Whether anybody is told.
    told: bool,
    run: u64,
    clock: Clock,
}

impl Events {
    /// Makes events of this run of the program; none where there is no gateway.
    pub fn new(run: u64, clock: Clock, has_gateway: bool) -> Self {
        Self { told: has_gateway, run, clock }
    }

    /// Returns the number of this run of the program.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Returns the time as events carry it.
    pub fn stamp(&self) -> Stamp {
        Stamp {
            boot: self.run,
            mono_ms: u64::try_from(self.clock.now().as_millis()).unwrap_or(u64::MAX),
            wall_ms: self.clock.wall_ms(),
            time_synced: self.clock.is_set(),
        }
    }

    /// Adds an event to the commit of what it tells of.
    pub fn put<D: EventData>(&self, batch: &mut Batch, data: &D) {
        if !self.told {
            return;
        }
        let id = EventId::from_random_bytes(rand::rng().random());
        match NewEvent::new(id, self.stamp(), data) {
            Ok(event) => batch.emit(event),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a fact is not told to the gateway");
            }
        }
    }

    /// Tells that a call came in.
    pub fn call_started(&self, batch: &mut Batch, record: &CallRecord) {
        let (call, from, to) = (record.call.clone(), record.from.clone(), record.to.clone());
        self.put(batch, &CallStarted { call, from, to, extra: Extra::default() });
    }

    /// Tells what was said in a turn that is over.
    pub fn call_turn(&self, batch: &mut Batch, row: &TurnRow) {
        let latencies = Latencies {
            end_of_turn_ms: row.latencies.end_of_turn_ms,
            transcript_ms: row.latencies.transcript_ms,
            reply_ms: row.latencies.reply_ms,
            first_audio_ms: row.latencies.first_audio_ms,
            extra: Extra::default(),
        };
        self.put(
            batch,
            &CallTurn {
                call: row.call.clone(),
                turn: row.turn,
                caller: clipped(&row.caller),
                agent: clipped(&row.agent),
                language: row.language,
                interrupted: row.interrupted,
                latencies,
                extra: Extra::default(),
            },
        );
    }

    /// Tells that a call is over.
    pub fn call_ended(&self, batch: &mut Batch, record: &CallRecord) {
        let weather = Weather {
            recognize: record.weather.recognize.clone(),
            reply: record.weather.reply.clone(),
            synthesize: record.weather.synthesize.clone(),
            extra: Extra::default(),
        };
        self.put(
            batch,
            &CallEnded {
                call: record.call.clone(),
                outcome: outcome_word(record.outcome),
                duration_ms: record.duration_ms.unwrap_or(0),
                turns: record.turns,
                language: record.language,
                weather,
                recording: record.recording.as_ref().map(ToString::to_string),
                cost_micros: Some(record.cost_micros).filter(|cost| *cost > 0),
                extra: Extra::default(),
            },
        );
    }

    /// Tells what the office wanted to know, as far as the caller said it.
    pub fn form(&self, batch: &mut Batch, row: &FormRow) {
        let (call, form, record) = (row.call.clone(), row.form.clone(), row.record.clone());
        self.put(batch, &FormRecord { call, form, complete: row.complete, record, extra: Extra::default() });
    }

    /// Tells that a message is here. Told once, when its audio is on this device.
    pub fn voicemail_saved(&self, batch: &mut Batch, record: &VoicemailRecord) {
        self.put(
            batch,
            &VoicemailSaved {
                voicemail: record.key.to_string(),
                call: record.key.call.clone(),
                caller: record.caller.clone(),
                duration_ms: record.duration_ms,
                recording: record.recording.as_ref().map(ToString::to_string),
                digest: record.digest.clone(),
                extra: Extra::default(),
            },
        );
    }

    /// Tells what was said in a message.
    pub fn voicemail_transcribed(&self, batch: &mut Batch, record: &VoicemailRecord) {
        let Some(transcript) = &record.transcript else { return };
        self.put(
            batch,
            &VoicemailTranscribed {
                voicemail: record.key.to_string(),
                call: record.key.call.clone(),
                transcript: clipped(transcript),
                language: record.language,
                extra: Extra::default(),
            },
        );
    }

    /// Tells that events were dropped for want of room, and notes in the same commit that it is told.
    pub fn outbox_lost(&self, batch: &mut Batch, drop: &OutboxDrop) {
        let OutboxDrop { stream, epoch, from, to, cause } = *drop;
        let reason = match cause {
            DropCause::Cap => Skipped::CAP,
            DropCause::Disk => Skipped::DISK,
        };
        self.put(batch, &OutboxLost { stream, epoch, from, to, reason, extra: Extra::default() });
        batch.mark_told(drop);
    }

    /// Tells that the database was damaged, and what became of it.
    pub fn store_reset(&self, batch: &mut Batch, report: &OpenReport, epoch_before: Option<u64>) {
        let reason = report.reason.clone().unwrap_or_else(|| "rows were damaged or missing".to_owned());
        let rows_salvaged = report.salvaged;
        self.put(batch, &StoreReset { reason, rows_salvaged, epoch_before, extra: Extra::default() });
    }
}

/// Cuts a text to what an event may hold.
fn clipped(text: &Pii<String>) -> Pii<String> {
    let text = text.reveal();
    Pii::new(text.get(..text.floor_char_boundary(MAX_TEXT_LEN)).unwrap_or_default().to_owned())
}

fn outcome_word(outcome: CallOutcome) -> Word {
    Word::known(match outcome {
        CallOutcome::InProgress => "in_progress",
        CallOutcome::Completed => "completed",
        CallOutcome::Voicemail => "voicemail",
        CallOutcome::Transferred => "transferred",
        CallOutcome::CallerHungUp => "caller_hung_up",
        CallOutcome::Silent => "silent",
        CallOutcome::Refused => "refused",
        CallOutcome::Failed => "failed",
        CallOutcome::Interrupted => "interrupted",
        CallOutcome::Unknown => "unknown",
    })
}

#[cfg(test)]
mod tests {
    use protocol::{CallEnded, EventData as _, Kind, VoicemailSaved};
    use store::{Batch, CallOutcome, CallRecord, Store, StoreConfig};
    use units::Pii;

    use super::{Events, clipped, outcome_word};
    use crate::clock::Clock;

    #[test]
    fn a_fact_and_its_event_are_committed_together_and_read_back_by_the_protocol() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig::new(folder.path())).unwrap();
        let record = CallRecord {
            outcome: CallOutcome::Completed,
            duration_ms: Some(61_000),
            ..CallRecord::started("CA1".parse().unwrap(), Pii::new("054".to_owned()), Pii::default(), 5)
        };
        let events = Events::new(store.report().run, Clock::start(), true);
        let mut batch = Batch::new();
        batch.put_call(&record).unwrap();
        events.call_started(&mut batch, &record);
        events.call_ended(&mut batch, &record);
        store.commit(batch).unwrap();
        let head = store.outbox_heads()[0];
        let slice = store.outbox_slice(head.stream, head.epoch, 0, 64, 1 << 16).unwrap();
        assert_eq!(slice.boot, store.report().run);
        assert_eq!(
            slice.events.iter().map(|event| &event.kind).collect::<Vec<_>>(),
            [&Kind::CALL_STARTED, &Kind::CALL_ENDED]
        );
        let ended: CallEnded = slice.events[1].data_as().unwrap();
        assert_eq!((ended.outcome.as_str(), ended.duration_ms), ("completed", 61_000));
        assert_ne!(slice.events[0].id, slice.events[1].id);
    }

    #[test]
    fn without_a_gateway_nothing_is_kept_for_it() {
        let events = Events::new(1, Clock::start(), false);
        let mut batch = Batch::new();
        events
            .call_started(&mut batch, &CallRecord::started("CA1".parse().unwrap(), Pii::default(), Pii::default(), 5));
        assert!(batch.is_empty());
    }

    #[test]
    fn words_of_outcomes_are_those_of_the_records() {
        for outcome in [CallOutcome::Completed, CallOutcome::CallerHungUp, CallOutcome::Interrupted] {
            let in_record = serde_json::to_value(outcome).unwrap();
            assert_eq!(in_record.as_str(), Some(outcome_word(outcome).as_str()));
        }
        assert_eq!(VoicemailSaved::KIND, Kind::VOICEMAIL_SAVED);
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        let long = clipped(&Pii::new("א".repeat(20_000)));
        assert_eq!(long.reveal().len(), protocol::limits::MAX_TEXT_LEN);
    }
}
