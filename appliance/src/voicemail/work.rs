//! One message: fetch it, have the carrier delete its copy, write it down. Each step is noted before the next.

use std::sync::Arc;
use std::time::Duration;

use language::summary::{MESSAGE_SUMMARY, summary};
use media::wav::Wav;
use store::{
    Batch, CarrierCopy, EncodeError, FinishedRecording, RecordingError, RecordingName, VoicemailKey, VoicemailPath,
    VoicemailRecord, Voicemails,
};
use units::Pii;

use super::put_news;
use crate::app::Parts;
use crate::leads;
use crate::transcribing::{TranscribeError, Transcript, samples_of_wav, transcribe};

/// How long a recording that the carrier does not know is asked for; it is there within minutes or never.
const MISSING_FOR: Duration = Duration::from_hours(24);
/// Tries before a recording is taken to be missing: a box that was away for a day asks again.
const MISSING_TRIES: u32 = 6;

/// What is left to do for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// Something that no further try would change soon: it is looked at now and then, and at the next start.
    Later,
    /// Something that is worth another try after a while.
    Again,
}

/// Tells of a message.
type Tell = fn(&Parts, &mut Batch, &VoicemailRecord) -> Result<(), EncodeError>;

/// Returns whether there is anything to do for a message.
pub(super) fn has_work_left(row: &VoicemailRecord) -> bool {
    is_to_fetch(row) || is_to_transcribe(row) || row.carrier_copy == CarrierCopy::ToDelete
}

fn is_to_fetch(row: &VoicemailRecord) -> bool {
    row.source.is_some() && row.recording.is_none()
}

fn is_to_transcribe(row: &VoicemailRecord) -> bool {
    row.recording.is_some() && row.transcript.is_none()
}

/// Does for a message what can be done now; `attempt` counts the tries of this run, from 1.
pub(super) async fn work(parts: &Arc<Parts>, key: &VoicemailKey, attempt: u32) -> Left {
    let Some(mut record) = read(parts, key).await else { return Left::Nothing };
    if is_to_fetch(&record) {
        record = match fetch(parts, record, attempt).await {
            Ok(record) => record,
            Err(left) => return left,
        };
    }
    let deleted =
        if record.carrier_copy == CarrierCopy::ToDelete { delete(parts, &record).await } else { Left::Nothing };
    let written = if is_to_transcribe(&record) { write_down(parts, &record).await } else { Left::Nothing };
    deleted.max(written)
}

/// Fetches a message and keeps it.
async fn fetch(parts: &Parts, record: VoicemailRecord, attempt: u32) -> Result<VoicemailRecord, Left> {
    let (Some(carrier), Some(source)) = (&parts.carrier, &record.source) else { return Err(Left::Later) };
    let call_id = &record.key.call;
    match carrier.recording(source).await {
        Ok(wav) => keep(parts, record, Arc::new(wav)).await,
        Err(error) if error.is_missing() && is_missed_for_good(&record, parts.clock.wall_ms(), attempt) => {
            tracing::warn!(%call_id, "the carrier does not have this message; it is no longer asked for");
            change(parts, &record.key, |row| row.source = None, None).await
        }
        Err(error) => {
            tracing::warn!(%call_id, error = &error as &dyn std::error::Error, "message not fetched yet");
            Err(if error.is_transient() { Left::Again } else { Left::Later })
        }
    }
}

fn is_missed_for_good(record: &VoicemailRecord, now_wall_ms: u64, attempt: u32) -> bool {
    let age = Duration::from_millis(now_wall_ms.saturating_sub(record.key.received_wall_ms));
    age > MISSING_FOR && attempt >= MISSING_TRIES
}

/// Puts the audio on the disk and notes it. From here on the message is safe, and the carrier's copy may go.
async fn keep(parts: &Parts, record: VoicemailRecord, wav: Arc<Vec<u8>>) -> Result<VoicemailRecord, Left> {
    let is_sound = Wav::parse(&wav).is_ok();
    let finished = take(parts, RecordingName::of_message(&record.key), wav).await?;
    let goes = parts.config.voicemail.delete_at_carrier && is_sound && record.carrier_recording.is_some();
    let note = move |row: &mut VoicemailRecord| {
        row.duration_ms = u64::try_from(finished.duration.as_millis()).unwrap_or(u64::MAX);
        row.digest = Some(finished.digest);
        row.recording = Some(finished.name);
        if goes {
            row.carrier_copy = CarrierCopy::ToDelete;
        }
    };
    change(parts, &record.key, note, Some(tell_of_recording)).await
}

/// Makes a file of a message.
async fn take(parts: &Parts, name: RecordingName, wav: Arc<Vec<u8>>) -> Result<FinishedRecording, Left> {
    let imported = match parts.archive.import(name.clone(), wav).await {
        // Written by a try that could not note it any more.
        Some(Err(RecordingError::Exists { .. })) => {
            let id = name.clone();
            parts.archive.blocking(move |archive| archive.recordings().map(|all| all.inspect(&id))).await.flatten()
        }
        imported => imported,
    };
    imported.ok_or(Left::Again)?.map_err(|error| {
        tracing::warn!(call_id = %name.call, error = &error as &dyn std::error::Error, "message not kept yet");
        Left::Again
    })
}

/// Has the carrier delete its copy. One that is gone already is as good.
async fn delete(parts: &Parts, record: &VoicemailRecord) -> Left {
    let (Some(carrier), Some(id)) = (&parts.carrier, &record.carrier_recording) else { return Left::Later };
    if let Err(error) = carrier.delete_recording(id).await {
        let call_id = &record.key.call;
        tracing::warn!(%call_id, error = &error as &dyn std::error::Error, "the carrier's copy is not deleted yet");
        return if error.is_transient() { Left::Again } else { Left::Later };
    }
    let noted = change(parts, &record.key, |row| row.carrier_copy = CarrierCopy::Deleted, None).await;
    noted.map_or_else(|left| left, |_| Left::Nothing)
}

/// Writes down what is said in a message.
async fn write_down(parts: &Arc<Parts>, record: &VoicemailRecord) -> Left {
    let Some(name) = record.recording.clone() else { return Left::Nothing };
    let read = parts.archive.blocking(move |archive| std::fs::read(archive.recordings()?.path(&name)).ok()).await;
    // Retention may have taken it.
    let Some(wav) = read.flatten() else { return Left::Later };
    let heard = match samples_of_wav(&wav) {
        Ok(samples) => transcribe(parts, samples).await,
        Err(error) => Err(error),
    };
    let call_id = &record.key.call;
    let transcript = match heard {
        Ok(transcript) => transcript,
        Err(TranscribeError::Sound(_)) => Transcript::default(),
        Err(error) => {
            tracing::warn!(%call_id, error = &error as &dyn std::error::Error, "message not written down yet");
            return if error.is_transient() { Left::Again } else { Left::Later };
        }
    };
    let note = move |row: &mut VoicemailRecord| {
        row.summary = Some(Pii::new(summary(transcript.text.reveal(), MESSAGE_SUMMARY)));
        row.language = transcript.language.or(row.language);
        row.transcript = Some(transcript.text);
        // The message is ours alone now; when retention takes the recording, it is not fetched again.
        row.source = None;
    };
    match change(parts, &record.key, note, Some(tell_of_transcript)).await {
        Ok(record) => {
            if record.path != Some(VoicemailPath::Device) {
                parts.metrics.messages_fetched.inc();
            }
            tracing::info!(%call_id, "message written down");
            Left::Nothing
        }
        Err(left) => left,
    }
}

/// Tells the gateway that a message is here, and the office's leads, because its length is known now for certain.
#[expect(clippy::unnecessary_wraps, reason = "as the type says")]
fn tell_of_recording(parts: &Parts, batch: &mut Batch, record: &VoicemailRecord) -> Result<(), EncodeError> {
    parts.events.voicemail_saved(batch, record);
    leads::put_voicemail(batch, record);
    Ok(())
}

/// Tells the gateway, the owner and the office's leads what was said.
fn tell_of_transcript(parts: &Parts, batch: &mut Batch, record: &VoicemailRecord) -> Result<(), EncodeError> {
    parts.events.voicemail_transcribed(batch, record);
    put_news(batch, &parts.config, record, parts.clock.wall_ms())
}

async fn read(parts: &Parts, key: &VoicemailKey) -> Option<VoicemailRecord> {
    let id = key.clone();
    parts.archive.blocking(move |archive| archive.store()?.get::<Voicemails>(&id).ok().flatten()).await.flatten()
}

/// Changes a record as it stands in the store now (the owner may have listened to it meanwhile), with what is told of it.
async fn change(
    parts: &Parts,
    key: &VoicemailKey,
    note: impl FnOnce(&mut VoicemailRecord),
    tell: Option<Tell>,
) -> Result<VoicemailRecord, Left> {
    let alone = parts.voicemail.alone().await;
    let Some(mut record) = read(parts, key).await else { return Err(Left::Nothing) };
    note(&mut record);
    let mut batch = Batch::new();
    alone.put(&mut batch, &record).map_err(|_too_large| Left::Nothing)?;
    tell.map_or(Ok(()), |tell| tell(parts, &mut batch, &record)).map_err(|_too_large| Left::Nothing)?;
    match alone.commit(&parts.archive, batch).await {
        Ok(()) => {
            parts.messages.wake();
            parts.leads.notify();
            Ok(record)
        }
        Err(error) => {
            tracing::warn!(call_id = %key.call, error = &error as &dyn std::error::Error, "message not noted yet");
            Err(if error.is_transient() { Left::Again } else { Left::Later })
        }
    }
}

#[cfg(test)]
mod tests {
    use store::{CarrierCopy, RecordingName, VoicemailKey, VoicemailPath, VoicemailRecord};
    use units::Pii;

    use super::{MISSING_FOR, MISSING_TRIES, has_work_left, is_missed_for_good};

    #[test]
    fn a_message_has_work_left_until_it_is_here_written_down_and_deleted_at_the_carrier() {
        let mut row = received();
        assert!(!has_work_left(&row), "nobody has it");
        row.source = Some("https://carrier/RE1".to_owned());
        assert!(has_work_left(&row));
        row.recording = Some(RecordingName::of_message(&row.key));
        assert!(has_work_left(&row), "it is not written down");
        row.transcript = Some(Pii::default());
        assert!(!has_work_left(&row), "a source that is left over is not fetched again");
        row.carrier_copy = CarrierCopy::ToDelete;
        assert!(has_work_left(&row));
        row.carrier_copy = CarrierCopy::Deleted;
        assert!(!has_work_left(&row));
    }

    #[test]
    fn a_recording_that_is_not_there_is_given_up_after_a_day_of_asking() {
        let day = u64::try_from(MISSING_FOR.as_millis()).unwrap();
        let row = received();
        let received = row.key.received_wall_ms;
        assert!(!is_missed_for_good(&row, received + day, MISSING_TRIES));
        assert!(is_missed_for_good(&row, received + day + 1, MISSING_TRIES));
        assert!(!is_missed_for_good(&row, received + 10 * day, MISSING_TRIES - 1), "the box was away");
        assert!(!is_missed_for_good(&row, 0, MISSING_TRIES), "the clock went back");
    }

    fn received() -> VoicemailRecord {
        let key = VoicemailKey { received_wall_ms: 1_000, call: "CA1".parse().unwrap() };
        VoicemailRecord::received(key, Pii::default(), VoicemailPath::CarrierAction)
    }
}
