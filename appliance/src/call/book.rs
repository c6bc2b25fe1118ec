//! What is to be kept of a call: who said what, how long it took, what the office wanted to know.

use std::collections::BTreeMap;
use std::time::Duration;

use conversation::{HangupReason, Output, Speaker, TurnLatency, VoicemailReason};
use receptionist::{Form, FormRecord};
use routing::Ending;
use store::Weather;
use store::{
    Batch, CallOutcome, CallRecord, EncodeError, FormKey, FormRow, Forms, RecordingName, TurnKey, TurnLatencies,
    TurnRow, Turns,
};
use units::{Pii, TurnId};

use super::brain;
use crate::events::Events;
use crate::leads;
use crate::switchboard::SoFar;
use crate::weather::LOCAL;

/// The rows of one call as they grow.
#[derive(Debug)]
pub(super) struct Book {
    record: CallRecord,
    turns: BTreeMap<TurnId, TurnRow>,
    /// Turns that changed since they were last kept.
    changed: Vec<TurnId>,
    weather: Weather,
    /// Who served each turn so far.
    engines: BTreeMap<TurnId, Weather>,
    /// What this device's engines are called.
    local: Weather,
    ending: Option<Ending>,
    hangup: Option<HangupReason>,
    voicemail: Option<VoicemailReason>,
    /// Turns of an earlier stream of the same call; those of this one are counted on from there.
    turns_before: u32,
    /// What that one cost, in millionths of a dollar.
    cost_before: u64,
}

impl Book {
    pub(super) fn new(record: CallRecord, weather: Weather, before: Option<&SoFar>) -> Self {
        Self {
            record,
            turns_before: before.map_or(0, |before| before.next_turn),
            cost_before: before.map_or(0, |before| before.cost_micros),
            turns: BTreeMap::new(),
            changed: Vec::new(),
            engines: BTreeMap::new(),
            local: weather.clone(),
            weather,
            ending: None,
            hangup: None,
            voicemail: None,
        }
    }

    /// Notes who heard a turn.
    pub(super) fn heard_by(&mut self, turn: TurnId, engine: &str) {
        self.weather.recognize = name(engine, self.local.recognize.as_ref());
        self.note_weather(turn, |weather, now| weather.recognize.clone_from(&now.recognize));
    }

    /// Notes who replies to a turn. A turn in which one took over from another has the last.
    pub(super) fn replied_by(&mut self, turn: TurnId, engine: &str) {
        self.weather.reply = name(engine, self.local.reply.as_ref());
        self.note_weather(turn, |weather, now| weather.reply.clone_from(&now.reply));
    }

    /// Notes whose voice is heard from here on.
    pub(super) fn spoken_by(&mut self, turn: TurnId, engine: &str) {
        self.weather.synthesize = name(engine, self.local.synthesize.as_ref());
        self.note_weather(turn, |weather, now| weather.synthesize.clone_from(&now.synthesize));
    }

    /// Keeps who served a turn, which may come to nothing: only what is said makes a row.
    fn note_weather(&mut self, turn: TurnId, note: impl Fn(&mut Weather, &Weather)) {
        let now = self.weather.clone();
        note(self.engines.entry(turn).or_insert_with(|| now.clone()), &now);
        if let Some(row) = self.turns.get_mut(&turn) {
            note(&mut row.weather, &now);
            if !self.changed.contains(&turn) {
                self.changed.push(turn);
            }
        }
    }

    /// Notes what the core decided.
    pub(super) fn note(&mut self, output: &Output) {
        match output {
            Output::Said { turn, who, text, language, began, interrupted } => {
                self.record.language = *language;
                let row = self.turn(*turn);
                let said = match who {
                    Speaker::Caller => &mut row.caller,
                    Speaker::Agent => &mut row.agent,
                };
                append(said, text);
                row.language = *language;
                if *who == Speaker::Caller {
                    row.at = *began;
                }
                row.interrupted |= *interrupted && *who == Speaker::Agent;
            }
            Output::Latency { turn, latency } => self.turn(*turn).latencies = latencies(latency),
            Output::Hangup { reason } => self.hangup = Some(*reason),
            Output::Voicemail { reason } => {
                self.voicemail = Some(*reason);
                self.ending = Some(Ending::Voicemail);
            }
            Output::Transfer { .. } => self.ending = Some(Ending::Transfer),
            Output::Recognize { .. }
            | Output::CancelRecognition { .. }
            | Output::Reply { .. }
            | Output::CancelReply { .. }
            | Output::Synthesize { .. }
            | Output::CancelSynthesis { .. }
            | Output::Play { .. }
            | Output::Release { .. }
            | Output::Clear { .. }
            | Output::Ended
            | Output::Ignored { .. } => {}
        }
    }

    /// Adds to `batch` what changed since the last time, and the form as far as it is filled.
    pub(super) fn put_progress(
        &mut self,
        batch: &mut Batch,
        form: &FormRecord,
        now_wall_ms: u64,
    ) -> Result<(), EncodeError> {
        for turn in std::mem::take(&mut self.changed) {
            if let Some(row) = self.turns.get(&turn) {
                batch.put::<Turns>(&TurnKey { call: self.record.call.clone(), turn: row.turn }, row)?;
            }
        }
        let row = self.form_row(form, now_wall_ms);
        batch.put::<Forms>(&FormKey { call: row.call.clone(), form: row.form.clone() }, &row)
    }

    /// Adds to `batch` what the gateway is told of a call that is over; to be called after [`Book::put_end`]. A caller who
    /// said nothing has filled no form.
    pub(super) fn tell(&self, events: &Events, batch: &mut Batch, form: &FormRecord, now_wall_ms: u64) {
        for row in self.turns.values() {
            events.call_turn(batch, row);
        }
        if self.record.turns > 0 {
            events.form(batch, &self.form_row(form, now_wall_ms));
        }
        if self.record.outcome != CallOutcome::InProgress {
            events.call_ended(batch, &self.record);
        }
    }

    /// Returns the first turn that is free after this stream.
    pub(super) fn next_turn(&self) -> u32 {
        self.turns.values().map(|row| row.turn.0.saturating_add(1)).max().unwrap_or(self.turns_before)
    }

    /// Returns what the whole call cost so far, of which this stream cost `micros`.
    pub(super) fn cost(&self, micros: u64) -> u64 {
        self.cost_before.saturating_add(micros)
    }

    /// Adds what the call told of the caller; to be called after [`Book::put_end`].
    pub(super) fn put_lead(&self, batch: &mut Batch, form: &Form, record: &FormRecord, now_wall_ms: u64) {
        leads::put_call(batch, form, record, &self.record, now_wall_ms);
    }

    fn form_row(&self, form: &FormRecord, now_wall_ms: u64) -> FormRow {
        FormRow {
            call: self.record.call.clone(),
            form: form.form.clone(),
            saved_wall_ms: now_wall_ms,
            complete: form.complete,
            record: Pii::new(brain::record_json(form)),
        }
    }

    /// Adds the call itself to `batch`, as over. One that goes on with a person is not: what becomes of it is noted when
    /// that is known.
    pub(super) fn put_end(&mut self, batch: &mut Batch, now_wall_ms: u64, cost_micros: u64) -> Result<(), EncodeError> {
        let goes_on = self.ending == Some(Ending::Transfer);
        self.record.duration_ms = (!goes_on).then(|| now_wall_ms.saturating_sub(self.record.started_wall_ms));
        self.record.outcome = if goes_on { CallOutcome::InProgress } else { self.outcome() };
        let turns = self.turns.keys().filter(|turn| turn.0 > 0).count();
        let before = self.turns_before.saturating_sub(1);
        self.record.turns = before.saturating_add(u32::try_from(turns).unwrap_or(u32::MAX));
        self.record.weather = self.weather.clone();
        self.record.cost_micros = self.cost(cost_micros);
        batch.put_call(&self.record)
    }

    /// Notes where the call's recording is.
    pub(super) fn set_recording(&mut self, name: RecordingName) {
        self.record.recording = Some(name);
    }

    /// Returns how the call goes on when the stream is over. A stream that ended before anything was decided may have
    /// left a caller on the line, who is asked for a message; the carrier asks nothing for one who hung up.
    pub(super) fn ending(&self) -> Ending {
        match (self.ending, self.hangup) {
            (Some(ending), _) => ending,
            (None, Some(_)) => Ending::HangUp,
            (None, None) => Ending::Voicemail,
        }
    }

    /// Returns how the call ended.
    pub(super) fn outcome(&self) -> CallOutcome {
        match (self.ending, self.hangup) {
            (Some(Ending::Voicemail), _) => CallOutcome::Voicemail,
            (Some(Ending::Transfer), _) => CallOutcome::Transferred,
            (_, Some(HangupReason::SilenceLimit)) => CallOutcome::Silent,
            (_, Some(HangupReason::AgentDone | HangupReason::CallerGoodbye | HangupReason::CallLimit)) => {
                CallOutcome::Completed
            }
            (_, None) => CallOutcome::CallerHungUp,
        }
    }

    /// Returns whether the caller said nothing in the whole call.
    pub(super) fn is_silent(&self) -> bool {
        self.turns.values().all(|turn| turn.caller.reveal().is_empty())
    }

    /// Returns why the call was handed to voicemail, if it was.
    pub(super) fn voicemail_reason(&self) -> Option<VoicemailReason> {
        self.voicemail
    }

    /// Returns the language spoken last.
    pub(super) fn language(&self) -> units::Language {
        self.record.language
    }

    fn turn(&mut self, turn: TurnId) -> &mut TurnRow {
        if !self.changed.contains(&turn) {
            self.changed.push(turn);
        }
        let call = self.record.call.clone();
        let weather = self.engines.get(&turn).unwrap_or(&self.weather).clone();
        let number = TurnId(self.turns_before.saturating_add(turn.0));
        self.turns.entry(turn).or_insert_with(|| TurnRow {
            call,
            turn: number,
            at: units::CallTime::ZERO,
            caller: Pii::default(),
            agent: Pii::default(),
            language: units::Language::default(),
            interrupted: false,
            latencies: TurnLatencies::default(),
            weather,
        })
    }
}

/// Returns an engine's name for the records: this device's goes by its model or voice.
fn name(engine: &str, local: Option<&String>) -> Option<String> {
    if engine == LOCAL { local.cloned() } else { Some(engine.to_owned()) }
}

fn append(said: &mut Pii<String>, more: &Pii<String>) {
    let mut text = std::mem::take(said).into_revealed();
    if !text.is_empty() && !more.reveal().is_empty() {
        text.push(' ');
    }
    text.push_str(more.reveal());
    *said = Pii::new(text);
}

fn latencies(latency: &TurnLatency) -> TurnLatencies {
    let millis = |duration: Duration| Some(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX));
    TurnLatencies {
        end_of_turn_ms: millis(latency.end_of_turn),
        transcript_ms: millis(latency.transcript),
        reply_ms: millis(latency.reply),
        first_audio_ms: millis(latency.first_audio),
    }
}
